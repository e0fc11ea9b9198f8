"""Makes the columns of TPC-H lineitem that the comparison needs; runs as a child.

    python -m tapebench.lineitem dbgen OUT.parquet ROWS       dbgen itself, in the environment of requirements-tpch.txt
    python -m tapebench.lineitem likeness OUT.parquet ROWS    numpy, with the distributions of dbgen, where that is missing

Both write, in dbgen's order (by order key): l_shipdate date32 and l_shipdate_text (the same as ISO text, because a file
is named by a text), l_suppkey as text, l_extendedprice decimal(15,2), l_quantity and l_linenumber int64. ROWS is
reached to within a few rows by the scale factor (6,001,215 rows each).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_OF_SCALE_1 = 6_001_215
ROWS_A_STEP = 6_000_000
ROWS_A_GROUP = 1_000_000
SCHEMA = pa.schema([
    ("l_shipdate", pa.date32()), ("l_shipdate_text", pa.string()), ("l_suppkey", pa.string()),
    ("l_extendedprice", pa.decimal128(15, 2)), ("l_quantity", pa.int64()), ("l_linenumber", pa.int64()),
])
SQL_COLUMNS = """l_shipdate, CAST(l_shipdate AS VARCHAR) AS l_shipdate_text, CAST(l_suppkey AS VARCHAR) AS l_suppkey,
                 l_extendedprice, CAST(l_quantity AS BIGINT) AS l_quantity, CAST(l_linenumber AS BIGINT) AS l_linenumber"""


def dbgen_batches(rows: int) -> Iterator[pa.Table]:
    """Step by step, so that memory holds one step."""
    import duckdb
    import duckdb_extension_tpch

    extension = next(Path(duckdb_extension_tpch.__file__).parent.rglob("tpch.duckdb_extension"))
    steps = max(1, rows // ROWS_A_STEP)
    for step in range(steps):
        connection = duckdb.connect()
        connection.execute(f"LOAD '{extension}'")
        children = f", children = {steps}, step = {step}" if steps > 1 else ""
        connection.execute(f"CALL dbgen(sf = {rows / ROWS_OF_SCALE_1}{children})")
        yield connection.execute(f"SELECT {SQL_COLUMNS} FROM lineitem").to_arrow_table()
        connection.close()


def likeness_batches(rows: int) -> Iterator[pa.Table]:
    """Orders of 1 to 7 lines on 2,406 days, shipped 1 to 121 days later; one of four suppliers of a part."""
    import numpy as np

    scale = rows / ROWS_OF_SCALE_1
    parts, suppliers = max(1, round(200_000 * scale)), max(4, round(10_000 * scale))
    first_day = np.datetime64("1992-01-01", "D").astype(np.int32)
    random = np.random.Generator(np.random.PCG64(19920101))
    for begin in range(0, rows, ROWS_A_STEP):
        count = min(ROWS_A_STEP, rows - begin)
        lines = random.integers(1, 8, count)  # more orders than needed
        lines = lines[: np.searchsorted(np.cumsum(lines), count) + 1]
        order = np.repeat(np.arange(len(lines)), lines)[:count]
        number = (np.arange(count) - (np.cumsum(lines) - lines)[order]) + 1
        ordered = random.integers(0, 2_406, len(lines))
        shipped = first_day + ordered[order] + random.integers(1, 122, count)
        part = random.integers(1, parts + 1, count)
        corner = random.integers(0, 4, count)
        supplier = (part + corner * (suppliers // 4 + (part - 1) // suppliers)) % suppliers + 1
        quantity = random.integers(1, 51, count)
        cents = quantity * (90_000 + (part // 10) % 20_001 + 100 * (part % 1_000))
        days = pa.array(shipped.astype(np.int32)).cast(pa.date32())
        price = pa.array(cents).cast(pa.decimal128(19, 0))
        yield pa.table([days, days.cast(pa.string()), pa.array(supplier).cast(pa.string()),
                        pc.multiply(price, pa.scalar("0.01").cast(pa.decimal128(3, 2))).cast(pa.decimal128(15, 2)),
                        pa.array(quantity), pa.array(number)], schema=SCHEMA)


def main() -> None:
    source, target, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    batches = dbgen_batches(rows) if source == "dbgen" else likeness_batches(rows)
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        for table in batches:
            writer.write_table(table.cast(SCHEMA), row_group_size=ROWS_A_GROUP)


if __name__ == "__main__":
    main()
