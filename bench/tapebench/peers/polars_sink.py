"""Polars: sorted groups streamed into a PartitionBy sink, so that nothing is collected in Python.

The number of threads is the environment's POLARS_MAX_THREADS; Polars keeps no limit of memory.
"""

import polars as pl

from tapebench.peers.common import SYMBOL_COLUMN, Task, run_peer
from tapebench.peers.polars_expressions import grouped, rows_that_count


def work(task: Task) -> None:
    groups = grouped(task.job, rows_that_count(task.job, task.input_path)).sort(SYMBOL_COLUMN, "broker", "date")
    # Without a limit a symbol stays in one file.
    target = pl.PartitionBy(task.output_folder, key=SYMBOL_COLUMN, include_key=False, approximate_bytes_per_file=None)
    groups.sink_parquet(target, compression="zstd", engine="streaming", mkdir=True)


if __name__ == "__main__":
    run_peer(pl.__version__, work)
