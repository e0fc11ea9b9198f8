"""Checks many seeds over several processes and sessions: a file keeps those that passed."""

import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path


def try_in_folder(check, item) -> tuple[object, str]:
    """What `check(item, folder)` returns, and what went wrong; nothing when it passed. The folder is its own and is removed."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            return check(item, Path(folder)), ""
    except Exception as failure:  # noqa: BLE001 (whatever it is, the others are to be checked, and this one is to be named)
        said = str(failure) if isinstance(failure, AssertionError) else ""
        return None, said or traceback.format_exc()


def check_seeds(check, done_file: Path, count: int, workers: int, initializer=None, initargs=()) -> list[int]:
    """`check(seed, folder)` raises when something is wrong; the folder is its own and is removed. Seeds below `count` that stand in
    `done_file` are left out, the others get a line in it when they pass. Returns those that failed, each of which is printed."""
    done = {int(line) for line in done_file.read_text().split()} if done_file.exists() else set()
    left = [seed for seed in range(count) if seed not in done]
    print(f"{count - len(left)} of {count} seeds have passed before", flush=True)
    failed = []
    with done_file.open("a") as file, ProcessPoolExecutor(workers, initializer=initializer, initargs=initargs) as pool:
        for seed, (_, failure) in zip(left, pool.map(partial(try_in_folder, check), left)):
            if failure:
                failed.append(seed)
                print(f"{time.strftime('%H:%M:%S')} seed {seed} FAILED: {failure}", flush=True)
            else:
                file.write(f"{seed}\n")
                file.flush()
    return failed
