"""`import-bsr`: broker reports of three forms become the Parquet they were made from, or are refused by name."""

import datetime
import os
import random
import signal
import time
from collections import defaultdict

import pyarrow.parquet as pq
import pytest

from broker_reports import FORMS, report_bytes, write_report
from harness import assert_clear_error, assert_same_trees, start, tapeworks

COLUMNS = ["symbol_id", "date", "broker", "broker_name", "price", "buy", "sell"]
DAY = "2023-01-03"
ROWS = [
    {"broker": "1020", "broker_name": "合庫", "price": "500.00", "buy": 3000, "sell": 0},
    {"broker": "1020", "broker_name": "合庫", "price": "500.50", "buy": 1_234_000, "sell": 1000},
    {"broker": "9A0c", "broker_name": "永豐金松山", "price": "1,105.00", "buy": 0, "sell": 1_236_000},
]


def day_of(stamp: datetime.datetime) -> str:
    return (stamp + datetime.timedelta(hours=8)).date().isoformat()


def sorted_rows(folder):
    rows = [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).select(COLUMNS).to_pylist()]
    return sorted(rows, key=lambda row: [str(row[name]) for name in COLUMNS])


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """A made-up market of 100 symbols and 3 days, and its reports: about 300."""
    folder = tmp_path_factory.mktemp("market")
    tapeworks("generate", "--out", folder / "in", "--rows", 40_000, "--symbols", 100, "--brokers", 80, "--days", 3, "--per-day",
              "--seed", 7)
    reports = defaultdict(list)
    for row in sorted_rows(folder / "in" / "broker_tx"):
        reports[row["symbol_id"], day_of(row["date"])].append(row)
    random_ = random.Random(7)
    for index, ((symbol, day), rows) in enumerate(sorted(reports.items())):
        write_report(folder / "reports" / day, FORMS[index % 3], symbol, day, rows, random_)
    assert len(reports) > 270
    return folder


@pytest.fixture()
def random_():
    return random.Random(1)


def refused(tmp_path, *inputs, exit_code=3, options=()):
    """The error of an import that must leave nothing behind, not even a folder."""
    out = tmp_path / "refused" / "out"
    outcome = tapeworks("import-bsr", *inputs, "--out", out, *options, expect=exit_code)
    assert not out.parent.exists(), list(out.rglob("*"))
    return outcome


def test_reports_equal_what_they_were_made_from(market, tmp_path):
    outcome = tapeworks("import-bsr", market / "reports", "--out", tmp_path / "out", "--stats")
    assert sorted_rows(tmp_path / "out" / "broker_tx") == sorted_rows(market / "in" / "broker_tx")
    made, wanted = ({p.name for p in (base / "broker_tx").iterdir()} for base in (tmp_path / "out", market / "in"))
    assert made == wanted
    for name in made:
        assert pq.read_schema(tmp_path / "out/broker_tx" / name).equals(pq.read_schema(market / "in/broker_tx" / name))
    assert '"rows":40000' in outcome.stderr


def test_etl_of_the_import_equals_etl_of_the_original(market, tmp_path):
    tapeworks("import-bsr", market / "reports", "--out", tmp_path / "out")
    tapeworks("etl", tmp_path / "out", "--data", tmp_path / "imported")
    tapeworks("etl", market / "in" / "broker_tx", "--data", tmp_path / "original")
    assert_same_trees(tmp_path / "imported", tmp_path / "original")


def test_bytes_do_not_depend_on_file_names_and_memory(market, tmp_path, random_):
    tapeworks("import-bsr", market / "reports", "--out", tmp_path / "a")
    others = tmp_path / "others"
    others.mkdir()
    paths = [path for path in (market / "reports").rglob("*") if path.is_file()]
    random_.shuffle(paths)
    for index, path in enumerate(paths):
        symbol, day = path.stem.split("_")
        (others / f"{index:x}g-{day}-{symbol}.csv").write_bytes(path.read_bytes())
    tapeworks("import-bsr", others, "--out", tmp_path / "b", "--memory", "192MiB", "--threads", "1")
    assert_same_trees(tmp_path / "a", tmp_path / "b")


