"""Polars, DuckDB and pandas read every file with the types of the specification, and agree with the sums."""

from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import run_pipeline

SUMMARY = {"broker": pl.String, "date": pl.Date, "buy_shares": pl.Int32, "sell_shares": pl.Int32,
           "buy_amount": pl.Float32, "sell_amount": pl.Float32}
ACCOUNT = {"broker": pl.String, **dict.fromkeys(
    ["total_pnl", "realized_pnl", "unrealized_pnl", "total_buy_amount", "total_sell_amount"], pl.Float64)}
LATER = dict.fromkeys(["timing_score", "unpriced_cost", "opening_unrealized_pnl", "open_long_cost", "open_short_cost"],
                      pl.Float64)
EXPECTED = {
    "daily_summary": SUMMARY,
    "price": {"symbol_id": pl.String, "date": pl.Date, "close_price": pl.Float32},
    "pnl": {"rank": pl.UInt32, **ACCOUNT, "timing_alpha": pl.Float64, **LATER},
    "pnl_daily": {"broker": pl.String, "date": pl.Date, "realized_pnl": pl.Float64, "unrealized_pnl": pl.Float64},
    "position_ledger": {"broker": pl.String, "date": pl.Date, "position": pl.Int64, "cost": pl.Float64,
                        "realized_pnl": pl.Float64, "buy_amount": pl.Float64, "sell_amount": pl.Float64},
    "fifo_state": {"broker": pl.String, "side": pl.String, "shares": pl.Int64, "cost_per_share": pl.Float64,
                   "open_date": pl.Date},
    "derived/broker_ranking.parquet": {"rank": pl.UInt32, **ACCOUNT, "total_amount": pl.Float64,
                                       "timing_alpha": pl.Float64, **LATER, "last_trade_date": pl.Date,
                                       "open_positions": pl.Int64},
    "derived/broker_names.parquet": {"broker": pl.String, "broker_name": pl.String},
}
DUCKDB_TYPES = {pl.String: "VARCHAR", pl.Date: "DATE", pl.Int32: "INTEGER", pl.Int64: "BIGINT", pl.UInt32: "UINTEGER",
                pl.Float32: "FLOAT", pl.Float64: "DOUBLE"}


@pytest.fixture(scope="module")
def published(tmp_path_factory, small_input):
    data = tmp_path_factory.mktemp("published") / "data"
    run_pipeline(data, small_input, "--daily", "--ledger")
    return data


def files_of(data, table):
    path = data / table
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def polars_types(path):
    schema = pl.read_parquet(path).schema
    return {name: pl.String if kind in (pl.Categorical, pl.Enum) else kind for name, kind in schema.items()}


@pytest.mark.parametrize("table", EXPECTED)
def test_polars_reads_every_file(published, table):
    files = files_of(published, table)
    assert files
    for path in files:
        ours = polars_types(path)
        assert list(ours.items())[:len(EXPECTED[table])] == list(EXPECTED[table].items()), path.name


@pytest.mark.parametrize("table", EXPECTED)
def test_duckdb_reads_every_file(published, table):
    with duckdb.connect() as connection:
        for path in files_of(published, table):
            # Every value is touched, not only the schema.
            relation = connection.sql(f"SELECT * FROM read_parquet('{path}')")
            ours = dict(zip(relation.columns, map(str, relation.types)))
            for column, kind in EXPECTED[table].items():
                assert ours[column] == DUCKDB_TYPES[kind], (path.name, column)
            assert len(relation.fetchall()) == pq.read_metadata(path).num_rows


@pytest.mark.parametrize("table", EXPECTED)
def test_pandas_reads_every_file(published, table):
    for path in files_of(published, table):
        frame = pd.read_parquet(path)
        assert len(frame) == pq.read_metadata(path).num_rows
        assert list(frame.columns)[:len(EXPECTED[table])] == list(EXPECTED[table])


def test_every_parquet_file_is_in_the_table_above(published):
    known = {path.resolve() for table in EXPECTED for path in files_of(published, table)}
    known.add((published / "derived" / "symbol_broker.parquet").resolve())
    assert {path.resolve() for path in published.resolve().rglob("*.parquet")} == known


def test_the_broker_column_is_stored_as_a_dictionary(published):
    for path in files_of(published, "daily_summary"):
        assert pa.types.is_dictionary(pq.read_schema(path).field("broker").type)


@pytest.fixture(scope="module")
def summary_of_polars(small_input):
    """The specification's sums, by Polars: float32 prices, float64 products and sums, float32 amounts."""
    rows = pl.read_parquet(small_input.transactions).filter(pl.col("price") != "-")
    return (rows.with_columns(price=pl.col("price").str.replace_all(",", "").cast(pl.Float32).cast(pl.Float64),
                              date=pl.col("date").dt.convert_time_zone("Asia/Taipei").dt.date())
            .group_by("symbol_id", "broker", "date")
            .agg(buy_shares=pl.col("buy").sum().cast(pl.Int32), sell_shares=pl.col("sell").sum().cast(pl.Int32),
                 buy_amount=(pl.col("buy") * pl.col("price")).sum().cast(pl.Float32),
                 sell_amount=(pl.col("sell") * pl.col("price")).sum().cast(pl.Float32))
            .sort("symbol_id", "broker", "date"))


