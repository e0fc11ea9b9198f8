"""What a measured process may use: processors, and where control groups can be written, memory."""

import os
import uuid
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A control group with a limit, as a `with` block. `applied` is false where none can be made; nothing is limited then.

    The page cache of the group's files counts, as it does in a container.
    """

    def __init__(self, limit_bytes: int) -> None:
        old = (_GROUPS / "memory").is_dir()  # version 1
        self.folder = (_GROUPS / "memory" if old else _GROUPS) / f"tapebench-{uuid.uuid4().hex[:12]}"
        self.limit_file = "memory.limit_in_bytes" if old else "memory.max"
        self.limit_bytes = limit_bytes
        self.applied = False

    def __enter__(self) -> "MemoryGroup":
        try:
            self.folder.mkdir()
            (self.folder / self.limit_file).write_text(str(self.limit_bytes))
            self.applied = True
        except OSError:
            self._remove()
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def take_me(self) -> None:
        """Puts the calling process into it; between fork and exec."""
        if self.applied:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def _remove(self) -> None:
        if self.folder.is_dir():
            self.folder.rmdir()


def bind(cpu_count: int) -> None:
    """Binds the calling process to the first processors that it may use; between fork and exec."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpu_count])
