"""Who runs: the command line of each contender for one input."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tapebench.inputs import Trades
from tapebench.jobs import Job
from tapebench.places import BENCH, PEER_PYTHON, Places

TAPEWORKS = "tapeworks"
TAPEWORKS_RUN = "tapeworks-run"


@dataclass(frozen=True)
class Setting:
    """What is asked of all contenders alike in one cell of a table. Sizes in bytes."""

    job: Job
    trades: Trades
    threads: int
    memory_bytes: int  # --memory of tapeworks
    peer_memory_bytes: int | None  # for the peers that can keep a limit; None: as much as they like


@dataclass(frozen=True)
class Contender:
    """`command` gets the setting and the contender's own empty folder."""

    name: str
    title: str
    command: Callable[[Places, Setting, Path], list[str]]
    output: str  # the folder of the outputs below the contender's own
    package: str = ""  # the Python package that must be installed
    makes_durable: bool = False  # its wall time includes the synchronisation with the disk
    keeps_memory_limit: bool = True
    environment: dict[str, str] = field(default_factory=dict)


def _tapeworks(verb: str) -> Callable[[Places, Setting, Path], list[str]]:
    def command(places: Places, setting: Setting, folder: Path) -> list[str]:
        trades = setting.trades
        line = [str(places.binary), verb, str(trades.path), "--data", str(folder / "data"), "--threads",
                str(setting.threads), "--memory", f"{setting.memory_bytes // 2**20}MiB", "--stats", "--no-progress"]
        line += setting.job.tapeworks_options()
        line += ["--naive-zone", trades.naive_zone] if trades.naive_zone else []
        line += ["--prices", str(trades.prices)] if verb == "run" else []
        return line

    return command


def _peer(module: str) -> Callable[[Places, Setting, Path], list[str]]:
    def command(_: Places, setting: Setting, folder: Path) -> list[str]:
        line = [str(PEER_PYTHON), "-m", f"tapebench.peers.{module}", str(setting.trades.path), str(folder / "out"),
                "--job", setting.job.name, "--threads", str(setting.threads), "--temp-dir", str(folder / "temp")]
        if setting.peer_memory_bytes is not None:
            line += ["--memory-bytes", str(setting.peer_memory_bytes)]
        return line

    return command


def _polars(name: str, title: str) -> Contender:
    return Contender(name, title, _peer(name.replace("-", "_")), "out", "polars", keeps_memory_limit=False)


CONTENDERS = {contender.name: contender for contender in (
    Contender(TAPEWORKS, "tapeworks etl", _tapeworks("etl"), "data/daily_summary", makes_durable=True),
    Contender(TAPEWORKS_RUN, "tapeworks run (with P&L)", _tapeworks("run"), "data/daily_summary", makes_durable=True),
    _polars("polars-streaming", "Polars, streaming collect"),
    _polars("polars-batches", "Polars, batches of 500 symbols"),
    _polars("polars-sink", "Polars, PartitionBy sink"),
    Contender("duckdb-copy", "DuckDB, COPY PARTITION_BY", _peer("duckdb_copy"), "out", "duckdb"),
    Contender("datafusion-copy", "DataFusion, COPY PARTITIONED BY", _peer("datafusion_copy"), "out", "datafusion"),
    Contender("chdb-partition", "chDB, file() PARTITION BY", _peer("chdb_partition"), "out", "chdb"),
)}
OURS = (TAPEWORKS, TAPEWORKS_RUN)
PEERS = tuple(name for name in CONTENDERS if name not in OURS)


def environment_of(threads: int) -> dict[str, str]:
    """The same for every contender: how many threads those may use that are told by the environment."""
    return {"POLARS_MAX_THREADS": str(threads), "TOKIO_WORKER_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(BENCH)}
