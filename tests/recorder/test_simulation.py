"""The recorder in virtual time: faults of exchanges and network, kills and restarts, all by a seed. `tests/long/simulate.py` has more seeds."""

import json

import pytest

from harness import tapeworks
from simulation import simulate

BATCH = 10


@pytest.mark.parametrize("batch", range(4))
def test_what_is_missing_lies_in_a_gap_and_a_replay_has_the_same_bytes(tmp_path, batch):
    crashes = 0
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        counts = simulate(seed, tmp_path)
        assert counts["durable_messages"] > 50
        crashes += counts["crashes"]
    assert crashes > 0


# Rows were missing outside of gaps or there too often, or the judge took them for it.
SEEDS_THAT_SHOWED_SOMETHING = [201, 510, 913, 917, 1009, 1170, 1452, 1488, 4248, 4483]


def test_seeds_that_showed_something_once(tmp_path):
    for seed in SEEDS_THAT_SHOWED_SOMETHING:
        simulate(seed, tmp_path)


def record_lines(log) -> list[str]:
    """All records of a log; the bytes of its segments differ by the identity of the machine's run."""
    found = []
    while True:
        begin = json.loads(found[-1])["lsn"] + 1 if found else 0
        lines = tapeworks("wal", "inspect", log, "--records", "--format", "jsonl", "--limit", "100000", "--from", str(begin)).stdout.splitlines()
        found += lines
        if len(lines) < 100_000:
            return found


def test_a_seed_makes_the_same_log_and_files(tmp_path):
    with_crashes = 0
    for seed in range(100, 104):
        made, said = [], []
        for name in ("one", "other"):
            counts = simulate(seed, tmp_path / name)
            folder = tmp_path / name / str(seed)
            files = {path.relative_to(folder): path.read_bytes() for path in sorted((folder / "out").glob("**/*.parquet"))}
            made.append((files, record_lines(folder / "log"), (folder / "ledger.jsonl").read_text()))
            said.append(counts)
        assert said[0] == said[1]
        for one, other in zip(*made):
            assert one == other
        with_crashes += said[0]["crashes"] > 0
    assert with_crashes > 0
