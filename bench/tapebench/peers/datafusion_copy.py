"""DataFusion: one COPY of the sorted groups with PARTITIONED BY."""

import datafusion
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

from tapebench.peers.common import SYMBOL_COLUMN, TAIPEI_INTERVAL, Dialect, Task, grouping_sql, run_peer

DIALECT = Dialect(
    day_of_instant=f"CAST(({{}} + {TAIPEI_INTERVAL}) AS DATE)",
    without_commas="replace({}, ',', '')",
)


def session(task: Task) -> SessionContext:
    runtime = RuntimeEnvBuilder().with_disk_manager_specified(task.temp_folder)
    if task.memory_bytes is not None:
        runtime = runtime.with_fair_spill_pool(task.memory_bytes)
    settings = SessionConfig().with_target_partitions(task.threads)
    # Otherwise the partition column is a dictionary, and text columns come as views.
    settings = settings.set("datafusion.execution.keep_partition_by_columns", "false")
    return SessionContext(settings, runtime)


def work(task: Task) -> None:
    context = session(task)
    context.register_parquet("input", str(task.input_path))
    groups = grouping_sql(task.job, DIALECT, "input")
    context.sql(f"""
        COPY ({groups} ORDER BY {SYMBOL_COLUMN}, broker, date) TO {task.output_text}
        STORED AS PARQUET PARTITIONED BY ({SYMBOL_COLUMN})
        OPTIONS ('format.compression' 'zstd(3)')""").collect()


if __name__ == "__main__":
    run_peer(datafusion.__version__, work)
