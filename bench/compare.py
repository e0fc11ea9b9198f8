#!/usr/bin/env python3
"""Runs tapeworks and its peers side by side: etl, pnl, increment, growth, formats, tpch; and draws what came out: report.

`bench/setup.sh` first; then for example

    bench/compare.py etl --rows 10M --results build/bench/etl.json
    bench/compare.py report build/bench/etl.json --docs docs

bench/README.md says what is measured and how.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tapebench.command_line import run_commands  # noqa: E402
from tapebench.commands import etl, formats, growth, increment, pnl, report, tpch  # noqa: E402
from tapebench.contenders import CONTENDERS  # noqa: E402

COMMANDS = {"etl": etl, "pnl": pnl, "increment": increment, "growth": growth, "formats": formats, "tpch": tpch, "report": report}


def add_list_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="name the contenders and end")


def list_contenders(options: argparse.Namespace) -> None:
    if options.list:
        print("\n".join(f"{contender.name:<18} {contender.title}" for contender in CONTENDERS.values()))
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(run_commands(__doc__, COMMANDS, add_list_option, list_contenders))
