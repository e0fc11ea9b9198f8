"""Polars: one streaming collect of all groups, then one file per symbol.

The number of threads is the environment's POLARS_MAX_THREADS; Polars keeps no limit of memory.
"""

import polars as pl

from tapebench.peers.common import Task, run_peer
from tapebench.peers.polars_expressions import grouped, rows_that_count, write_symbols


def work(task: Task) -> None:
    groups = grouped(task.job, rows_that_count(task.job, task.input_path)).collect(engine="streaming")
    write_symbols(groups, task.output_folder)


if __name__ == "__main__":
    run_peer(pl.__version__, work)
