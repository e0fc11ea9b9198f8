"""Records seven venues over two legs for minutes while one leg at a time is cut at random moments.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/two_legs.py [--seconds 300]

Afterwards no trade may be missing or be there twice, sampled books must come from the leg that the events name, there may be no
gap, and a replay of the log must give the same bytes.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from two_legs import record_with_cuts  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="two-legs-"))
    print(f"what fails is left in {folder}", flush=True)
    counts = record_with_cuts(folder, options.seconds, f"{options.rate}/s", options.seed)
    shutil.rmtree(folder)
    print(f"{counts['cuts']} cuts, {counts['switches']} switches, {counts['rows']:,} rows, {counts['keyed']:,} copies with a number sent, "
          "none missing, none twice, no gap; the replay has the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
