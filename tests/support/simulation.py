"""Recordings in virtual time, each a function of its seed, judged by the ledger of what the exchanges sent."""

import json
import os
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from harness import BINARY, tapeworks
from recording import VENUES, Sent, judge, published_hashes, read_ledger, read_table

PROGRAM = Path(os.environ.get("TAPEWORKS_SIMULATION") or Path(BINARY).parent / "src/recorder/simulation/recording_simulation")

# A message takes up to 20 ms, as does the news of a cut, and clocks are exact (simulated_network.h).
SLACK_NS = 60_000_000


class LeftOutByRule:
    """What nobody has to have. Of samples: of several connections the active one counts. So what only another one was sent may be
    missing, and what came on the one before the other took over from it and on the other after that."""

    def __init__(self, out: Path, ledger: Path):
        events = read_table(out, "_events").filter(pl.col("event") == "leg_switch")
        self.switches = {venue: list(events.filter(pl.col("folder") == f"{exchange}_{market}")["receive_time"].dt.epoch("ns"))
                         for venue, (exchange, market, _) in VENUES.items()}
        self.alive: dict[tuple, list[int]] = {}
        self.silences: list[tuple] = []
        for line in ledger.read_text().splitlines():
            entry = json.loads(line)
            at = entry["sent_time"]
            until = at + entry.get("duration_ms", 0) * 1_000_000
            if entry.get("fault") == "silence":
                self.silences.append((entry["venue"], entry["connection"], at, until))
            # It was accepted before it was sent anything.
            key = entry["venue"], entry["connection"]
            first, last = self.alive.get(key, (at - SLACK_NS, until))
            self.alive[key] = [first, max(last, until)]
        self.sent_on = defaultdict(set)
        for entry in read_ledger(ledger):
            self.sent_on[entry.venue, entry.row].add(entry.connection)

    def __call__(self, entry: Sent) -> bool:
        is_sampled = entry.row[0] == "l5" or entry.row[0] == "book" and entry.venue.startswith("kucoin")
        # A leg that an exchange sends nothing but pings seems to cover its twin, and nobody can know better so soon.
        if any(venue == entry.venue and connection != entry.connection and begin <= entry.sent_ns <= end
               for venue, connection, begin, end in self.silences):
            return True
        if not is_sampled:
            return False
        if any(at - SLACK_NS <= entry.sent_ns <= at for at in self.switches[entry.venue]):
            return True
        on = self.sent_on[entry.venue, entry.row]
        return any(venue == entry.venue and connection not in on and first <= entry.sent_ns <= last
                   for (venue, connection), (first, last) in self.alive.items())


def simulate(seed: int, folder: Path) -> Counter:
    """Records in `folder`/`seed`; raises an AssertionError when a promise was broken."""
    done = subprocess.run([PROGRAM, folder, str(seed)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    said = json.loads(done.stdout)
    legs, layout, made = said.pop("legs"), said.pop("layout"), folder / str(seed)
    ledger = made / "ledger.jsonl"
    try:
        # The sampled streams of two legs are excused below, and only they: that is why this is told of one leg.
        counts = judge(made / "out", ledger, legs=1, slack_ns=SLACK_NS, may_be_missing=LeftOutByRule(made / "out", ledger))
        tapeworks("verify", "--recording", made / "out")
        tapeworks("replay", "--wal", made / "log", "--out", made / "again", "--layout", layout)
        assert published_hashes(made / "out") == published_hashes(made / "again"), "the replay has other bytes"
    except AssertionError as broken:
        raise AssertionError(f"seed {seed}, {legs} legs, layout {layout}: {broken}") from broken
    counts.update({key: value for key, value in said.items() if key != "seed"})
    return counts
