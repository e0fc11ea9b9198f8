"""Damages bytes of a small Parquet file and checks that `tapeworks etl` stays in control."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq

from harness import SANITIZERS, assert_clear_error, generations_folder, leftovers, tapeworks, transactions, tree_hash

# Sanitizers need several times the memory for the same work; the limit is tested in the other builds.
RESIDENT_LIMIT_BYTES = 512 * 1024 * 1024

ROWS = [(symbol, f"2023-01-{day:02}", broker, f"{price}.5", 10 * day, day)
        for symbol, price in (("2330", 1500), ("2317", 100)) for day in range(3, 9) for broker in ("1440", "9A00", "116b")]


def write_small_inputs(folder: Path) -> dict[str, Path]:
    """One small valid input per writer; together they have all page kinds and the common codecs."""
    table = transactions(ROWS)
    frame = pl.from_arrow(table)
    paths = {name: folder / f"{name}.parquet" for name in (
        "pyarrow", "pyarrow_v2", "pyarrow_plain", "pyarrow_uncompressed", "polars", "polars_uncompressed", "duckdb", "duckdb_v2")}
    pq.write_table(table, paths["pyarrow"])
    pq.write_table(table, paths["pyarrow_v2"], data_page_version="2.0", compression="zstd")
    pq.write_table(table, paths["pyarrow_plain"], use_dictionary=False, compression="none")
    pq.write_table(table, paths["pyarrow_uncompressed"], compression="none", dictionary_pagesize_limit=32, data_page_size=64)
    frame.write_parquet(paths["polars"])
    frame.write_parquet(paths["polars_uncompressed"], compression="uncompressed", data_page_size=64)
    with duckdb.connect() as connection:
        connection.register("input", table)
        connection.execute(f"COPY (FROM input) TO '{paths['duckdb']}' (FORMAT parquet)")
        connection.execute(f"COPY (FROM input) TO '{paths['duckdb_v2']}' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION uncompressed)")
    return paths


def check_stays_in_control(path: Path, data: Path) -> None:
    """etl of a damaged file publishes something whole, or says one sentence and publishes nothing."""
    outcome = tapeworks("etl", path, "--data", data, "--memory", "256MiB", "--threads", 2, expect=(0, 3), timeout=60)
    if outcome.exit_code == 3:
        # A flip in a count may make a sum overflow, which names its group: a sum has no single file.
        assert_clear_error(outcome, *([] if "do not fit" in outcome.error else [path.name]))
        assert not data.exists(), f"published something: {outcome}"
    assert not leftovers(data), f"left behind {leftovers(data)}: {outcome}"
    if not SANITIZERS:
        assert outcome.peak_resident_bytes <= RESIDENT_LIMIT_BYTES, f"took {outcome.peak_resident_bytes} bytes: {outcome}"


def flips(size: int, count: int | None, seed: int):
    """(position, mask) pairs: a seeded sample of `count`, or with None each byte with each of three masks."""
    everything = [(position, mask) for position in range(size) for mask in (0x01, 0x80, 0xFF)]
    return everything if count is None else random.Random(seed).sample(everything, min(count, len(everything)))


def check_flips(source: Path, folder: Path, count: int | None, seed: int, workers: int = 2) -> int:
    """Runs etl on copies of `source` with one byte changed; returns how many. Raises at the first bad end."""
    content = source.read_bytes()

    def check(flip):
        position, mask = flip
        damaged = bytearray(content)
        damaged[position] ^= mask
        name = f"{source.stem}_{position}_{mask:02x}"
        path = folder / f"{name}.parquet"
        path.write_bytes(damaged)
        data = folder / f"data_{name}"
        try:
            check_stays_in_control(path, data)
        except AssertionError as failure:
            raise AssertionError(f"byte {position} of {source.name} xor {mask:#04x} (seed {seed}): {failure}") from failure
        path.unlink()
        remove_data(data)

    chosen = flips(len(content), count, seed)
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(check, chosen):
            pass
    return len(chosen)


def check_checkpoint_flips(prepared, folder: Path, path: str, count: int, seed: int, workers: int = 2) -> int:
    """One byte of the checkpoint `path` changed: `run --incremental` warns and gives the bytes it gives without the change.

    `prepared` is a data directory and the arguments of that run but for --data. Returns how many flips were made, spread
    over the whole file. Raises at the first that has another end.
    """
    import shutil

    def copy_of(data: Path, name: str) -> Path:
        copy = folder / f"flip_{name}"
        shutil.copytree(generations_folder(data), generations_folder(copy))
        copy.symlink_to(Path(generations_folder(copy).name) / data.readlink().name)
        return copy

    data, arguments = prepared
    expected_data = copy_of(data, "none")
    tapeworks(*arguments, "--data", expected_data)
    expected = tree_hash(expected_data)
    remove_data(expected_data)
    content = (data / path).read_bytes()
    masks = random.Random(seed)

    def check(position):
        flipped = bytearray(content)
        flipped[position] ^= masks.randrange(1, 256)
        copy = copy_of(data, position)
        (copy / path).write_bytes(flipped)
        outcome = tapeworks(*arguments, "--data", copy)
        where = f"byte {position} of {path} (seed {seed})"
        assert "cannot be used" in outcome.stderr, f"{where}: no warning: {outcome}"
        assert tree_hash(copy) == expected, f"{where}: another result: {outcome}"
        remove_data(copy)

    positions = sorted({i * len(content) // count for i in range(count)})
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(check, positions):
            pass
    return len(positions)


def remove_data(data: Path) -> None:
    import shutil

    data.unlink(missing_ok=True)
    shutil.rmtree(generations_folder(data), ignore_errors=True)
