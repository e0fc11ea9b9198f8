"""chDB (ClickHouse in the process): INSERT INTO FUNCTION file() PARTITION BY."""

import chdb
from chdb import session

from tapebench.peers.common import SYMBOL_COLUMN, TAIPEI_INTERVAL, Dialect, Task, grouping_sql, run_peer

DIALECT = Dialect(
    day_of_instant=f"toDate32(toTimeZone({{}}, 'UTC') + {TAIPEI_INTERVAL})",
    without_commas="replaceAll({}, ',', '')",
    float32="toFloat32({})",
    float64="toFloat64({})",
    int32="toInt32({})",
)


def settings(task: Task) -> str:
    pairs = [f"max_threads = {task.threads}", "output_format_parquet_compression_method = 'zstd'",
             "output_format_parquet_string_as_string = 1"]
    if task.memory_bytes is not None:
        half = task.memory_bytes // 2  # the manual's advice: the other half is for merging what was spilled
        pairs += [f"max_memory_usage = {task.memory_bytes}", f"max_bytes_before_external_group_by = {half}",
                  f"max_bytes_before_external_sort = {half}"]
    return ", ".join(pairs)


def work(task: Task) -> None:
    connection = session.Session(str(task.temp_folder / "chdb"))
    groups = grouping_sql(task.job, DIALECT, f"file({task.input_text}, Parquet)")
    target = str(task.output_folder) + "/{_partition_id}.parquet"
    columns = "broker, date, buy_shares, sell_shares, buy_amount, sell_amount"
    connection.query(f"""
        INSERT INTO FUNCTION file('{target}', Parquet) PARTITION BY {SYMBOL_COLUMN}
        SELECT {SYMBOL_COLUMN}, {columns} FROM ({groups}) ORDER BY {SYMBOL_COLUMN}, broker, date
        SETTINGS {settings(task)}""")


if __name__ == "__main__":
    run_peer(chdb.__version__, work)
