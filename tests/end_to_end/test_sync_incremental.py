"""`sync --incremental` and `--keep`: corrections are found, told and recomputed, and the closes are those of a full sync."""

import importlib.util
import json
import sqlite3
from pathlib import Path

import pytest
from harness import GOOD_ROWS, assert_clear_error, data_files, tapeworks, tree_hash, write_prices, write_transactions

SQLITE_DRIVER = Path(importlib.util.find_spec("adbc_driver_sqlite").origin).parent / "libadbc_driver_sqlite.so"
DAYS = [f"2023-01-{day:02}" for day in range(2, 28)]


def closes(**corrected) -> list[tuple]:
    """Two symbols over all days; `corrected` maps s2330_05 to another close, or to None for no such row."""
    rows = []
    for symbol, level in (("2317", 100.0), ("2330", 500.0)):
        for i, day in enumerate(DAYS):
            close = corrected.get(f"s{symbol}_{day[-2:]}", level + i)
            if close is not None:
                rows.append((symbol, day, close))
    return rows


def price_bytes(data) -> bytes:
    return data_files(data)["price/close_prices.parquet"].read_bytes()


def assert_like_a_full_sync(data, source, folder, *options) -> None:
    tapeworks("sync", source, *options, "--data", folder / "full")
    assert price_bytes(data) == price_bytes(folder / "full")


def run_record(data) -> dict:
    return json.loads((data / "run.json").read_text())


@pytest.fixture
def synced(data, tmp_path):
    """A data directory with the closes up to the 20th."""
    source = write_prices(tmp_path / "before.parquet", [row for row in closes() if row[1] <= "2023-01-20"])
    tapeworks("sync", source, "--data", data)
    return data


def test_new_days_and_corrections_are_taken_over(synced, tmp_path):
    source = write_prices(tmp_path / "now.parquet", closes(s2330_18=77.5))
    outcome = tapeworks("sync", source, "--incremental", "--data", synced)
    assert "corrected: 2330 on 2023-01-18: 516 is 77.5 now" in outcome.stderr
    assert_like_a_full_sync(synced, source, tmp_path)
    changes = run_record(synced)["changes"]
    assert changes["closes_corrected"] == 1 and changes["closes_added"] == 14
    assert changes["corrections"] == [{"symbol_id": "2330", "date": "2023-01-18", "before": 516.0, "after": 77.5}]


def test_the_first_sync_is_a_full_one(data, tmp_path):
    source = write_prices(tmp_path / "now.parquet", closes())
    outcome = tapeworks("sync", source, "--incremental", "--data", data)
    assert "corrected" not in outcome.stderr
    assert_like_a_full_sync(data, source, tmp_path)


def test_nothing_is_published_when_nothing_changed(synced, tmp_path):
    before = tree_hash(synced)
    outcome = tapeworks("sync", tmp_path / "before.parquet", "--incremental", "--data", synced)
    assert "nothing new" in outcome.stdout
    assert tree_hash(synced) == before
    assert len(tapeworks("generations", "--data", synced).records()) == 1


@pytest.mark.parametrize("overlap, found", [(10, True), (3, True), (2, False)])
def test_only_the_overlap_is_fetched_again(synced, tmp_path, overlap, found):
    source = write_prices(tmp_path / "now.parquet", closes(s2317_17=1.5))
    outcome = tapeworks("sync", source, "--incremental", "--overlap-days", overlap, "--data", synced)
    assert ("corrected: 2317" in outcome.stderr) == found


def test_a_close_that_is_gone_goes_unless_it_is_kept(synced, tmp_path):
    source = write_prices(tmp_path / "now.parquet", closes(s2317_18=None, s2330_03=None))
    kept = tapeworks("sync", source, "--incremental", "--keep", "--data", synced)
    assert "1 closes that the source has no more were kept" in kept.stderr
    assert len(prices_of(synced)) == len(closes())
    dropped = tapeworks("sync", source, "--incremental", "--overlap-days", 10, "--data", synced)
    # The last known day is the 27th now, so the 18th is in the overlap and the 3rd is not.
    assert "1 closes that the source has no more were taken out" in dropped.stderr
    assert ("2317", "2023-01-18") not in prices_of(synced) and ("2330", "2023-01-03") in prices_of(synced)


