"""Whatever program wrote the input, in whatever types: equal values give equal bytes."""

import datetime
import decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness import EIGHT_HOURS_MS, assert_clear_error, data_files, tapeworks

COLUMN_OPTIONS = {"symbol_id": "--column-symbol", "date": "--column-date", "broker": "--column-broker",
                  "broker_name": "--column-broker-name", "price": "--column-price", "buy": "--column-buy",
                  "sell": "--column-sell"}


@pytest.fixture(scope="module")
def base(small_input):
    """The generated rows without "-" prices, so that prices can be numbers too."""
    table = pq.read_table(small_input.transactions)
    return table.filter(pc.not_equal(table["price"], "-"))


def summary_bytes(data):
    return {name: path.read_bytes() for name, path in data_files(data).items() if name.startswith("daily_summary/")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory, base):
    folder = tmp_path_factory.mktemp("expected")
    pq.write_table(base, folder / "plain.parquet")
    tapeworks("etl", folder / "plain.parquet", "--data", folder / "data")
    return summary_bytes(folder / "data")


def assert_etl_gives(expected, path, data, *options):
    tapeworks("etl", path, "--data", data, *options)
    ours = summary_bytes(data)
    assert set(ours) == set(expected)
    assert [name for name in ours if ours[name] != expected[name]] == []


def replace(table, column, values):
    return table.set_column(table.schema.get_field_index(column), column, values)


def price_numbers(table):
    return pc.cast(pc.replace_substring(table["price"], ",", ""), pa.float64())


def decimals(table, precision, scale):
    quantum = decimal.Decimal(1).scaleb(-scale)
    texts = pc.replace_substring(table["price"], ",", "").to_pylist()
    return pa.array([decimal.Decimal(text).quantize(quantum) for text in texts], pa.decimal128(precision, scale))


def days_of(table):
    """The Taipei day of each row."""
    shifted = pc.add(pc.cast(table["date"], pa.int64()), EIGHT_HOURS_MS)
    return pc.cast(pc.cast(shifted, pa.timestamp("ms")), pa.date32())


def with_text_type(kind):
    def change(table):
        for column in ("symbol_id", "broker", "broker_name", "price"):
            values = table[column].combine_chunks()
            table = replace(table, column, values.dictionary_encode() if kind == "dictionary" else values.cast(kind))
        return table
    return change


def instants(unit, zone="UTC"):
    return lambda table: replace(table, "date", pc.cast(table["date"], pa.timestamp(unit, zone)))


TYPE_VARIANTS = {
    "text as string": with_text_type(pa.string()),
    "text as large_string": with_text_type(pa.large_string()),
    "text as string_view": with_text_type(pa.string_view()),
    "text as dictionary": with_text_type("dictionary"),
    "timestamp[s]": instants("s"),
    "timestamp[ms]": instants("ms"),
    "timestamp[us]": instants("us"),
    "timestamp[ns]": instants("ns"),
    "timestamp of another zone": instants("us", "Asia/Taipei"),
    "date32": lambda table: replace(table, "date", days_of(table)),
    "ISO text": lambda table: replace(table, "date", pc.cast(days_of(table), pa.string())),
    "price as float64": lambda table: replace(table, "price", price_numbers(table)),
    "price as float32": lambda table: replace(table, "price", pc.cast(price_numbers(table), pa.float32())),
    "price as decimal128(9,2)": lambda table: replace(table, "price", decimals(table, 9, 2)),
    "price as decimal128(18,4)": lambda table: replace(table, "price", decimals(table, 18, 4)),
    "price as decimal128(38,6)": lambda table: replace(table, "price", decimals(table, 38, 6)),
    "counts as int32": lambda table: replace(
        replace(table, "buy", pc.cast(table["buy"], pa.int32())), "sell", pc.cast(table["sell"], pa.int32())),
    "columns in another order": lambda table: table.select(table.column_names[::-1]),
    "extra columns": lambda table: table.append_column("note", pa.array(["x"] * table.num_rows)).add_column(
        0, "id", pa.array(range(table.num_rows))),
}


@pytest.mark.parametrize("variant", TYPE_VARIANTS)
def test_column_types(expected, base, data, tmp_path, variant):
    path = tmp_path / "variant.parquet"
    pq.write_table(TYPE_VARIANTS[variant](base), path)
    assert_etl_gives(expected, path, data)


