"""SQL over a recording at work: each row once up to one LSN, whatever the recorder does meanwhile."""

import os
import shutil
import signal
import subprocess
import time

import polars as pl
import pytest

from harness import SANITIZERS, assert_clear_error, tapeworks
from recorded_tables import read_rows, read_table
from recording import KEY, Exchanges, record, start_recording, write_config

needs_duckdb = pytest.mark.skipif("TAPEWORKS_DUCKDB_LIBRARY" not in os.environ,
                                  reason="SQL IS NOT TESTED: there is no libduckdb.so; run scripts/setup.sh tests")

# All rows by their keys, and what they hang together with: one line.
DIGEST = """SELECT (SELECT last_lsn FROM snapshot) AS last_lsn, (SELECT tail_rows FROM snapshot) AS tail_rows, count(*) AS row_count,
            count(DISTINCT (lsn, frame_index)) AS key_count, coalesce(max(lsn), 0) AS max_lsn,
            CAST(coalesce(bit_xor(hash(lsn, frame_index, symbol, stream, price, bid_price_1)), 0) AS VARCHAR) AS digest FROM ticks"""


def sql(tmp_path, query, *options, expect=0):
    return tapeworks("sql", "--recording", tmp_path / "out", "--wal", tmp_path / "log", "--format", "json", *options, query,
                     expect=expect)


def ask(tmp_path, query, *options) -> list[dict]:
    import json
    answer = json.loads(sql(tmp_path, query, *options).stdout)
    return answer if isinstance(answer, list) else [answer]


def digest_up_to(rows: pl.DataFrame, last_lsn: int) -> int:
    return rows.filter(pl.col("lsn") <= last_lsn).height


