"""Records a full load with faults and kills, and judges the result by the ledger.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/record_load.py [--seconds 120] [--kills 20]

65 symbols of each of seven venues (455 in all), three streams, 20,000 messages a second. The recorder is killed at random
moments and started again, also while it catches up. Afterwards every row that was sent must be there once or lie in a
recorded gap, and a replay of the log must give the same bytes. The judge holds all rows in memory: about 2 GB a million.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from harness import tapeworks  # noqa: E402
from recording import Exchanges, judge, published_hashes, record, start_recording, write_config  # noqa: E402

FAULTS = [
    {"every": "7s", "venue": "binance_spot", "fault": "close", "code": 1001},
    {"every": "11s", "venue": "gate_spot", "fault": "abort"},
    {"every": "5s", "venue": "kucoin_spot", "fault": "malformed_json", "count": 2},
    {"every": "3s", "venue": "binance_usdm", "fault": "duplicate", "count": 5},
    {"every": "13s", "venue": "gate_futures", "fault": "half_frame"},
    {"at": "20s", "fault": "server_shutdown", "duration": "3s"},
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--symbols", type=int, default=65, help="of each venue")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    moments = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Exchanges(folder, "--symbols", options.symbols, "--rate", f"{options.rate}/s", script=FAULTS) as exchanges:
            config = write_config(folder, exchanges.feeds)
            with (folder / "record.err").open("w") as errors:
                for _ in range(options.kills):
                    process = start_recording(config, errors)
                    time.sleep(moments.uniform(0.02, 2 * options.seconds / (2 * options.kills + 1)))
                    process.kill()
                    process.wait()
            record(config, f"{options.seconds / 2:.0f}s")
            exchanges.stop()
        counts = judge(folder / "out", exchanges.ledger)
        print(f"{counts['rows']:,} rows of {counts['sent']:,} sent, {counts['missing']:,} in recorded gaps, none twice", flush=True)
        tapeworks("replay", "--wal", folder / "log", "--out", folder / "again", timeout=3600)
        same = published_hashes(folder / "out") == published_hashes(folder / "again")
        print(f"replay: {'the same bytes' if same else 'OTHER BYTES'}")
        return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
