"""A few faults of the disk at chosen calls; tests/long/inject_faults.py tries them all."""

import json
import subprocess
from pathlib import Path

import pytest

from fault_injection import Fault, check_fault, is_possible
from harness import BINARY
from wal_files import write_log

pytestmark = pytest.mark.skipif(not is_possible(), reason="FAULTS OF THE DISK ARE NOT TESTED: strace is not installed")


@pytest.mark.parametrize("fault", [
    Fault("fdatasync", "EIO", 12), Fault("pwrite64", "EIO", 20), Fault("pwrite64", "KILL", 30), Fault("write", "ENOSPC", 30),
    Fault("rename", "EIO", 4), Fault("rename", "KILL", 9), Fault("fallocate", "ENOSPC", 3)], ids=str)
def test_a_fault_ends_in_order_and_the_next_start_has_everything(fault, tmp_path):
    assert check_fault(fault, tmp_path) is not None, "the run had fewer such calls"


def verify_unreadable(log: Path, which: str) -> subprocess.CompletedProcess:
    """`wal verify` while `which` reads of the oldest segment fail: strace's "when"."""
    oldest = min(log.glob("*.wal"))
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(oldest), "-e", f"inject=pread64:error=EIO:when={which}",
         BINARY, "wal", "verify", str(log), "--format", "jsonl"], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("which", ["1+", "2+"])
def test_a_segment_that_the_disk_does_not_give_has_an_end(tmp_path, which):
    write_log(tmp_path / "log")
    verified = verify_unreadable(tmp_path / "log", which)
    assert verified.returncode == 1, verified
    first, second = map(json.loads, verified.stdout.splitlines())
    assert (first["status"], first["finding"], second["status"]) == ("failed", "hole", "passed"), verified