def test_the_date_may_be_given(tmp_path, random_):
    (tmp_path / "2330.csv").write_bytes(report_bytes("tpex", "2330", ROWS, random_))
    refused(tmp_path, tmp_path / "2330.csv", exit_code=2)
    refused(tmp_path, tmp_path / "2330.csv", exit_code=2, options=("--date", "tomorrow"))
    tapeworks("import-bsr", tmp_path / "2330.csv", "--out", tmp_path / "out", "--date", DAY)
    rows = sorted_rows(tmp_path / "out")
    assert [day_of(row["date"]) for row in rows] == [DAY] * 3
    assert (tmp_path / "out/broker_tx/broker_tx_20230103.parquet").is_file()


def test_a_date_that_contradicts_the_name_is_refused(tmp_path, random_):
    path = write_report(tmp_path, "tpex", "2330", DAY, ROWS, random_)
    assert_clear_error(refused(tmp_path, path, exit_code=2, options=("--date", "2023-01-04")), path.name, DAY, "2023-01-04")


def test_a_day_is_replaced_and_other_days_stay(tmp_path, random_):
    out = tmp_path / "out"
    for day in (DAY, "2023-01-04"):
        tapeworks("import-bsr", write_report(tmp_path, "twse_big5", "2330", day, ROWS, random_), "--out", out)
    before = (out / "broker_tx/broker_tx_20230104.parquet").read_bytes()
    again = write_report(tmp_path / "again", "twse_utf8", "2330", DAY, ROWS[:1], random_)
    tapeworks("import-bsr", again, "--out", out)
    assert pq.read_table(out / "broker_tx/broker_tx_20230103.parquet").num_rows == 1
    assert (out / "broker_tx/broker_tx_20230104.parquet").read_bytes() == before


def test_totals_that_differ_are_a_warning(tmp_path, random_):
    path = write_report(tmp_path, "twse_big5", "2330", DAY, ROWS[:2], random_)
    outcome = tapeworks("import-bsr", path, "--out", tmp_path / "out")
    assert path.name in outcome.stderr and "1237000" in outcome.stderr and "1000" in outcome.stderr
    assert len(sorted_rows(tmp_path / "out")) == 2


def damaged_reports():
    random_ = random.Random(3)
    big5 = report_bytes("twse_big5", "2330", ROWS, random_)
    tpex = report_bytes("tpex", "2330", ROWS, random_)
    text = tpex[3:].decode()
    return {
        "nothing": (b"", "empty"),
        "blank lines": (b"\r\n\r\n", "empty"),
        "head only": (b"\r\n".join(tpex.splitlines()[:4]) + b"\r\n", "before its first record"),
        "cut in a record": (big5.rstrip()[:-14], "cut"),
        "cut in a quote": (tpex[:-9], "cut"),
        "cut in the head": (big5[:40], ""),
        "UTF-16": (text.encode("utf-16"), "zero byte"),
        "GB18030": (text.encode("gb18030"), "Big5"),
        "UTF-8 without mark": (text.encode(), "byte order mark"),
        "Big5 behind a mark": (b"\xef\xbb\xbf" + big5, "UTF-8"),
        "another symbol": (report_bytes("tpex", "1101", ROWS, random_), "1101"),
        "a web page": (b"<html><body>busy</body></html>\n<p>later</p>\n", "no broker report"),
        "Parquet": (b"PAR1" + bytes(range(256)) * 8, "line 1"),
    }


@pytest.mark.parametrize("name", damaged_reports())
def test_a_damaged_report_is_named_and_nothing_is_published(tmp_path, random_, name):
    content, fact = damaged_reports()[name]
    write_report(tmp_path / "in", "twse_big5", "1102", DAY, ROWS, random_)
    bad = tmp_path / "in" / "2330_20230103.csv"
    bad.write_bytes(content)
    assert_clear_error(refused(tmp_path, tmp_path / "in"), bad.name, fact)


