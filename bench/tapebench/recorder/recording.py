"""`tapeworks record` in the background, and what it says of itself."""

import json
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tapebench.places import BenchError
from tapebench.recorder import metrics
from tapebench.recorder.limits import MemoryGroup, bind
from tapebench.recorder.watched import Watched, cpu_seconds_of

DURABLE_LATENCY = "tapeworks_receive_to_durable_seconds"
_CONNECT_SECONDS = 60


@dataclass(frozen=True)
class Setting:
    """How the recorder is run."""

    memory_bytes: int = 192 << 20
    layout: str = "symbol"
    cpu_count: int = 2
    clock: Path | None = None


@dataclass(frozen=True)
class Sample:
    """The recorder at one moment; bytes, seconds, records, counts since its start."""

    at_seconds: float
    resident_bytes: int
    reported_resident_bytes: int
    cpu_seconds: float
    messages: int
    queue_records: int
    queue_bytes: int
    dropped: int
    open_partitions: int
    parts: int
    waiting_merges: int
    published_files: int
    log_bytes: int
    buffered_bytes: int
    column_bytes: int
    state_bytes: int
    heap_bytes: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Recorder:
    """Records `feeds` into FOLDER/out with the log FOLDER/log, as a `with` block."""

    def __init__(self, binary: Path, folder: Path, feeds: str, setting: Setting, group: MemoryGroup | None = None) -> None:
        self.folder, self.address = folder, f"127.0.0.1:{free_port()}"
        config = folder / "recorder.toml"
        config.write_text(
            f'[output]\ndir = {json.dumps(str(self.out))}\nlayout = "{setting.layout}"\n[wal]\ndir = {json.dumps(str(folder / "log"))}\n'
            f'[metrics]\nlisten = "{self.address}"\n[status]\ninterval = "5s"\nformat = "json"\n{feeds}')
        command: list[object] = [binary, "record", "--config", config, "--memory", f"{setting.memory_bytes // 2**20}MiB"]
        if setting.clock:
            command += ["--clock", f"script:{setting.clock}"]

        def prepare() -> None:
            bind(setting.cpu_count)
            if group:
                group.take_me()

        self.process = Watched(command, folder / "record.log", prepare=prepare)
        self.began = time.monotonic()

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def age_seconds(self) -> float:
        return time.monotonic() - self.began

    def read(self) -> metrics.Reading:
        self.process.require_running()
        return metrics.read(self.address)

    def wait_connected(self) -> None:
        """Until every connection is live and something came."""
        deadline = time.monotonic() + _CONNECT_SECONDS
        while time.monotonic() < deadline:
            try:
                reading = self.read()
            except OSError:
                time.sleep(0.1)
                continue
            wanted = reading.sum("tapeworks_connections_wanted")
            if 0 < wanted == reading.sum("tapeworks_connections_live") and reading.sum("tapeworks_messages_total"):
                return
            time.sleep(0.1)
        raise BenchError(f"the recorder was not connected within {_CONNECT_SECONDS} s; see {self.process.log}")

    def sample(self, reading: metrics.Reading) -> Sample:
        return Sample(
            at_seconds=round(self.age_seconds(), 3),
            resident_bytes=self.process.memory_bytes(),
            reported_resident_bytes=int(reading.sum("process_resident_memory_bytes")),
            cpu_seconds=self.process.cpu_seconds(),
            messages=int(reading.sum("tapeworks_messages_total")),
            queue_records=int(reading.sum("tapeworks_queue_records")),
            queue_bytes=int(reading.sum("tapeworks_queue_bytes")),
            dropped=int(reading.sum("tapeworks_dropped_messages_total")),
            open_partitions=int(reading.sum("tapeworks_open_partitions")),
            parts=int(reading.sum("tapeworks_parts")),
            waiting_merges=int(reading.sum("tapeworks_waiting_merges")),
            published_files=int(reading.sum("tapeworks_published_files_total")),
            log_bytes=int(reading.sum("tapeworks_log_bytes")),
            buffered_bytes=int(reading.sum("tapeworks_buffered_bytes")),
            column_bytes=int(reading.sum("tapeworks_column_bytes")),
            state_bytes=int(reading.sum("tapeworks_state_bytes")),
            heap_bytes=int(reading.sum("tapeworks_heap_bytes")))

    def stop(self) -> dict[str, object]:
        """Ends it in order; what its whole life cost, publication of the open hour included."""
        begin = time.monotonic()
        self.process.stop()
        usage = self.process.usage
        return {"stop_seconds": time.monotonic() - begin, "cpu_seconds": cpu_seconds_of(usage),
                "user_seconds": usage.ru_utime, "system_seconds": usage.ru_stime, "peak_rss_bytes": usage.ru_maxrss * 1024,
                "last_status": self.last_status()}

    def last_status(self) -> dict[str, object]:
        lines = [line for line in self.process.log.read_text(errors="replace").splitlines() if line.startswith("{") and line.endswith("}")]
        return json.loads(lines[-1]) if lines else {}

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__()


def plain(samples: list[Sample]) -> list[dict[str, object]]:
    return [asdict(sample) for sample in samples]
