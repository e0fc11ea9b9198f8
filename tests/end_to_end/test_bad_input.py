"""Input that is wrong: one sentence that says where, exit 3, the old generation untouched."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness import (GOOD_PRICES, GOOD_ROWS, Untouched, assert_clear_error, publish_good, read_symbol_files,
                     tapeworks, transactions, write_prices, write_transactions)

TABLE = transactions(GOOD_ROWS)


def replace(column, values):
    return TABLE.set_column(TABLE.schema.get_field_index(column), column, values)


def refused(data, tmp_path, inputs, *facts, expect=3, options=()):
    publish_good(data, tmp_path)
    with Untouched(data):
        outcome = tapeworks("etl", *inputs, "--data", data, *options, expect=expect)
    assert_clear_error(outcome, *facts)
    return outcome


@pytest.mark.parametrize("column", ["symbol_id", "date", "broker", "price", "buy", "sell"])
def test_a_missing_column(data, tmp_path, column):
    pq.write_table(TABLE.drop_columns([column]), tmp_path / "bad.parquet")
    refused(data, tmp_path, [tmp_path / "bad.parquet"], "bad.parquet", column)


def test_a_missing_broker_name_is_no_error(data, tmp_path):
    # No result but the list of names needs it, and the reference never reads it.
    pq.write_table(TABLE.drop_columns(["broker_name"]), tmp_path / "in.parquet")
    tapeworks("etl", tmp_path / "in.parquet", "--data", data)
    assert set(read_symbol_files(data, "daily_summary")) == {"2330", "2317"}


WRONG_TYPES = {
    "symbol as number": ("symbol_id", pa.array([1.5] * 5)),
    "date as number": ("date", pa.array([1.5] * 5)),
    "date as bool": ("date", pa.array([True] * 5)),
    "broker as list": ("broker", pa.array([["a"]] * 5)),
    "price as bool": ("price", pa.array([True] * 5)),
    "price as struct": ("price", pa.array([{"a": 1}] * 5)),
    "count as text": ("buy", pa.array(["1"] * 5)),
    "count as float": ("sell", pa.array([1.0] * 5)),
}


@pytest.mark.parametrize("what", WRONG_TYPES)
def test_a_column_of_the_wrong_type(data, tmp_path, what):
    column, values = WRONG_TYPES[what]
    pq.write_table(replace(column, values), tmp_path / "bad.parquet")
    refused(data, tmp_path, [tmp_path / "bad.parquet"], "bad.parquet", column)


def test_one_bad_file_among_good_ones_is_named(data, tmp_path):
    pq.write_table(TABLE, tmp_path / "first.parquet")
    pq.write_table(TABLE.drop_columns(["price"]), tmp_path / "second.parquet")
    refused(data, tmp_path, [tmp_path / "first.parquet", tmp_path / "second.parquet"], "second.parquet", "price")


@pytest.mark.parametrize("kept", [0, 3, 4, 8, 0.5, -1, -8, -100])
def test_a_truncated_file(data, tmp_path, kept):
    whole = write_transactions(tmp_path / "bad.parquet", GOOD_ROWS).read_bytes()
    (tmp_path / "bad.parquet").write_bytes(whole[:int(len(whole) * kept) if isinstance(kept, float) else kept])
    refused(data, tmp_path, [tmp_path / "bad.parquet"], "bad.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"symbol,date\n2330,2023-01-03\n", bytes(4096)])
def test_a_file_that_is_no_parquet(data, tmp_path, content):
    (tmp_path / "bad.parquet").write_bytes(content)
    refused(data, tmp_path, [tmp_path / "bad.parquet"], "bad.parquet")


def test_an_empty_input(data, tmp_path):
    refused(data, tmp_path, [write_transactions(tmp_path / "empty.parquet", [])], "row")


def test_an_input_of_which_no_row_is_left(data, tmp_path):
    rows = [("2330", "2023-01-03", "1440", price, 1, 0) for price in ("-", None)]
    refused(data, tmp_path, [write_transactions(tmp_path / "dashes.parquet", rows)], "row")


def test_an_empty_folder(data, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(data, tmp_path, [tmp_path / "empty"], "empty", expect=(2, 3))


def test_a_path_that_does_not_exist(data, tmp_path):
    refused(data, tmp_path, [tmp_path / "nowhere.parquet"], "nowhere.parquet", expect=2)


def test_a_glob_that_matches_nothing(data, tmp_path):
    refused(data, tmp_path, [tmp_path / "nothing_*.parquet"], "nothing_*.parquet", expect=2)


GOOD = ("2330", "2023-01-03", "1440", "5", 1, 0)
BAD_ROWS = {
    "slash in symbol": ("A/B", "2023-01-03", "1440", "5", 1, 0),
    "empty symbol": ("", "2023-01-03", "1440", "5", 1, 0),
    "dot": (".", "2023-01-03", "1440", "5", 1, 0),
    "parent folder": ("..", "2023-01-03", "1440", "5", 1, 0),
    "NUL in symbol": ("23\x0030", "2023-01-03", "1440", "5", 1, 0),
    "symbol of 300 bytes": ("x" * 300, "2023-01-03", "1440", "5", 1, 0),
    "symbol of 201 bytes": ("x" * 201, "2023-01-03", "1440", "5", 1, 0),
    "null symbol": (None, "2023-01-03", "1440", "5", 1, 0),
    "null broker": ("2330", "2023-01-03", None, "5", 1, 0),
    "null date": ("2330", None, "1440", "5", 1, 0),
    "letters in price": ("2330", "2023-01-03", "1440", "12a", 1, 0),
    "empty price": ("2330", "2023-01-03", "1440", "", 1, 0),
    "blank price": ("2330", "2023-01-03", "1440", " 5", 1, 0),
    "two dashes": ("2330", "2023-01-03", "1440", "--", 1, 0),
    "negative price": ("2330", "2023-01-03", "1440", "-5", 1, 0),
    "price nan": ("2330", "2023-01-03", "1440", "nan", 1, 0),
    "price inf": ("2330", "2023-01-03", "1440", "inf", 1, 0),
    "price beyond float32": ("2330", "2023-01-03", "1440", "1e39", 1, 0),
    "hexadecimal price": ("2330", "2023-01-03", "1440", "0x10", 1, 0),
    "negative buy": ("2330", "2023-01-03", "1440", "5", -1, 0),
    "negative sell": ("2330", "2023-01-03", "1440", "5", 0, -1),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_bad_row_is_named_by_file_row_group_and_row(data, tmp_path, what):
    # Row groups of 4: the bad row is row 2 of row group 1.
    path = write_transactions(tmp_path / "bad.parquet", [GOOD] * 6 + [BAD_ROWS[what]] + [GOOD] * 3, row_group_size=4)
    refused(data, tmp_path, [path], "bad.parquet", "row group 1", "row 2")


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("what", BAD_ROWS)
def test_bad_rows_can_be_skipped(data, tmp_path, what, dictionary):
    path = write_transactions(tmp_path / "bad.parquet", [GOOD, BAD_ROWS[what], GOOD], use_dictionary=dictionary)
    tapeworks("etl", path, "--data", data, "--on-bad-row", "skip", "--max-bad-rows", 1)
    summary = read_symbol_files(data, "daily_summary")
    assert list(summary) == ["2330"]
    assert summary["2330"]["buy_shares"].to_pylist() == [2]


def test_the_first_bad_row_is_named_and_all_are_counted(data, tmp_path):
    bad = BAD_ROWS["letters in price"]
    first = write_transactions(tmp_path / "a.parquet", [GOOD] * 5)
    second = write_transactions(tmp_path / "b.parquet", [GOOD, bad, bad, GOOD, bad])
    refused(data, tmp_path, [second, first], "b.parquet", "row group 0", "row 1", "3")


def test_skipping_stops_at_the_threshold(data, tmp_path):
    bad = BAD_ROWS["letters in price"]
    path = write_transactions(tmp_path / "bad.parquet", [GOOD] * 10 + [bad] * 3)
    refused(data, tmp_path, [path], "3", options=("--on-bad-row", "skip", "--max-bad-rows", 2))


def test_the_default_threshold_is_one_row_in_ten_thousand(data, tmp_path):
    bad = BAD_ROWS["letters in price"]
    path = write_transactions(tmp_path / "bad.parquet", [GOOD] * 100 + [bad])
    refused(data, tmp_path, [path], options=("--on-bad-row", "skip"))
    path = write_transactions(tmp_path / "good.parquet", [GOOD] * 20_000 + [bad])
    tapeworks("etl", path, "--data", data, "--on-bad-row", "skip")


def test_shares_beyond_int32_name_the_group(data, tmp_path):
    rows = [("2330", "2023-01-03", "1440", "5", 2**31 - 1, 0), ("2330", "2023-01-03", "1440", "5", 1, 0)]
    refused(data, tmp_path, [write_transactions(tmp_path / "bad.parquet", rows)], "2330", "1440", "2023-01-03")


def test_shares_whose_sum_leaves_int64_do_not_wrap_around(data, tmp_path):
    rows = [("2330", "2023-01-03", "1440", "5", 2**63 - 1, 0)] * 3
    refused(data, tmp_path, [write_transactions(tmp_path / "bad.parquet", rows)])


def test_a_sum_of_int32_max_is_no_overflow(data, tmp_path):
    rows = [("2330", "2023-01-03", "1440", "5", 2**31 - 2, 0), ("2330", "2023-01-03", "1440", "5", 1, 2**31 - 1)]
    tapeworks("etl", write_transactions(tmp_path / "in.parquet", rows), "--data", data)
    assert read_symbol_files(data, "daily_summary")["2330"]["buy_shares"].to_pylist() == [2**31 - 1]


def test_naive_timestamps(data, tmp_path):
    pq.write_table(replace("date", pc.cast(pc.cast(TABLE["date"], pa.int64()), pa.timestamp("ms"))), tmp_path / "bad.parquet")
    refused(data, tmp_path, [tmp_path / "bad.parquet"], "bad.parquet", "--naive-zone")


@pytest.mark.parametrize("text", ["2023-02-30", "2023/01/03", "20230103", "", "2023-1-3", "yesterday"])
def test_text_that_is_no_date(data, tmp_path, text):
    pq.write_table(replace("date", pa.array(["2023-01-03", text] + ["2023-01-03"] * 3)), tmp_path / "bad.parquet")
    refused(data, tmp_path, [tmp_path / "bad.parquet"], "bad.parquet", "row group 0", "row 1")


ODD_SYMBOLS = ["00632R", "2330A", "a b", "台積電", "-rf", "x" * 200, "a.b", "...", "~", "%2F", "*"]


def test_odd_but_safe_symbols_get_their_files(data, tmp_path):
    rows = [(symbol, "2023-01-03", "1440", "5", 1, 0) for symbol in ODD_SYMBOLS]
    path = write_transactions(tmp_path / "in.parquet", rows)
    tapeworks("run", path, "--prices", write_prices(tmp_path / "prices.parquet"), "--data", data)
    assert set(read_symbol_files(data, "daily_summary")) == set(ODD_SYMBOLS)
    tapeworks("symbol", "--data", data, "--", "-rf")


def test_text_bytes_that_are_no_utf8_do_no_harm(data, tmp_path):
    table = replace("broker", pa.array([b"\xff\xfe", b"\xc3", b"1440", b"1440", b"1440"]))
    pq.write_table(table, tmp_path / "in.parquet")
    outcome = tapeworks("etl", tmp_path / "in.parquet", "--data", data, expect=(0, 3))
    if outcome.exit_code == 3:
        assert_clear_error(outcome, "in.parquet")
        assert not data.exists()


# ---- prices ----------------------------------------------------------------------------------------

def price_source(tmp_path, form, rows):
    if form == "csv":
        path = tmp_path / "prices.csv"
        path.write_text("symbol_id,date,close_price\n" + "".join(
            ",".join("" if value is None else str(value) for value in row) + "\n" for row in rows))
    else:
        path = tmp_path / "prices.parquet"
        pq.write_table(pa.table(dict(zip(["symbol_id", "date", "close_price"], map(list, zip(*rows))))), path)
    return path


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_two_closes_for_one_day_are_named(data, tmp_path, form):
    publish_good(data, tmp_path)
    path = price_source(tmp_path, form, [*GOOD_PRICES, ("2330", "2023-01-04", 999.0)])
    with Untouched(data):
        outcome = tapeworks("sync", path, "--data", data, expect=3)
    assert_clear_error(outcome, "2330", "2023-01-04", "512", "999")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_price_source_without_its_column(data, tmp_path, form):
    publish_good(data, tmp_path)
    path = price_source(tmp_path, form, GOOD_PRICES)
    with Untouched(data):
        outcome = tapeworks("sync", path, "--data", data, "--column-close", "close_d", expect=3)
    assert_clear_error(outcome, path.name, "close_d")


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("option, column", [("--column-close", "date"), ("--column-date", "symbol_id"), ("--column-symbol", "close_price")])
def test_one_column_of_a_price_source_is_not_two(data, tmp_path, form, option, column):
    publish_good(data, tmp_path)
    path = price_source(tmp_path, form, [(symbol, day, str(close)) for symbol, day, close in GOOD_PRICES])
    with Untouched(data):
        outcome = tapeworks("sync", path, "--data", data, option, column, expect=2)
    assert_clear_error(outcome, path.name, column, option)


def test_one_column_of_the_input_is_not_two(data, tmp_path):
    publish_good(data, tmp_path)
    with Untouched(data):
        assert_clear_error(tapeworks("etl", tmp_path / "good.parquet", "--data", data, "--column-buy", "sell", expect=2), "'sell'", "--column-")


BAD_PRICE_ROWS = {
    "letters": ("2330", "2023-01-05", "12a"),
    "no date": ("2330", "yesterday", "5"),
}


@pytest.mark.parametrize("what", BAD_PRICE_ROWS)
def test_a_bad_row_of_a_csv_file_is_named(data, tmp_path, what):
    publish_good(data, tmp_path)
    path = price_source(tmp_path, "csv", [*GOOD_PRICES, BAD_PRICE_ROWS[what]])
    with Untouched(data):
        outcome = tapeworks("sync", path, "--data", data, expect=3)
    assert_clear_error(outcome, "prices.csv")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_parquet_and_csv_prices_give_the_same_table(data, tmp_path, form):
    publish_good(data, tmp_path)
    before = (data / "price" / "close_prices.parquet").read_bytes()
    tapeworks("sync", price_source(tmp_path, form, GOOD_PRICES[::-1]), "--data", data)
    assert (data / "price" / "close_prices.parquet").read_bytes() == before


def test_zero_and_null_closes_are_no_closes(data, tmp_path):
    rows = [*GOOD_PRICES, ("2330", "2023-01-05", 0.0), ("2330", "2023-01-06", None)]
    publish_good(data, tmp_path)
    pq.write_table(pq.read_table(price_source(tmp_path, "parquet", rows)), tmp_path / "with_zero.parquet")
    tx = write_transactions(tmp_path / "later.parquet", [*GOOD_ROWS, ("2330", "2023-01-06", "1440", "500", 1, 0)])
    results = []
    for name, source in [("without", write_prices(tmp_path / "plain.parquet")), ("with", tmp_path / "with_zero.parquet")]:
        tapeworks("run", tx, "--prices", source, "--data", tmp_path / name)
        results.append((tmp_path / name / "pnl" / "2330.parquet").read_bytes())
    assert results[0] == results[1]


def test_a_price_source_that_does_not_exist(data, tmp_path):
    publish_good(data, tmp_path)
    with Untouched(data):
        assert_clear_error(tapeworks("sync", tmp_path / "nowhere.csv", "--data", data, expect=2), "nowhere.csv")
