"""Scripts for --clock: hours that change as often as a run wants. The clock runs at the machine's speed and only the wall clock
leaps, to ten seconds before the end of the hour, so that rates and latencies stay real.
"""

import time
from pathlib import Path

_BEGIN_OF_AN_HOUR = 1_772_402_400  # 2026-03-01 22:00:00 UTC; the second hour change is also one of the day
_AHEAD_SECONDS = 10
_FIRST_SHARE = 0.15  # in the first quarter, against which growth is measured


def change_times(seconds: float, changes: int) -> list[float]:
    """When the hour changes, in seconds since the start: evenly from _FIRST_SHARE of the run on."""
    first = _FIRST_SHARE * seconds
    return [first + (seconds - first) * k / changes for k in range(changes)]


def clock_script(changes: list[float], anchor: float) -> str:
    """Changes at least twice _AHEAD_SECONDS apart, and in less than an hour."""
    begin = _BEGIN_OF_AN_HOUR + 3600 - changes[0]
    lines = [f"begin {begin:.3f}", f"anchor {anchor:.3f}"]
    for last, change in zip(changes, changes[1:]):
        leap = 3600 - (change - last)
        lines.append(f"at {round((change - _AHEAD_SECONDS) * 1000)}ms wall {round(leap * 1000)}ms")
    return "\n".join(lines) + "\n"


def write_clocks(folder: Path, changes: list[float]) -> tuple[Path, Path]:
    """For the recorder, and for the exchanges: theirs never leaps, because they judge silence by the wall clock as real ones do."""
    anchor = time.time()
    recorder, exchanges = folder / "recorder.clock", folder / "exchanges.clock"
    recorder.write_text(clock_script(changes, anchor))
    exchanges.write_text(clock_script(changes[:1], anchor))
    return recorder, exchanges
