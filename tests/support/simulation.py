"""Recordings in virtual time, each a function of its seed, judged by the ledger of what the exchanges sent."""

import json
import os
import subprocess
from bisect import bisect_right
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from harness import BINARY, tapeworks
from recorded_tables import VENUES, read_table
from recording import Sent, is_sampled, judge, published_hashes, read_ledger

PROGRAM = Path(os.environ.get("TAPEWORKS_SIMULATION") or Path(BINARY).parent / "src/recorder/simulation/recording_simulation")

# A message takes up to 20 ms, as does the news of a cut, and clocks are exact (simulated_network.h).
SLACK_NS = 60_000_000

# Who has brought nothing for longer while its twin spoke covers nothing (kBehindNsMax).
BEHIND_NS = 1_000_000_000


class Legs:
    """Which leg counts for samples at which time, as the events say; of one connection of the recorder."""

    def __init__(self, events: pl.DataFrame):
        active, live, answered = None, set(), set()
        # From when on, which leg is active, and which ones have been answered about all of their streams.
        self.times: list[tuple[int, int | None, frozenset]] = []
        for event, leg, cause, at in events.select("event", "leg", "cause", "receive_time").iter_rows():
            if event == "start":
                live, answered = set(), set()
            elif event == "connect":
                active = active if live else leg
                live.add(leg)
                answered.discard(leg)
            elif event == "disconnect":
                live.discard(leg)
                answered.discard(leg)
                active = 1 - leg if live else active
            elif event == "leg_switch":
                active = leg
            elif event == "notice" and cause == "answered":
                answered.add(leg)
            else:
                continue
            self.times.append((at, active, frozenset(answered)))

    def may_leave_out(self, sent_on: set[int], begin: int, end: int) -> bool:
        """Of samples that came in this time on these legs: whether another one was active then. One that has not been answered yet
        may not be active any more when one is that brings everything."""
        first = max(bisect_right(self.times, begin, key=lambda each: each[0]) - 1, 0)
        return any(active not in sent_on and (active in answered or not sent_on & answered)
                   for at, active, answered in self.times[first:] if at <= end)


class LeftOutByRule:
    """What nobody has to have. Of samples: of several connections the active one counts. So what only another one was sent may be
    missing, and what came on the one before the other took over from it and on the other after that."""

    def __init__(self, made: Path):
        events = read_table(made / "out", "_events").with_columns(pl.col("receive_time").dt.epoch("ns")).sort("lsn")

        def events_of(venue):
            exchange, market, _ = VENUES[venue]
            return events.filter((pl.col("folder") == f"{exchange}_{market}") | (pl.col("event") == "start"))

        def times(venue, event):
            return list(events_of(venue).filter(pl.col("event") == event)["receive_time"])

        self.switches = {venue: times(venue, "leg_switch") for venue in VENUES}
        names, self.leg_of, self.legs, self.numbers = {value: key for key, value in VENUES.items()}, {}, {}, {}
        for line in (made / "legs.jsonl").read_text().splitlines():
            socket = json.loads(line)
            venue = names[socket["exchange"], socket["market"], socket["transport"]]
            self.leg_of[venue, socket["connection"]] = socket["leg"]
            # A venue has so few symbols that one connection of the recorder takes them all.
            self.numbers[venue] = socket["number"]
            if venue not in self.legs:
                self.legs[venue] = Legs(events_of(venue).filter((pl.col("connection") == socket["number"]) | (pl.col("event") == "start")))
        self.silences: list[tuple] = []
        self.said = defaultdict(list)
        for line in (made / "ledger.jsonl").read_text().splitlines():
            entry = json.loads(line)
            at = entry["sent_time"]
            key = entry["venue"], entry["connection"]
            if entry.get("fault") == "silence":
                self.silences.append((*key, at, at + entry.get("duration_ms", 0) * 1_000_000))
            elif entry["kind"] != "fault":
                self.said[key].append(at)
        self.sent_on, self.rows_on = defaultdict(set), defaultdict(list)
        for entry in read_ledger(made / "ledger.jsonl"):
            self.sent_on[entry.venue, entry.row].add(entry.connection)
            self.rows_on[entry.venue, entry.connection].append(entry.sent_ns)

    def is_forgotten(self, entry: Sent, other: int) -> bool:
        """Whether the log shows that the other connection had been sent nothing for long while this one was."""
        rows = self.rows_on[entry.venue, entry.connection]
        heard = bisect_right(rows, entry.sent_ns - SLACK_NS)
        said = bisect_right(self.said[entry.venue, other], entry.sent_ns)
        return bool(heard and said) and rows[heard - 1] > self.said[entry.venue, other][said - 1] + BEHIND_NS + SLACK_NS

    def __call__(self, entry: Sent) -> bool:
        # A leg that an exchange sends nothing but pings seems to cover its twin at first.
        if any(venue == entry.venue and connection != entry.connection and begin <= entry.sent_ns <= end
               and not self.is_forgotten(entry, connection) for venue, connection, begin, end in self.silences):
            return True
        if not is_sampled(entry.venue, entry.row[0]):
            return False
        if any(at - SLACK_NS <= entry.sent_ns <= at for at in self.switches[entry.venue]):
            return True
        # Nothing of a connection that the log does not have became durable.
        sent_on = {self.leg_of[entry.venue, each] for each in self.sent_on[entry.venue, entry.row] if (entry.venue, each) in self.leg_of}
        legs = self.legs.get(entry.venue)
        return legs is not None and legs.may_leave_out(sent_on, entry.sent_ns, entry.sent_ns + SLACK_NS)


def simulate(seed: int, folder: Path) -> Counter:
    """Records in `folder`/`seed`; raises an AssertionError when a promise was broken."""
    done = subprocess.run([PROGRAM, folder, str(seed)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    said = json.loads(done.stdout)
    legs, layout, made = said.pop("legs"), said.pop("layout"), folder / str(seed)
    ledger = made / "ledger.jsonl"
    try:
        # The sampled streams of two legs are excused below, and only they: that is why this is told of one leg.
        rule = LeftOutByRule(made)
        counts = judge(made / "out", ledger, legs=1, slack_ns=SLACK_NS, may_be_missing=rule, connections=rule.numbers)
        tapeworks("verify", "--recording", made / "out", "--wal", made / "log")
        tapeworks("replay", "--wal", made / "log", "--out", made / "again", "--layout", layout)
        assert published_hashes(made / "out") == published_hashes(made / "again"), "the replay has other bytes"
    except AssertionError as broken:
        raise AssertionError(f"seed {seed}, {legs} legs, layout {layout}: {broken}") from broken
    counts.update({key: value for key, value in said.items() if key != "seed"})
    return counts
