"""When something was lost, as a recording itself says: its tables of gaps and events, and the certificates of its files."""

import json
from functools import cached_property
from pathlib import Path

import polars as pl

from recorded_tables import VENUES, read_rows, read_table, rows_of

# A socket is closed, and its twin takes over, within so long before and after the event that says so.
BEFORE_NS, BEHIND_NS = 1_500_000_000, 500_000_000

# The end of what has not ended.
NEVER_NS = 1 << 62


def folder_of(venue: str) -> str:
    exchange, market, _ = VENUES[venue]
    return f"{exchange}_{market}"


def around(times: pl.Series) -> list[tuple[int, int]]:
    return [(at - BEFORE_NS, at + BEHIND_NS) for at in times]


class ToldLosses:
    """Each table is read once, when it is needed: the recording must not change any more. Times are nanoseconds, spans (from, to)."""

    def __init__(self, out: Path):
        self.out = out

    @cached_property
    def gap_rows(self) -> pl.DataFrame:
        return read_table(self.out, "_gaps")

    @cached_property
    def events(self) -> pl.DataFrame:
        return read_table(self.out, "_events").sort("lsn").with_columns(pl.col("receive_time").dt.epoch("ns"))

    @cached_property
    def received(self) -> pl.DataFrame:
        """When each row of the files was received."""
        return read_rows(self.out).select("exchange", "market", "transport", "lsn", "receive_time")

    @cached_property
    def open_gaps(self) -> dict[int, int]:
        """Since when connections have received nothing, as the certificates of published files say. A socket is closed some time after
        that, because what comes while it says good-bye is not taken any more. By the connection's number."""
        gaps = self.gap_rows
        over = set(gaps.select("connection", pl.col("from_time").dt.epoch("ns")).iter_rows()) if gaps.height else set()
        since = {}
        for file in self.out.glob("**/[0-2][0-9].parquet"):
            for gap in json.loads(pl.read_parquet_metadata(file).get("tapeworks.gaps", "[]")):
                if "from_time" not in gap or "to_time" in gap or gap["cause"] in ("subscribing", "silent"):
                    continue
                if (gap["connection"], gap["from_time"]) not in over:
                    since[gap["connection"]] = max(since.get(gap["connection"], 0), gap["from_time"])
        return since

    def events_of(self, venue: str, event: str) -> pl.DataFrame:
        return self.events.filter(pl.col("event") == event, pl.col("folder") == folder_of(venue))

    def gaps(self, venue: str, connection: int | None = None, sampled: bool = True) -> list[tuple[int, int]]:
        """When a venue's connections were down, as its gaps and the events of its end say: all of them (two venues of one market share
        their tables), or one by its number in the recording. Not `sampled`: without the gaps that concern sampled streams only."""
        spans = []
        if self.gap_rows.height:
            mine = self.gap_rows.filter(pl.col("folder") == folder_of(venue), pl.col("from_time").is_not_null(),
                                        connection is None or pl.col("connection").is_in([0, connection]),
                                        sampled or pl.col("cause") != "silent")
            spans += mine.select(pl.col("from_time").dt.epoch("ns"), pl.col("to_time").dt.epoch("ns")).iter_rows()
        return spans + [(at, NEVER_NS) for number, at in self.last_ends(venue).items() if connection in (None, number)]

    def last_ends(self, venue: str) -> dict[int, int]:
        """When connections ended that were not made again: the row of a gap is written when it ends. By the connection's number."""
        live, begun, ended = set(), {}, {}  # by connection; of live ones the leg, too
        for event, folder, connection, leg, lsn, at in self.events.select(
                "event", "folder", "connection", "leg", "lsn", "receive_time").iter_rows():
            if event in ("start", "stop"):
                # No process outlives its end. One that was killed could not say when that was, only what it had received.
                for each in {each for each, _ in live}:
                    ended[each] = at if event == "stop" else self.last_received(venue, lsn)
                live.clear()
            elif folder == folder_of(venue) and event == "connect":
                live.add((connection, leg))
                begun[connection] = at
                ended.pop(connection, None)
            elif folder == folder_of(venue) and event == "disconnect":
                live.discard((connection, leg))
                if not any(each == connection for each, _ in live):
                    ended[connection] = at
        for connection, since in self.open_gaps.items():
            if connection in ended and since >= begun.get(connection, 0):
                ended[connection] = min(ended[connection], since)
        return ended

    def last_received(self, venue: str, before_lsn: int) -> int:
        mine = self.events.filter(pl.col("folder") == folder_of(venue))
        tables = (rows_of(self.received, venue), mine)
        return max(table.filter(pl.col("lsn") < before_lsn)["receive_time"].max() or 0 for table in tables)

    def switches(self, venue: str) -> list[tuple[int, int]]:
        """When a leg gave way to another: what is sampled may have been under way on the one and come too early on the other."""
        return around(self.events_of(venue, "disconnect")["receive_time"])

    def takeovers(self, venue: str) -> list[tuple[int, int]]:
        """When a standby took over from a leg that was lost, whose last pushes it had brought already and nobody had taken."""
        return around(self.events_of(venue, "leg_switch").filter(pl.col("cause") == "lost")["receive_time"])

    def removals(self, venue: str) -> dict[str, list[tuple[int, int]]]:
        """From the wish that a symbol is recorded no more to the moment when that is so: its connection is being closed."""
        removed = self.events_of(venue, "symbol").filter(pl.col("cause") == "removed")
        return {symbol: around(times["receive_time"]) for (symbol,), times in removed.group_by("symbol")}
