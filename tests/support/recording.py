"""Recording from simulated exchanges, and judging the result by the ledger of what was sent.

The judge reads the Parquet files with Polars, which shares nothing with the program.
"""

import contextlib
import hashlib
import json
import re
import signal
import socket
import subprocess
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from exchange_client import Simulator
from harness import SANITIZERS, start, tapeworks

VENUES = {
    "binance_spot": ("binance", "spot", "json"),
    "binance_spot_sbe": ("binance", "spot", "sbe"),
    "binance_usdm": ("binance", "usdt_futures", "json"),
    "kucoin_spot": ("kucoin", "spot", "json"),
    "kucoin_futures": ("kucoin", "usdt_futures", "json"),
    "gate_spot": ("gate", "spot", "json"),
    "gate_futures": ("gate", "usdt_futures", "json"),
}

# What a row says about the market: all columns but those that the recorder adds.
COLUMNS = [
    "stream", "symbol", "event_time", "exchange_time", "sequence", "trade_id", "side", "price", "quantity", "quantity_unit",
    *(f"{side}_{what}_{level}" for level in range(1, 6) for side in ("bid", "ask") for what in ("price", "quantity")),
]

# Neither the program's nor the simulator's clock reading is at the very moment of the network's.
CLOCK_SLACK_NS = 250_000_000
# So many messages a second that none waits in a socket for longer than that.
RATE = "400/s" if SANITIZERS else "2000/s"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Exchanges(Simulator):
    """`simulate-exchange` in the background; `feeds` is the configuration that records all of it."""

    def __init__(self, folder: Path, *options, script: list[dict] = ()):
        super().__init__(folder, *options, script=script, rate=None)
        self.feeds, self.ledger = self.toml, self.ledger_file

    def stop(self) -> None:
        self.end()


def write_config(folder: Path, feeds: str, *, sections: str = "", output: str = "", wal: str = "") -> Path:
    """`output` and `wal` are further keys of these sections."""
    path = folder / "recorder.toml"
    path.write_text(f'[output]\ndir = "{folder / "out"}"\n{output}[wal]\ndir = "{folder / "log"}"\n{wal}'
                    f'[status]\ninterval = "500ms"\nformat = "json"\n{sections}\n{feeds}')
    return path


KEY = {"TAPEWORKS_BINANCE_SBE_KEY": "any"}


def record(config: Path, duration: str, *options, expect=0, timeout=300):
    return tapeworks("record", "--config", config, "--for", duration, *options, env=KEY, expect=expect, timeout=timeout)


def start_recording(config: Path, errors, *options, env=None) -> subprocess.Popen:
    return start("record", "--config", config, *options, env={**KEY, **(env or {})}, stdout=subprocess.DEVNULL, stderr=errors)


class Recording:
    """`record` in the background, whose configuration a test rewrites."""

    def __init__(self, folder, feeds, sections="", *, env=None, options=(), **keys):
        self.folder, self.sections = folder, sections
        self.errors_file = folder / "record.err"
        config = write_config(folder, feeds, sections=sections, **keys)
        with self.errors_file.open("w") as errors:
            self.process = start_recording(config, errors, *options, env=env)

    @property
    def errors(self) -> str:
        return self.errors_file.read_text()

    def _status_lines(self) -> list[str]:
        return [line for line in self.errors.splitlines() if line.startswith("{") and line.endswith("}")]

    def status(self) -> dict:
        lines = self._status_lines()
        return json.loads(lines[-1]) if lines else {}

    def statuses(self) -> list[dict]:
        return [json.loads(line) for line in self._status_lines()]

    def wait_for(self, holds, seconds=40):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.errors
            with contextlib.suppress(json.JSONDecodeError, KeyError):
                if holds(self):
                    return
            time.sleep(0.1)
        raise AssertionError(f"waited in vain: {self.errors[-2000:]}")

    def wait_live(self, count, events=0):
        self.wait_for(lambda r: r.status()["connected"] == r.status()["connections"] == count and r.status()["events"] > events)

    def reload(self, feeds, sections=None):
        write_config(self.folder, feeds, sections=self.sections if sections is None else sections)
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.errors
        assert "Sanitizer" not in self.errors, self.errors

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def with_symbols(feeds: str, symbols: list[str]) -> str:
    return re.sub(r"^symbols = .*$", lambda _: f"symbols = {json.dumps(symbols)}", feeds, flags=re.M)


