"""3.4 million closes in a local BigQuery: `sync` reads them page by page in bounded memory, and as the Parquet source has them.

Needs bqemulator (scripts/setup.sh tests). Prints how long it took and the peak memory; exits with 1 when the closes differ.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import pyarrow.parquet as pq  # noqa: E402
from bigquery_servers import DATASET, Emulator, Front, address, environment  # noqa: E402
from harness import tapeworks  # noqa: E402
from sync_postgres import DAYS, MEMORY_MIB, SYMBOLS, expected_table  # noqa: E402


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(expected_table(), folder / "closes.parquet")
        tapeworks("sync", folder / "closes.parquet", "--data", folder / "file")
        emulator = Emulator()
        front = Front(emulator.port)
        try:
            emulator.load_parquet("plain", "symbol_id STRING, date DATE, close_price FLOAT64", folder / "closes.parquet")
            # A decimal with trailing zeros, an instant instead of a day, in random order.
            emulator.execute(f"CREATE TABLE {DATASET}.prices AS SELECT symbol_id AS coid, TIMESTAMP(date, 'Asia/Taipei') AS mdate, "
                             f"CAST(close_price AS NUMERIC) AS close_d FROM {DATASET}.plain ORDER BY FARM_FINGERPRINT(symbol_id || CAST(date AS STRING))")
            begin = time.monotonic()
            outcome = tapeworks("sync", address("prices"), "--bigquery-endpoint", front.url, "--data", folder / "database",
                                "--memory", f"{MEMORY_MIB}MiB", "--stats", env=environment(), timeout=3600)
            seconds = time.monotonic() - begin
        finally:
            front.close()
            emulator.close()
        same = (folder / "file/price/close_prices.parquet").read_bytes() == (folder / "database/price/close_prices.parquet").read_bytes()
    print(f"{SYMBOLS * DAYS:,} closes in {seconds:.1f} s and {front.pages} pages, peak {outcome.peak_memory_mib:.0f} MiB, "
          f"{'the same' if same else 'OTHER'} closes as from Parquet")
    return 0 if same and outcome.peak_memory_mib <= MEMORY_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
