"""Kills `tapeworks run`, whole or incremental, at random moments and checks what is left."""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import generate, generations_folder, leftovers, run_pipeline, start, tapeworks, tree_hash


class KillExperiment:
    """Two inputs that give different generations; `run` is killed while it replaces one by the other."""

    PROMISE = "each left a whole generation"

    def __init__(self, folder: Path, rows: int):
        self.data = folder / "data"
        self.sources = [generate(folder / f"input_{seed}", rows=rows, symbols=40, brokers=30, days=20, seed=seed)
                        for seed in (1, 2)]
        self.hashes = []
        self.seconds = 0.0
        for i, source in enumerate(self.sources):
            whole = folder / f"whole_{i}"
            began = time.monotonic()
            run_pipeline(whole, source)
            self.seconds = max(self.seconds, time.monotonic() - began)
            self.hashes.append(tree_hash(whole))
        assert self.hashes[0] != self.hashes[1]
        run_pipeline(self.data, self.sources[0])

    def visible(self) -> int:
        """Which of the two whole generations is visible; fails when it is neither."""
        now = tree_hash(self.data)
        assert now in self.hashes, "the visible generation is neither the old nor the new one"
        return self.hashes.index(now)

    def kill_once(self, fraction: float) -> bool:
        """Kills a run after this fraction of a run's usual time; True when it was still running."""
        old = self.visible()
        source = self.sources[1 - old]
        process = start("run", source.transactions, "--prices", source.prices, "--data", self.data,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(fraction * self.seconds)
        process.kill()
        killed = process.wait() == -signal.SIGKILL
        tapeworks("verify", "--data", self.data)
        visible = self.visible()
        assert killed or visible == 1 - old, "a run that ended by itself published nothing"
        return killed

    def finish(self) -> None:
        """The next run works, and removes what the killed ones left."""
        source = self.sources[1 - self.visible()]
        run_pipeline(self.data, source)
        assert not leftovers(self.data), leftovers(self.data)
        tapeworks("verify", "--data", self.data, "--full")

    def kill_many(self, count: int, seed: int) -> int:
        """Returns how many of `count` runs were killed before they ended."""
        moments = random.Random(seed)
        killed = 0
        for i in range(count):
            # Beyond 1: the start of a process costs time too, and the moments around publishing matter most.
            fraction = moments.uniform(0, 1.1)
            try:
                killed += self.kill_once(fraction)
            except AssertionError as failure:
                raise AssertionError(f"kill {i} at {fraction:.3f} of a run (seed {seed}): {failure}") from failure
        self.finish()
        return killed


class IncrementalKillExperiment:
    """A day is added to a history by `run --incremental`, which is killed; the next run must complete it."""

    PROMISE = "each next run equalled a rebuild"

    def __init__(self, folder: Path, rows: int):
        self.data = folder / "data"
        self.source = generate(folder / "input", rows=rows, symbols=40, brokers=30, days=45, extra=["--per-day"])
        newest = max(self.source.transactions.iterdir())
        away = folder / newest.name
        newest.rename(away)
        self.run(self.data)
        self.before = tree_hash(self.data)
        away.rename(newest)
        run_pipeline(folder / "rebuilt", self.source)
        self.after = tree_hash(folder / "rebuilt")
        self.folder = folder
        self.seconds = 0.0
        copy = self.copy()
        began = time.monotonic()
        self.run(copy)
        self.seconds = time.monotonic() - began
        assert tree_hash(copy) == self.after, "an increment that nobody killed differs from the rebuild"

    def run(self, data: Path) -> None:
        run_pipeline(data, self.source, "--incremental", "--quiet")

    def copy(self) -> Path:
        """The data directory before the increment, once more."""
        copy = self.folder / "copy"
        copy.unlink(missing_ok=True)
        shutil.rmtree(generations_folder(copy), ignore_errors=True)
        shutil.copytree(generations_folder(self.data), generations_folder(copy))
        copy.symlink_to(Path(generations_folder(copy).name) / self.data.readlink().name)
        return copy

    def kill_once(self, moments: random.Random) -> bool:
        """True when the run was still there to be killed. Sometimes the one after it is killed as well."""
        data = self.copy()
        killed = False
        for _ in range(moments.choice([1, 1, 2])):
            process = start("run", self.source.transactions, "--prices", self.source.prices, "--data", data,
                            "--incremental", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0, 1.1) * self.seconds)
            process.kill()
            killed |= process.wait() == -signal.SIGKILL
            assert tree_hash(data) in (self.before, self.after), "the visible generation is neither the old nor the new one"
        self.run(data)
        assert tree_hash(data) == self.after, "the next run differs from a rebuild"
        assert not leftovers(data), leftovers(data)
        return killed

    def kill_many(self, count: int, seed: int) -> int:
        """Returns how many of `count` increments were killed before they ended."""
        moments = random.Random(seed)
        killed = 0
        for i in range(count):
            try:
                killed += self.kill_once(moments)
            except AssertionError as failure:
                raise AssertionError(f"kill {i} (seed {seed}): {failure}") from failure
        return killed


def kill_main(experiment, rows: int, count: int) -> None:
    """The program of a long test: [COUNT [SEED]]. Prints the seed first, so that a finding can be repeated."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else count
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        killed = experiment(Path(folder), rows=rows).kill_many(count, seed)
    print(f"{killed} of {count} runs were killed before they ended; {experiment.PROMISE}")
