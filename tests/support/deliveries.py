"""Random histories of what a vendor delivers, applied by incremental runs and compared with rebuilds.

Used by tests/end_to_end (some seeds) and tests/long/incremental_histories.py (thousands).
"""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq

from harness import (
    Untouched, assert_clear_error, assert_tree, generations_folder, leftovers, prices, start, tapeworks, transactions,
    tree_hash)

# Eight months, some days of each: month ends lie between them, so that states are kept, used and passed over.
DAYS = [f"2023-{month:02}-{day:02}" for month in range(1, 9) for day in (2, 3, 13, 27, 28)]
SYMBOLS = ["2330", "2317", "1101", "00632R"]
BROKERS = ["1440", "9A00", "9a00", "8888"]
MERGERS = "9A00\t1440\t2023-03-13\n8888\t9a00\t2023-06-27\n"


def day_rows(random_, day, symbols=SYMBOLS):
    rows = []
    for _ in range(random_.randrange(1, 12)):
        price = random_.choice(["-", "10", "10.05", "1,234.5", f"{random_.randrange(100, 99999) / 100}"])
        rows.append((random_.choice(symbols), day, random_.choice(BROKERS), price,
                     random_.randrange(40), random_.randrange(40)))
    rows.append((symbols[0], day, BROKERS[0], "11.5", 7, 3))
    return rows


class Deliveries:
    """A folder of files that a vendor adds, corrects and loses at random, and a data directory that follows it.

    A subclass says how, with run(more, inputs, **how): an incremental run over the folder, or over other inputs.
    """

    def __init__(self, seed: int, scratch: Path):
        self.random = random.Random(seed)
        self.folder, self.data, self.scratch = scratch / "in", scratch / "data", scratch
        self.days = DAYS
        self.rows = {}     # of deliveries, by file name
        self.rebuilt = {}  # hashes of what was rebuilt, by what it was made of

    def put(self, name, rows):
        self.rows[name] = rows
        table = transactions(rows)
        names = {b: f"name {self.random.randrange(3)} of {b}" for b in BROKERS}
        table = table.set_column(3, "broker_name", [[names[row[2]] for row in rows]])
        self.folder.mkdir(parents=True, exist_ok=True)
        # Small row groups, so that there are several.
        pq.write_table(table, self.folder / name, row_group_size=self.random.choice([3, 8, 100]))
        return self.folder / name

    def state(self):
        """All that a rebuild is made of: what stands in the folder."""
        return {path.name: hash(path.read_bytes()) for path in sorted(self.folder.iterdir())}

    def rebuild_and_compare(self, *command):
        """The data directory has the bytes of what the command makes of nothing.

        What was rebuilt from the same state before is not rebuilt again: a rebuild is a function of it.
        """
        state = repr((self.state(), command))
        if state not in self.rebuilt:
            rebuilt = self.scratch / "rebuilt"
            rebuilt.unlink(missing_ok=True)
            shutil.rmtree(generations_folder(rebuilt), ignore_errors=True)
            tapeworks(*command, "--data", rebuilt, "--quiet")
            self.rebuilt[state] = tree_hash(rebuilt)
        assert_tree(self.data, self.rebuilt[state])

    def late_day(self):
        day = self.random.choice(self.days)
        self.put(f"tx_{day}_{self.random.randrange(3)}.parquet", day_rows(self.random, day))
        self.run()

    def one_symbol_only(self):
        day = self.random.choice(self.days)
        self.put(f"tx_one_{day}.parquet", day_rows(self.random, day, [self.random.choice(SYMBOLS)]))
        self.run()

    def new_symbol(self):
        day = self.random.choice(self.days)
        self.put(f"tx_new_{day}.parquet", day_rows(self.random, day, [f"N{self.random.randrange(5)}"]))
        self.run()

    def correct(self):
        """A row gets another price: the file keeps its number of rows."""
        name = self.random.choice(sorted(self.rows))
        rows = list(self.rows[name])
        index = self.random.randrange(len(rows))
        symbol, day, broker, _, buy, sell = rows[index]
        rows[index] = (symbol, day, broker, "22.5", buy, sell)
        self.put(name, rows)
        self.run()

    def grow(self):
        name = self.random.choice(sorted(self.rows))
        self.put(name, self.rows[name] + day_rows(self.random, self.random.choice(self.days)))
        self.run()

    def delete(self):
        if len(self.rows) < 3:
            return
        name = self.random.choice(sorted(self.rows))
        (self.folder / name).unlink()
        with Untouched(self.data):
            assert_clear_error(self.run(expect=3), name, "--allow-vanished")
        del self.rows[name]
        self.run(["--allow-vanished", 1])

    def only_the_new_file(self):
        if len(self.rows) < 2:
            return
        with Untouched(self.data):
            self.run(inputs=[self.folder / self.random.choice(sorted(self.rows))], expect=3)

    def empty_mount_point(self):
        away = self.folder.with_name("away")
        self.folder.rename(away)
        self.folder.mkdir()
        with Untouched(self.data):
            self.run(expect=3)
        self.folder.rmdir()
        away.rename(self.folder)

    def deliver_again(self):
        name = self.random.choice(sorted(self.rows))
        copy = (self.folder / name).with_suffix(".copy")
        shutil.copyfile(self.folder / name, copy)
        copy.rename(self.folder / name)
        with Untouched(self.data):
            assert "nothing new" in self.run().stdout

    def add(self):
        day = self.random.choice(self.days)
        path = self.put(f"tx_add_{day}.parquet", day_rows(self.random, day))
        self.run(["--add", path], inputs=[])

    STEPS = [late_day, one_symbol_only, new_symbol, correct, correct, grow, delete, only_the_new_file, empty_mount_point,
             deliver_again, add]


