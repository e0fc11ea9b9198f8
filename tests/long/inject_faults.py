"""EIO, ENOSPC and the end of the process at the N-th call of each kind that changes files, over a short recording.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/inject_faults.py [STEP] [--workers N] [--done FILE]

With STEP 1 every N is tried, with 10 every tenth (the default). Prints a line a kind of call and fault. A round mostly waits, so more
workers than processors are of use. FILE gets a line for each round that passed, and those that stand in it are left out, so the script
can be stopped and started again. A round that breaks a promise is printed, and makes the exit code 1 at the end.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from fault_injection import CALLS, FAULTS, Fault, check_fault, count_calls, is_possible  # noqa: E402
from seeds import try_in_folder  # noqa: E402


def read_done(file: Path) -> dict[Fault, int | None]:
    if not file.exists():
        return {}
    # A line that is not whole was being written when the script was ended.
    rounds = (json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n"))
    return {Fault(call, kind, number): code for call, kind, number, code in rounds}


def print_ends(ends: dict[Fault, int | None]) -> None:
    codes = defaultdict(Counter)
    for fault, code in ends.items():
        codes[fault.call, fault.kind][code] += 1
    for call in CALLS:
        for kind in FAULTS:
            of_kind = codes[call, kind]
            print(f"{call:10} {kind:6} {sum(of_kind.values()):5} rounds, exit codes {dict(of_kind)} (None: that call never came)", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", type=int, nargs="?", default=10)
    parser.add_argument("--workers", type=int, default=3 * (os.cpu_count() or 2))
    parser.add_argument("--done", type=Path, default=Path(os.devnull))
    options = parser.parse_args()
    if not is_possible():
        print("strace is not installed: NOTHING WAS TESTED")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        counts = count_calls(Path(folder))
    print("calls of a run without faults:", dict(counts), flush=True)
    faults = [Fault(call, kind, number) for call in CALLS for kind in FAULTS for number in range(1, counts[call] + 1, options.step)]
    wanted = set(faults)
    ends = {fault: code for fault, code in read_done(options.done).items() if fault in wanted}
    left = [fault for fault in faults if fault not in ends]
    print(f"{len(ends)} of {len(faults)} rounds have passed before", flush=True)
    failed = 0
    with options.done.open("a") as done, ProcessPoolExecutor(options.workers) as pool:
        for fault, (code, failure) in zip(left, pool.map(partial(try_in_folder, check_fault), left)):
            if failure:
                failed += 1
                print(f"{fault} FAILED: {failure}", flush=True)
                continue
            ends[fault] = code
            done.write(json.dumps([fault.call, fault.kind, fault.number, code]) + "\n")
            done.flush()
    print_ends(ends)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
