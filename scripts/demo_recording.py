"""Counts what was recorded, by market and stream, beside what was sent: demo_recording.py FOLDER LEDGER."""

import json
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KEYS = ["exchange", "market", "transport", "stream"]


def main() -> int:
    folder, ledger = map(Path, sys.argv[1:])
    files = sorted(folder.glob("*/*/*/[0-2][0-9].parquet"))
    if not files:
        print(f"demo: {folder} holds no published file", file=sys.stderr)
        return 1
    rows = pa.concat_tables(pq.read_table(file, columns=["symbol", *KEYS], partitioning=None) for file in files)
    counts = rows.group_by(KEYS).aggregate([("symbol", "count"), ("symbol", "count_distinct")])
    print(f"{'exchange':<9}{'market':<14}{'transport':<11}{'stream':<8}{'symbols':>8}{'rows':>9}")
    for row in sorted(counts.to_pylist(), key=lambda row: [row[key] for key in KEYS]):
        print(f"{row['exchange']:<9}{row['market']:<14}{row['transport']:<11}{row['stream']:<8}"
              f"{row['symbol_count_distinct']:>8}{row['symbol_count']:>9,}")
    sent = Counter()
    for line in ledger.read_text().splitlines():
        entry = json.loads(line)
        sent["rows"] += len(entry["rows"])
    print(f"\n{rows.num_rows:,} rows in {len(files)} files; the exchanges sent {sent['rows']:,}, the last of them while the "
          "recorder was closing its connections")
    return 0


if __name__ == "__main__":
    sys.exit(main())
