"""Bytes of checkpoints of profit and loss flipped at 2,000 positions: a warning and the same result, never another one.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/flip_checkpoints.py [COUNT]

Half of the positions lie in a checkpoint of the plain tables, half in one of the tables of merged brokers.
"""

import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from deliveries import DAYS, MERGERS, day_rows  # noqa: E402
from flipping import check_checkpoint_flips  # noqa: E402
from harness import tapeworks, write_prices, write_transactions  # noqa: E402


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    numbers = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs, mergers, data = folder / "in", folder / "mergers.tsv", folder / "data"
        mergers.write_text(MERGERS)
        closes = write_prices(folder / "closes.parquet", [(s, day, 10.0 + i) for s in ("2330", "2317") for i, day in enumerate(DAYS)])
        run = ["run", inputs, "--prices", closes, "--incremental", "--merge-map", mergers]

        def deliver(days):
            for day in days:
                rows = day_rows(numbers, day, ["2330", "2317"])
                # Enough accounts for a checkpoint of some thousand bytes.
                rows += [("2330", day, f"{broker}", "10.5", numbers.randrange(40), numbers.randrange(40))
                         for broker in range(7000, 7030) if numbers.random() < 0.5]
                write_transactions(inputs / f"tx_{day}.parquet", rows)

        deliver(DAYS[:-1])
        tapeworks(*run, "--data", data)
        deliver(DAYS[-1:])
        for table in ("pnl", "pnl_merged"):
            path = f"checkpoint/{table}/2330"
            flips = check_checkpoint_flips((data, run), folder, path, count // 2, seed=0, workers=os.cpu_count() or 2)
            print(f"{path}, {(data / path).stat().st_size} bytes: {flips} flips, each a warning and the same result", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
