"""tapeworks replay, judged by DuckDB and Polars: a log that the test wrote itself, and the rows it must give."""

import json
import shutil
import struct
from datetime import datetime, timezone

import duckdb
import polars
import pyarrow.parquet as pq
import pytest
from harness import assert_clear_error, tapeworks
from wal_files import START, Segment, record

FRAME, HEARTBEAT, STOP, SUBSCRIPTION = 16, 17, 19, 22
BINANCE_SPOT, GATE_FUTURES, NO_SOURCE = 0, 6, 0xFFFF
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
BEGIN = 1_700_000_000 * SECOND // HOUR * HOUR  # 2023-11-14 22:00 UTC


class Log:
    """One segment, and the rows that its frames stand for."""

    def __init__(self):
        self.segment = Segment(1)
        self.lsn = 1
        self.time = BEGIN
        self.rows = []
        self._append(START, struct.pack("<QQ", 0, 0), 0)

    def _append(self, kind, payload, source):
        self.segment.append(record(self.lsn, payload, kind=kind, source=source, connection=1, wall=self.time), self.lsn)
        self.lsn += 1

    def event(self, kind, source=NO_SOURCE, **members):
        self._append(kind, json.dumps(members).encode() if members else b"", source)

    def trade(self, symbol, number, price, quantity):
        data = {"e": "trade", "E": self.time // 10**6, "s": symbol, "t": number, "p": price, "q": quantity,
                "T": self.time // 10**6, "m": number % 2 == 0, "M": True}
        self.rows.append({"lsn": self.lsn, "time": self.time, "symbol": symbol, "stream": "trade",
                          "trade_id": str(number), "price": float(price), "quantity": float(quantity),
                          "side": "sell" if number % 2 == 0 else "buy", "bid_price_1": None})
        frame = {"stream": f"{symbol.lower()}@trade", "data": data}
        self._append(FRAME, json.dumps(frame, ensure_ascii=False).encode(), BINANCE_SPOT)

    def book(self, symbol, update, bid):
        result = {"t": self.time // 10**6, "u": update, "s": symbol, "b": bid, "B": 3, "a": "9.5", "A": 4}
        self.rows.append({"lsn": self.lsn, "time": self.time, "symbol": symbol, "stream": "book", "trade_id": None,
                          "price": None, "quantity": None, "side": None, "bid_price_1": float(bid)})
        self._append(FRAME, json.dumps({"time": self.time // SECOND, "time_ms": self.time // 10**6,
                                        "channel": "futures.book_ticker", "event": "update",
                                        "result": result}).encode(), GATE_FUTURES)

    def write(self, folder):
        folder.mkdir()
        self.segment.write(folder)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay") / "wal"
    log = Log()
    log.event(SUBSCRIPTION, BINANCE_SPOT, stream="trade", symbols=["BTCUSDT", "币安人生USDT", "A/B"])
    for number in range(600):
        log.time += 11 * SECOND
        log.trade(("BTCUSDT", "币安人生USDT", "A/B")[number % 3], 100 + number // 3, f"{number}.25", "0.5")
        log.book("X_USDT", 1000 + number, f"0.{number + 1}")
    log.time += 2 * HOUR
    log.event(HEARTBEAT)
    log.event(STOP, cause="signal")
    log.write(folder)
    log.folder = folder
    return log


@pytest.fixture(scope="module")
def recording(log):
    out = log.folder.parent / "recording"
    summary, = tapeworks("replay", "--wal", log.folder, "--out", out).records()
    assert summary["rows"] == len(log.rows)
    assert (summary["missing_records"], summary["quarantined"]) == (0, 0)
    return out


def test_duckdb_finds_every_row_once_with_its_values(log, recording):
    found = duckdb.sql(f"""
        SELECT lsn, epoch_ns(receive_time) AS time, symbol, stream, trade_id, price, quantity, side, bid_price_1
        FROM read_parquet('{recording}/**/[0-2][0-9].parquet', hive_partitioning = false) ORDER BY lsn, frame_index""")
    rows = [dict(zip(found.columns, row)) for row in found.fetchall()]
    assert rows == log.rows


def one_hour(folder, prices):
    """A log with a trade a second, of these prices; none is a heartbeat."""
    log = Log()
    log.event(SUBSCRIPTION, BINANCE_SPOT, stream="trade", symbols=["BTCUSDT"])
    for number, price in enumerate(prices):
        log.time += SECOND
        if price is None:
            log.event(HEARTBEAT)
        else:
            log.trade("BTCUSDT", 100 + number, price, "1")
    log.event(STOP, cause="signal")
    log.write(folder)
    return folder


@pytest.mark.parametrize("received, said", [
    (["1.5", "2.5", "3.5"], None),
    (["1.5", "2.25", "3.5"], "other values"),
    (["1.5", "2.5", None], "the log gives 3 rows, the file has 2"),
    (["1.5", None, "3.5"], "the log gives 3 rows, the file has 2"),
], ids=["same", "value", "last", "middle"])
def test_verify_finds_where_files_are_not_what_the_log_gives(tmp_path, received, said):
    log = one_hour(tmp_path / "log", ["1.5", "2.5", "3.5"])
    tapeworks("replay", "--wal", one_hour(tmp_path / "other", received), "--out", tmp_path / "out")
    rows = tapeworks("verify", "--recording", tmp_path / "out", "--wal", log, expect=1 if said else 0).records()
    failed = [row["detail"] for row in rows if row["status"] == "failed"]
    if said:
        assert any(said in detail for detail in failed), rows
    else:
        assert not failed and {row["log"] for row in rows} == {"same"}


def test_a_damaged_file_is_set_aside_and_made_again(log, recording, tmp_path):
    out = shutil.copytree(recording, tmp_path / "out")
    path = min((out / "binance_spot").rglob("[0-2][0-9].parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    (listing,) = (out / "_manifest").rglob(f"{path.stem}.json")
    lists = listing.read_bytes()
    listing.write_bytes(lists[:-100])
    (out / "_manifest.json").write_text("{}")
    outcome = tapeworks("replay", "--wal", log.folder, "--out", out)
    for damaged in (path, listing, out / "_manifest.json"):
        assert str(damaged) in outcome.stderr
        assert (out / ".parts" / "set_aside" / (damaged.relative_to(out).as_posix() + ".damaged")).exists()
    assert path.read_bytes() == whole and listing.read_bytes() == lists
    tapeworks("verify", "--recording", out)


def test_awkward_symbols_have_files_of_their_own_and_come_back_as_they_were(tmp_path):
    symbols = ["BTC_USDT", "btc_USDT", "Btc_USDT", "币安人生_USDT", "A/B", "A%2FB", "..", ".", "_gaps", "a" * 300, "a" * 299 + "b",
               "/" * 300, "币" * 100, "sp ace", "x=1"]
    log = Log()
    for number, symbol in enumerate(symbols * 3):
        log.time += SECOND
        log.book(symbol, 1000 + number, f"0.{number + 1}")
    log.event(STOP, cause="signal")
    log.write(tmp_path / "wal")
    tapeworks("replay", "--wal", tmp_path / "wal", "--out", tmp_path / "out")
    files = [path for path in tmp_path.rglob("*.parquet") if not any(part.startswith("_") for part in path.relative_to(tmp_path).parts)]
    found = [set(pq.read_table(path, partitioning=None)["symbol"].to_pylist()) for path in files]
    assert sorted(found, key=str) == sorted(({symbol} for symbol in symbols), key=str)
    assert all(path.is_relative_to(tmp_path / "out" / "gate_usdt_futures") and len(path.relative_to(tmp_path).parts) == 5 for path in files)
    assert all(len(part.encode()) <= 255 for path in files for part in path.parts)


def test_polars_reads_the_same(log, recording):
    frame = polars.concat([polars.read_parquet(path, hive_partitioning=False)
                           for path in recording.rglob("[0-2][0-9].parquet")]).sort("lsn", "frame_index")
    assert frame["lsn"].to_list() == [row["lsn"] for row in log.rows]
    assert frame["trade_id"].to_list() == [row["trade_id"] for row in log.rows]
    assert frame.schema["receive_time"] == polars.Datetime("ns", "UTC")
    assert frame.schema["lsn"] == polars.UInt64


def test_each_row_lies_in_the_file_of_its_symbol_and_hour(recording):
    for path in recording.rglob("[0-2][0-9].parquet"):
        table = pq.read_table(path, partitioning=None)
        market, symbol, date, hour = path.relative_to(recording).with_suffix("").parts
        assert set(table["symbol"].to_pylist()) == {symbol.replace("%2F", "/")}
        assert {f"{e}_{m}" for e, m in zip(table["exchange"].to_pylist(), table["market"].to_pylist())} == {market}
        begin = datetime.fromisoformat(date).replace(hour=int(hour), tzinfo=timezone.utc).timestamp()
        seconds = [value // SECOND for value in table["receive_time"].cast("int64").to_pylist()]
        assert begin <= min(seconds) and max(seconds) < begin + 3600
        lsns = table["lsn"].to_pylist()
        assert lsns == sorted(lsns)


def test_the_manifest_lists_every_file_with_its_rows(recording):
    top = json.loads((recording / "_manifest.json").read_text())
    assert (top["format_version"], top["layout"]) == (1, "symbol")
    listed = {}
    for name in top["lists"]:
        for entry in json.loads((recording / "_manifest" / f"{name}.json").read_text())["files"]:
            listed[entry["path"]] = entry
    files = {path.relative_to(recording).as_posix(): path for path in recording.rglob("*.parquet")}
    assert listed.keys() == files.keys()
    for name, path in files.items():
        file = pq.ParquetFile(path)
        footer = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
        assert listed[name]["rows"] == file.metadata.num_rows == int(footer["tapeworks.rows"])
        assert listed[name]["bytes"] == path.stat().st_size
        assert listed[name]["row_xxh3"] == footer["tapeworks.row_xxh3"]
        assert len(path.stem) != 2 or footer["tapeworks.complete"] == "true"


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


def test_a_second_replay_gives_the_same_bytes(log, recording, tmp_path):
    tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "again", "--memory", "192MiB")
    assert contents(tmp_path / "again") == contents(recording)
    tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(recording)


def test_a_cut_is_marked_and_replaces_nothing(log, recording, tmp_path):
    middle = log.rows[500]["lsn"]
    summary, = tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "cut", "--from", middle).records()
    rows = pq.read_table(tmp_path / "cut/gate_usdt_futures/X_USDT/2023-11-14/22.parquet", partitioning=None)
    assert rows["lsn"].to_pylist()[0] >= middle
    metadata = pq.read_metadata(tmp_path / "cut/gate_usdt_futures/X_USDT/2023-11-14/22.parquet").metadata
    assert metadata[b"tapeworks.partial"] == b"true"
    assert (tmp_path / "cut/gate_usdt_futures/X_USDT/2023-11-14/23.parquet").read_bytes() == \
        (recording / "gate_usdt_futures/X_USDT/2023-11-14/23.parquet").read_bytes()

    tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "whole")
    before = contents(tmp_path / "whole")
    summary, = tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "whole", "--from", middle).records()
    assert summary["files_kept"] > 0
    after = contents(tmp_path / "whole")
    assert {name: after[name] for name in before if name.endswith(".parquet") and "/_" not in f"/{name}"} == \
        {name: before[name] for name in before if name.endswith(".parquet") and "/_" not in f"/{name}"}


@pytest.mark.parametrize("layout,path", [("market", "binance_spot/2023-11-14/22.parquet"),
                                         ("exchange", "binance/2023-11-14/22.parquet")])
def test_the_other_layouts_hold_the_same_rows(log, tmp_path, layout, path):
    tapeworks("replay", "--wal", log.folder, "--out", tmp_path / layout, "--layout", layout)
    lsns = pq.read_table(tmp_path / layout / path, partitioning=None)["lsn"].to_pylist()
    end = BEGIN + HOUR
    assert lsns == [row["lsn"] for row in log.rows if row["stream"] == "trade" and row["time"] < end]
    again, = tapeworks("replay", "--wal", log.folder, "--out", tmp_path / layout).records()
    assert again["files"] > 0, "in the layout that is there"
    outcome = tapeworks("replay", "--wal", log.folder, "--out", tmp_path / layout, "--layout", "symbol", expect=2)
    assert_clear_error(outcome, layout, "symbol")


def test_a_damaged_log_is_warned_of_and_the_hole_recorded(log, tmp_path):
    (tmp_path / "wal").mkdir()
    source, = log.folder.glob("*.wal")
    content = bytearray(source.read_bytes())
    content[3 * 32768 + 100] ^= 1
    (tmp_path / "wal" / source.name).write_bytes(content)
    outcome = tapeworks("replay", "--wal", tmp_path / "wal", "--out", tmp_path / "out")
    lost = outcome.records()[0]["missing_records"]
    assert lost > 0
    assert f"lost {lost} records" in outcome.stderr
    gaps = pq.read_table(tmp_path / "out/_gaps/2023-11-14.parquet", partitioning=None)
    assert gaps["cause"].to_pylist() == ["log_damage"]
    assert gaps["missing_count"].to_pylist() == [lost]


def test_wrong_usage_says_what_is_wrong(log, tmp_path):
    outcome = tapeworks("replay", "--wal", tmp_path / "none", "--out", tmp_path / "out", expect=2)
    assert_clear_error(outcome, "none")
    outcome = tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "out", "--from", 9, "--to", 3, expect=2)
    assert_clear_error(outcome, "--to 3", "--from 9")
    outcome = tapeworks("replay", "--wal", log.folder, "--out", tmp_path / "out", "--layout", "year", expect=2)
    assert_clear_error(outcome, "year", "market")
    assert not (tmp_path / "out").exists()