@pytest.mark.parametrize("pages", [dict(use_dictionary=False), dict(use_dictionary=False, store_decimal_as_integer=True),
                                   dict(dictionary_pagesize_limit=300, data_page_size=512)],
                         ids=["no dictionary", "decimals in integers", "falls back"])
@pytest.mark.parametrize("variant", [name for name in TYPE_VARIANTS if name.startswith("price as")])
def test_prices_that_are_numbers_without_a_dictionary(expected, base, data, tmp_path, variant, pages):
    path = tmp_path / "variant.parquet"
    pq.write_table(TYPE_VARIANTS[variant](base), path, **pages)
    assert_etl_gives(expected, path, data)


@pytest.mark.parametrize("kind, price", [(pa.uint32(), 3_000_000_000), (pa.uint64(), 3 * 2**62), (pa.int64(), 2**40)], ids=str)
def test_whole_prices_use_the_whole_range_of_their_type(base, data, tmp_path, kind, price):
    row = base.slice(0, 1)
    for column, value in (("price", pa.array([price], kind)), ("buy", pa.array([2])), ("sell", pa.array([0]))):
        row = replace(row, column, value)
    pq.write_table(row, tmp_path / "in.parquet")
    tapeworks("etl", tmp_path / "in.parquet", "--data", data)
    [path] = (data / "daily_summary").glob("*.parquet")
    assert pq.read_table(path)["buy_amount"].to_pylist() == [2 * price]


def test_timestamps_stored_as_int96(expected, base, data, tmp_path):
    path = tmp_path / "int96.parquet"
    pq.write_table(base, path, use_deprecated_int96_timestamps=True)
    assert_etl_gives(expected, path, data)


def test_timestamps_stored_as_int96_without_a_zone(expected, base, data, tmp_path):
    # Without a schema they are instants all the same: that is what the form means.
    path = tmp_path / "int96.parquet"
    pq.write_table(base, path, use_deprecated_int96_timestamps=True, store_schema=False)
    assert_etl_gives(expected, path, data)


def test_naive_timestamps_need_a_zone(expected, base, data, tmp_path):
    path = tmp_path / "naive.parquet"
    pq.write_table(replace(base, "date", pc.cast(pc.cast(base["date"], pa.int64()), pa.timestamp("ms"))), path)
    assert_clear_error(tapeworks("etl", path, "--data", data, expect=3), "naive.parquet", "--naive-zone")
    assert_etl_gives(expected, path, data, "--naive-zone", "UTC")


def test_renamed_columns(expected, base, data, tmp_path):
    path = tmp_path / "renamed.parquet"
    pq.write_table(base.rename_columns([f"{name} of vendor" for name in base.column_names]), path)
    options = [part for name, option in COLUMN_OPTIONS.items() for part in (option, f"{name} of vendor")]
    assert_etl_gives(expected, path, data, *options)


PYARROW_FILES = {
    "v1 pages": dict(data_page_version="1.0"),
    "v2 pages": dict(data_page_version="2.0"),
    "no dictionary": dict(use_dictionary=False),
    "no dictionary, v2 pages": dict(use_dictionary=False, data_page_version="2.0"),
    "dictionary falls back in the middle of a chunk": dict(dictionary_pagesize_limit=300, data_page_size=512),
    "falls back, v2 pages": dict(dictionary_pagesize_limit=300, data_page_size=512, data_page_version="2.0"),
    "dictionary for some columns": dict(use_dictionary=["symbol_id", "price"]),
    "tiny pages": dict(data_page_size=64),
    "tiny row groups": dict(row_group_size=77),
    "page index and checksums": dict(write_page_index=True, write_page_checksum=True),
    "no statistics": dict(write_statistics=False),
    "snappy": dict(compression="snappy"),
    "zstd": dict(compression="zstd"),
    "lz4": dict(compression="lz4"),
    "gzip": dict(compression="gzip"),
    "brotli": dict(compression="brotli"),
    "uncompressed": dict(compression="none"),
    "format 1.0": dict(version="1.0", coerce_timestamps="ms"),
    "delta counts": dict(use_dictionary=False, column_encoding={
        "buy": "DELTA_BINARY_PACKED", "sell": "DELTA_BINARY_PACKED", "date": "DELTA_BINARY_PACKED"}),
    "delta text": dict(use_dictionary=False, column_encoding={
        "symbol_id": "DELTA_BYTE_ARRAY", "broker": "DELTA_LENGTH_BYTE_ARRAY", "price": "DELTA_BYTE_ARRAY"}),
    "split counts": dict(use_dictionary=False, column_encoding={"buy": "BYTE_STREAM_SPLIT", "sell": "BYTE_STREAM_SPLIT"}),
}


