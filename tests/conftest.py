"""Makes tests/support importable and gives the suites their shared inputs."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

import harness  # noqa: E402  (needs the path above)

# Where scripts/setup.sh puts DuckDB's library, unless another one is named.
duckdb_library = harness.ROOT / ".venv" / "duckdb" / "libduckdb.so"
if duckdb_library.exists():
    os.environ.setdefault("TAPEWORKS_DUCKDB_LIBRARY", str(duckdb_library))


@pytest.fixture
def data(tmp_path):
    """Where a test has its data directory. It does not exist yet."""
    return tmp_path / "data"


@pytest.fixture(scope="module")
def small_input(tmp_path_factory):
    """20,000 generated rows and their prices: enough for every table, quick everywhere."""
    return harness.generate(
        tmp_path_factory.mktemp("small_input"), rows=20_000, symbols=12, brokers=15, days=20, seed=7)
