#!/usr/bin/env python3
"""Measures the recorder: profile, throughput, latency; beside cryptofeed: cryptofeed; and draws what came out: report.

`bench/setup.sh` first, and a release build with the scripted clock; then for example

    bench/recorder.py profile --seconds 120 --hour-changes 1 --results build/bench/recorder-profile.json
    bench/recorder.py report build/bench/recorder-profile.json --docs docs

bench/README.md says what is measured and how.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tapebench.command_line import run_commands  # noqa: E402
from tapebench.commands import report  # noqa: E402
from tapebench.recorder import latency, profile, throughput, versus_cryptofeed  # noqa: E402

if __name__ == "__main__":
    commands = {"profile": profile, "throughput": throughput, "latency": latency, "cryptofeed": versus_cryptofeed, "report": report}
    sys.exit(run_commands(__doc__, commands))
