"""Kills `tapeworks run` at random moments and checks what is left."""

import random
import signal
import subprocess
import time
from pathlib import Path

from harness import generate, leftovers, run_pipeline, start, tapeworks, tree_hash


class KillExperiment:
    """Two inputs that give different generations; `run` is killed while it replaces one by the other."""

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