@needs_duckdb
def test_a_recording_at_work_is_asked_at_one_lsn(tmp_path):
    """Small parts, quick checkpoints by stops, kills: the picture is compared with what is published in the end."""
    sections = '[output]\npart_rows = 64\npart_age = "1s"\nparts_linger = "1s"\n'
    pictures = []
    with Exchanges(tmp_path, "--symbols", "3", "--rate", "2000/s") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        config.write_text(config.read_text().replace("[output]\n", sections))
        with (tmp_path / "record.err").open("w") as errors:
            for ending in (signal.SIGINT, signal.SIGKILL, signal.SIGINT):
                process = start_recording(config, errors)
                deadline = time.monotonic() + 6
                while time.monotonic() < deadline:
                    if (tmp_path / "log").exists() and (tmp_path / "out" / ".parts").exists():
                        pictures += ask(tmp_path, DIGEST)
                assert process.poll() is None
                process.send_signal(ending)
                process.wait(60)
                pictures += ask(tmp_path, DIGEST)
        exchanges.stop()
    rows = read_rows(tmp_path / "out")
    assert len(pictures) > 8 and any(picture["tail_rows"] > 0 for picture in pictures)
    assert [picture["last_lsn"] for picture in pictures] == sorted(picture["last_lsn"] for picture in pictures)
    for picture in pictures:
        assert picture["key_count"] == picture["row_count"], "a row counts twice"
        assert picture["max_lsn"] <= picture["last_lsn"]
        assert picture["row_count"] == digest_up_to(rows, picture["last_lsn"]), picture
    # And the values: the same question of the finished recording, cut at the same place.
    for picture in pictures[:: max(1, len(pictures) // 4)]:
        [again] = ask(tmp_path, DIGEST + f" WHERE lsn <= {picture['last_lsn']}")
        assert again["digest"] == picture["digest"]


@needs_duckdb
def test_views_hold_what_the_files_hold(tmp_path):
    with Exchanges(tmp_path, "--symbols", "3", "--rate", "1000/s") as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "3s")
        exchanges.stop()
    out = tmp_path / "out"
    rows = read_rows(out)
    by_stream = {entry["stream"]: entry["n"] for entry in ask(tmp_path, "SELECT stream, count(*) AS n FROM ticks GROUP BY stream")}
    assert by_stream == dict(rows.group_by("stream").len().iter_rows())
    for view, stream in (("trades", "trade"), ("book", "book"), ("l5", "l5")):
        assert ask(tmp_path, f"SELECT count(*) AS n FROM {view}")[0]["n"] == by_stream[stream]
    for view in ("gaps", "events", "instruments", "quarantine"):
        assert ask(tmp_path, f"SELECT count(*) AS n FROM {view}")[0]["n"] == read_table(out, f"_{view}").height
    [first] = ask(tmp_path, "SELECT CAST(sum(frame_index) AS HUGEINT) AS s, min(receive_time) AS t, max(price)::DECIMAL(20,2) AS d FROM ticks;  ")
    assert isinstance(first["s"], float | int) and first["t"].startswith("20") and isinstance(first["d"], float | int)
    # A copy of what is published needs neither log nor parts.
    shutil.copytree(out, tmp_path / "copy", ignore=shutil.ignore_patterns(".parts"))
    outcome = tapeworks("sql", "--recording", tmp_path / "copy", "--format", "csv", "SELECT count(*) AS n FROM ticks -- all")
    assert outcome.stdout.split() == ["n", str(rows.height)]
    assert ask(tmp_path, "SELECT count(*) AS n FROM ticks WHERE lsn < 0") == [{"n": 0}]


@needs_duckdb
@pytest.mark.skipif(bool(SANITIZERS), reason="the memory of a sanitizer is not the program's")
def test_memory_stays_within_its_limit(tmp_path):
    with Exchanges(tmp_path, "--symbols", "20", "--rate", "4000/s") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        with (tmp_path / "record.err").open("w") as errors:
            process = start_recording(config, errors)
            time.sleep(10)
            process.kill()
            process.wait()
        exchanges.stop()
    # All of it is in the log only.
    outcome = sql(tmp_path, "SELECT symbol, stream, count(*) AS n, max(price) AS p FROM ticks GROUP BY ALL ORDER BY ALL", "--memory", "192MiB")
    assert outcome.peak_resident_bytes < 192 << 20


@needs_duckdb
def test_a_damaged_file_is_named_and_no_wrong_usage(tmp_path):
    with Exchanges(tmp_path, "--symbols", "2", "--rate", "100/s") as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "1s")
        exchanges.stop()
    for path in sorted((tmp_path / "out").rglob("[0-2][0-9].parquet"))[::3]:
        whole = path.read_bytes()
        path.write_bytes(whole[:-100])
        assert_clear_error(sql(tmp_path, "SELECT count(price) AS n FROM ticks", expect=3), str(path))
        path.write_bytes(whole[:5])
        assert_clear_error(sql(tmp_path, "SELECT count(price) AS n FROM ticks", expect=3), str(path))
        path.write_bytes(whole)
    count = ask(tmp_path, "SELECT count(*) AS n FROM ticks")[0]["n"]
    path.rename(tmp_path / "gone")
    rest = sql(tmp_path, "SELECT count(*) AS n FROM ticks")
    assert str(path) in rest.stderr, rest
    assert 0 < ask(tmp_path, "SELECT count(*) AS n FROM ticks")[0]["n"] < count


@needs_duckdb
def test_what_is_wrong_is_said(tmp_path):
    with Exchanges(tmp_path, "--symbols", "1", "--rate", "100/s") as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "1s")
        exchanges.stop()
    assert_clear_error(sql(tmp_path, "SELECT nonsense FROM ticks", expect=2), "nonsense")
    assert_clear_error(sql(tmp_path, "SELEC 1", expect=2), "syntax error")
    assert_clear_error(sql(tmp_path, "SELECT 1; SELECT 2", expect=2), "sql")
    assert_clear_error(tapeworks("sql", "--recording", tmp_path / "log", "SELECT 1", expect=2), "no recording")
    outcome = tapeworks("sql", "--recording", tmp_path / "out", "SELECT 1", env={"TAPEWORKS_DUCKDB_LIBRARY": "/nowhere.so"}, expect=4)
    assert_clear_error(outcome, "TAPEWORKS_DUCKDB_LIBRARY")
