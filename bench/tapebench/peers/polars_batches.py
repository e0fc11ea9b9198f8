"""Polars in batches of 500 symbols, one scan of the input for each: the method in use today.

The number of threads is the environment's POLARS_MAX_THREADS; Polars keeps no limit of memory.
"""

import polars as pl

from tapebench.peers.common import Task, run_peer
from tapebench.peers.polars_expressions import grouped, rows_that_count, write_symbols

SYMBOLS_A_BATCH = 500


def work(task: Task) -> None:
    job = task.job
    rows = rows_that_count(job, task.input_path)
    symbols = rows.select(pl.col(job.symbol).unique()).collect(engine="streaming")[job.symbol].to_list()
    for first in range(0, len(symbols), SYMBOLS_A_BATCH):
        batch = symbols[first : first + SYMBOLS_A_BATCH]
        groups = grouped(job, rows.filter(pl.col(job.symbol).is_in(batch))).collect(engine="streaming")
        write_symbols(groups, task.output_folder)


if __name__ == "__main__":
    run_peer(pl.__version__, work)
