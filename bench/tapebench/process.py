"""Runs one child process and says what it cost: wall time, CPU, memory, bytes written.

CPU, the peak of the resident memory and the bytes written come from the kernel's own account of the ended
process (wait4), so nothing short is missed. While it runs, its tree is polled too: a child of the child counts
in the sum, and memory that is only mapped from files is told apart.
"""

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

POLL_SECONDS = 0.05
BLOCK_BYTES = 512  # the unit of ru_oublock


@dataclass
class Limits:
    """What the bench allows a contender, so that one of them does not take the machine down."""

    resident_bytes: int | None = None  # of the whole tree; above it the tree is killed
    wall_seconds: float | None = None
    cpu_count: int | None = None  # the child is bound to that many processors


@dataclass
class Measurement:
    """What one process tree cost."""

    wall_seconds: float = 0.0
    user_seconds: float = 0.0
    system_seconds: float = 0.0
    peak_rss_bytes: int = 0
    peak_anonymous_bytes: int = 0  # without pages mapped from files; polled, so a lower bound
    written_bytes: int = 0  # handed to the file system, temporary files included
    exit_code: int = 0  # negative: the signal
    stopped_because: str = ""  # why the bench killed it, or nothing

    @property
    def cpu_seconds(self) -> float:
        return self.user_seconds + self.system_seconds

    @property
    def failed(self) -> bool:
        return self.exit_code != 0


@dataclass
class _TreePoll:
    """The largest sums over a process tree seen so far, in bytes."""

    rss_bytes: int = 0
    anonymous_bytes: int = 0
    last_rss_bytes: int = field(default=0)

    def look(self, root: int) -> None:
        rss = anonymous = 0
        for pid in _tree(root):
            memory = _memory_of(pid)
            rss += memory.get("VmRSS", 0)
            anonymous += memory.get("RssAnon", 0) + memory.get("RssShmem", 0)
        self.last_rss_bytes = rss
        self.rss_bytes = max(self.rss_bytes, rss)
        self.anonymous_bytes = max(self.anonymous_bytes, anonymous)


def _tree(root: int) -> Iterable[int]:
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # ended meanwhile


def _memory_of(pid: int) -> dict[str, int]:
    """The lines of /proc/PID/status that are in kB, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def _bind(cpu_count: int | None) -> None:
    if cpu_count is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpu_count])


class _Waiter(threading.Thread):
    """Waits for the child without polling, so that the wall time is exact."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.ended_at = 0.0
        self.status = 0
        self.usage: resource.struct_rusage | None = None

    def run(self) -> None:
        _, self.status, self.usage = os.wait4(self.pid, 0)
        self.ended_at = time.perf_counter()


def _reason_to_stop(poll: _TreePoll, begin: float, limits: Limits) -> str:
    if limits.resident_bytes is not None and poll.last_rss_bytes > limits.resident_bytes:
        return f"memory above {limits.resident_bytes / 2**30:.1f} GiB"
    if limits.wall_seconds is not None and time.perf_counter() - begin > limits.wall_seconds:
        return f"longer than {limits.wall_seconds:g} s"
    return ""


def _watch(waiter: _Waiter, begin: float, limits: Limits) -> tuple[_TreePoll, str]:
    poll, reason = _TreePoll(), ""
    while waiter.is_alive():
        poll.look(waiter.pid)
        if not reason and (reason := _reason_to_stop(poll, begin, limits)):
            os.killpg(waiter.pid, signal.SIGKILL)
        waiter.join(POLL_SECONDS)
    return poll, reason


def run_measured(command: list[str], *, environment: dict[str, str] | None = None, folder: Path | None = None,
                 log_stem: Path, limits: Limits | None = None) -> Measurement:
    """Runs `command` to its end; its output goes to LOG_STEM.out and LOG_STEM.err. Does not raise when it fails."""
    limits = limits or Limits()
    log_stem.parent.mkdir(parents=True, exist_ok=True)
    out_path, err_path = log_stem.with_suffix(".out"), log_stem.with_suffix(".err")
    with out_path.open("wb") as out, err_path.open("wb") as err:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, start_new_session=True,
            env={**os.environ, **(environment or {})}, preexec_fn=lambda: _bind(limits.cpu_count),
        )
        waiter = _Waiter(child.pid)
        waiter.start()
        try:
            poll, reason = _watch(waiter, begin, limits)
        except BaseException:  # interrupted: the child must not go on alone
            os.killpg(child.pid, signal.SIGKILL)
            waiter.join()
            raise
        finally:
            child.returncode = os.waitstatus_to_exitcode(waiter.status)
    usage = waiter.usage
    return Measurement(
        wall_seconds=waiter.ended_at - begin, user_seconds=usage.ru_utime, system_seconds=usage.ru_stime,
        peak_rss_bytes=max(usage.ru_maxrss * 1024, poll.rss_bytes), peak_anonymous_bytes=poll.anonymous_bytes,
        written_bytes=usage.ru_oublock * BLOCK_BYTES, exit_code=child.returncode, stopped_because=reason,
    )


def last_line(path: Path) -> str:
    """The last line of a log that says something, for a message."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
