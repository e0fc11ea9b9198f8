"""Compat modes give the reference's results: every file, row and column of the goldens."""

import functools
import math
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness import TEST_DATA, read_symbol_files, read_table, tapeworks

GOLDEN = TEST_DATA / "golden"
CASES = [(name, mode) for name in ("small", "edge") for mode in ("v1", "v2")]
ACCOUNT_COLUMNS = ["total_pnl", "realized_pnl", "unrealized_pnl", "total_buy_amount", "total_sell_amount", "timing_alpha"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The data directory of a golden in a mode, made once."""

    @functools.cache
    def make(name, mode):
        data = tmp_path_factory.mktemp(f"{name}_{mode}") / "data"
        compat = ["--data", data, "--compat", mode]
        tapeworks("etl", GOLDEN / name / "broker_tx.parquet", *compat)
        tapeworks("sync", GOLDEN / name / "close_prices.parquet", *compat)
        tapeworks("pnl", *compat, "--daily")
        return data

    return make


def golden_file(name, mode, path):
    """The golden of a mode: v2 has its own files only where they differ from v1's."""
    later = GOLDEN / name / "expected_later" / path
    return later if mode == "v2" and later.exists() else GOLDEN / name / "expected" / path


def plain(array):
    """Text as text, whatever its encoding."""
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type) or pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    return array


def assert_bits_equal(ours, golden, what):
    """Floats agree bit for bit; any NaN equals any NaN."""
    ours, golden = plain(ours), plain(golden)
    assert ours.type == golden.type, f"{what}: {ours.type}, not {golden.type}"
    a, b = ours.to_numpy(zero_copy_only=False), golden.to_numpy(zero_copy_only=False)
    integer = {4: np.uint32, 8: np.uint64}[a.dtype.itemsize]
    same = (a.view(integer) == b.view(integer)) | (np.isnan(a) & np.isnan(b))
    assert same.all(), f"{what}: {(~same).sum()} of {len(a)} differ, first at {np.argmin(same)}: {a[~same][0]!r} not {b[~same][0]!r}"


def assert_column_equal(ours, golden, what):
    if pa.types.is_floating(plain(golden).type):
        assert_bits_equal(ours, golden, what)
    else:
        assert plain(ours).to_pylist() == plain(golden).to_pylist(), what


def assert_tables_equal(ours, golden, what, columns=None):
    assert ours.num_rows == golden.num_rows, f"{what}: {ours.num_rows} rows, not {golden.num_rows}"
    for column in columns or golden.column_names:
        assert_column_equal(ours[column], golden[column], f"{what}, column {column}")


def together(data, table, sort_by):
    """The per-symbol files as one table with a symbol_id column, as the goldens have it."""
    parts = []
    for symbol, part in read_symbol_files(data, table).items():
        broker = part.schema.get_field_index("broker")
        part = part.set_column(broker, "broker", plain(part["broker"]))
        parts.append(part.add_column(0, "symbol_id", pa.array([symbol] * part.num_rows, pa.string())))
    return pa.concat_tables(parts).sort_by([(column, "ascending") for column in sort_by])


@pytest.mark.parametrize("name, mode", CASES)
def test_daily_summary_equals_the_golden_bit_for_bit(published, name, mode):
    ours = read_symbol_files(published(name, mode), "daily_summary")
    expected = {p.stem for p in (GOLDEN / name / "expected" / "daily_summary").glob("*.parquet")}
    assert set(ours) == expected
    for symbol, table in ours.items():
        golden = pq.read_table(golden_file(name, mode, f"daily_summary/{symbol}.parquet"))
        assert table.column_names == golden.column_names
        assert_tables_equal(table, golden, f"daily_summary/{symbol}")


@pytest.mark.parametrize("name, mode", CASES)
def test_symbol_broker_equals_the_golden(published, name, mode):
    ours = read_table(published(name, mode), "derived/symbol_broker.parquet")
    later = golden_file(name, mode, "pnl.parquet")  # the later state's accounts, where there is one
    golden = pq.read_table(later if later.exists() else golden_file(name, mode, "symbol_broker.parquet"))
    keys = ["symbol_id", "broker"]
    for key in keys:
        ours = ours.set_column(ours.schema.get_field_index(key), key, plain(ours[key]))
        golden = golden.set_column(golden.schema.get_field_index(key), key, plain(golden[key]))
    order = [(key, "ascending") for key in keys]
    assert_tables_equal(ours.sort_by(order), golden.sort_by(order), "symbol_broker", keys + ACCOUNT_COLUMNS)


@pytest.mark.parametrize("name, mode", CASES)
def test_symbol_broker_is_sorted_by_broker_then_symbol(published, name, mode):
    ours = read_table(published(name, mode), "derived/symbol_broker.parquet")
    keys = list(zip(plain(ours["broker"]).to_pylist(), plain(ours["symbol_id"]).to_pylist()))
    as_bytes = [(b"" if broker is None else broker.encode(), symbol.encode()) for broker, symbol in keys]
    assert as_bytes == sorted(as_bytes)


