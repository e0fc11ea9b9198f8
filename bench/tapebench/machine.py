"""What the numbers were measured on: processor, memory, disk, versions."""

import ctypes
import json
import os
import platform
import subprocess
import time
from pathlib import Path

from tapebench.places import PEER_PYTHON, REPOSITORY

PACKAGES = ("polars", "duckdb", "datafusion", "chdb", "pyarrow", "numpy")
_CHUNK_BYTES = 8 << 20


def describe(binary: Path) -> dict[str, object]:
    return {
        "processor": _line_of("/proc/cpuinfo", "model name"),
        "cpu_count": len(os.sched_getaffinity(0)),
        "memory_bytes": int(_line_of("/proc/meminfo", "MemTotal").split()[0]) * 1024,
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "tapeworks": _output([str(binary), "--version"]),
        "commit": _output(["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"]),
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def _line_of(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "unknown"


def _output(command: list[str]) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip().splitlines()[0] if answer.stdout.strip() else "unknown"


def package_versions() -> dict[str, str]:
    """The versions of the peers that are installed; a missing one is not in the answer."""
    program = (
        "import importlib.metadata as m, json, sys\n"
        "def version(name):\n"
        "    try: return m.version(name)\n"
        "    except m.PackageNotFoundError: return None\n"
        "print(json.dumps({name: v for name in sys.argv[1:] if (v := version(name))}))\n"
    )
    answer = subprocess.run([str(PEER_PYTHON), "-c", program, *PACKAGES], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def flush_to_disk(folder: Path) -> float:
    """Makes everything written on the file system of `folder` durable; returns the seconds it took."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    begin = time.perf_counter()
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs failed", str(folder))
    finally:
        os.close(descriptor)
    return time.perf_counter() - begin


def disk_bandwidth(folder: Path, size_bytes: int = 512 << 20) -> dict[str, float]:
    """Bytes a second of one stream: written and synced, then read back from the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "disk-bandwidth.tmp"
    chunk = os.urandom(_CHUNK_BYTES)
    flush_to_disk(folder)
    try:
        begin = time.perf_counter()
        with path.open("wb", buffering=0) as file:
            for _ in range(size_bytes // _CHUNK_BYTES):
                file.write(chunk)
            os.fsync(file.fileno())
        written = time.perf_counter()
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            reopened = time.perf_counter()
            while file.read(_CHUNK_BYTES):
                pass
        ended = time.perf_counter()
    finally:
        path.unlink(missing_ok=True)
    return {"write_bytes_per_second": size_bytes / (written - begin),
            "read_bytes_per_second": size_bytes / (ended - reopened)}
