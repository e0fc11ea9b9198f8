"""Inputs: made by `tapeworks generate` once and kept, or taken from the person who asks."""

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tapebench.places import BENCH, PEER_PYTHON, BenchError, Places

FULL_ROWS = 2_080_000_000
FULL_SYMBOLS = 2_839
FULL_BROKERS = 943
FULL_DAYS = 1_214
LEAST_DAYS = 6


@dataclass(frozen=True)
class Shape:
    """What `tapeworks generate` is asked for."""

    rows: int
    symbols: int
    brokers: int
    days: int
    order: str = "date"  # or shuffled
    seed: int = 1
    per_day: bool = False  # a file for each day

    @property
    def name(self) -> str:
        name = f"trades-{self.rows}r-{self.symbols}s-{self.brokers}b-{self.days}d-{self.order}-{self.seed}"
        return name + "-per-day" if self.per_day else name


def shape_of(rows: int, *, symbols: int | None = None, brokers: int | None = None, days: int | None = None,
             order: str = "date", seed: int = 1) -> Shape:
    """As many rows a day and symbol as the full data has.

    Without `days` all symbols are kept and the days are fewer; with it, or when that leaves too few days, the symbols
    are fewer.
    """
    natural_days = round(FULL_DAYS * rows / FULL_ROWS)
    keeps_symbols = days is None and natural_days >= LEAST_DAYS
    days = days or max(LEAST_DAYS, natural_days)
    if symbols is None:
        rows_a_day_and_symbol = FULL_ROWS / FULL_DAYS / FULL_SYMBOLS
        symbols = FULL_SYMBOLS if keeps_symbols else min(FULL_SYMBOLS, round(rows / days / rows_a_day_and_symbol))
    return Shape(rows, max(10, min(symbols, 20_000)), brokers or FULL_BROKERS, days, order, seed)


@dataclass(frozen=True)
class Trades:
    """An input on the disk. `prices` is missing for inputs that are not trades."""

    label: str
    path: Path
    rows: int
    prices: Path | None = None
    shape: Shape | None = None
    naive_zone: str = ""  # the zone of timestamps that carry none

    @property
    def size_bytes(self) -> int:
        files = [self.path] if self.path.is_file() else list(self.path.rglob("*.parquet"))
        return sum(file.stat().st_size for file in files)

    def described(self) -> dict[str, object]:
        return {"label": self.label, "rows": self.rows, "bytes": self.size_bytes,
                "shape": asdict(self.shape) if self.shape else None}


def run_helper(module: str, *arguments: object, python: Path = PEER_PYTHON) -> str:
    """Runs `python -m tapebench.MODULE` in the environment of the peers and returns what it printed."""
    command = [str(python), "-m", f"tapebench.{module}", *map(str, arguments)]
    answer = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise BenchError(f"{module} failed: {(answer.stderr.strip().splitlines() or ['no message'])[-1]}")
    return answer.stdout


def made_once(target: Path, make) -> Path:
    """Calls make(PARTIAL) unless `target` is there; a half-made folder is never taken for a whole one."""
    if target.exists():
        return target
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    partial.rename(target)
    return target


def generated(places: Places, shape: Shape) -> Trades:
    def make(folder: Path) -> None:
        print(f"making {shape.name}", flush=True)
        command = [str(places.binary), "generate", "--out", str(folder), "--rows", str(shape.rows), "--symbols",
                   str(shape.symbols), "--brokers", str(shape.brokers), "--days", str(shape.days), "--seed",
                   str(shape.seed), "--order", shape.order, "--quiet"]
        command += ["--per-day"] if shape.per_day else []
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise BenchError(f"tapeworks generate failed: {answer.stderr.strip()}")

    folder = made_once(places.inputs / shape.name, make)
    label = f"{shape.rows:,} rows, {shape.symbols:,} symbols, {shape.brokers} brokers, {shape.days} days, {shape.order}"
    return Trades(label, folder / ("broker_tx" if shape.per_day else "broker_tx.parquet"), shape.rows, folder / "close_prices.parquet", shape)


def given(path: Path, prices: Path | None) -> Trades:
    """An input that somebody brought; it must have the columns of broker_tx.parquet."""
    if not path.exists():
        raise BenchError(f"{path} does not exist")
    # Helpers run in another folder.
    rows = int(run_helper("rewrite", "count", path.resolve()))
    return Trades(path.name, path.resolve(), rows, prices and prices.resolve())


def rewritten(places: Places, trades: Trades, variant: str) -> Trades:
    """The same rows written by another writer; `variant` is a name of tapebench.rewrite."""
    def make(folder: Path) -> None:
        print(f"rewriting {trades.label} as {variant}", flush=True)
        run_helper("rewrite", "write", trades.path, folder / "broker_tx.parquet", variant)

    folder = made_once(trades.path.parent.with_name(f"{trades.path.parent.name}-{variant}"), make)
    notes = json.loads(run_helper("rewrite", "describe", variant))
    return replace(trades, label=notes["label"], path=folder / "broker_tx.parquet", naive_zone=notes["naive_zone"])
