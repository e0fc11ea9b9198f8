"""EIO, ENOSPC and the end of the process at the N-th call of each kind that changes files, over a short recording.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/inject_faults.py [STEP]

With STEP 1 every N is tried, with 10 every tenth (the default). Prints a line a kind of call and fault.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fault_injection import CALLS, FAULTS, Fault, check_fault, count_calls, is_possible  # noqa: E402


def main() -> int:
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    if not is_possible():
        print("strace is not installed: NOTHING WAS TESTED")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        counts = count_calls(Path(folder))
    print("calls of a run without faults:", dict(counts), flush=True)
    for call in CALLS:
        for kind in FAULTS:
            ends = Counter()
            for number in range(1, counts[call] + 1, step):
                with tempfile.TemporaryDirectory() as folder:
                    ends[check_fault(Path(folder), Fault(call, kind, number))] += 1
            print(f"{call:10} {kind:6} {sum(ends.values()):5} rounds, exit codes {dict(ends)} (None: that call never came)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
