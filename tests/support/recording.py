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
from recorded_tables import VENUES, read_rows, rows_of
from told_losses import ToldLosses

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


def rows_by_venue(rows: pl.DataFrame) -> dict[str, Counter]:
    found = {venue: Counter() for venue in VENUES}
    names = {value: key for key, value in VENUES.items()}
    for row in rows.select("exchange", "market", "transport", *COLUMNS).iter_rows():
        found[names[row[:3]]][row[3:]] += 1
    return found


def is_sampled(venue: str, stream: str) -> bool:
    """Whether two connections may be sent different rows of it, so that only the active one's count."""
    return stream == "l5" or stream == "book" and venue.startswith("kucoin")


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
    of which `received` has the times: the last of them, which is not the latest where the wall clock was set back. On a machine with too
    much to do messages wait in their sockets. Of a row that was sent more than once nobody knows which copy was received."""
    last, copies = Counter(), Counter(entry.row for entry in mine)
    arrivals = []
    for entry in mine:
        if copies[entry.row] == 1:
            last[entry.connection] = received.get(entry.row, last[entry.connection])
        arrivals.append(max(entry.sent_ns, last[entry.connection]))
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
    told = ToldLosses(out)
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
        switches = told.switches(venue) if legs == 2 else []
        number = (connections or {}).get(venue)
        gaps = {sampled: told.gaps(venue, number, sampled) + switches for sampled in (True, False)}
        removed = told.removals(venue)
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

