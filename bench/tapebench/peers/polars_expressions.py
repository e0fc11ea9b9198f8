"""The job in Polars expressions, and the writing of one file per symbol; shared by the three Polars peers."""

from pathlib import Path

import polars as pl

from tapebench.jobs import TAIPEI_HOURS, Job
from tapebench.peers.common import SYMBOL_COLUMN


def rows_that_count(job: Job, input_path: Path) -> pl.LazyFrame:
    """The input without the rows that have no price. Price text is not parsed."""
    rows = pl.scan_parquet(input_path)
    return rows.filter(pl.col(job.price) != "-") if job.price_is_text else rows.drop_nulls(job.price)


def grouped(job: Job, rows: pl.LazyFrame) -> pl.LazyFrame:
    """(symbol, broker, date) and the four sums; without an order."""
    text = pl.col(job.price)
    price = (text.str.replace_all(",", "", literal=True) if job.price_is_text else text).cast(pl.Float32).cast(pl.Float64)
    instant = pl.col(job.date)
    day = instant.dt.offset_by(f"{TAIPEI_HOURS}h").dt.date() if job.date_is_instant else instant
    return (
        rows.select(pl.col(job.symbol).alias(SYMBOL_COLUMN), pl.col(job.broker).alias("broker"), day.alias("date"),
                    price.alias("price"), pl.col(job.buy).alias("buy"), pl.col(job.sell).alias("sell"))
        .group_by(SYMBOL_COLUMN, "broker", "date")
        .agg(
            pl.col("buy").sum().cast(pl.Int32).alias("buy_shares"),
            pl.col("sell").sum().cast(pl.Int32).alias("sell_shares"),
            (pl.col("buy") * pl.col("price")).sum().cast(pl.Float32).alias("buy_amount"),
            (pl.col("sell") * pl.col("price")).sum().cast(pl.Float32).alias("sell_amount"),
        )
    )


def write_symbols(groups: pl.DataFrame, folder: Path) -> None:
    """One sorted file per symbol of `groups`."""
    for (symbol,), rows in groups.partition_by(SYMBOL_COLUMN, as_dict=True, include_key=False).items():
        rows.sort("broker", "date").write_parquet(folder / f"{symbol}.parquet", compression="zstd")
