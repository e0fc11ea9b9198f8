"""What the judges of recordings let be recorded more than once, and when they say that something was lost."""

import json

import duckdb
import polars as pl
import pytest
from fault_injection import Fault, assert_never_synced_again
from load_judge import make_allowed
from recording import Sent, allowed_copies, earliest_arrivals
from told_losses import ToldLosses

# What was sent, in order: connection and snapshot; and how often the snapshot `s` may be recorded.
SENT_AND_ALLOWED = [
    ("once on each of two sockets", [(1, "a"), (1, "s"), (2, "s")], 1),
    ("twice on each, and the second one begins with it", [(1, "a"), (1, "s"), (1, "s"), (2, "s"), (2, "s")], 3),
    ("the second one alone brings it twice", [(1, "a"), (1, "s"), (2, "s"), (2, "s")], 2),
    ("the first one alone brings it twice", [(1, "a"), (1, "s"), (1, "s"), (2, "s")], 2),
    ("twice on each, and neither begins with it", [(1, "a"), (1, "s"), (1, "s"), (2, "a"), (2, "s"), (2, "s")], 2),
    ("twice on the only socket", [(1, "s"), (1, "s")], 2),
]


@pytest.mark.parametrize("sent, allowed", [case[1:] for case in SENT_AND_ALLOWED], ids=[case[0] for case in SENT_AND_ALLOWED])
def test_repeated_snapshots_around_the_begin_of_a_socket(sent, allowed):
    rows = [Sent("venue", connection, "event", time, ("l5", "BTCUSDT", name)) for time, (connection, name) in enumerate(sent)]
    assert allowed_copies(rows)["l5", "BTCUSDT", "s"] == allowed

    database = duckdb.connect()
    database.execute("CREATE TABLE mine (connection UBIGINT, stream VARCHAR, symbol VARCHAR, sent_time BIGINT, row_hash VARCHAR)")
    database.executemany("INSERT INTO mine VALUES (?, 'l5', 'BTCUSDT', ?, ?)", [(row.connection, row.sent_ns, row.row[2]) for row in rows])
    make_allowed(database)
    assert database.execute("SELECT copies FROM allowed WHERE row_hash = 's'").fetchone() == (allowed,)


def test_what_waited_in_its_socket_was_not_lost_before_what_the_socket_had_brought():
    sent = [Sent("venue", connection, "event", at, (name,)) for connection, at, name in
            [(1, 10, "brought late"), (2, 11, "brought"), (1, 12, "lost"), (2, 13, "lost too"), (1, 90, "lost later")]]
    assert earliest_arrivals(sent, {("brought late",): 50, ("brought",): 12}) == [50, 12, 50, 13, 90]


def test_a_row_that_two_connections_were_sent_says_nothing_of_either():
    sent = [Sent("venue", connection, "event", at, (name,)) for connection, at, name in [(1, 10, "twice"), (1, 11, "lost"), (2, 50, "twice")]]
    assert earliest_arrivals(sent, {("twice",): 51}) == [10, 11, 50]


def test_what_was_received_before_the_clock_was_set_back_delays_nothing_behind_it():
    sent = [Sent("venue", 1, "event", at, (name,)) for at, name in [(10, "before"), (20, "lost before"), (30, "behind"), (40, "lost behind")]]
    assert earliest_arrivals(sent, {("before",): 110, ("behind",): 30}) == [110, 110, 30, 40]


def write_hour(folder, name, gaps):
    pl.DataFrame({"lsn": [1]}).write_parquet(folder / name, metadata={"tapeworks.gaps": json.dumps(gaps)})


def test_only_what_no_row_of_gaps_ends_and_lasts_is_an_open_gap(tmp_path):
    write_hour(tmp_path, "07.parquet", [{"cause": "stopped", "connection": 1, "from_time": 100}, {"cause": "stopped", "connection": 3, "from_time": 1}])
    write_hour(tmp_path, "08.parquet", [
        {"cause": "stopped", "connection": 1, "from_time": 500}, {"cause": "reconnect", "connection": 1, "to_time": 600},
        {"cause": "disconnect", "connection": 1, "from_time": 700, "to_time": 800},
        {"cause": "subscribing", "connection": 2, "from_time": 300}, {"cause": "silent", "connection": 2, "from_time": 300}])
    (tmp_path / "binance_spot" / "_gaps").mkdir(parents=True)
    times = pl.Series([1], dtype=pl.Datetime("ns"))
    pl.DataFrame({"connection": [3], "from_time": times}).write_parquet(tmp_path / "binance_spot" / "_gaps" / "2026-11-23.parquet")
    assert ToldLosses(tmp_path).open_gaps == {1: 500}


FAILED_SYNC = "1 fdatasync(5</log/1.wal>) = -1 {} (INJECTED)"
SYNC, ROOM = "1 fdatasync(5</log/1.wal>) = 0", "1 fallocate(5</log/1.wal>, 0, 0, 65536) = 0"


@pytest.mark.parametrize("kind, later, is_broken", [
    ("EIO", [], False),
    ("EIO", [SYNC], True),
    ("EIO", [ROOM, SYNC], True),
    ("ENOSPC", [SYNC], True),
    ("ENOSPC", [ROOM, SYNC], False),
    ("ENOSPC", [SYNC, ROOM, SYNC], True),
    ("ENOSPC", ["2 fdatasync(6</out/merge>) = -1 ENOSPC (INJECTED)", "2 fdatasync(6</out/merge>) = 0"], False),
    ("EIO", ["2 fdatasync(6</out/merge>) = -1 EIO (INJECTED)", "2 fdatasync(6</out/merge>) = 0"], True),
])
def test_a_file_whose_sync_failed_may_only_be_synced_again_when_it_was_made_anew_for_want_of_room(kind, later, is_broken):
    trace = "\n".join([SYNC.replace("1.wal", "0.wal"), FAILED_SYNC.format(kind), *later])
    fault = Fault("fdatasync", kind, 1)
    if is_broken:
        with pytest.raises(AssertionError):
            assert_never_synced_again(fault, trace)
    else:
        assert_never_synced_again(fault, trace)
