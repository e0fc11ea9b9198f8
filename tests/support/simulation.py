"""Recordings in virtual time, each a function of its seed, judged by the ledger of what the exchanges sent."""

import json
import os
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

from harness import BINARY, tapeworks
from recording import VENUES, Sent, judge, published_hashes, read_ledger, takeover_times

PROGRAM = Path(os.environ.get("TAPEWORKS_SIMULATION") or Path(BINARY).parent / "src/recorder/simulation/recording_simulation")


class SamplesOfStandby:
    """Which samples nobody has to have: of several connections the active one counts. So what only another one was sent may be
    missing, and what the standby had brought already when the active one was lost."""

    def __init__(self, out: Path, ledger: Path):
        self.takeovers = {venue: takeover_times(out, venue) for venue in VENUES}
        self.alive: dict[tuple, list[int]] = {}
        for line in ledger.read_text().splitlines():
            entry = json.loads(line)
            at = entry["sent_time"]
            until = at + entry.get("duration_ms", 0) * 1_000_000  # of a silence
            first, last = self.alive.get(key := (entry["venue"], entry["connection"]), (at, until))
            self.alive[key] = [first, max(last, until)]
        self.sent_on = defaultdict(set)
        for entry in read_ledger(ledger):
            self.sent_on[entry.venue, entry.row].add(entry.connection)

    def __call__(self, entry: Sent) -> bool:
        is_sampled = entry.row[0] == "l5" or entry.row[0] == "book" and entry.venue.startswith("kucoin")
        if not is_sampled:
            return False
        if any(begin <= entry.sent_ns <= end for begin, end in self.takeovers[entry.venue]):
            return True
        on = self.sent_on[entry.venue, entry.row]
        return any(venue == entry.venue and connection not in on and first <= entry.sent_ns <= last
                   for (venue, connection), (first, last) in self.alive.items())


def simulate(folder: Path, seed: int) -> Counter:
    """Records in `folder`/`seed`; raises an AssertionError when a promise was broken."""
    done = subprocess.run([PROGRAM, folder, str(seed)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    said = json.loads(done.stdout)
    legs, layout, made = said.pop("legs"), said.pop("layout"), folder / str(seed)
    ledger = made / "ledger.jsonl"
    try:
        counts = judge(made / "out", ledger, legs, may_be_missing=SamplesOfStandby(made / "out", ledger))
        tapeworks("verify", "--recording", made / "out")
        tapeworks("replay", "--wal", made / "log", "--out", made / "again", "--layout", layout)
        assert published_hashes(made / "out") == published_hashes(made / "again"), "the replay has other bytes"
    except AssertionError as broken:
        raise AssertionError(f"seed {seed}, {legs} legs, layout {layout}: {broken}") from broken
    counts.update({key: value for key, value in said.items() if key != "seed"})
    return counts