@pytest.mark.parametrize("name", ["small", "edge"])
def test_pnl_files_equal_the_golden(published, name):
    data = published(name, "v2")
    golden = pq.read_table(GOLDEN / name / "expected_later" / "pnl.parquet")
    for symbol, table in read_symbol_files(data, "pnl").items():
        assert table.column_names == golden.column_names[1:], symbol
        totals = table["total_pnl"].to_pylist()
        assert totals == sorted(totals, reverse=True), f"pnl/{symbol} is not sorted"
        assert table["rank"].to_pylist() == list(range(1, len(totals) + 1)), symbol
        assert table["rank"].type == pa.uint32()
    keys = ["symbol_id", "broker"]
    for key in keys:
        golden = golden.set_column(golden.schema.get_field_index(key), key, plain(golden[key]))
    ours = together(data, "pnl", keys)
    golden = golden.sort_by([(key, "ascending") for key in keys])
    assert_tables_equal(ours, golden, "pnl", keys + ACCOUNT_COLUMNS)


@pytest.mark.parametrize("name", ["small", "edge"])
def test_pnl_daily_equals_the_golden(published, name):
    data = published(name, "v2")
    golden = pq.read_table(GOLDEN / name / "expected_later" / "pnl_daily.parquet")
    for symbol, table in read_symbol_files(data, "pnl_daily").items():
        assert table.column_names == golden.column_names[1:], symbol
    keys = ["symbol_id", "broker", "date"]
    for key in keys[:2]:
        golden = golden.set_column(golden.schema.get_field_index(key), key, plain(golden[key]))
    ours = together(data, "pnl_daily", keys)
    golden = golden.sort_by([(key, "ascending") for key in keys])
    assert_tables_equal(ours, golden, "pnl_daily")


def lots_by_account(rows):
    """(symbol, broker) -> its lots in file order."""
    accounts = defaultdict(list)
    for row in rows:
        lot = (row["side"], row["shares"], row["cost_per_share"].hex(), row["open_date"])
        accounts[row["symbol_id"], row["broker"]].append(lot)
    return dict(accounts)


@pytest.mark.parametrize("name", ["small", "edge"])
def test_open_lots_equal_the_golden_oldest_first(published, name):
    data = published(name, "v2")
    ours = [{**row, "symbol_id": symbol} for symbol, table in read_symbol_files(data, "fifo_state").items()
            for row in table.to_pylist()]
    golden = pq.read_table(GOLDEN / name / "expected_later" / "fifo_state.parquet")
    golden = sorted(golden.to_pylist(), key=lambda row: row["lot_no"])
    ours, golden = lots_by_account(ours), lots_by_account(golden)
    assert set(ours) == set(golden)
    different = [account for account in golden if ours[account] != golden[account]]
    assert not different, f"{len(different)} accounts, first {different[0]}: {ours[different[0]]} not {golden[different[0]]}"


@pytest.mark.parametrize("name, mode", CASES)
def test_ranking_equals_the_golden(published, name, mode):
    ours = read_table(published(name, mode), "derived/broker_ranking.parquet")
    golden = pq.read_table(golden_file(name, mode, "broker_ranking.parquet"))
    assert ours.column_names == golden.column_names
    assert [plain(c).type for c in ours.columns] == [plain(c).type for c in golden.columns]
    accounts = golden_file(name, mode, "pnl.parquet")
    accounts = pq.read_table(accounts if accounts.exists() else golden_file(name, mode, "symbol_broker.parquet"))
    scale = defaultdict(lambda: defaultdict(float))
    for row in accounts.to_pylist():
        for column in ACCOUNT_COLUMNS:
            scale[row["broker"]][column] += abs(row[column])
        scale[row["broker"]]["total_amount"] += abs(row["total_buy_amount"]) + abs(row["total_sell_amount"])
    ours_by_broker = {row["broker"]: row for row in ours.to_pylist()}
    golden_by_broker = {row["broker"]: row for row in golden.to_pylist()}
    assert set(ours_by_broker) == set(golden_by_broker)
    for broker, expected in golden_by_broker.items():
        for column in [*ACCOUNT_COLUMNS, "total_amount"]:
            a, b = ours_by_broker[broker][column], expected[column]
            tolerance = 1e-12 * scale[broker][column]
            assert a == b or abs(a - b) <= tolerance or (math.isnan(a) and math.isnan(b)), (broker, column, a, b)
    totals = {broker: row["total_pnl"] for broker, row in golden_by_broker.items()}
    tied = {total for total in totals.values() if list(totals.values()).count(total) > 1}
    for broker, expected in golden_by_broker.items():
        if expected["total_pnl"] not in tied:
            assert ours_by_broker[broker]["rank"] == expected["rank"], broker


@pytest.mark.parametrize("name, mode", CASES)
def test_ties_in_the_ranking_are_ordered_by_broker(published, name, mode):
    rows = read_table(published(name, mode), "derived/broker_ranking.parquet").to_pylist()
    keys = [(-row["total_pnl"], (row["broker"] or "").encode()) for row in rows]
    assert keys == sorted(keys)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("name, mode", CASES)
def test_every_file_carries_its_mode(published, name, mode):
    data = published(name, mode)
    for path in ["daily_summary/2330.parquet", "price/close_prices.parquet", "derived/broker_ranking.parquet",
                 "derived/symbol_broker.parquet", "derived/broker_names.parquet"]:
        metadata = pq.read_metadata(data / path).metadata
        assert metadata[b"tapeworks.mode"] == mode.encode(), path


@pytest.mark.parametrize("name, mode", CASES)
def test_a_run_in_one_pass_gives_the_same_bytes(published, name, mode, tmp_path):
    from harness import assert_same_trees

    tapeworks("run", GOLDEN / name / "broker_tx.parquet", "--prices", GOLDEN / name / "close_prices.parquet",
              "--data", tmp_path / "data", "--compat", mode, "--daily")
    assert_same_trees(published(name, mode), tmp_path / "data")
