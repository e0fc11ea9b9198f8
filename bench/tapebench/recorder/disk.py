"""How long the disk itself takes to make a write durable: what no log can be faster than."""

import os
import statistics
import time
from pathlib import Path

_WRITE_BYTES = 256 << 10  # what the log writes at most before it syncs
_FILE_BYTES = 64 << 20  # one segment of the log
_PAUSE_SECONDS = 0.01  # the log's sync interval


def fdatasync_seconds(folder: Path, seconds: float) -> list[float]:
    """One write of 256 KiB and its fdatasync after the other with 10 ms in between, into a file that has its room already."""
    path = folder / "fdatasync.tmp"
    data, taken = os.urandom(_WRITE_BYTES), []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _FILE_BYTES)
        os.fsync(descriptor)
        end, offset = time.perf_counter() + seconds, 0
        while time.perf_counter() < end or len(taken) < 2:  # percentiles want two
            begin = time.perf_counter()
            os.pwrite(descriptor, data, offset)
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - begin)
            offset = (offset + _WRITE_BYTES) % _FILE_BYTES
            time.sleep(_PAUSE_SECONDS)
    finally:
        os.close(descriptor)
        path.unlink()
    return taken


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Needs two values."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"count": len(seconds), "p50_seconds": cuts[49], "p99_seconds": cuts[98], "max_seconds": max(seconds)}
