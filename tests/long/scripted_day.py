"""A day and two hours of seven venues in minutes, by the clock of a script.

    TAPEWORKS_BINARY=build/dev/tapeworks .venv/bin/python tests/long/scripted_day.py [--speed 120] [--hours 26]

The binary must be a build with TAPEWORKS_TEST_CLOCK (the presets dev, asan, tsan). In it: the replacement of each connection before
its 24 hours, forced cuts, an expired token, a server that shuts down, hour and day changes, retention, and the wall clock set two
hours forwards and back. Nothing may be missing outside of recorded gaps, and a replay gives the same bytes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from scripted_day import Leap, has_scripted_clock, record_by_script  # noqa: E402

FAULTS = [
    {"at": "2h", "venue": "binance_spot", "fault": "day_cut"},
    {"at": "3h", "venue": "kucoin_spot", "fault": "expired_token", "count": 2},
    {"at": "3h", "venue": "kucoin_spot", "fault": "close", "code": 1001},
    {"at": "4h", "venue": "gate_futures", "fault": "server_shutdown", "duration": "60s"},
    {"at": "5h", "venue": "binance_usdm", "fault": "abort"},
    {"at": "10h", "venue": "kucoin_futures", "fault": "token_failure", "duration": "1s"},
    {"at": "10h", "venue": "kucoin_futures", "fault": "abort"},
    {"at": "15h", "venue": "gate_spot", "fault": "half_frame"},
    {"at": "24h", "fault": "day_cut"},
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", type=int, default=120)
    parser.add_argument("--hours", type=float, default=26)
    parser.add_argument("--rate", type=int, default=1500, help="messages a second of the real time")
    options = parser.parse_args()
    if not has_scripted_clock():
        print("this build has no scripted clock: NOTHING WAS TESTED")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        counts = record_by_script(Path(folder), options.hours, options.speed, options.rate, FAULTS, [Leap("6h", "2h"), Leap("9h", "-2h")],
                                  sections="[retention]\nhours = 6\nallow_delete = true\n")
    print(dict(counts))
    if options.hours > 24:
        assert counts["planned"] > 0 and counts["hours"] >= 26 and counts["hours_kept"] < 12, "the day was not a whole one"
    assert counts["clock_steps"] == 2 and counts["dropped"] == 0
    print(f"{counts['hours']} hours of {counts['days']} days, {counts['rows']:,} rows of {counts['sent']:,} sent, {counts['missing']:,} in {counts['gaps']} "
          "recorded gaps, none twice; the replay has the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
