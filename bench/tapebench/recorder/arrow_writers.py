"""What the recorder is compared with: a Parquet writer of Arrow held open for every symbol. Runs as a child.

    python -m tapebench.recorder.arrow_writers FOLDER SYMBOLS ROWS_PER_SECOND SECONDS ACTIVITY_RANGE CHANGES

Rows with the columns of a recording come at the rate of the load, spread over the symbols as simulate-exchange spreads them, and
stay in memory until a symbol has 5,000: then they are one row group of its file. At each of CHANGES (seconds, separated by commas)
every file is closed and another one begun. Nothing is received, decoded or synced. Prints READY when the first row is due.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 5_000
TICK_SECONDS = 0.25
POOL_ROWS = 20_000
_TIMES = ("receive_time", "event_time", "exchange_time")
_WORDS = {"exchange": "binance", "market": "spot", "symbol": "BTCUSDT", "stream": "book", "transport": "json", "source": "live", "side": "buy",
          "quantity_unit": "base"}
_LEVELS = [f"{side}_{what}_{level}" for level in range(1, 6) for side in ("bid", "ask") for what in ("price", "quantity")]


def rows(random: np.random.Generator, count: int) -> pa.RecordBatch:
    """Made-up rows of a third each of best bid and ask, five levels and trades."""
    kind = random.integers(0, 3, count)
    columns: dict[str, pa.Array] = {"lsn": pa.array(np.arange(count, dtype=np.uint64)), "frame_index": pa.array(np.zeros(count, np.int32))}
    now = time.time_ns()
    for name in _TIMES:
        columns[name] = pa.array(now + np.arange(count) * 50_000, pa.timestamp("ns", "UTC"))
    for name, word in _WORDS.items():
        columns[name] = pa.array([word] * count)
    columns["leg"] = pa.array(np.zeros(count, np.int32))
    columns["sequence"] = pa.array(np.arange(count) * 7)
    columns["trade_id"] = pa.array([str(number) for number in range(count)])
    columns["price"] = pa.array(random.random(count) * 1e5, mask=kind != 2)
    columns["quantity"] = pa.array(random.random(count), mask=kind != 2)
    for name in _LEVELS:
        missing = (kind == 2) if name.endswith("_1") else (kind != 1)
        columns[name] = pa.array(np.round(random.random(count) * 1e5, 2), mask=missing)
    columns["flags"] = pa.array(np.zeros(count, np.int32))
    columns["raw"] = pa.nulls(count, pa.string())
    return pa.RecordBatch.from_pydict(columns)


class SymbolWriter:
    """One open file, and the rows that are not yet a row group."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self.folder, self.name, self.schema, self.hour = folder, name, schema, 0
        self.waiting: list[pa.RecordBatch] = []
        self.waiting_rows = 0
        self.open()

    def open(self) -> None:
        self.writer = pq.ParquetWriter(self.folder / f"{self.name}-{self.hour:02}.parquet", self.schema, compression="zstd")

    def append(self, batch: pa.RecordBatch) -> None:
        self.waiting.append(batch)
        self.waiting_rows += batch.num_rows
        if self.waiting_rows >= ROW_GROUP_ROWS:
            self.write()

    def write(self) -> None:
        if self.waiting_rows:
            self.writer.write_table(pa.Table.from_batches(self.waiting), row_group_size=ROW_GROUP_ROWS)
        self.waiting, self.waiting_rows = [], 0

    def close(self) -> None:
        self.write()
        self.writer.close()

    def change_hour(self) -> None:
        self.close()
        self.hour += 1
        self.open()


def shares_of(symbols: int, activity_range: float) -> np.ndarray:
    """Of the messages, by symbol: each of three exchanges has a third of the symbols, from busy to quiet."""
    place = (np.arange(symbols) // 3) / max(symbols // 3 - 1, 1)
    weights = activity_range ** -np.minimum(place, 1.0)
    return weights / weights.sum()


def main() -> None:
    folder, symbols, rate, seconds, activity_range = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
    changes = [float(text) for text in sys.argv[6].split(",") if text]
    random = np.random.default_rng(1)
    shares = shares_of(symbols, activity_range)
    pool = rows(random, POOL_ROWS)
    writers = [SymbolWriter(folder, f"s{number:04}", pool.schema) for number in range(symbols)]
    print("READY", flush=True)
    begin, due = time.monotonic(), 0.0
    while due < seconds:
        due += TICK_SECONDS
        time.sleep(max(0.0, begin + due - time.monotonic()))
        for writer, count in zip(writers, random.multinomial(round(rate * TICK_SECONDS), shares)):
            if count:
                # take() copies: a slice would share the memory of the pool.
                first = random.integers(0, POOL_ROWS)
                writer.append(pool.take(pa.array((first + np.arange(count)) % POOL_ROWS)))
        if changes and due >= changes[0]:
            changes.pop(0)
            for writer in writers:
                writer.change_hour()
    for writer in writers:
        writer.close()


if __name__ == "__main__":
    main()
