"""3.4 million closes of awkward types in PostgreSQL: `sync` reads them in bounded memory, and as the Parquet source has them.

Needs PostgreSQL 15 and adbc-driver-postgresql. Prints how long it took and the peak memory; exits with 1 when the closes differ.
"""

import importlib.util
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from databases import PostgresServer  # noqa: E402
from harness import tapeworks  # noqa: E402

SYMBOLS = 2839
DAYS = 1214
MEMORY_MIB = 512
# numeric with trailing zeros and nulls, char(n) with blanks, an instant instead of a day.
FILL = f"""
create table prices (coid char(8), mdate timestamptz, close_d numeric(14, 6), volume money);
insert into prices
select lpad(s::text, 4, '0'), (date '2019-01-01' + d)::timestamp at time zone 'Asia/Taipei',
       case when (s * 7 + d) % 97 = 0 then null else (10 + s % 500 + (d * 37 % 1000) / 100.0)::numeric(14, 6) end, 1
from generate_series(1, {SYMBOLS}) s, generate_series(0, {DAYS - 1}) d order by random();
"""


def expected_table() -> pa.Table:
    import datetime

    first = datetime.date(2019, 1, 1)
    days = [first + datetime.timedelta(days=d) for d in range(DAYS)]
    symbols, dates, closes = [], [], []
    for s in range(1, SYMBOLS + 1):
        symbols += [f"{s:04}"] * DAYS
        dates += days
        closes += [None if (s * 7 + d) % 97 == 0 else 10 + s % 500 + (d * 37 % 1000) / 100 for d in range(DAYS)]
    return pa.table({"symbol_id": symbols, "date": pa.array(dates, pa.date32()), "close_price": pa.array(closes, pa.float64())})


def main() -> int:
    driver = Path(importlib.util.find_spec("adbc_driver_postgresql").origin).parent / "libadbc_driver_postgresql.so"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(expected_table(), folder / "closes.parquet")
        tapeworks("sync", folder / "closes.parquet", "--data", folder / "file")
        server = PostgresServer("a password")
        try:
            server.execute(FILL)
            begin = time.monotonic()
            outcome = tapeworks("sync", f"adbc:{driver}?uri=${{PRICES_URI}}&table=prices", "--data", folder / "database",
                                "--memory", f"{MEMORY_MIB}MiB", "--stats", env={"PRICES_URI": server.uri("a%20password")})
            seconds = time.monotonic() - begin
        finally:
            server.remove()
        same = (folder / "file/price/close_prices.parquet").read_bytes() == (folder / "database/price/close_prices.parquet").read_bytes()
    print(f"{SYMBOLS * DAYS:,} closes in {seconds:.1f} s, peak {outcome.peak_memory_mib:.0f} MiB, {'the same' if same else 'OTHER'} closes as from Parquet")
    return 0 if same and outcome.peak_memory_mib <= MEMORY_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
