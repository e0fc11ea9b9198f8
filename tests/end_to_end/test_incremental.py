"""`etl --incremental` gives the bytes of a rebuild, whatever is delivered, and reads only what it must."""

import json
import os
import random
import re
import shutil

import pyarrow.parquet as pq
import pytest
import xxhash

from deliveries import DAYS, SYMBOLS, Deliveries, day_rows
from harness import (
    GOOD_PRICES, Untouched, assert_clear_error, assert_same_trees, data_files, read_table, tapeworks, write_prices,
    write_transactions)


def write(path, rows):
    """A delivery in small row groups, so that there are several."""
    return write_transactions(path, rows, row_group_size=8)


def rebuild_and_compare(inputs, data, scratch, *options):
    rebuilt = scratch / "rebuilt"
    shutil.rmtree(scratch, ignore_errors=True)
    tapeworks("etl", *inputs, "--data", rebuilt, "--quiet", *options)
    assert_same_trees(data, rebuilt)


class EtlHistory(Deliveries):
    """Deliveries followed by `etl --incremental`."""

    def run(self, more=(), inputs=None, **how):
        return tapeworks("etl", *([self.folder] if inputs is None else inputs), "--data", self.data, "--incremental",
                         "--threads", self.random.choice([1, 2]), "--quiet", *more, **how)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_history_equals_a_rebuild(tmp_path, seed):
    print("seed", seed)
    history = EtlHistory(seed, tmp_path)
    for _ in range(3):
        history.late_day()
    for number in range(18):
        step = history.random.choice([Deliveries.late_day, *Deliveries.STEPS])
        print("delivery", number, step.__name__)
        step(history)
        history.rebuild_and_compare("etl", history.folder)
    tapeworks("verify", "--data", history.data, expect=(0, 1))


@pytest.fixture
def three_days(tmp_path):
    """A folder of three days, the summary of which is published."""
    folder = tmp_path / "in"
    for day in DAYS[:3]:
        write(folder / f"tx_{day}.parquet", day_rows(random.Random(day), day))
    tapeworks("etl", folder, "--data", tmp_path / "data")
    return folder