def test_the_sums_of_polars_equal_the_daily_summary(published, summary_of_polars):
    for path in files_of(published, "daily_summary"):
        ours = pl.read_parquet(path).with_columns(pl.col("broker").cast(pl.String))
        theirs = summary_of_polars.filter(pl.col("symbol_id") == path.stem).drop("symbol_id")
        assert ours.equals(theirs), path.name
    assert set(summary_of_polars["symbol_id"]) == {path.stem for path in files_of(published, "daily_summary")}


def test_the_sums_of_duckdb_equal_the_daily_summary(published, small_input):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Taipei'")
        theirs = connection.execute(f"""
            SELECT symbol_id, broker, date::DATE AS day, sum(buy)::INTEGER, sum(sell)::INTEGER,
                   sum(buy * p)::FLOAT, sum(sell * p)::FLOAT
            FROM (SELECT *, replace(price, ',', '')::FLOAT::DOUBLE AS p FROM read_parquet('{small_input.transactions}')
                  WHERE price <> '-')
            GROUP BY ALL ORDER BY ALL""").fetchall()
        ours = connection.execute(f"""
            SELECT parse_filename(filename, true), broker, date, buy_shares, sell_shares, buy_amount, sell_amount
            FROM read_parquet('{published}/daily_summary/*.parquet', filename = true) ORDER BY ALL""").fetchall()
    assert ours == theirs


def test_exact_sums_by_fractions_equal_the_daily_summary(published, small_input):
    # Rational numbers know no rounding: this is the definition, on the symbols with the fewest rows.
    rows = pl.read_parquet(small_input.transactions).filter(pl.col("price") != "-").with_columns(
        day=pl.col("date").dt.convert_time_zone("Asia/Taipei").dt.date())
    rare = rows["symbol_id"].value_counts().sort("count")["symbol_id"].head(4).to_list()
    sums = {}
    for row in rows.filter(pl.col("symbol_id").is_in(rare)).iter_rows(named=True):
        price = Fraction(float(np.float32(row["price"].replace(",", ""))))
        key = row["symbol_id"], row["broker"], row["day"]
        buy, sell = sums.get(key, (Fraction(0), Fraction(0)))
        sums[key] = buy + row["buy"] * price, sell + row["sell"] * price
    for symbol in rare:
        for row in pl.read_parquet(published / "daily_summary" / f"{symbol}.parquet").iter_rows(named=True):
            exact = sums.pop((symbol, row["broker"], row["date"]))
            assert tuple(map(float, exact)) == pytest.approx((row["buy_amount"], row["sell_amount"]), rel=2**-24)
            assert (np.float32(float(exact[0])), np.float32(float(exact[1]))) == (row["buy_amount"], row["sell_amount"])
    assert not sums


def test_the_ranking_is_the_sum_over_the_symbols(published):
    accounts = pl.concat([pl.read_parquet(path).with_columns(pl.col("broker").cast(pl.String))
                          for path in files_of(published, "pnl")])
    ranking = pl.read_parquet(published / "derived" / "broker_ranking.parquet").sort("broker")
    sums = accounts.group_by("broker").agg(pl.all().exclude("rank").sum()).sort("broker")
    scales = accounts.group_by("broker").agg(pl.all().exclude("rank").abs().sum()).sort("broker")
    assert ranking["broker"].cast(pl.String).to_list() == sums["broker"].to_list()
    for column in ["total_pnl", "realized_pnl", "unrealized_pnl", "total_buy_amount", "unpriced_cost", "open_long_cost"]:
        difference = (ranking[column] - sums[column]).abs()
        assert (difference <= 1e-12 * scales[column]).all(), column


def test_bought_minus_sold_shares_are_the_open_lots(published):
    for path in files_of(published, "daily_summary"):
        summary = pl.read_parquet(path).with_columns(pl.col("broker").cast(pl.String))
        net = {row["broker"]: row["net"] for row in summary.group_by("broker").agg(
            net=(pl.col("buy_shares").cast(pl.Int64) - pl.col("sell_shares")).sum()).iter_rows(named=True)}
        lots = {}
        for lot in pl.read_parquet(published / "fifo_state" / path.name).iter_rows(named=True):
            lots[lot["broker"]] = lots.get(lot["broker"], 0) + lot["shares"] * (1 if lot["side"] == "long" else -1)
        assert {broker: shares for broker, shares in net.items() if shares} == lots, path.name


def test_realized_and_lots_close_to_the_cash_flow(published):
    # Cash out minus cash in equals what was realised minus what the open lots cost. With every day counted
    # (the generated data begins after the default start) this must close to rounding.
    for path in files_of(published, "pnl"):
        for row in pl.read_parquet(path).iter_rows(named=True):
            cash = row["total_sell_amount"] - row["total_buy_amount"]
            open_cost = row["open_long_cost"] - row["open_short_cost"]
            scale = row["total_sell_amount"] + row["total_buy_amount"]
            assert abs(cash - (row["realized_pnl"] - open_cost)) <= 1e-9 * max(scale, 1), (path.name, row)
