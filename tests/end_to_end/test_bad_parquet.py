"""Malformed Parquet files: data or one clear sentence; never a crash, a hang, or memory without bound."""

import pytest

from flipping import check_flips, check_stays_in_control, write_small_inputs
from harness import SANITIZERS, TEST_DATA, tapeworks

BAD_PARQUET = sorted(p for p in (TEST_DATA / "bad_parquet").iterdir() if p.suffix != ".md")
# All bytes are done by tests/long/flip_every_byte.py.
FLIPS = 60 if SANITIZERS else 300
SEED = 20230103


@pytest.mark.parametrize("path", BAD_PARQUET, ids=lambda path: path.name)
def test_files_that_once_crashed_readers(path, data):
    check_stays_in_control(path, data)


def first_column_names(path):
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path).names
    except Exception:
        return []


@pytest.mark.parametrize("path", [p for p in BAD_PARQUET if first_column_names(p)], ids=lambda path: path.name)
def test_their_pages_are_read_in_place_of_ours(path, data):
    # Most of these files lack our columns and end there. Naming theirs brings their pages into the reader.
    names = first_column_names(path)
    options = ("symbol", "date", "broker", "price", "buy", "sell")
    chosen = [part for i, option in enumerate(options) for part in (f"--column-{option}", names[i % len(names)])]
    outcome = tapeworks("etl", path, "--data", data, "--memory", "256MiB", *chosen, expect=(0, 2, 3), timeout=60)
    assert outcome.exit_code == 0 or outcome.error


@pytest.fixture(scope="module")
def small_inputs(tmp_path_factory):
    return write_small_inputs(tmp_path_factory.mktemp("small"))


WRITERS = ["pyarrow", "pyarrow_v2", "pyarrow_plain", "pyarrow_uncompressed", "polars", "polars_uncompressed", "duckdb", "duckdb_v2"]


@pytest.mark.parametrize("writer", WRITERS)
def test_the_undamaged_file_is_accepted(writer, small_inputs, data):
    tapeworks("etl", small_inputs[writer], "--data", data)


@pytest.mark.parametrize("writer", WRITERS)
def test_one_flipped_byte(writer, small_inputs, tmp_path):
    check_flips(small_inputs[writer], tmp_path, FLIPS, SEED)