def test_a_correction_of_the_same_size_and_time_is_seen(three_days, data, tmp_path):
    path = three_days / f"tx_{DAYS[1]}.parquet"
    before = path.stat()
    content = path.read_bytes()
    rows = pq.read_table(path).to_pylist()
    changed = content.replace(b"11.5", b"12.5")
    assert len(changed) == len(content)
    if changed == content:  # compressed: write it again instead
        write(path, [(r["symbol_id"], DAYS[1], r["broker"], "12.5" if r["price"] == "11.5" else r["price"],
                      r["buy"], r["sell"]) for r in rows])
    else:
        path.write_bytes(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    old = read_table(data, "daily_summary/2330.parquet")
    tapeworks("etl", three_days, "--data", data, "--incremental")
    assert read_table(data, "daily_summary/2330.parquet") != old
    rebuild_and_compare([three_days], data, tmp_path / "scratch")


def test_only_the_symbols_of_the_change_are_written(three_days, data):
    before = {name: path.stat().st_ino for name, path in data_files(data).items()}
    tapeworks("etl", "--incremental", "--data", data, "--add",
              write(three_days / "late.parquet", [("1101", DAYS[0], "1440", "9", 1, 0)]))
    after = {name: path.stat().st_ino for name, path in data_files(data).items()}
    rewritten = {name for name in after if after[name] != before.get(name)}
    assert rewritten == {"daily_summary/1101.parquet", "derived/broker_names.parquet", "manifest.json"}


def test_old_inputs_without_an_affected_day_are_not_read(three_days, data):
    new = write(three_days / "new.parquet", [("1101", DAYS[9], "1440", "9", 1, 0)])
    outcome = tapeworks("etl", "--incremental", "--data", data, "--add", new, "--stats")
    assert json.loads(outcome.error)["rows"] == 1


def test_touching_a_file_changes_nothing(three_days, data):
    for path in three_days.iterdir():
        path.touch()
    with Untouched(data):
        assert "nothing new" in tapeworks("etl", three_days, "--data", data, "--incremental").stdout


def test_trap_7_symbols_that_end_early_do_not_double_days(tmp_path, data):
    folder = tmp_path / "in"
    write(folder / "a.parquet", [(s, DAYS[0], "1440", "10", 5, 0) for s in SYMBOLS])
    write(folder / "b.parquet", [("2317", DAYS[1], "1440", "10", 5, 0)])
    tapeworks("etl", folder, "--data", data)
    write(folder / "c.parquet", [(s, DAYS[2], "1440", "10", 5, 0) for s in SYMBOLS])
    for _ in range(2):
        tapeworks("etl", folder, "--data", data, "--incremental")
        table = read_table(data, "daily_summary/2317.parquet")
        assert [str(day) for day in table["date"].to_pylist()] == DAYS[:3]
    rebuild_and_compare([folder], data, tmp_path / "scratch")


def test_trap_8_a_vanished_symbol_leaves_no_file(three_days, data, tmp_path):
    gone = write(three_days / "gone.parquet", [("9999", DAYS[1], "1440", "10", 5, 0)])
    tapeworks("etl", three_days, "--data", data, "--incremental")
    assert "daily_summary/9999.parquet" in data_files(data)
    gone.unlink()
    tapeworks("etl", three_days, "--data", data, "--incremental", "--allow-vanished", 1)
    assert "daily_summary/9999.parquet" not in data_files(data)
    rebuild_and_compare([three_days], data, tmp_path / "scratch")


def test_trap_9_closed_lots_do_not_come_back(tmp_path, data):
    folder = tmp_path / "in"
    write(folder / "a.parquet", [("2330", "2023-01-03", "1440", "500", 100, 0)])
    tapeworks("run", folder, "--prices", write_prices(tmp_path / "closes.parquet", GOOD_PRICES), "--data", data)
    assert read_table(data, "fifo_state/2330.parquet").num_rows == 1
    write(folder / "b.parquet", [("2330", "2023-01-04", "1440", "510", 0, 100)])
    tapeworks("etl", folder, "--data", data, "--incremental")
    tapeworks("pnl", "--data", data)
    assert read_table(data, "fifo_state/2330.parquet").num_rows == 0
    rebuilt = tmp_path / "rebuilt"
    tapeworks("run", folder, "--prices", tmp_path / "closes.parquet", "--data", rebuilt)
    assert_same_trees(data, rebuilt)
    # pnl has carried the record of the inputs over.
    assert "nothing new" in tapeworks("etl", folder, "--data", data, "--incremental").stdout


def test_five_missing_inputs_are_named(tmp_path, data):
    folder = tmp_path / "in"
    for day in DAYS[:8]:
        write(folder / f"tx_{day}.parquet", day_rows(random.Random(day), day))
    tapeworks("etl", folder, "--data", data)
    for day in DAYS[:7]:
        (folder / f"tx_{day}.parquet").unlink()
    with Untouched(data):
        outcome = tapeworks("etl", folder, "--data", data, "--incremental", "--allow-vanished", 6, expect=3)
        assert_clear_error(outcome, "7 inputs", *[f"tx_{day}.parquet" for day in DAYS[:5]], "--allow-vanished 7")
        assert f"tx_{DAYS[5]}" not in outcome.error


@pytest.mark.parametrize("given", ["in", "in/*.parquet", "in/a.parquet in/b.parquet"])
def test_missing_inputs_are_named_also_when_nothing_is_left(tmp_path, data, given):
    """A folder that is not mounted, or was emptied."""
    folder = tmp_path / "in"
    for name in "ab":
        write(folder / f"{name}.parquet", day_rows(random.Random(name), DAYS[0]))
    inputs = [tmp_path / each for each in given.split()]
    tapeworks("etl", *inputs, "--data", data)
    for name in "ab":
        (folder / f"{name}.parquet").unlink()
    with Untouched(data):
        for options in ((), ("--allow-vanished", "1")):
            assert_clear_error(tapeworks("etl", *inputs, "--data", data, "--incremental", *options, expect=3), "a.parquet", "b.parquet")
    write(folder / "a.parquet", day_rows(random.Random("a"), DAYS[0]))
    with Untouched(data):
        wrong = tapeworks("etl", folder, tmp_path / "misspelt", "--data", data, "--incremental", "--allow-vanished", 1, expect=2)
        assert_clear_error(wrong, "misspelt")


@pytest.mark.parametrize("count", ["-1", "18446744073709551616", "many"])
def test_a_number_that_is_none_allows_no_input_to_vanish(three_days, data, count):
    next(three_days.iterdir()).unlink()
    with Untouched(data):
        arguments = ["etl", three_days, "--data", data, "--incremental", "--allow-vanished", count]
        assert_clear_error(tapeworks(*arguments, expect=2), "--allow-vanished")


def test_skipped_bad_rows_are_counted_as_in_a_rebuild(tmp_path, data):
    folder = tmp_path / "in"
    skip = ("--on-bad-row", "skip", "--max-bad-rows", "5")
    write(folder / "a.parquet", [("2330", DAYS[0], "1440", "x", 5, 0), ("2330", DAYS[0], "1440", "7", 5, 0)])
    tapeworks("etl", folder, "--data", data, *skip)
    write(folder / "b.parquet", [("2330", DAYS[0], "9A00", "y", 5, 0), ("2330", DAYS[0], "9A00", "8", 5, 0)])
    tapeworks("etl", folder, "--data", data, "--incremental", *skip)
    rebuild_and_compare([folder], data, tmp_path / "scratch", *skip)


def test_a_damaged_record_is_refused(three_days, data):
    record = data / "checkpoint" / "daily_summary"
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 1
    record.write_bytes(content)
    with Untouched(data):
        assert_clear_error(tapeworks("etl", three_days, "--data", data, "--incremental", expect=3), "damaged")
    tapeworks("etl", three_days, "--data", data)
    assert "nothing new" in tapeworks("etl", three_days, "--data", data, "--incremental").stdout


def test_a_summary_in_another_versions_encoding_is_refused(three_days, data):
    record = data / "checkpoint" / "daily_summary"
    body, checksum = record.read_bytes()[:-8], record.read_bytes()[-8:]
    assert xxhash.xxh3_64_intdigest(body).to_bytes(8, "little") == checksum
    other = re.sub(rb"(?<= encoding=)\d", lambda version: bytes([version[0][0] ^ 1]), body)
    assert other != body
    record.write_bytes(other + xxhash.xxh3_64_intdigest(other).to_bytes(8, "little"))
    with Untouched(data):
        assert_clear_error(tapeworks("etl", three_days, "--data", data, "--incremental", expect=2), "writes other bytes")
    tapeworks("etl", three_days, "--data", data)
    assert "nothing new" in tapeworks("etl", three_days, "--data", data, "--incremental").stdout


@pytest.mark.parametrize("options, fact", [
    (("--compat", "v2"), "--compat"), (("--amounts", "float64"), "other options"),
    (("--day-zone", "UTC"), "other options"), (("--add", "x.parquet"), "--add"), (("--add", "--quiet"), "--add"),
])
def test_what_contradicts_an_incremental_run_is_exit_2(three_days, data, options, fact):
    with Untouched(data):
        assert_clear_error(tapeworks("etl", three_days, "--incremental", "--data", data, *options, expect=2), fact)


def test_the_options_want_incremental(three_days, data):
    assert_clear_error(tapeworks("etl", three_days, "--data", data, "--allow-vanished", 1, expect=2), "--incremental")
    assert_clear_error(tapeworks("etl", three_days, "--data", data, "--verify-every", "1d", expect=2), "--incremental")
    assert_clear_error(tapeworks("pnl", "--data", data, "--verify-every", "1d", expect=2), "--incremental")
    assert_clear_error(tapeworks("etl", "--data", data, "--incremental", expect=2), "INPUT")


def test_the_first_run_is_a_full_one(tmp_path, data):
    path = write_transactions(tmp_path / "a.parquet", day_rows(random.Random(1), DAYS[0]))
    tapeworks("etl", path, "--data", data, "--incremental")
    rebuild_and_compare([path], data, tmp_path / "scratch")
