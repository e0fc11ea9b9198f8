"""`check-prices` and the counts in the manifest: what is wrong with the closes is listed, counted and never hidden."""

import json
import os
from pathlib import Path

import pytest

from harness import assert_clear_error, assert_same_trees, tapeworks, write_prices, write_transactions

DAYS = ["2023-01-03", "2023-01-04", "2023-01-05", "2023-01-06", "2023-01-09"]
CLOSES = {
    "1101": ["40", "40.5", "41", "40", "41"],
    "1102": ["40", "40.5", "41", "40", "41"],
    "2330": ["500", None, None, "501", "502"],  # a gap
    "2603": ["100", "101", "50.4", "51", "51"],  # a split
    "6488": ["300", "0", "301", "302", "303"],  # no close in the default mode
    "9904": ["30", "30", "30", "30", "30"],  # no trades
}
TRADED = ["1101", "1102", "2330", "2603", "6488", "7777"]  # 7777: no close


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prices")
    lines = ["symbol_id,date,close_price"]
    for symbol, closes in CLOSES.items():
        lines += [f"{symbol},{day},{close}" for day, close in zip(DAYS, closes) if close is not None]
    (folder / "closes.csv").write_text("\n".join(lines) + "\n")
    rows = [(symbol, DAYS[0], broker, "10.00", buy, sell)
            for symbol in TRADED for broker, buy, sell in (("1020", 1000, 0), ("1021", 0, 1000))]
    write_transactions(folder / "tx.parquet", rows)
    return folder


def run(inputs, data, *options):
    tapeworks("run", inputs / "tx.parquet", "--prices", inputs / "closes.csv", "--data", data, *options)
    return data


def manifest(data: Path) -> dict:
    return json.loads((Path(os.path.realpath(data)) / "manifest.json").read_text())["tables"]


def test_every_flaw_is_a_row(inputs, tmp_path):
    data = run(inputs, tmp_path / "data")
    outcome = tapeworks("check-prices", "--data", data, expect=1)
    found = [(row["symbol_id"], row["finding"], row["first_date"], row["last_date"], row["days"], row["ratio"])
             for row in outcome.records()]
    assert found == [
        ("7777", "no_close", None, None, None, None),
        ("9904", "no_trades", None, None, None, None),
        ("2330", "gap", DAYS[1], DAYS[2], 2, None),
        ("2603", "split", DAYS[1], DAYS[2], None, "1/2"),
        ("6488", "gap", DAYS[1], DAYS[1], 1, None),
    ]
    table = tapeworks("check-prices", "--data", data, "--format", "table", expect=1).stdout
    assert "1 closes of zero" in table
    assert tapeworks("check-prices", "--data", data, "--format", "csv", "--top", 1, expect=1).stdout.count("\n") == 2


def test_compat_modes_show_the_zero_itself(inputs, tmp_path):
    data = run(inputs, tmp_path / "data", "--compat", "v2")
    rows = tapeworks("check-prices", "--data", data, expect=1).records()
    assert [(row["symbol_id"], row["first_date"]) for row in rows if row["finding"] == "zero"] == [("6488", DAYS[1])]


def test_the_manifest_has_the_counts_and_the_steps_agree_with_run(inputs, tmp_path):
    data = run(inputs, tmp_path / "run")
    price, pnl = manifest(data)["price"]["counts"], manifest(data)["pnl"]["counts"]
    assert {name: price[name] for name in ("gap_days", "closes_zero", "closes_negative", "jumps_like_split")} == {
        "gap_days": 3, "closes_zero": 1, "closes_negative": 0, "jumps_like_split": 1}
    assert pnl == {"symbols_without_close": 1, "symbols_without_trades": 1}
    steps = tmp_path / "steps"
    tapeworks("sync", inputs / "closes.csv", "--data", steps)
    tapeworks("etl", inputs / "tx.parquet", "--data", steps)
    tapeworks("pnl", "--data", steps)
    assert_same_trees(data, steps)


def test_adjusted_is_noted_and_changes_no_number(inputs, tmp_path):
    plain, adjusted = run(inputs, tmp_path / "plain"), run(inputs, tmp_path / "adjusted", "--adjusted")
    assert "adjusted" not in manifest(plain)["price"]["options"]
    assert manifest(adjusted)["price"]["options"]["adjusted"] == "true"
    for table in ("price", "pnl", "daily_summary"):
        assert manifest(plain)[table]["files"] == manifest(adjusted)[table]["files"]
    assert "adjusted" in tapeworks("check-prices", "--data", adjusted, "--format", "table", expect=1).stdout
    tapeworks("verify", "--data", adjusted, "--full", expect={0, 1})


def test_good_closes_are_exit_0_and_missing_ones_are_named(inputs, tmp_path):
    good = tmp_path / "good.csv"
    good.write_text("symbol_id,date,close_price\n" + "".join(f"1101,{day},40\n" for day in DAYS))
    tapeworks("sync", good, "--data", tmp_path / "data")
    assert tapeworks("check-prices", "--data", tmp_path / "data").stdout == ""
    tapeworks("etl", inputs / "tx.parquet", "--data", tmp_path / "trades")
    assert_clear_error(tapeworks("check-prices", "--data", tmp_path / "trades", expect=1), "price", "tapeworks sync")
    assert_clear_error(tapeworks("check-prices", "--data", tmp_path / "none", expect=2), "none")


def test_verify_warns_of_a_trading_day_without_trades(tmp_path, data):
    days = ["2023-01-03", "2023-01-04", "2023-01-05"]
    tx = write_transactions(tmp_path / "tx.parquet", [("2330", day, "1440", "10", 5, 5) for day in (days[0], days[2])])
    closes = write_prices(tmp_path / "closes.parquet", [("2330", day, 10.0) for day in days])
    tapeworks("run", tx, "--prices", closes, "--data", data)
    checks = {row["check"]: row for row in tapeworks("verify", "--data", data, "--format", "jsonl").records()}
    found = checks["days_without_trades"]
    assert (found["status"], found["count"]) == ("warning", 1) and days[1] in found["detail"]
    # A day on which hardly anything has a close is no trading day.
    more = write_prices(tmp_path / "more.parquet", [("2330", days[0], 10.0), ("2330", days[2], 10.0), ("2317", days[0], 1.0),
                                                    ("2317", days[2], 1.0), ("1101", days[0], 1.0), ("1101", days[1], 1.0),
                                                    ("1101", days[2], 1.0)])
    tapeworks("run", tx, "--prices", more, "--data", data)
    checks = {row["check"]: row for row in tapeworks("verify", "--data", data, "--format", "jsonl").records()}
    assert checks["days_without_trades"]["status"] == "ok"
