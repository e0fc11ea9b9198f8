"""Compares two digests and prints {"agrees", "differences", ...}; runs as a child.

    python -m tapebench.agreement DIGEST SAMPLE OTHER_DIGEST OTHER_SAMPLE

Symbols, rows, brokers, dates and shares must be the same; amounts may differ by AMOUNT_TOLERANCE of their size:
they are float32, and the engines add in other orders.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

AMOUNT_TOLERANCE = 1e-6
DIFFERENCES_SHOWN = 5


def near(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.abs(left - right) <= AMOUNT_TOLERANCE * np.maximum(np.abs(left), 1.0)


def compare_sums(left: dict[str, list[float]], right: dict[str, list[float]]) -> list[str]:
    """Rows and sums of every symbol."""
    found = [f"symbol {symbol}: only on one side" for symbol in sorted(left.keys() ^ right.keys())]
    for symbol in sorted(left.keys() & right.keys()):
        ours, theirs = left[symbol], right[symbol]
        if ours[:3] != theirs[:3]:
            found.append(f"symbol {symbol}: rows and shares {ours[:3]} against {theirs[:3]}")
        elif not near(np.array(ours[3:]), np.array(theirs[3:])).all():
            found.append(f"symbol {symbol}: amounts {ours[3:]} against {theirs[3:]}")
    return found


def compare_samples(left: pa.Table, right: pa.Table) -> list[str]:
    """Every row of the sample."""
    if left.num_rows != right.num_rows:
        return [f"sample: {left.num_rows} rows against {right.num_rows}"]
    found = [f"sample: column {name} differs" for name in ("symbol", "broker", "date", "buy_shares", "sell_shares")
             if not left[name].equals(right[name])]
    for name in ("buy_amount", "sell_amount"):
        wrong = np.flatnonzero(~near(left[name].to_numpy(), right[name].to_numpy()))
        if len(wrong):
            row = int(wrong[0])
            found.append(f"sample: {name} differs in {len(wrong)} rows, first {left.slice(row, 1).to_pylist()[0]}")
    return found


def main() -> None:
    digest_path, sample_path, other_digest_path, other_sample_path = map(Path, sys.argv[1:])
    ours, theirs = json.loads(digest_path.read_text()), json.loads(other_digest_path.read_text())
    left, right = pq.read_table(sample_path), pq.read_table(other_sample_path)
    found = compare_sums(ours["symbols"], theirs["symbols"]) + compare_samples(left, right)
    print(json.dumps({
        "agrees": not found, "differences": found[:DIFFERENCES_SHOWN], "symbols": len(ours["symbols"]),
        "groups": sum(sums[0] for sums in ours["symbols"].values()), "rows_compared": left.num_rows,
        "symbols_in_many_files": ours["symbols_in_many_files"], "unsorted_symbols": len(ours["unsorted_symbols"]),
        "sample_symbols": len(ours["sample_symbols"]),
    }))


if __name__ == "__main__":
    main()
