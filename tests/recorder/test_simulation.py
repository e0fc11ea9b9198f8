"""The recorder in virtual time: faults of exchanges and network, kills and restarts, all by a seed. `tests/long/simulate.py` has more seeds."""

import pytest

from simulation import simulate

BATCH = 10


@pytest.mark.parametrize("batch", range(4))
def test_what_is_missing_lies_in_a_gap_and_a_replay_has_the_same_bytes(tmp_path, batch):
    crashes = 0
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        counts = simulate(tmp_path, seed)
        assert counts["durable_messages"] > 50
        crashes += counts["crashes"]
    assert crashes > 0


def test_a_seed_makes_the_same_log_and_files(tmp_path):
    made = []
    for name in ("one", "other"):
        folder = tmp_path / name
        simulate(folder, 7)
        made.append({path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))})
        made.append({path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.wal"))})
    assert made[0].keys() == made[2].keys() and all(made[0][path] == made[2][path] for path in made[0])
    assert made[1].keys() == made[3].keys()