@dataclass(frozen=True)
class Sent:
    """A row of the ledger."""

    venue: str
    connection: int
    kind: str
    sent_ns: int
    row: tuple


def row_of(values: dict) -> tuple:
    return tuple(values.get(name) for name in COLUMNS)


def read_ledger(path: Path) -> list[Sent]:
    found = []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] in ("event", "repeat"):
            found += [Sent(entry["venue"], entry["connection"], entry["kind"], entry["sent_time"], row_of(row))
                      for row in entry["rows"]]
    return found


def read_rows(out: Path, pattern: str = "**/[0-2][0-9].parquet") -> pl.DataFrame:
    """All published rows, times as nanoseconds."""
    files = sorted(out.glob(pattern))
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in files if not any(part.startswith("_") for part in file.parts)]
    if not frames:
        return pl.DataFrame()
    times = ["receive_time", "event_time", "exchange_time"]
    return pl.concat(frames).with_columns(*(pl.col(name).dt.epoch("ns") for name in times))


def read_table(out: Path, name: str) -> pl.DataFrame:
    files = sorted(out.glob(f"*/{name}/*.parquet")) + sorted(out.glob(f"{name}/*.parquet"))
    return pl.concat([pl.read_parquet(file).with_columns(folder=pl.lit(file.parts[-3])) for file in files]) if files else pl.DataFrame()


def rows_of(rows: pl.DataFrame, venue: str) -> pl.DataFrame:
    exchange, market, transport = VENUES[venue]
    return rows.filter(pl.col("exchange") == exchange, pl.col("market") == market, pl.col("transport") == transport)


def rows_by_venue(rows: pl.DataFrame) -> dict[str, Counter]:
    found = {venue: Counter() for venue in VENUES}
    names = {value: key for key, value in VENUES.items()}
    for row in rows.select("exchange", "market", "transport", *COLUMNS).iter_rows():
        found[names[row[:3]]][row[3:]] += 1
    return found


def is_sampled(venue: str, stream: str) -> bool:
    """Whether two connections may be sent different rows of it, so that only the active one's count."""
    return stream == "l5" or stream == "book" and venue.startswith("kucoin")


def gap_times(out: Path, venue: str, connection: int | None = None, sampled: bool = True) -> list[tuple[int, int]]:
    """When a venue's connections were down, as its gaps and the events of its end say: all of them (two venues of one market share
    their tables), or one by its number in the recording. Not `sampled`: without the gaps that concern sampled streams only."""
    exchange, market, _ = VENUES[venue]
    times = []
    gaps = read_table(out, "_gaps")
    if gaps.height:
        gaps = gaps.filter(pl.col("folder") == f"{exchange}_{market}", pl.col("from_time").is_not_null(),
                           connection is None or pl.col("connection").is_in([0, connection]),
                           sampled or pl.col("cause") != "silent")
        times += list(gaps.select(pl.col("from_time").dt.epoch("ns"), pl.col("to_time").dt.epoch("ns")).iter_rows())
    return times + [(at, 1 << 62) for number, at in last_ends(out, venue).items() if connection in (None, number)]


def open_gaps(out: Path) -> dict[int, int]:
    """Since when connections have received nothing, as the certificates of published files say. A socket is closed some time after
    that, because what comes while it says good-bye is not taken any more. By the connection's number."""
    gaps = read_table(out, "_gaps")
    over = set(gaps.select("connection", pl.col("from_time").dt.epoch("ns")).iter_rows()) if gaps.height else set()
    since = {}
    for file in out.glob("**/[0-2][0-9].parquet"):
        for gap in json.loads(pl.read_parquet_metadata(file).get("tapeworks.gaps", "[]")):
            if "from_time" not in gap or "to_time" in gap or gap["cause"] in ("subscribing", "silent"):
                continue
            if (gap["connection"], gap["from_time"]) not in over:
                since[gap["connection"]] = max(since.get(gap["connection"], 0), gap["from_time"])
    return since


