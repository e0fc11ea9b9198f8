"""Recording by the clock of a script: hours and days pass in minutes, and the wall clock leaps.

Exchanges and recorder share the speed; only the recorder's wall clock is set forwards and backwards.
"""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from harness import tapeworks
from recorded_tables import read_table
from recording import Exchanges, judge, last_status, published_hashes, record, write_config

BEGIN = 1_772_404_200  # 2026-03-01 22:30:00 UTC: the day changes after an hour and a half


@dataclass(frozen=True)
class Leap:
    at: str
    wall: str


def has_scripted_clock() -> bool:
    return "--clock" in tapeworks("record", "--help").stdout


def write_clock(path: Path, anchor: float, speed: int, leaps: list[Leap], begin: int = BEGIN) -> Path:
    lines = [f"begin {begin}", f"anchor {anchor:.3f}", f"speed {speed}", *(f"at {leap.at} wall {leap.wall}" for leap in leaps)]
    path.write_text("\n".join(lines) + "\n")
    return path


def hours_of(files: dict[str, str]) -> set[tuple[str, str]]:
    """Day and hour of published files, by their names."""
    return {tuple(name.split("/")[-2:]) for name in files}


def record_by_script(folder: Path, hours: float, speed: int, rate: int, faults: list[dict], leaps: list[Leap], sections: str = "", feed: str = "",
                     symbols: int = 2) -> Counter:
    """Asserts that nothing is missing without a reason; returns what was judged. `rate` is messages a second of the real time."""
    anchor = time.time()
    exchange_clock = write_clock(folder / "exchange.clock", anchor, speed, [])
    recorder_clock = write_clock(folder / "recorder.clock", anchor, speed, leaps)
    with Exchanges(folder, "--symbols", str(symbols), "--rate", f"{max(rate // speed, 1)}/s", "--clock", f"script:{exchange_clock}", script=faults) as exchanges:
        feeds = exchanges.feeds.replace("[[feed]]", f"[[feed]]\n{feed}")
        config = write_config(folder, feeds, sections=sections)
        config.write_text(re.sub(r'interval = "500ms"', 'interval = "10m"', config.read_text()).replace("[wal]", '[wal]\nkeep = "1000h"'))
        outcome = record(config, f"{hours}h", "--clock", f"script:{recorder_clock}", timeout=hours * 3600 / speed + 300)
        exchanges.stop()
    assert "THE TIME IS NOT REAL" in outcome.stderr
    # Retention may have deleted hours; the log has them all.
    tapeworks("replay", "--wal", folder / "log", "--out", folder / "again", timeout=3600)
    mine, again = published_hashes(folder / "out"), published_hashes(folder / "again")
    assert mine.items() <= again.items(), "the replay has other bytes"
    counts = judge(folder / "again", exchanges.ledger, slack_ns=speed * 1_000_000_000)
    tapeworks("verify", "--recording", folder / "out", "--wal", folder / "log")
    counts["hours"], counts["hours_kept"] = len(hours_of(again)), len(hours_of(mine))
    events = read_table(folder / "again", "_events")
    counts["clock_steps"] = events.filter(pl.col("event") == "clock_step").height
    counts["switches"] = events.filter(pl.col("event") == "leg_switch").height
    counts["planned"] = events.filter(pl.col("event") == "leg_switch", pl.col("cause") == "planned").height
    counts["days"] = len({day for day, _ in hours_of(again)})
    counts["connects"] = events.filter(pl.col("event") == "connect").height
    counts["gaps"] = read_table(folder / "again", "_gaps").height
    counts["dropped"] = last_status(outcome)["dropped_total"]
    return counts
