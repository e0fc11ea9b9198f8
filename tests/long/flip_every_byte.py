"""Every byte of one small input per writer, flipped in three ways: about an hour on two cores.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/flip_every_byte.py [WRITER...]

Ends at the first flip that crashes, hangs, or takes more memory than allowed, and names it.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from flipping import check_flips, write_small_inputs  # noqa: E402


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_small_inputs(Path(folder))
        for writer in sys.argv[1:] or sorted(inputs):
            began = time.monotonic()
            work = Path(folder) / f"work_{writer}"
            work.mkdir()
            count = check_flips(inputs[writer], work, None, seed=0, workers=os.cpu_count() or 2)
            print(f"{writer}: {count} flips, none out of control, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