class History(Deliveries):
    """Deliveries and a table of closes that changes at random, followed by `run --incremental`."""

    def __init__(self, seed: int, scratch: Path):
        super().__init__(seed, scratch)
        self.closes_path = scratch / "closes.parquet"
        self.closes = {}  # by (symbol, day)
        self.log = []     # what was done, for the message of a failure
        self.older = {}   # checkpoints of older generations, by file name
        self.meddled = False  # with checkpoints that no run has mended since
        # What the user asked for from the beginning on; some steps change it.
        self.options = ["--start", self.random.choice(["2023-01-01", "2023-03-28", "2024-01-01"])]
        if self.random.random() < 0.3:
            self.options += ["--daily"]
        if self.random.random() < 0.3:
            self.options += ["--ledger"]
        if self.random.random() < 0.3:
            path = scratch / "mergers.tsv"
            path.write_text(MERGERS)
            self.options += ["--merge-map", path]
        self.days = DAYS[:10]
        for day in self.days[::2]:
            self.put(f"tx_{day}.parquet", day_rows(self.random, day))
        self.add_closes(self.days)
        tapeworks(*self.arguments(self.random.choice([[], ["--incremental"]])))
        self.compare()

    # ---- doing

    def add_closes(self, days):
        for day in days:
            for symbol in SYMBOLS:
                if self.random.random() < 0.8:
                    self.closes[symbol, day] = self.random.randrange(100, 99999) / 100

    def write_closes(self):
        pq.write_table(prices([(s, d, c) for (s, d), c in sorted(self.closes.items())]), self.closes_path)

    def arguments(self, more, inputs=None):
        self.write_closes()
        return ["run", *([self.folder] if inputs is None else inputs), "--prices", self.closes_path, "--data", self.data,
                "--quiet", "--keep-generations-for", "0s", "--threads", self.random.choice([1, 2]), *self.options, *more]

    def run(self, more=(), inputs=None, **how):
        outcome = tapeworks(*self.arguments(["--incremental", *more], inputs), **how)
        self.meddled = self.meddled and outcome.exit_code != 0
        return outcome

    def state(self):
        return super().state(), sorted(self.closes.items())

    def compare(self):
        self.rebuild_and_compare("run", self.folder, "--prices", self.closes_path, *self.options)

    # ---- deliveries

    def next_day(self):
        self.days = DAYS[:min(len(DAYS), len(self.days) + self.random.randrange(1, 3))]
        day = self.days[-1]
        self.put(f"tx_{day}.parquet", day_rows(self.random, day))
        self.add_closes([day])
        self.run()

    def correct_close(self):
        key = self.random.choice(sorted(self.closes))
        if self.random.random() < 0.3 and len(self.closes) > 1:  # a table without rows is refused
            del self.closes[key]
        else:
            self.closes[key] = self.random.randrange(100, 99999) / 100
        self.run()

    def other_day_of_valuation(self):
        """--as-of before and after days at which states were kept, and back."""
        before = list(self.options)
        self.options += ["--as-of", self.random.choice(DAYS)]
        self.run()
        self.compare()
        self.options = before
        self.run()

    def without_prices_of_a_symbol(self):
        symbol = self.random.choice(SYMBOLS)
        self.closes = {key: close for key, close in self.closes.items() if key[0] != symbol}
        self.closes["0000", DAYS[0]] = 1.0
        self.run()

    def in_parts(self):
        """etl, sync and pnl in place of run: the tables of P&L are stale in between."""
        day = self.random.choice(self.days)
        self.put(f"tx_part_{day}.parquet", day_rows(self.random, day))
        verify_every = self.random.choice([[], ["--verify-every", "0s"]])
        tapeworks("etl", self.folder, "--data", self.data, "--incremental", "--quiet", *verify_every)
        self.write_closes()
        tapeworks("sync", self.closes_path, "--data", self.data, "--quiet")
        tapeworks("pnl", "--data", self.data, "--incremental", "--quiet", *self.options, *verify_every)

    def verification(self):
        day = self.random.choice(self.days)
        self.put(f"tx_verified_{day}.parquet", day_rows(self.random, day))
        self.run(["--verify-every", "0s"])

    def full_run(self):
        tapeworks(*self.arguments([]))

    def crash(self):
        """kill -9 in the middle; the next run completes."""
        day = self.random.choice(self.days)
        self.put(f"tx_crash_{day}.parquet", day_rows(self.random, day))
        process = start(*self.arguments(["--incremental"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0, 0.06))
        process.kill()
        assert process.wait() in (0, -signal.SIGKILL)
        self.run()
        assert not leftovers(self.data), leftovers(self.data)

    STEPS = [next_day] * 6 + Deliveries.STEPS + [
        correct_close, correct_close, other_day_of_valuation, without_prices_of_a_symbol, in_parts, verification,
        full_run, crash]

    # ---- checkpoints

    def checkpoints(self) -> list[Path]:
        base = Path(os.path.realpath(self.data)) / "checkpoint"
        return sorted(p for table in ("pnl", "pnl_merged") for p in (base / table).glob("*"))

    def meddle(self) -> None:
        """Sometimes a checkpoint is lost, damaged, or replaced by one of another symbol or an older generation."""
        paths = self.checkpoints()
        for path in paths:
            content = path.read_bytes()
            if self.random.random() < 0.2:
                self.older[path.name] = content
            choice = self.random.randrange(25)
            if choice == 0:
                path.unlink()
            elif choice == 1 and content:  # empty since the meddling before, when the run behind that was refused
                replace(path, content[:self.random.randrange(len(content))])
            elif choice == 2 and content:
                damaged = bytearray(content)
                damaged[self.random.randrange(len(content))] ^= self.random.randrange(1, 256)
                replace(path, bytes(damaged))
            elif choice == 3:
                other = self.random.choice(paths)
                replace(path, other.read_bytes() if other.exists() else b"")
            elif choice == 4 and path.name in self.older:
                replace(path, self.older[path.name])
            else:
                continue
            self.meddled = True

    def step(self) -> None:
        step = self.random.choice(self.STEPS)
        if self.random.random() < 0.4:
            self.meddle()
        self.log.append(step.__name__ + (" after meddling" if self.meddled else ""))
        if self.meddled and step.__name__ == "deliver_again":
            self.run()
        step(self)
        self.compare()


def replace(path: Path, content: bytes) -> None:
    """Another file of that name: the old one may be linked from other generations."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def check_history(seed: int, folder: Path, deliveries: int = 30) -> None:
    """Raises with the seed and what was done when some generation differs from its rebuild."""
    history = None
    try:
        history = History(seed, folder)
        for _ in range(deliveries):
            history.step()
        tapeworks("verify", "--data", history.data, "--full", expect=(0, 1))
    except AssertionError as failure:
        done = ", ".join(history.log) if history else "the first run"
        raise AssertionError(f"seed {seed}, after {done}: {failure}") from failure
