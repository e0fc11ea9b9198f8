"""Writes an input again as another writer or with another compression would; runs as a child.

    python -m tapebench.rewrite write SOURCE TARGET VARIANT
    python -m tapebench.rewrite describe VARIANT        prints {"label", "naive_zone"}
    python -m tapebench.rewrite count SOURCE            prints the number of rows
    python -m tapebench.rewrite list                    prints the names of the variants

The rows and their order stay the same.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

TEXT_COLUMNS = ("symbol_id", "broker", "broker_name", "price")
ROWS_A_GROUP = 1_000_000


@dataclass(frozen=True)
class Variant:
    """One way to write the same rows."""

    label: str
    writer: str  # pyarrow, spark, polars, duckdb
    compression: str = "zstd"
    duckdb_version: str = "V1"  # of the data pages
    dictionary: bool = True  # False: every text is stored as such
    whole: bool = False  # one row group for all rows, made in memory

    @property
    def naive_zone(self) -> str:
        return "UTC" if self.writer == "spark" else ""  # INT96 carries no zone


def _variants() -> dict[str, Variant]:
    found = {}
    for compression in ("snappy", "zstd", "lz4", "none"):
        found[f"pyarrow-{compression}"] = Variant(f"pyarrow, {compression}", "pyarrow", compression)
        found[f"polars-{compression}"] = Variant(f"Polars, {compression}", "polars", compression)
    for version in ("v1", "v2"):
        for compression in ("snappy", "zstd"):
            found[f"duckdb-{version}-{compression}"] = Variant(
                f"DuckDB, {version} pages, {compression}", "duckdb", compression, duckdb_version=version.upper())
    found["spark-snappy"] = Variant("Spark-like (INT96, v1 pages), snappy", "spark", "snappy")
    found["plain-zstd"] = Variant("pyarrow, plain strings, zstd", "pyarrow", "zstd", dictionary=False)
    found["plain-none"] = Variant("pyarrow, plain strings, none", "pyarrow", "none", dictionary=False)
    found["one-row-group"] = Variant("pyarrow, one row group, zstd", "pyarrow", "zstd", whole=True)
    return found


VARIANTS = _variants()


def _pyarrow_options(variant: Variant) -> dict[str, object]:
    if variant.writer == "spark":
        return {"compression": variant.compression, "use_deprecated_int96_timestamps": True,
                "data_page_version": "1.0", "version": "1.0", "store_schema": False}
    return {"compression": variant.compression, "use_dictionary": variant.dictionary}


def _write_with_pyarrow(source: Path, target: Path, variant: Variant) -> None:
    import pyarrow.parquet as pq

    options = _pyarrow_options(variant)
    if variant.whole:
        table = pq.read_table(source, read_dictionary=list(TEXT_COLUMNS)).unify_dictionaries()
        pq.write_table(table, target, row_group_size=table.num_rows, dictionary_pagesize_limit=16 << 20, **options)
        return
    file = pq.ParquetFile(source)
    with pq.ParquetWriter(target, file.schema_arrow, **options) as writer:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group), row_group_size=ROWS_A_GROUP)


def _write_with_polars(source: Path, target: Path, variant: Variant) -> None:
    import polars as pl

    compression = {"none": "uncompressed"}.get(variant.compression, variant.compression)
    pl.scan_parquet(source).sink_parquet(target, compression=compression, engine="streaming", maintain_order=True)


def _write_with_duckdb(source: Path, target: Path, variant: Variant) -> None:
    import duckdb

    duckdb.sql("SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
    duckdb.sql(f"""COPY (FROM read_parquet('{source}')) TO '{target}'
                   (FORMAT parquet, COMPRESSION {variant.compression}, PARQUET_VERSION {variant.duckdb_version})""")


WRITERS = {"pyarrow": _write_with_pyarrow, "spark": _write_with_pyarrow, "polars": _write_with_polars,
           "duckdb": _write_with_duckdb}


def count_rows(source: Path) -> int:
    import pyarrow.parquet as pq

    files = [source] if source.is_file() else sorted(source.rglob("*.parquet"))
    return sum(pq.read_metadata(file).num_rows for file in files)


def main() -> None:
    verb, *rest = sys.argv[1:]
    if verb == "count":
        print(count_rows(Path(rest[0])))
    elif verb == "describe":
        variant = VARIANTS[rest[0]]
        print(json.dumps({"label": variant.label, "naive_zone": variant.naive_zone}))
    elif verb == "list":
        print("\n".join(VARIANTS))
    else:
        source, target, name = rest
        WRITERS[VARIANTS[name].writer](Path(source), Path(target), VARIANTS[name])


if __name__ == "__main__":
    main()
