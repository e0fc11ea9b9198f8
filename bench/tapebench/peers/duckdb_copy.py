"""DuckDB: one COPY of the sorted groups with PARTITION_BY."""

import duckdb

from tapebench.peers.common import SYMBOL_COLUMN, TAIPEI_INTERVAL, Dialect, Task, grouping_sql, run_peer

DIALECT = Dialect(
    day_of_instant=f"CAST((({{}} AT TIME ZONE 'UTC') + {TAIPEI_INTERVAL}) AS DATE)",
    without_commas="replace({}, ',', '')",
)


def work(task: Task) -> None:
    connection = duckdb.connect()
    connection.execute(f"SET threads = {task.threads}")
    connection.execute(f"SET temp_directory = {task.temp_text}")
    if task.memory_bytes is not None:
        connection.execute(f"SET memory_limit = '{task.memory_bytes // 2**20} MiB'")
    groups = grouping_sql(task.job, DIALECT, f"read_parquet({task.input_text})")
    connection.execute(f"""
        COPY ({groups} ORDER BY {SYMBOL_COLUMN}, broker, date) TO {task.output_text}
        (FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({SYMBOL_COLUMN}), OVERWRITE_OR_IGNORE)""")


if __name__ == "__main__":
    run_peer(duckdb.__version__, work)