def last_ends(out: Path, venue: str) -> dict[int, int]:
    """When connections ended that were not made again: the row of a gap is written when it ends. By the connection's number."""
    exchange, market, _ = VENUES[venue]
    events = read_table(out, "_events").sort("lsn").with_columns(pl.col("receive_time").dt.epoch("ns"))
    live, begun, ended = set(), {}, {}  # by connection; of live ones the leg, too
    for event, folder, connection, leg, lsn, at in events.select("event", "folder", "connection", "leg", "lsn", "receive_time").iter_rows():
        if event in ("start", "stop"):
            # No process outlives its end. One that was killed could not say when that was, only what it had received.
            for each in {each for each, _ in live}:
                ended[each] = at if event == "stop" else last_received(out, venue, events, lsn)
            live.clear()
        elif folder == f"{exchange}_{market}" and event == "connect":
            live.add((connection, leg))
            begun[connection] = at
            ended.pop(connection, None)
        elif folder == f"{exchange}_{market}" and event == "disconnect":
            live.discard((connection, leg))
            if not any(each == connection for each, _ in live):
                ended[connection] = at
    for connection, since in open_gaps(out).items():
        if connection in ended and since >= begun.get(connection, 0):
            ended[connection] = min(ended[connection], since)
    return ended


def last_received(out: Path, venue: str, events: pl.DataFrame, before_lsn: int) -> int:
    exchange, market, _ = VENUES[venue]
    rows = rows_of(read_rows(out), venue)
    mine = events.filter(pl.col("folder") == f"{exchange}_{market}")
    return max(table.filter(pl.col("lsn") < before_lsn)["receive_time"].max() or 0 for table in (rows, mine))


def switch_times(out: Path, venue: str) -> list[tuple[int, int]]:
    """When a leg gave way to another: what is sampled may have been under way on the one and come too early on the other."""
    exchange, market, _ = VENUES[venue]
    ends = read_table(out, "_events").filter(pl.col("event") == "disconnect", pl.col("folder") == f"{exchange}_{market}")
    return [(at - 1_500_000_000, at + 500_000_000) for at in ends["receive_time"].dt.epoch("ns")]


def takeover_times(out: Path, venue: str) -> list[tuple[int, int]]:
    """When a standby took over from a leg that was lost, whose last pushes it had brought already and nobody had taken."""
    exchange, market, _ = VENUES[venue]
    lost = read_table(out, "_events").filter(pl.col("event") == "leg_switch", pl.col("cause") == "lost", pl.col("folder") == f"{exchange}_{market}")
    return [(at - 1_500_000_000, at + 500_000_000) for at in lost["receive_time"].dt.epoch("ns")]


def removals(out: Path, venue: str) -> dict[str, list[tuple[int, int]]]:
    """From the wish that a symbol is recorded no more to the moment when that is so: its connection is being closed."""
    exchange, market, _ = VENUES[venue]
    events = read_table(out, "_events").filter(pl.col("event") == "symbol", pl.col("cause") == "removed", pl.col("folder") == f"{exchange}_{market}")
    times = {}
    for symbol, at in events.select("symbol", pl.col("receive_time").dt.epoch("ns")).iter_rows():
        times.setdefault(symbol, []).append((at - 1_500_000_000, at + 500_000_000))
    return times


def allowed_copies(mine: list[Sent]) -> Counter:
    """How often a snapshot may be recorded: as often as one connection was sent it. What a socket begins with stands for the last of the
    repeats that another one has brought, because it may be; so where that one brought some and the socket more behind its first, these
    are all of them less one. (Of three sockets that begin one after the other with the same push there may be more: not looked for.)"""
    copies, begins = defaultdict(Counter), {}
    for entry in mine:
        if entry.row[0] == "l5":
            copies[entry.row][entry.connection] += 1
            begins.setdefault((entry.connection, entry.row[1]), entry.row)
    allowed = Counter({row: max(counts.values()) for row, counts in copies.items()})
    for (connection, _), row in begins.items():
        for other, count in copies[row].items():
            if other != connection:
                allowed[row] = max(allowed[row], count + copies[row][connection] - 1)
    return allowed


