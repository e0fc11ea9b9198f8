"""A recorder whose N-th system call of a kind fails, or is its last: by strace, without privileges.

After such a run a second one, without faults, must leave a recording in which every message is there once or lies in
a recorded gap.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness import BINARY, tapeworks
from recording import KEY, Exchanges, judge, record, write_config

# What the recorder changes files by: pwrite is the log's, write that of parts, files, manifests and checkpoints.
CALLS = ("pwrite64", "write", "fdatasync", "fsync", "rename", "fallocate")
FAULTS = ("EIO", "ENOSPC", "KILL")


def is_possible() -> bool:
    return shutil.which("strace") is not None


@dataclass(frozen=True)
class Fault:
    call: str
    kind: str  # an errno, or KILL
    number: int  # of the call, from 1

    def option(self) -> str:
        what = "signal=KILL" if self.kind == "KILL" else f"error={self.kind}"
        return f"inject={self.call}:{what}:when={self.number}"

    def __str__(self) -> str:
        return f"{self.kind} at {self.call} {self.number}"


def _run(folder: Path, config: Path, seconds: int, strace_options: list[str]) -> tuple[int, str, str]:
    """Exit code (negative: a signal), the errors, and the calls that strace saw."""
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}", *strace_options,
               BINARY, "record", "--config", str(config), "--for", f"{seconds}s"]
    outcome = subprocess.run(command, env={**os.environ, **KEY}, capture_output=True, text=True, timeout=180)
    code = outcome.returncode
    return (code - 256 if code > 128 + 64 else -(code - 128) if code > 128 else code), outcome.stderr, trace.read_text(errors="replace")


def count_calls(folder: Path, seconds: int = 2) -> Counter:
    """How often each call comes in a run without faults. strace counts for each thread apart, so this is more than needed."""
    with Exchanges(folder, "--symbols", "2", "--rate", "500/s") as exchanges:
        code, errors, trace = _run(folder, write_config(folder, exchanges.feeds), seconds, [])
        assert code == 0, errors
        exchanges.stop()
    return Counter(match for match in re.findall(r"\b(\w+)\(", trace) if match in CALLS)


def check_fault(fault: Fault, folder: Path, seconds: int = 2) -> int | None:
    """Runs with the fault, then without, and judges the recording. Returns the exit code of the first; None when there
    were fewer such calls."""
    with Exchanges(folder, "--symbols", "2", "--rate", "500/s") as exchanges:
        # Small files, so that a short run has calls of every kind.
        config = write_config(folder, exchanges.feeds)
        config.write_text(config.read_text().replace("[wal]\n", '[wal]\nsegment = "64KiB"\n').replace(
            "[output]\n", "[output]\npart_rows = 128\n") + '\n[disk]\nreserve = "1MiB"\nmin_free = "0B"\n')
        code, errors, trace = _run(folder, config, seconds, ["-e", fault.option()])
        was_hit = "(INJECTED)" in trace or (fault.kind == "KILL" and code == -signal.SIGKILL)
        if fault.kind == "KILL":
            assert code in (0, -signal.SIGKILL), f"{fault}: exit {code}: {errors[-2000:]}"
        else:
            assert code in (0, 4), f"{fault}: exit {code}: {errors[-2000:]}"
        # Room is waited for where nothing is half done: before a new segment, and by a sink that starts again (decision 13).
        is_waited_for = fault.kind == "ENOSPC" and code == 0
        if was_hit and fault.kind != "KILL" and fault.call == "fdatasync" and not is_waited_for:
            assert code == 4, f"{fault}: a failed sync must end the recording: {errors[-2000:]}"
            assert_never_synced_again(fault, trace)
        outcome = record(config, "1s")
        assert outcome.exit_code == 0
        exchanges.stop()
    counts = judge(folder / "out", exchanges.ledger)
    assert counts["rows"] > 0
    tapeworks("verify", "--recording", folder / "out", "--wal", folder / "log")
    return code if was_hit else None


def assert_never_synced_again(fault: Fault, trace: str) -> None:
    """The file whose sync failed gets no other one: the kernel may have dropped its pages.

    strace counts for each thread apart, so several syncs may fail. Without room a segment that has just been begun is removed and made
    anew under the same name, and the sink starts again; then only what comes before that counts.
    """
    lines = trace.splitlines()
    injected = [i for i, line in enumerate(lines) if "(INJECTED)" in line]
    assert injected
    for failed in injected:
        path = re.search(r"fdatasync\(\d+<([^>]*)>", lines[failed])
        assert path, f"{fault}: {lines[failed]}"
        if fault.kind == "ENOSPC" and not path[1].endswith(".wal"):
            continue
        later = [line for line in lines[failed + 1:] if f"<{path[1]}>" in line]
        if fault.kind == "ENOSPC":
            made_anew = next((i for i, line in enumerate(later) if "fallocate(" in line), len(later))
            later = later[:made_anew]
        again = [line for line in later if "fdatasync" in line]
        assert not again, f"{fault}: {again}"
