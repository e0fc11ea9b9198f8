"""What the peers share: their command line, the line they print, and the SQL of the job."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tapebench.jobs import JOBS, TAIPEI_HOURS, Job

SYMBOL_COLUMN = "symbol"  # the partition column of the outputs, where the peer needs one


@dataclass(frozen=True)
class Task:
    """What a peer was asked to do."""

    input_path: Path
    output_folder: Path  # exists and is empty
    job: Job
    threads: int
    memory_bytes: int | None  # the limit the peer shall keep, if it has one
    temp_folder: Path  # exists; for spilling

    @property
    def temp_text(self) -> str:
        return sql_text(self.temp_folder)

    @property
    def input_text(self) -> str:
        return sql_text(self.input_path)

    @property
    def output_text(self) -> str:
        return sql_text(self.output_folder)


def sql_text(value: object) -> str:
    """A literal of SQL."""
    return "'" + str(value).replace("'", "''") + "'"


@dataclass(frozen=True)
class Dialect:
    """How one SQL engine says what is not the same everywhere; `{}` stands for the column."""

    day_of_instant: str
    without_commas: str
    float32: str = "CAST({} AS FLOAT)"
    float64: str = "CAST({} AS DOUBLE)"
    int32: str = "CAST({} AS INTEGER)"


def grouping_sql(job: Job, dialect: Dialect, source: str) -> str:
    """SELECT symbol, broker, date, four sums FROM source; without an order."""
    price_text = dialect.without_commas.format(job.price) if job.price_is_text else job.price
    price = dialect.float64.format(dialect.float32.format(price_text))
    day = dialect.day_of_instant.format(job.date) if job.date_is_instant else job.date
    where = f"WHERE {job.price} <> '-'" if job.price_is_text else f"WHERE {job.price} IS NOT NULL"
    return f"""
        SELECT {SYMBOL_COLUMN}, broker, day AS date,
               {dialect.int32.format("SUM(bought)")} AS buy_shares,
               {dialect.int32.format("SUM(sold)")} AS sell_shares,
               {dialect.float32.format("SUM(bought * paid)")} AS buy_amount,
               {dialect.float32.format("SUM(sold * paid)")} AS sell_amount
        FROM (SELECT {job.symbol} AS {SYMBOL_COLUMN}, {job.broker} AS broker, {day} AS day,
                     {price} AS paid, {job.buy} AS bought, {job.sell} AS sold
              FROM {source} {where}) AS trades
        GROUP BY {SYMBOL_COLUMN}, broker, day"""


def read_task() -> Task:
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--job", choices=sorted(JOBS), default="trades")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-bytes", type=int)
    parser.add_argument("--temp-dir", type=Path)
    given = parser.parse_args()
    temp_folder = given.temp_dir or given.output.with_name(given.output.name + ".temp")
    for folder in (given.output, temp_folder):
        folder.mkdir(parents=True, exist_ok=True)
    return Task(given.input, given.output, JOBS[given.job], given.threads, given.memory_bytes, temp_folder)


def run_peer(version: str, work: Callable[[Task], None]) -> None:
    """Does the work and prints {"version", "work_seconds"}: the time without the start and the imports."""
    task = read_task()
    begin = time.perf_counter()
    work(task)
    print(json.dumps({"version": version, "work_seconds": time.perf_counter() - begin}))


TAIPEI_INTERVAL = f"INTERVAL '{TAIPEI_HOURS} hours'"
