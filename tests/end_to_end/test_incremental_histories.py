"""Random histories of 30 deliveries, applied incrementally: each generation has the bytes of a rebuild."""

import tempfile
from pathlib import Path

import pytest

from deliveries import check_history
from harness import SANITIZERS

# tests/long/incremental_histories.py has thousands of seeds. A sanitizer makes each several times as long.
SEEDS = 5 if SANITIZERS else 50
# Each history has some hundred runs, which are synced: on a disk that takes minutes.
MEMORY = Path("/dev/shm")


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_history_equals_a_rebuild(folder, seed):
    check_history(seed, folder)
