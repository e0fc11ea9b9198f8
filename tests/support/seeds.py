"""Checks many seeds over several processes and sessions: a file keeps those that passed."""

import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path


def _check_or_say_why(check, seed: int) -> str:
    """What went wrong; nothing when the seed passed."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            check(seed, Path(folder))
    except Exception as failure:  # noqa: BLE001 (whatever it is, the other seeds are to be checked, and this one is to be named)
        said = str(failure) if isinstance(failure, AssertionError) else ""
        return said or traceback.format_exc()
    return ""


def check_seeds(check, done_file: Path, count: int, workers: int, initializer=None, initargs=()) -> list[int]:
    """`check(seed, folder)` raises when something is wrong; the folder is its own and is removed. Seeds below `count` that stand in
    `done_file` are left out, the others get a line in it when they pass. Returns those that failed, each of which is printed."""
    done = {int(line) for line in done_file.read_text().split()} if done_file.exists() else set()
    left = [seed for seed in range(count) if seed not in done]
    print(f"{count - len(left)} of {count} seeds have passed before", flush=True)
    failed = []
    with done_file.open("a") as file, ProcessPoolExecutor(workers, initializer=initializer, initargs=initargs) as pool:
        for seed, failure in zip(left, pool.map(partial(_check_or_say_why, check), left)):
            if failure:
                failed.append(seed)
                print(f"{time.strftime('%H:%M:%S')} seed {seed} FAILED: {failure}", flush=True)
            else:
                file.write(f"{seed}\n")
                file.flush()
    return failed
