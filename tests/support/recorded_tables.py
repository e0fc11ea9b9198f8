"""The tables of a recording as frames, read with Polars, which shares nothing with the program."""

from pathlib import Path

import polars as pl

VENUES = {
    "binance_spot": ("binance", "spot", "json"),
    "binance_spot_sbe": ("binance", "spot", "sbe"),
    "binance_usdm": ("binance", "usdt_futures", "json"),
    "kucoin_spot": ("kucoin", "spot", "json"),
    "kucoin_futures": ("kucoin", "usdt_futures", "json"),
    "gate_spot": ("gate", "spot", "json"),
    "gate_futures": ("gate", "usdt_futures", "json"),
}


def read_rows(out: Path, pattern: str = "**/[0-2][0-9].parquet") -> pl.DataFrame:
    """All published rows, times as nanoseconds."""
    files = sorted(out.glob(pattern))
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in files if not any(part.startswith("_") for part in file.parts)]
    if not frames:
        return pl.DataFrame()
    times = ["receive_time", "event_time", "exchange_time"]
    return pl.concat(frames).with_columns(*(pl.col(name).dt.epoch("ns") for name in times))


def read_table(out: Path, name: str) -> pl.DataFrame:
    files = sorted(out.glob(f"*/{name}/*.parquet")) + sorted(out.glob(f"{name}/*.parquet"))
    return pl.concat([pl.read_parquet(file).with_columns(folder=pl.lit(file.parts[-3])) for file in files]) if files else pl.DataFrame()


def rows_of(rows: pl.DataFrame, venue: str) -> pl.DataFrame:
    exchange, market, transport = VENUES[venue]
    return rows.filter(pl.col("exchange") == exchange, pl.col("market") == market, pl.col("transport") == transport)