def test_a_full_sync_may_keep_too(synced, tmp_path):
    source = write_prices(tmp_path / "now.parquet", [row for row in closes(s2330_04=9.5) if row[1] >= "2023-01-04"])
    outcome = tapeworks("sync", source, "--keep", "--data", synced)
    assert "corrected: 2330 on 2023-01-04: 502 is 9.5 now" in outcome.stderr
    found = prices_of(synced)
    assert len(found) == len(closes()) and found["2330", "2023-01-02"] == 500.0


def prices_of(data) -> dict:
    import pyarrow.parquet as pq

    table = pq.read_table(data_files(data)["price/close_prices.parquet"])
    return {(row["symbol_id"], str(row["date"])): row["close_price"] for row in table.to_pylist()}


def test_a_new_symbol_comes_with_its_whole_history(synced, tmp_path):
    source = write_prices(tmp_path / "now.parquet", sorted(closes() + [("1101", day, 30.0) for day in DAYS]))
    tapeworks("sync", source, "--incremental", "--data", synced)
    assert_like_a_full_sync(synced, source, tmp_path)


def test_corrections_of_a_database_are_found(data, tmp_path):
    write_transactions(tmp_path / "tx.parquet", GOOD_ROWS)
    tapeworks("etl", tmp_path / "tx.parquet", "--data", data)
    with sqlite3.connect(tmp_path / "prices.db") as database:
        database.execute("create table prices (symbol_id text, date text, close real)")
        database.executemany("insert into prices values (?, ?, ?)", closes())
    source = f"adbc:{SQLITE_DRIVER}?uri={tmp_path}/prices.db&table=prices"
    tapeworks("sync", source, "--data", data)
    with sqlite3.connect(tmp_path / "prices.db") as database:
        database.execute("update prices set close = 1.5 where symbol_id = '2317' and date = '2023-01-25'")
        database.execute("insert into prices values ('2330', '2023-01-28', 600)")
    outcome = tapeworks("sync", source, "--incremental", "--overlap-days", 5, "--data", data)
    assert "corrected: 2317 on 2023-01-25: 123 is 1.5 now" in outcome.stderr
    assert outcome.stderr.count("corrected:") == 1
    assert prices_of(data)["2330", "2023-01-28"] == 600.0


def test_profit_and_loss_of_old_closes_is_stale_until_it_is_computed_again(data, tmp_path):
    transactions = write_transactions(tmp_path / "tx.parquet", GOOD_ROWS)
    before = write_prices(tmp_path / "before.parquet", closes())
    tapeworks("run", transactions, "--prices", before, "--data", data)
    now = write_prices(tmp_path / "now.parquet", closes(s2330_04=123.5))
    tapeworks("sync", now, "--incremental", "--overlap-days", 30, "--data", data)
    assert "price" in tapeworks("ranking", "--data", data, expect=1).error
    tapeworks("pnl", "--data", data)
    tapeworks("run", transactions, "--prices", now, "--data", tmp_path / "rebuilt")
    new, rebuilt = data_files(data), data_files(tmp_path / "rebuilt")
    assert sorted(new) == sorted(rebuilt)
    different = [name for name in new if name != "manifest.json" and new[name].read_bytes() != rebuilt[name].read_bytes()]
    assert not different


@pytest.mark.parametrize("options, fact", [
    (["--compat", "v1"], "--compat v1"),
    (["--adjusted"], "--adjusted"),
    (["--overlap-days", "-1"], "--overlap-days"),
])
def test_what_cannot_be_merged_is_refused(synced, tmp_path, options, fact):
    before = tree_hash(synced)
    outcome = tapeworks("sync", tmp_path / "before.parquet", "--incremental", *options, "--data", synced, expect=2)
    assert_clear_error(outcome, fact)
    assert tree_hash(synced) == before


def test_a_source_without_the_last_days_replaces_nothing(synced, tmp_path):
    before = tree_hash(synced)
    source = write_prices(tmp_path / "old.parquet", [row for row in closes() if row[1] <= "2023-01-05"])
    assert_clear_error(tapeworks("sync", source, "--incremental", "--data", synced, expect=3), "2023-01-10")
    assert tree_hash(synced) == before


def test_closes_that_etl_came_after_may_have_another_width(data, tmp_path):
    source = write_prices(tmp_path / "now.parquet", closes())
    tapeworks("sync", source, "--data", data)
    tapeworks("etl", write_transactions(tmp_path / "tx.parquet", GOOD_ROWS), "--amounts", "float64", "--data", data)
    assert_clear_error(tapeworks("sync", source, "--incremental", "--data", data, expect=2), "float32", "float64")