@pytest.mark.parametrize("how", PYARROW_FILES)
def test_files_written_by_pyarrow(expected, base, data, tmp_path, how):
    path = tmp_path / "pyarrow.parquet"
    pq.write_table(base, path, **PYARROW_FILES[how])
    assert_etl_gives(expected, path, data)


def test_required_columns(expected, base, data, tmp_path):
    path = tmp_path / "required.parquet"
    schema = pa.schema([field.with_nullable(False) for field in base.schema])
    pq.write_table(pa.Table.from_arrays(base.columns, schema=schema), path)
    assert_etl_gives(expected, path, data)


@pytest.mark.parametrize("how", [dict(), dict(compression="uncompressed"), dict(compression="snappy"),
                                 dict(compression="lz4"), dict(row_group_size=997), dict(data_page_size=400),
                                 dict(statistics=False)], ids=str)
@pytest.mark.parametrize("categorical", [False, True])
def test_files_written_by_polars(expected, base, data, tmp_path, how, categorical):
    frame = pl.from_arrow(base)
    if categorical:
        frame = frame.with_columns(pl.col("symbol_id", "broker", "price").cast(pl.Categorical))
    frame.write_parquet(tmp_path / "polars.parquet", **how)
    assert_etl_gives(expected, tmp_path / "polars.parquet", data)


@pytest.mark.parametrize("how", ["", "PARQUET_VERSION v2", "COMPRESSION zstd", "COMPRESSION lz4_raw", "COMPRESSION uncompressed",
                                 "ROW_GROUP_SIZE 2048", "DICTIONARY_SIZE_LIMIT 10", "PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 10"])
def test_files_written_by_duckdb(expected, base, data, tmp_path, how):
    path = tmp_path / "duckdb.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("base", base)
        connection.execute(f"COPY (FROM base) TO '{path}' (FORMAT parquet{', ' + how if how else ''})")
    assert_etl_gives(expected, path, data)


@pytest.mark.parametrize("categorical", [False, True])
def test_files_written_by_pandas(expected, base, data, tmp_path, categorical):
    frame = base.to_pandas()
    if categorical:
        frame = frame.astype({"symbol_id": "category", "broker": "category"})
    frame.to_parquet(tmp_path / "pandas.parquet")
    assert_etl_gives(expected, tmp_path / "pandas.parquet", data)


@pytest.mark.parametrize("zone, days", [("UTC", -1), ("Asia/Taipei", 0), ("+08:00", 0), ("+09:00", 0), ("-05:00", -1)])
def test_the_day_of_an_instant_follows_the_zone(base, small_input, data, tmp_path, zone, days):
    pq.write_table(base, tmp_path / "in.parquet")
    tapeworks("etl", tmp_path / "in.parquet", "--data", data, "--day-zone", zone)
    ours = {day for path in (data / "daily_summary").glob("*.parquet")
            for day in pq.read_table(path)["date"].to_pylist()}
    assert ours == {day + datetime.timedelta(days=days) for day in set(days_of(base).to_pylist())}


def test_float64_amounts_of_text_are_exact_decimals(base, data, tmp_path):
    pq.write_table(base, tmp_path / "in.parquet")
    tapeworks("etl", tmp_path / "in.parquet", "--data", data, "--amounts", "float64")
    sums = {}
    days = days_of(base).to_pylist()
    for row, day in zip(base.to_pylist(), days):
        key = row["symbol_id"], row["broker"], day
        price = decimal.Decimal(row["price"].replace(",", ""))
        buy, sell = sums.get(key, (0, 0))
        sums[key] = buy + row["buy"] * price, sell + row["sell"] * price
    for path in (data / "daily_summary").glob("*.parquet"):
        table = pq.read_table(path)
        assert table["buy_amount"].type == pa.float64()
        for row in table.to_pylist():
            exact = sums.pop((path.stem, row["broker"], row["date"]))
            assert (row["buy_amount"], row["sell_amount"]) == (float(exact[0]), float(exact[1]))
    assert not sums
