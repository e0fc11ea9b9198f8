"""3.4 million closes of awkward types in a SQLite and in a DuckDB file: `sync` reads them in bounded memory, and as the
Parquet source has them.

Needs adbc-driver-sqlite and DuckDB's library (scripts/setup.sh tests). Prints how long it took and the peak memory; exits
with 1 when the closes differ.
"""

import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import pyarrow.parquet as pq  # noqa: E402
from databases import fill_file  # noqa: E402
from harness import ROOT, tapeworks  # noqa: E402
from sync_postgres import DAYS, MEMORY_MIB, SYMBOLS, expected_table  # noqa: E402

PRICES = "price/close_prices.parquet"


def main() -> int:
    os.environ.setdefault("TAPEWORKS_DUCKDB_LIBRARY", str(ROOT / ".venv/duckdb/libduckdb.so"))
    drivers = {"ADBC_DRIVER_PATH": str(Path(importlib.util.find_spec("adbc_driver_sqlite").origin).parent)}
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(expected_table(), folder / "closes.parquet")
        tapeworks("sync", folder / "closes.parquet", "--data", folder / "file")
        for kind in ("sqlite", "duckdb"):
            source = fill_file(kind, folder / f"{kind}.db", folder / "closes.parquet")
            begin = time.monotonic()
            outcome = tapeworks("sync", source, "--data", folder / kind, "--memory", f"{MEMORY_MIB}MiB", "--stats", env=drivers)
            seconds = time.monotonic() - begin
            same = (folder / "file" / PRICES).read_bytes() == (folder / kind / PRICES).read_bytes()
            print(f"{kind}: {SYMBOLS * DAYS:,} closes in {seconds:.1f} s, peak {outcome.peak_memory_mib:.0f} MiB, "
                  f"{'the same' if same else 'OTHER'} closes as from Parquet")
            failures += not same or outcome.peak_memory_mib > MEMORY_MIB
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
