"""kill -9 of `record` at random moments, also while it recovers; every message must be there once or lie in a gap.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/kill_record.py [ROUNDS [STATE]] [--workers N]

STATE (a file, default kill_record.json in the working directory) adds up over runs: a script that was interrupted goes on
counting where it was. Each batch of ten kills has exchanges and a recording of its own and is judged by its ledger. A batch
mostly waits, so more workers than processors are of use.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from harness import tapeworks  # noqa: E402
from recording import Exchanges, judge, record, start_recording, write_config  # noqa: E402

KILLS_A_BATCH = 10


def run_batch(seed: int) -> int:
    """Returns how many messages were judged."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run_batch_in(Path(folder), seed)
        except Exception as failure:
            raise RuntimeError(f"the batch of seed {seed} broke a promise: {failure}") from failure


def run_batch_in(folder: Path, seed: int) -> int:
    choose = random.Random(seed)
    with Exchanges(folder, "--symbols", "3", "--rate", "2000/s", "--seed", str(seed)) as exchanges:
        config = write_config(folder, exchanges.feeds)
        with (folder / "record.err").open("w") as errors:
            for _ in range(KILLS_A_BATCH):
                process = start_recording(config, errors)
                # Some die while they recover, some while they record.
                time.sleep(choose.choice([choose.uniform(0, 0.3), choose.uniform(0.3, 3)]))
                assert process.poll() is None, (folder / "record.err").read_text()[-2000:]
                process.kill()
                process.wait()
        record(config, "1s")
        exchanges.stop()
    counts = judge(folder / "out", exchanges.ledger)
    tapeworks("verify", "--recording", folder / "out", "--wal", folder / "log")
    return counts["sent"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=200)
    parser.add_argument("state", type=Path, nargs="?", default=Path("kill_record.json"))
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 2))
    options = parser.parse_args()
    state = json.loads(options.state.read_text()) if options.state.exists() else {"kills": 0, "messages": 0, "seed": time.time_ns() % 1_000_000}
    print(f"seed {state['seed']}, {state['kills']} kills so far", flush=True)
    batches = max(0, -((state["kills"] - options.rounds) // KILLS_A_BATCH))
    with ProcessPoolExecutor(options.workers) as pool:
        # In the order of the seeds, so that the state says which one is next.
        for messages in pool.map(run_batch, range(state["seed"], state["seed"] + batches)):
            state = {"kills": state["kills"] + KILLS_A_BATCH, "messages": state["messages"] + messages, "seed": state["seed"] + 1}
            unfinished = options.state.with_name(options.state.name + ".unfinished")
            unfinished.write_text(json.dumps(state))
            unfinished.replace(options.state)
    print(f"{state['kills']} kills, {state['messages']} messages judged: each is there once, or lies in a recorded gap")
    return 0


if __name__ == "__main__":
    sys.exit(main())
