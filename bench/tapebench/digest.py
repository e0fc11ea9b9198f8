"""Condenses an output so that two outputs can be compared after the first one was deleted; runs as a child.

    python -m tapebench.digest OUTPUT DIGEST.json SAMPLE.parquet SAMPLE_SYMBOLS

DIGEST.json: for every symbol its rows and the sums of the four number columns, over all files; whether the files of
the sample are sorted by broker and date, and how many symbols have more than one file. SAMPLE.parquet: all rows of
SAMPLE_SYMBOLS symbols. Memory: one symbol, and the sample.
"""

import json
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tapebench.jobs import OUTPUT_COLUMNS
from tapebench.outputs import symbol_files

NUMBER_COLUMNS = OUTPUT_COLUMNS[2:]
SAMPLE_SCHEMA = pa.schema([
    ("symbol", pa.string()), ("broker", pa.string()), ("date", pa.date32()), ("buy_shares", pa.int64()),
    ("sell_shares", pa.int64()), ("buy_amount", pa.float64()), ("sell_amount", pa.float64()),
])


def sample_of(symbols: list[str], count: int) -> set[str]:
    """The same symbols for every output: those whose checksums are lowest."""
    return set(sorted(symbols, key=lambda symbol: (zlib.crc32(symbol.encode()), symbol))[:count])


def sums_of(files: list[Path]) -> list[float]:
    """[rows, sum of buy_shares, ...]; shares exact, amounts in float64."""
    sums = [0, 0, 0, 0.0, 0.0]
    for path in files:
        table = pq.ParquetFile(path).read(columns=list(NUMBER_COLUMNS))
        sums[0] += table.num_rows
        for place, name in enumerate(NUMBER_COLUMNS, start=1):
            wide = pa.float64() if name.endswith("amount") else pa.int64()
            sums[place] += pc.sum(table[name].cast(wide)).as_py() or 0
    return sums


def rows_of(symbol: str, files: list[Path]) -> pa.Table:
    """The rows of one symbol in the order of its files."""
    parts = []
    for path in files:
        table = pq.ParquetFile(path).read(columns=list(OUTPUT_COLUMNS))
        named = table.add_column(0, "symbol", pa.repeat(symbol, table.num_rows))
        parts.append(pa.table([_plain(column).cast(field.type) for column, field in
                               zip(named.select(SAMPLE_SCHEMA.names).columns, SAMPLE_SCHEMA)], schema=SAMPLE_SCHEMA))
    return pa.concat_tables(parts)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def in_order(table: pa.Table) -> pa.Table:
    return table.sort_by([("symbol", "ascending"), ("broker", "ascending"), ("date", "ascending")])


def digest(folder: Path, sample_path: Path, sample_symbols: int) -> dict[str, object]:
    files = symbol_files(folder)
    sample = sample_of(list(files), sample_symbols)
    unsorted_symbols = []
    with pq.ParquetWriter(sample_path, SAMPLE_SCHEMA) as writer:
        for symbol in sorted(sample):
            as_written = rows_of(symbol, files[symbol])
            sorted_rows = in_order(as_written)
            if not as_written.equals(sorted_rows):
                unsorted_symbols.append(symbol)
            writer.write_table(sorted_rows)
    return {
        "symbols": {symbol: sums_of(paths) for symbol, paths in files.items()},
        "files": sum(map(len, files.values())),
        "symbols_in_many_files": sum(len(paths) > 1 for paths in files.values()),
        "unsorted_symbols": unsorted_symbols,
        "sample_symbols": sorted(sample),
    }


def main() -> None:
    folder, digest_path, sample_path, count = sys.argv[1:]
    Path(digest_path).write_text(json.dumps(digest(Path(folder), Path(sample_path), int(count))))


if __name__ == "__main__":
    main()
