"""Two legs, over a line that breaks again and again."""

import random

from harness import SANITIZERS
from two_legs import record_with_cuts


def test_one_leg_at_a_time_is_cut_and_nothing_is_missing_or_doubled(tmp_path):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    counts = record_with_cuts(tmp_path, seconds=20, rate="300/s" if SANITIZERS else "1500/s", seed=seed)
    assert counts["cuts"] >= 8 and counts["switches"] >= 3 and counts["keyed"] > 1000, counts
