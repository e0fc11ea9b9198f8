"""The command line: help, usage errors, formats, streams. What commands compute is tested elsewhere."""

import csv
import datetime
import io
import json
import os
import re
import subprocess

import pyarrow.parquet as pq
import pytest

from harness import BINARY, ROOT, assert_clear_error, publish_good, tapeworks

COMMANDS = re.findall(r'\{\s*"([a-z-]+)"\s*,\s*"', (ROOT / "src/cli/command_list.cpp").read_text())
CONTRACT = ["adopt", "check-config", "check-prices", "etl", "generate", "generations", "import-bsr", "path", "pnl", "query", "ranking", "record", "replay",
            "rolling", "run", "simulate-exchange", "sql", "symbol", "sync", "verify", "wal"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    publish_good(folder / "data", folder)
    return folder / "data"


def test_every_command_of_the_contract_exists():
    assert set(CONTRACT) <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    outcome = tapeworks(command, "--help")
    assert "Usage" in outcome.stdout and command in outcome.stdout
    assert outcome.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_help_is_on_the_manual_page(command):
    page = (ROOT / f"man/tapeworks-{command}.1").read_text().replace("\\-", "-")
    common = {"--help", "--format", "--quiet", "--stats", "--progress", "--no-progress", "--verbose"}
    options = set(re.findall(r"(?m)^\s+(?:-\w,)?(--[a-z][a-z-]*)", tapeworks(command, "--help").stdout)) - common
    assert [option for option in sorted(options) if option not in page] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_manual_page_has_the_same_headings(command):
    page = (ROOT / f"man/tapeworks-{command}.1").read_text()
    headings = re.findall(r'(?m)^\.SH "?([^"\n]+)"?', page)
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT CODES", "MEMORY USE", "EXAMPLES", "SEE ALSO"):
        assert heading in headings, headings


def test_the_list_of_commands_is_the_help():
    outcome = tapeworks("--help")
    for command in COMMANDS:
        assert command in outcome.stdout
    assert tapeworks().stdout == outcome.stdout


def test_version():
    assert re.search(r"\d+\.\d+\.\d+", tapeworks("--version").stdout)
    assert json.loads(tapeworks("--version", "--json").stdout)["version"] in tapeworks("--version").stdout


USAGE_ERRORS = {
    "unknown command": (["ranknig"], ["ranknig", "ranking"]),
    "unknown option": (["ranking", "--topp", "3"], ["--topp", "--top"]),
    "missing argument": (["query"], []),
    "etl without input": (["etl"], []),
    "run without prices": (["run", "x.parquet"], ["--prices"]),
    "memory without unit": (["etl", "x.parquet", "--memory", "2"], ["--memory"]),
    "memory that is no size": (["etl", "x.parquet", "--memory", "much"], ["--memory"]),
    "too little memory": (["pnl", "--memory", "10MiB"], ["--memory", "192MiB"]),
    "zero threads": (["pnl", "--threads", "0"], ["--threads"]),
    "unknown format": (["ranking", "--format", "xml"], ["--format", "xml"]),
    "unknown compat": (["etl", "x.parquet", "--compat", "v3"], ["--compat", "v3"]),
    "no date": (["pnl", "--start", "yesterday"], ["--start", "yesterday"]),
    "a day that does not exist": (["rolling", "--years", "1", "--end", "2023-02-30"], ["--end", "2023-02-30"]),
    "unknown zone": (["etl", "x.parquet", "--day-zone", "Mars/Phobos"], ["--day-zone", "Mars/Phobos"]),
    "unknown amounts": (["etl", "x.parquet", "--amounts", "float16"], ["--amounts", "float16"]),
    "unknown bad-row policy": (["etl", "x.parquet", "--on-bad-row", "ignore"], ["--on-bad-row", "ignore"]),
    "duration without unit": (["etl", "x.parquet", "--keep-generations-for", "3"], ["--keep-generations-for"]),
    "zone against compat": (["etl", "x.parquet", "--compat", "v1", "--day-zone", "+09:00"], ["--compat"]),
    "amounts against compat": (["etl", "x.parquet", "--compat", "v2", "--amounts", "float64"], ["--compat"]),
    "as-of against compat": (["pnl", "--compat", "v1", "--as-of", "2023-01-05"], ["--compat"]),
    "no years": (["rolling"], ["--years"]),
    "negative rows": (["generate", "--out", "x", "--rows", "-5"], ["--rows"]),
}


@pytest.mark.parametrize("what", USAGE_ERRORS)
def test_wrong_usage_is_one_line_and_touches_nothing(what, tmp_path):
    arguments, facts = USAGE_ERRORS[what]
    outcome = tapeworks(*arguments, expect=2, cwd=tmp_path)
    assert_clear_error(outcome, *facts)
    assert outcome.stdout == ""
    assert list(tmp_path.iterdir()) == []


def ranking(data, *options, **how):
    return tapeworks("ranking", "--data", data, *options, **how)


def test_formats_agree(data, tmp_path):
    records = ranking(data, "--format", "jsonl").records()
    assert len(records) == 2
    assert json.loads(ranking(data, "--format", "json").stdout) == records
    rows = list(csv.DictReader(io.StringIO(ranking(data, "--format", "csv").stdout)))
    assert [row["broker"] for row in rows] == [record["broker"] for record in records]
    assert [float(row["total_pnl"]) for row in rows] == [record["total_pnl"] for record in records]
    with open(tmp_path / "ranking.parquet", "wb") as file:
        subprocess.run([BINARY, "ranking", "--data", data, "--format", "parquet"], stdout=file, check=True)
    typed = [{**record, "last_trade_date": datetime.date.fromisoformat(record["last_trade_date"])} for record in records]
    assert pq.read_table(tmp_path / "ranking.parquet").to_pylist() == typed
    table = ranking(data, "--format", "table").stdout
    assert all(record["broker"] in table for record in records)


def test_jsonl_is_the_format_when_stdout_is_no_terminal(data):
    assert ranking(data).stdout == ranking(data, "--format", "jsonl").stdout


def test_a_good_run_leaves_stderr_empty_when_it_is_no_terminal(data):
    assert ranking(data).stderr == ""


def test_below_the_ranking_stands_what_one_must_know(data):
    table = ranking(data, "--format", "table").stdout
    assert "2023-01-03" in table and "2023-01-04" in table and "default" in table and "%" in table


def test_stats_is_one_json_line_on_stderr(data):
    stats = json.loads(ranking(data, "--stats").stderr)
    assert {"rows", "rows_per_second", "wall_seconds", "cpu_seconds", "peak_memory_bytes"} <= set(stats)
    assert stats["peak_memory_bytes"] > 0


def test_quiet_keeps_errors(data):
    assert_clear_error(tapeworks("query", "nobody", "--data", data, "--quiet", expect=1), "nobody")


def test_no_color_is_honoured_and_color_needs_a_terminal(data):
    assert "\x1b" not in ranking(data, "--format", "table").stdout
    assert "\x1b" not in ranking(data, "--format", "table", env={"NO_COLOR": "1"}).stdout


@pytest.mark.parametrize("arguments", [["query", "nobody"], ["symbol", "nothing"]], ids=lambda a: a[0])
def test_not_found_is_exit_1(data, arguments):
    outcome = tapeworks(*arguments, "--data", data, expect=1)
    assert_clear_error(outcome, arguments[1])
    assert outcome.stdout == ""


def test_top_and_sort(data):
    everything = ranking(data).records()
    assert ranking(data, "--top", "1").records() == everything[:1]
    by_buy = ranking(data, "--sort", "total_buy_amount").records()
    amounts = [record["total_buy_amount"] for record in by_buy]
    assert sorted(amounts, reverse=True) == amounts and len(amounts) == len(everything)
    assert_clear_error(ranking(data, "--sort", "nonsense", expect=2), "nonsense")


def test_query_shows_the_broker_and_its_symbols(data):
    [record] = tapeworks("query", "1440", "--data", data).records()
    assert record["broker"] == "1440" and record["name"] == "name of 1440"
    assert {row["symbol_id"] for row in tapeworks("query", "1440", "--data", data, "--breakdown").records()
            if "symbol_id" in row} == {"2330"}


def test_symbol_takes_a_range_of_days(data):
    assert {row["broker"] for row in tapeworks("symbol", "2330", "--data", data).records()} == {"1440", "9A00"}
    rows = tapeworks("symbol", "2330", "--data", data, "--from", "2023-01-03", "--to", "2023-01-03").records()
    assert [row["broker"] for row in rows] == ["1440"]


def test_rolling_over_everything_is_the_ranking(data):
    rolling = {row["broker"]: row["total_pnl"] for row in tapeworks("rolling", "--years", 5, "--data", data).records()}
    assert rolling == pytest.approx({row["broker"]: row["total_pnl"] for row in ranking(data).records()})


def test_generate_refuses_to_make_nothing(tmp_path):
    tapeworks("generate", "--out", tmp_path / "x", "--rows", 0, expect=(0, 2))
    tapeworks("generate", "--out", tmp_path / "y", "--rows", 10, "--symbols", 0, expect=2)


def test_the_binary_runs_without_a_home_or_locale(data):
    clean = {"PATH": os.environ["PATH"]}
    done = subprocess.run([BINARY, "ranking", "--data", data], env=clean, capture_output=True, check=False)
    assert done.returncode == 0, done