def test_a_damaged_report_leaves_published_days_as_they_were(tmp_path, random_):
    out = tmp_path / "out"
    good = write_report(tmp_path, "twse_big5", "1102", DAY, ROWS, random_)
    tapeworks("import-bsr", good, "--out", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    bad = write_report(tmp_path, "tpex", "2330", "2023-01-04", ROWS, random_)
    bad.write_bytes(bad.read_bytes()[:-9])
    other = write_report(tmp_path, "tpex", "1103", DAY, ROWS, random_)
    tapeworks("import-bsr", other, bad, "--out", out, expect=3)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_repeated_report_is_refused(tmp_path, random_):
    first = write_report(tmp_path / "a", "twse_big5", "2330", DAY, ROWS, random_)
    second = write_report(tmp_path / "b", "tpex", "2330", DAY, ROWS, random_)
    assert_clear_error(refused(tmp_path, first, second), str(first), str(second), "2330", DAY)
    outcome = tapeworks("import-bsr", first, first, "--out", tmp_path / "out")
    assert "twice" in outcome.stderr


def test_missing_inputs_are_wrong_usage(tmp_path):
    assert_clear_error(refused(tmp_path, tmp_path / "none.csv", exit_code=2), "none.csv")
    (tmp_path / "empty").mkdir()
    assert_clear_error(refused(tmp_path, tmp_path / "empty"), "*.csv")
    refused(tmp_path, exit_code=2)


def test_damage_anywhere_is_refused_or_harmless(tmp_path):
    """Cuts, flips, and exchanged or doubled lines: the program never crashes, and never publishes after an error."""
    seed = int(os.environ.get("TAPEWORKS_SEED", time.time_ns() % 1_000_000))
    print(f"TAPEWORKS_SEED={seed}")
    random_ = random.Random(seed)
    outcomes = defaultdict(int)
    for round_ in range(150):
        content = bytearray(report_bytes(FORMS[round_ % 3], "2330", ROWS * 3, random_))
        kind = random_.choice(["cut", "flip", "remove", "insert", "double"])
        at = random_.randrange(len(content))
        if kind == "cut":
            del content[at:]
        elif kind == "flip":
            content[at] ^= 1 << random_.randrange(8)
        elif kind == "remove":
            del content[at:at + random_.randrange(1, 30)]
        elif kind == "insert":
            content[at:at] = random_.randbytes(random_.randrange(1, 30))
        else:
            lines = bytes(content).splitlines(keepends=True)
            lines.insert(random_.randrange(len(lines)), random_.choice(lines[4:]))
            content = b"".join(lines)
        path = tmp_path / "2330_20230103.csv"
        path.write_bytes(content)
        outcome = tapeworks("import-bsr", path, "--out", tmp_path / f"out{round_}", expect={0, 3})
        outcomes[outcome.exit_code] += 1
        if outcome.exit_code == 3:
            assert_clear_error(outcome, path.name)
            assert not (tmp_path / f"out{round_}").exists()
        else:
            for row in sorted_rows(tmp_path / f"out{round_}"):
                assert row["symbol_id"] == "2330" and row["buy"] >= 0 and row["sell"] >= 0
    assert outcomes[3] > 30, dict(outcomes)


def test_a_kill_publishes_nothing_and_the_next_run_completes(market, tmp_path, random_):
    out = tmp_path / "out"
    wanted = tmp_path / "wanted"
    tapeworks("import-bsr", market / "reports", "--out", wanted)
    for _ in range(6):
        process = start("import-bsr", market / "reports", "--out", out)
        time.sleep(random_.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in out.rglob("*.parquet"):
            if ".import-bsr.partial" not in path.parts:
                assert pq.read_table(path).num_rows > 0
    tapeworks("import-bsr", market / "reports", "--out", out)
    assert_same_trees(out, wanted)
