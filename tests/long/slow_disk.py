"""Records a full load while hardly anything can be written to the output for five minutes; then while the log stands still.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/slow_disk.py [--seconds 300] [--rate 20000] [--folder DIR]

The output takes 4,000 bytes a second. The recorder's memory must stay where it was and no connection may end; afterwards its
backlog drains, every message of the ledger is there once, and a replay gives the same bytes. Then the log's device stands still
for half a minute, once with each policy that goes on: what is missing lies in recorded gaps. Five minutes need about 5 GB.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from slow_disk import record_with_slow_output, record_with_stalled_log  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--symbols", type=int, default=65, help="of each venue")
    parser.add_argument("--folder", type=Path, help="where the temporary folders are made")
    options = parser.parse_args()

    def folder() -> Path:
        made = Path(tempfile.mkdtemp(dir=options.folder, prefix="slow-disk-"))
        print(f"what fails is left in {made}", flush=True)
        return made

    slow = folder()
    print(dict(record_with_slow_output(slow, options.seconds, f"{options.rate}/s", options.symbols)), flush=True)
    shutil.rmtree(slow)
    for policy in ("wal", "block", "drop"):
        stalled = folder()
        print(policy, dict(record_with_stalled_log(stalled, policy, 30, "4000/s")), flush=True)
        shutil.rmtree(stalled)
    return 0


if __name__ == "__main__":
    sys.exit(main())
