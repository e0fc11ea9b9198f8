"""Records a full load with faults and kills, and judges the result by the ledger.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/record_load.py [--seconds 600] [--kills 200] [--folder DIR]

65 symbols of each of seven venues (455 in all), three streams, 20,000 messages a second, a fault every second or two. With
--kills the recorder is killed so often at random moments, also while it catches up, and stopped in order now and then, so that
files are published and replaced. Meanwhile every file that a user's glob finds is read again and again: no row may be there twice.
Afterwards every row that was sent must be there once or lie in a recorded gap, what was left out of numbered streams must be
named, and a replay of the log must give the same bytes. Ten minutes need about 25 GB in --folder.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from load_judge import judge_load  # noqa: E402
from recording import Exchanges, last_status, record, start_recording, write_config  # noqa: E402

FAULTS = [
    {"every": "7s", "venue": "binance_spot", "fault": "close", "code": 1001},
    {"every": "11s", "venue": "gate_spot", "fault": "abort"},
    {"every": "5s", "venue": "kucoin_spot", "fault": "malformed_json", "count": 2},
    {"every": "3s", "venue": "binance_usdm", "fault": "duplicate", "count": 5},
    {"every": "13s", "venue": "gate_futures", "fault": "half_frame"},
    {"every": "4s", "venue": "binance_spot_sbe", "fault": "gap", "count": 3},
    {"every": "9s", "venue": "binance_usdm", "fault": "gap", "count": 8},
    {"every": "17s", "venue": "kucoin_futures", "fault": "huge_message"},
    {"every": "19s", "venue": "kucoin_futures", "fault": "scientific", "count": 5},
    {"every": "23s", "venue": "gate_spot", "fault": "wrong_numbers", "count": 3},
    {"every": "31s", "venue": "kucoin_spot", "fault": "day_cut"},
    {"at": "20s", "fault": "server_shutdown", "duration": "3s"},
]
STOP_EVERY = 20  # of so many ends one is a clean stop
TOO_EARLY_S = 0.15  # the system loads the libraries in 20 to 40 ms


class GlobReader:
    """Counts what a user's glob finds, while it is written. A file is read once: it never changes under its name's inode."""

    def __init__(self, out: Path):
        self.out, self.rounds, self.rows_max, self.failure = out, 0, 0, None
        self.keys = {}  # of the files of the last round, by path, inode and time of the last change
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.ending.wait(2) and self.failure is None:
            try:
                self.read()
            except Exception as failure:
                self.failure = failure

    def read(self) -> None:
        found = {}
        for path in self.out.glob("*/*/*/[0-2][0-9].parquet"):
            with path.open("rb") as file:  # what was opened stays what it was
                status = os.fstat(file.fileno())
                identity = path, status.st_ino, status.st_mtime_ns
                found[identity] = self.keys[identity] if identity in self.keys else self.read_keys(file)
        is_new = found.keys() != self.keys.keys()
        self.keys = found
        if found and is_new:
            every = np.concatenate(list(found.values()))
            assert len(np.unique(every)) == len(every), "the glob found a row twice"
            self.rounds += 1
            self.rows_max = max(self.rows_max, len(every))

    @staticmethod
    def read_keys(file) -> np.ndarray:
        rows = pq.read_table(file, columns=["lsn", "frame_index"])
        return rows["lsn"].to_numpy().astype(np.uint64) * np.uint64(4096) + rows["frame_index"].to_numpy().astype(np.uint64)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


def lifetime(moments: random.Random, mean: float) -> float:
    """Some die while they still recover."""
    return moments.uniform(0, 0.3) if moments.random() < 0.3 else moments.uniform(0.3, 2 * (mean - 0.045) / 0.7 - 0.3)


def run_load(options, folder: Path, moments: random.Random) -> None:
    ends = options.kills + options.kills // STOP_EVERY
    with Exchanges(folder, "--symbols", options.symbols, "--rate", f"{options.rate}/s", script=FAULTS) as exchanges:
        config = write_config(folder, exchanges.feeds)
        begin = time.monotonic()
        with (folder / "record.err").open("w") as errors, GlobReader(folder / "out") as reader:
            for number in range(1, ends + 1):
                said_before = (folder / "record.err").stat().st_size
                process = start_recording(config, errors)
                lived_s = lifetime(moments, options.seconds / ends)
                time.sleep(lived_s)
                assert process.poll() is None, (folder / "record.err").read_text()[-2000:]
                if number % (STOP_EVERY + 1) == 0:
                    process.send_signal(signal.SIGTERM)
                    code = process.wait(120)
                    said = (folder / "record.err").read_bytes()[said_before:].decode()
                    # While its libraries are loaded a program has no say yet; it has not opened anything then.
                    is_too_early = code == -signal.SIGTERM and not said and lived_s < TOO_EARLY_S
                    if is_too_early:
                        print(f"a stop after {lived_s:.3f} s came before the program ran", flush=True)
                    assert code == 0 or is_too_early, f"the stop ended with {code}: {said[-2000:]}"
                else:
                    process.kill()
                    process.wait()
            left = options.seconds - (time.monotonic() - begin) if options.kills == 0 else 10
            status = last_status(record(config, f"{left:.0f}s", timeout=options.seconds + 600))
        exchanges.stop()
    if reader.failure:
        raise reader.failure
    print(f"{time.monotonic() - begin:.0f} s, {options.kills} kills; the glob was read {reader.rounds} times, up to {reader.rows_max:,} rows", flush=True)
    print({name: status.get(name) for name in ("events", "queue_len", "dropped_total", "resident_bytes")}, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--symbols", type=int, default=65, help="of each venue")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=options.folder, prefix="record-load-"))
    print(f"what fails is left in {folder}", flush=True)
    run_load(options, folder, random.Random(options.seed))
    counts = judge_load(folder)
    print(f"{counts['rows']:,} rows of {counts['sent']:,} sent, {counts['missing']:,} in recorded gaps, {counts['left_out']:,} left out of numbered streams "
          "and named, none twice; the replay has the same bytes")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
