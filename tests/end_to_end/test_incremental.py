"""`etl --incremental` gives the bytes of a rebuild, whatever is delivered, and reads only what it must."""

import json
import os
import random
import shutil

import pyarrow.parquet as pq
import pytest

from harness import (
    GOOD_PRICES, Untouched, assert_clear_error, assert_same_trees, data_files, read_table, tapeworks, transactions,
    write_prices, write_transactions)

DAYS = [f"2023-{month:02}-{day:02}" for month in (1, 2) for day in range(2, 28)]
SYMBOLS = ["2330", "2317", "1101", "00632R"]
BROKERS = ["1440", "9A00", "9a00", "8888"]


def day_rows(random_, day, symbols=SYMBOLS):
    rows = []
    for _ in range(random_.randrange(1, 25)):
        price = random_.choice(["-", "10", "10.05", "1,234.5", f"{random_.randrange(100, 99999) / 100}"])
        rows.append((random_.choice(symbols), day, random_.choice(BROKERS), price,
                     random_.randrange(2000), random_.randrange(2000)))
    rows.append((symbols[0], day, BROKERS[0], "11.5", 7, 3))
    return rows


def write(path, rows, names=None, row_group_rows=8):
    """A delivery; `names` replaces the brokers' names, row groups are small so that there are several."""
    table = transactions(rows)
    if names is not None:
        column = [names.get(row[2], f"name of {row[2]}") for row in rows]
        table = table.set_column(3, "broker_name", [column])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_rows)
    return path


def rebuild_and_compare(inputs, data, scratch, *options):
    rebuilt = scratch / "rebuilt"
    shutil.rmtree(scratch, ignore_errors=True)
    tapeworks("etl", *inputs, "--data", rebuilt, "--quiet", *options)
    assert_same_trees(data, rebuilt)


class Deliveries:
    """A random history of what a vendor does to a folder of files."""

    def __init__(self, seed, folder, data, scratch):
        self.random, self.folder, self.data, self.scratch = random.Random(seed), folder, data, scratch
        self.rows = {}  # by file name

    def put(self, name, rows):
        self.rows[name] = rows
        names = {b: f"name {self.random.randrange(3)} of {b}" for b in BROKERS}
        return write(self.folder / name, rows, names, self.random.choice([3, 8, 100]))

    def incremental(self, *options, inputs=None, **how):
        threads = self.random.choice([1, 2])
        return tapeworks("etl", *([self.folder] if inputs is None else inputs), "--data", self.data, "--incremental",
                         "--threads", threads, "--quiet", *options, **how)

    def new_day(self):
        day = self.random.choice(DAYS)
        self.put(f"tx_{day}_{self.random.randrange(3)}.parquet", day_rows(self.random, day))
        self.incremental()

    def new_symbol(self):
        day = self.random.choice(DAYS)
        self.put(f"tx_new_{day}.parquet", day_rows(self.random, day, [f"N{self.random.randrange(5)}"]))
        self.incremental()

    def correct(self):
        name = self.random.choice(sorted(self.rows))
        rows = list(self.rows[name])
        index = self.random.randrange(len(rows))
        symbol, day, broker, _, buy, sell = rows[index]
        rows[index] = (symbol, day, broker, "22.5", buy, sell)
        self.put(name, rows)
        self.incremental()

    def grow(self):
        name = self.random.choice(sorted(self.rows))
        self.put(name, self.rows[name] + day_rows(self.random, self.random.choice(DAYS)))
        self.incremental()

    def delete(self):
        if len(self.rows) < 3:
            return
        name = self.random.choice(sorted(self.rows))
        (self.folder / name).unlink()
        with Untouched(self.data):
            assert_clear_error(self.incremental(expect=3), name, "--allow-vanished")
        del self.rows[name]
        self.incremental("--allow-vanished", 1)

    def only_the_new_file(self):
        if len(self.rows) < 2:
            return
        name = self.random.choice(sorted(self.rows))
        with Untouched(self.data):
            self.incremental(inputs=[self.folder / name], expect=3)

    def empty_mount_point(self):
        away = self.folder.with_name("away")
        self.folder.rename(away)
        self.folder.mkdir()
        with Untouched(self.data):
            self.incremental(expect=3)
        self.folder.rmdir()
        away.rename(self.folder)

    def deliver_again(self):
        name = self.random.choice(sorted(self.rows))
        copy = (self.folder / name).with_suffix(".copy")
        shutil.copyfile(self.folder / name, copy)
        copy.rename(self.folder / name)
        with Untouched(self.data):
            assert "nothing new" in self.incremental().stdout

    def add(self):
        day = self.random.choice(DAYS)
        path = self.put(f"tx_add_{day}.parquet", day_rows(self.random, day))
        self.incremental("--add", path, inputs=[])


@pytest.mark.parametrize("seed", range(4))
def test_a_random_history_equals_a_rebuild(tmp_path, seed):
    print("seed", seed)
    history = Deliveries(seed, tmp_path / "in", tmp_path / "data", tmp_path / "scratch")
    for _ in range(3):
        history.new_day()
    steps = [history.new_day, history.new_symbol, history.correct, history.grow, history.delete,
             history.only_the_new_file, history.empty_mount_point, history.deliver_again, history.add]
    for number in range(18):
        step = history.random.choice(steps)
        print("delivery", number, step.__name__)
        step()
        rebuild_and_compare([history.folder], history.data, history.scratch)
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


@pytest.mark.parametrize("options, fact", [
    (("--compat", "v2"), "--compat"), (("--amounts", "float64"), "other options"),
    (("--day-zone", "UTC"), "other options"), (("--add", "x.parquet"), "--add"),
])
def test_what_contradicts_an_incremental_run_is_exit_2(three_days, data, options, fact):
    with Untouched(data):
        assert_clear_error(tapeworks("etl", three_days, "--incremental", "--data", data, *options, expect=2), fact)


def test_the_options_want_incremental(three_days, data):
    assert_clear_error(tapeworks("etl", three_days, "--data", data, "--allow-vanished", 1, expect=2), "--incremental")
    assert_clear_error(tapeworks("etl", "--data", data, "--incremental", expect=2), "INPUT")


def test_the_first_run_is_a_full_one(tmp_path, data):
    path = write_transactions(tmp_path / "a.parquet", day_rows(random.Random(1), DAYS[0]))
    tapeworks("etl", path, "--data", data, "--incremental")
    rebuild_and_compare([path], data, tmp_path / "scratch")
