"""`verify` compares the days in the names of per-day files with those of their rows, by the record of the inputs, and with --input the
names of brokers with those of the inputs."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import tapeworks, transactions, write_transactions


def check(data, name="input_dates", *options, expect=0):
    return {r["check"]: r for r in tapeworks("verify", "--data", data, *options, expect=expect).records()}[name]


def rows(*days):
    return [("2330", day, "1440", "10", 5, 5) for day in days]


def test_per_day_files_that_hold_their_day_are_fine(tmp_path, data):
    write_transactions(tmp_path / "in" / "broker_tx_20230103.parquet", rows("2023-01-03"))
    write_transactions(tmp_path / "in" / "late-2023-01-04.parquet", rows("2023-01-04"))
    write_transactions(tmp_path / "in" / "more.parquet", rows("2023-01-05"))
    tapeworks("etl", tmp_path / "in", "--data", data)
    found = check(data)
    assert found["status"] == "ok" and found["detail"].startswith("2 of 3 inputs"), found


@pytest.mark.parametrize("days", [("2023-01-04",), ("2023-01-03", "2023-01-04")])
def test_a_file_of_another_day_than_its_name_says_is_a_warning(tmp_path, data, days):
    path = write_transactions(tmp_path / "in" / "broker_tx_20230103.parquet", rows(*days))
    tapeworks("etl", tmp_path / "in", "--data", data)
    found = check(data)
    assert found["status"] == "warning" and found["count"] == 1, found
    assert path.name in found["detail"] and "2023-01-04" in found["detail"]


def test_a_day_rule_that_moves_every_file_is_seen(tmp_path, data):
    """Vendors stamp the beginning of a day in Taipei, which is still the day before in UTC."""
    for day in ("2023-01-03", "2023-01-04"):
        write_transactions(tmp_path / "in" / f"broker_tx_{day.replace('-', '')}.parquet", rows(day))
    tapeworks("etl", tmp_path / "in", "--data", data, "--day-zone", "UTC")
    found = check(data)
    assert found["status"] == "warning" and found["count"] == 2, found
    assert "--day-zone" in found["detail"]


def test_a_history_with_the_day_of_its_delivery_in_its_name_is_none_of_a_day(tmp_path, data):
    days = [f"2023-01-{day:02}" for day in range(3, 12)]
    write_transactions(tmp_path / "in" / "all_until_20230111.parquet", rows(*days))
    tapeworks("etl", tmp_path / "in", "--data", data)
    found = check(data)
    assert found["status"] == "ok" and found["detail"].startswith("0 of 1 input"), found


def test_without_a_record_nothing_is_said(tmp_path, data):
    write_transactions(tmp_path / "broker_tx_20230103.parquet", rows("2023-01-04"))
    tapeworks("etl", tmp_path / "broker_tx_20230103.parquet", "--data", data, "--compat", "v2")
    assert check(data)["status"] == "not checked"


def test_the_names_of_brokers_are_compared_with_those_of_the_input(tmp_path, data):
    path = write_transactions(tmp_path / "in.parquet", rows("2023-01-03"))
    tapeworks("etl", path, "--data", data)
    assert check(data, "broker_names", "--input", path) == {
        "check": "broker_names", "status": "ok", "count": 0, "detail": "1 names read again"}
    other = transactions(rows("2023-01-03")).set_column(3, "broker_name", pa.array(["another"]))
    pq.write_table(other, tmp_path / "other.parquet")
    found = check(data, "broker_names", "--input", tmp_path / "other.parquet", expect=1)
    assert found["status"] == "failed" and found["count"] == 1
    assert "broker 1440 is '" in found["detail"] and "and 'another' in the input" in found["detail"], found
    assert check(data, "input", "--input", tmp_path / "other.parquet", expect=1)["status"] == "ok"


def test_an_input_without_the_column_of_names_says_nothing_of_them(tmp_path, data):
    names = transactions(rows("2023-01-03")).rename_columns({"broker_name": "nm"})
    pq.write_table(names, tmp_path / "in.parquet")
    tapeworks("etl", tmp_path / "in.parquet", "--data", data, "--column-broker-name", "nm")
    assert check(data, "broker_names", "--input", tmp_path / "in.parquet", "--column-broker-name", "nm")["status"] == "ok"
    found = check(data, "broker_names", "--input", tmp_path / "in.parquet")
    assert found["status"] == "not checked" and "--column-broker-name" in found["detail"], found
