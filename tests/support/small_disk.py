"""A disk of a few megabytes, to be filled: a tmpfs, mounted as root or in a user namespace."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str):
    """Mounts an empty file system at `folder`. Skips, and says so, where nobody may mount."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"A FULL DISK IS NOT TESTED: no tmpfs can be mounted ({mounted.stderr.strip()}); run as root or under unshare -rm")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class SmallDisk:
    def __init__(self, folder: Path):
        self.folder = folder
        self._ballast = folder / "ballast"

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def leave_free(self, count: int) -> None:
        """Fills the disk, or makes room, until about `count` bytes are free."""
        have = self._ballast.stat().st_size if self._ballast.exists() else 0
        want = max(0, have + self.free_bytes() - count)
        with self._ballast.open("ab") as ballast:
            if want < have:
                ballast.truncate(want)
            else:
                # tmpfs gives what there is at once; somebody else may be faster.
                try:
                    os.posix_fallocate(ballast.fileno(), have, want - have or 1)
                except OSError:
                    pass

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)
