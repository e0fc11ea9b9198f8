"""The same bytes for any number of threads, any memory, any order of the rows, one file or many."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness import Generated, assert_same_trees, generate, run_pipeline, tapeworks

ROWS = 200_000
SHAPE = dict(rows=ROWS, symbols=60, brokers=50, days=40, seed=11)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("input"), **SHAPE)


@pytest.fixture(scope="module")
def expected(tmp_path_factory, source):
    """What one thread with much memory makes of the rows in date order."""
    data = tmp_path_factory.mktemp("expected") / "data"
    run_pipeline(data, source, "--daily", "--threads", 1, "--memory", "8GiB")
    return data


def run_and_compare(expected, data, source, *options, inputs=None):
    run_pipeline(data, source, "--daily", *options, inputs=inputs)
    assert_same_trees(expected, data)


@pytest.mark.parametrize("threads", [2, 7])
def test_any_number_of_threads(expected, source, data, threads):
    run_and_compare(expected, data, source, "--threads", threads)


@pytest.mark.parametrize("memory", ["256MiB", "192MiB"])
def test_any_memory(expected, source, data, memory):
    run_and_compare(expected, data, source, "--memory", memory, "--threads", 2)


def shuffled(table, seed):
    return table.take(np.random.default_rng(seed).permutation(table.num_rows))


@pytest.mark.parametrize("row_group_rows, memory", [(50_000, "8GiB"), (1_000, "8GiB"), (50_000, "256MiB")])
def test_any_order_of_the_rows_and_any_row_groups(expected, source, data, tmp_path, row_group_rows, memory):
    path = tmp_path / "shuffled.parquet"
    pq.write_table(shuffled(pq.read_table(source.transactions), seed=5), path, row_group_size=row_group_rows)
    run_and_compare(expected, data, source, "--memory", memory, "--threads", 2, inputs=[path])


def split_by_day(source, folder):
    """One file a day, named as vendors do; returns the files in an order that is no order."""
    folder.mkdir()
    table = pq.read_table(source.transactions)
    days = pc.cast(pc.add(pc.cast(table["date"], pa.int64()), 8 * 3600 * 1000), pa.timestamp("ms")).cast(pa.date32())
    for day in pc.unique(days).to_pylist():
        part = table.filter(pc.equal(days, pa.scalar(day, pa.date32())))
        pq.write_table(part, folder / f"broker_tx_{day:%Y%m%d}.parquet")
    return sorted(folder.iterdir(), reverse=True)


@pytest.mark.parametrize("form", ["files", "folder", "glob"])
def test_one_file_or_many(expected, source, data, tmp_path, form):
    files = split_by_day(source, tmp_path / "days")
    inputs = {"files": files, "folder": [tmp_path / "days"], "glob": [tmp_path / "days" / "*.parquet"]}[form]
    run_and_compare(expected, data, source, "--threads", 2, inputs=inputs)


def test_the_three_commands_give_what_run_gives(expected, source, data):
    tapeworks("etl", source.transactions, "--data", data)
    tapeworks("sync", source.prices, "--data", data)
    tapeworks("pnl", "--data", data, "--daily")
    assert_same_trees(expected, data)


def test_run_takes_the_price_options_of_sync(source, data, tmp_path):
    closes = pq.read_table(source.prices)
    renamed = tmp_path / "closes.parquet"
    pq.write_table(closes.rename_columns(["stock", "day", "adj_close"][: closes.num_columns]), renamed)
    first = pc.min(closes["date"]).as_py()
    since = (first + datetime.timedelta(days=10)).isoformat()[:10]

    tapeworks("etl", source.transactions, "--data", data)
    tapeworks("sync", renamed, "--column-symbol", "stock", "--column-date", "day", "--column-close", "adj_close",
              "--since", since, "--data", data)
    tapeworks("pnl", "--data", data)
    options = ("--prices-column-symbol", "stock", "--prices-column-date", "day", "--column-close", "adj_close")
    tapeworks("run", source.transactions, "--prices", renamed, *options, "--since", since, "--data", tmp_path / "run")

    assert_same_trees(data, tmp_path / "run")
    assert pc.min(pq.read_table(tmp_path / "run" / "price" / "close_prices.parquet")["date"]).as_py().isoformat() >= since


def test_repeating_a_run_changes_no_byte(expected, source, data):
    run_and_compare(expected, data, source)
    run_and_compare(expected, data, source)


def all_rows(path):
    table = pq.read_table(path)
    return table.sort_by([(name, "ascending") for name in table.column_names])


@pytest.mark.parametrize("extra", [("--per-day",), ("--order", "shuffled")])
def test_generate_gives_the_same_rows_in_every_arrangement(source, tmp_path, extra):
    other = generate(tmp_path / "other", **SHAPE, extra=extra)
    ours, theirs = all_rows(source.transactions), all_rows(other.transactions)
    assert ours.num_rows == theirs.num_rows == ROWS
    assert ours.equals(theirs.cast(ours.schema))


def test_generate_is_a_function_of_its_seed(source, tmp_path):
    again = generate(tmp_path / "again", **SHAPE)
    other = generate(tmp_path / "other", **{**SHAPE, "seed": 12})
    assert again.transactions.read_bytes() == source.transactions.read_bytes()
    assert again.prices.read_bytes() == source.prices.read_bytes()
    assert other.transactions.read_bytes() != source.transactions.read_bytes()


@pytest.mark.parametrize("stamp, hour", [("taipei-midnight", 16), ("utc-midnight", 0)])
def test_generate_stamps_days_as_told(tmp_path, stamp, hour):
    made = generate(tmp_path / "in", rows=2_000, symbols=5, brokers=5, days=5, seed=3, extra=("--stamp", stamp))
    hours = {instant.astimezone(datetime.timezone.utc).hour for instant in pq.read_table(made.transactions)["date"].to_pylist()}
    assert hours == {hour}
