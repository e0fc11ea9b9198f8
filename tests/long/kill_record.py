"""kill -9 of `record` at random moments, also while it recovers; every message must be there once or lie in a gap.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/kill_record.py [ROUNDS [STATE]]

STATE (a file, default kill_record.json in the working directory) adds up over runs: a script that was interrupted goes on
counting where it was. Each batch of ten kills has exchanges and a recording of its own and is judged by its ledger.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from harness import tapeworks  # noqa: E402
from recording import Exchanges, before_the_start, judge, record, start_recording, write_config  # noqa: E402

KILLS_A_BATCH = 10


def run_batch(folder: Path, seed: int) -> int:
    """Returns how many messages were judged."""
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
    out = folder / "out"
    counts = judge(out, exchanges.ledger, may_be_missing=before_the_start(out, exchanges.ledger))
    tapeworks("verify", "--recording", out)
    return counts["sent"]


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    state_path = Path(sys.argv[2] if len(sys.argv) > 2 else "kill_record.json")
    state = json.loads(state_path.read_text()) if state_path.exists() else {"kills": 0, "messages": 0, "seed": time.time_ns() % 1_000_000}
    print(f"seed {state['seed']}, {state['kills']} kills so far", flush=True)
    while state["kills"] < rounds:
        with tempfile.TemporaryDirectory() as folder:
            state["messages"] += run_batch(Path(folder), state["seed"])
        state["kills"] += KILLS_A_BATCH
        state["seed"] += 1
        state_path.write_text(json.dumps(state))
    print(f"{state['kills']} kills, {state['messages']} messages judged: each is there once, or lies in a recorded gap")
    return 0


if __name__ == "__main__":
    sys.exit(main())
