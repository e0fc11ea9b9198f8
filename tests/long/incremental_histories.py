"""Random histories of 30 deliveries by incremental runs, each generation compared with a rebuild.

    TMPDIR=/dev/shm TAPEWORKS_BINARY=build/release/tapeworks \\
        .venv/bin/python tests/long/incremental_histories.py DONE_FILE [--seeds 5000] [--workers 1]

DONE_FILE gets a line for each seed that passed; seeds that stand in it are left out, so the script can be stopped and
started again. A history that differs is printed with its seed and what was delivered, and makes the exit code 1 at the
end. A history takes about 60 commands, which come from a process that is loaded once (tests/support/fork_server.py): 1.7 s of
one processor when TMPDIR is in memory.
"""

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import harness  # noqa: E402
from deliveries import check_history  # noqa: E402
from fork_server import ForkServer  # noqa: E402
from preload import build  # noqa: E402
from seeds import check_seeds  # noqa: E402


def load_program(library: Path) -> None:
    harness.fork_server = ForkServer(harness.BINARY, library)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("done_file", type=Path)
    parser.add_argument("--seeds", type=int, default=5000)
    parser.add_argument("--deliveries", type=int, default=30)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        failed = check_seeds(partial(check_history, deliveries=options.deliveries), options.done_file, options.seeds, options.workers,
                             load_program, [build("fork_server", Path(folder))])
    if failed:
        print(f"{len(failed)} histories differ: {failed}")
        return 1
    print(f"{options.seeds} histories of {options.deliveries} deliveries: every generation had the bytes of its rebuild")
    return 0


if __name__ == "__main__":
    sys.exit(main())