def earliest_arrivals(mine: list[Sent], received: dict[tuple, int]) -> list[int]:
    """When each row could be received at the earliest: not before it was sent, nor before what its connection had brought until then,
    of which `received` has the times. On a machine with too much to do messages wait in their sockets. Of a row that was sent more than
    once nobody knows which copy was received."""
    latest, copies = Counter(), Counter(entry.row for entry in mine)
    arrivals = []
    for entry in mine:
        if copies[entry.row] == 1:
            latest[entry.connection] = max(latest[entry.connection], received.get(entry.row, 0))
        arrivals.append(max(entry.sent_ns, latest[entry.connection]))
    return arrivals


def receive_times(rows: pl.DataFrame) -> dict[tuple, int]:
    """By row; of one that was recorded several times the first. Not of what was fetched later."""
    found = {}
    for row in rows.filter(pl.col("source") == "live").sort("receive_time", descending=True).select("receive_time", *COLUMNS).iter_rows():
        found[row[1:]] = row[0]
    return found


def judge(out: Path, ledger: Path, legs: int = 1, slack_ns: int = CLOCK_SLACK_NS, may_be_missing=lambda entry: False,
          connections: dict[str, int] | None = None) -> Counter:
    """Every published row was sent, none is there twice, and what is missing lies in a recorded gap.

    `may_be_missing` says of a ledger's row (`Sent`) that the rules let it be left out without one; `connections`, which one of the
    recording a venue has, if it is only one: then gaps of others are none of its.
    """
    rows = read_rows(out)
    assert rows.height > 0, "nothing was published"
    assert rows.select(pl.struct("lsn", "frame_index").is_duplicated().any()).item() is False, "a key is there twice"
    recorded = rows_by_venue(rows)
    sent = read_ledger(ledger)
    counts = Counter(rows=rows.height, sent=len(sent))
    for venue in VENUES:
        mine = [entry for entry in sent if entry.venue == venue]
        sent_rows = {entry.row for entry in mine}
        allowed = allowed_copies(mine)
        invented = [row for row in recorded[venue] if row not in sent_rows]
        assert not invented, f"{venue}: {len(invented)} rows were never sent, e.g. {invented[0]}"
        for row, count in recorded[venue].items():
            # Snapshots are kept as often as they were sent, everything else once.
            most = allowed[row] if row[0] == "l5" else 1
            assert count <= most, f"{venue}: {count} times instead of {most}: {row}"
        switches = switch_times(out, venue) if legs == 2 else []
        number = (connections or {}).get(venue)
        gaps = {sampled: gap_times(out, venue, number, sampled) + switches for sampled in (True, False)}
        removed = removals(out, venue)
        arrivals = earliest_arrivals(mine, receive_times(rows_of(rows, venue)))
        missing = [(entry, arrival) for entry, arrival in zip(mine, arrivals, strict=True) if entry.row not in recorded[venue]]
        counts["missing"] += len(missing)
        for entry, arrival in missing:
            own = [*gaps[is_sampled(venue, entry.row[0])], *removed.get(entry.row[1], [])]
            assert may_be_missing(entry) or any(begin - slack_ns <= arrival <= end + slack_ns for begin, end in own), (
                f"{venue}, connection {entry.connection}: sent at {entry.sent_ns}, not received before {arrival} and lost outside of the "
                f"gaps {own}: {entry.row}")
    return counts


def published_hashes(out: Path) -> dict[str, str]:
    """SHA-256 of every published file, by relative path."""
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in out.glob("**/[0-2][0-9].parquet")}


def judge_and_replay(folder: Path, ledger: Path, legs: int = 1) -> Counter:
    """judge(), and what the program says of its own files and log."""
    counts = judge(folder / "out", ledger, legs)
    tapeworks("verify", "--recording", folder / "out", "--wal", folder / "log")
    tapeworks("replay", "--wal", folder / "log", "--out", folder / "again", timeout=3600)
    assert published_hashes(folder / "out") == published_hashes(folder / "again")
    return counts


def last_status(outcome) -> dict:
    return [json.loads(line) for line in outcome.stderr.splitlines() if line.startswith("{")][-1]

