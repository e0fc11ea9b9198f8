"""A child process in the background whose resident memory and CPU time are looked at while it runs."""

import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tapebench.places import BenchError
from tapebench.process import last_line

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_END_SECONDS = 300


class Watched:
    """Runs `command` until stop(); its standard error goes to a file, its other streams are given to who asks."""

    def __init__(self, command: list[object], log: Path, *, environment: dict[str, str] | None = None,
                 prepare: Callable[[], None] | None = None, folder: Path | None = None, stdin: int = subprocess.DEVNULL,
                 stdout: int = subprocess.DEVNULL) -> None:
        self.log = log
        self.usage: resource.struct_rusage | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self.process = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=stdout, stderr=errors,
                                            env={**os.environ, **(environment or {})}, preexec_fn=prepare, cwd=folder)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def require_running(self) -> None:
        if not self.is_running:
            raise BenchError(f"{Path(self.process.args[0]).name} ended with {self.process.returncode}: {last_line(self.log)}")

    def cpu_seconds(self) -> float:
        """Of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def memory_bytes(self, name: str = "VmRSS") -> int:
        """A line of /proc/PID/status, e.g. VmHWM."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Asks it to end, which must give 0; then `usage` is the kernel's account of its whole life."""
        self.require_running()
        self.process.send_signal(how)
        self.wait()
        if self.process.returncode != 0:
            raise BenchError(f"{Path(self.process.args[0]).name} ended with {self.process.returncode}: {last_line(self.log)}")

    def wait(self) -> None:
        """Not longer than _END_SECONDS, then it is killed."""
        timer = threading.Timer(_END_SECONDS, os.kill, (self.process.pid, signal.SIGKILL))
        timer.start()
        _, status, self.usage = os.wait4(self.process.pid, 0)
        timer.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None and self.is_running:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def cpu_seconds_of(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime
