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

from tapebench.commands import etl, formats, growth, increment, pnl, report, tpch  # noqa: E402
from tapebench.contenders import CONTENDERS  # noqa: E402
from tapebench.places import BenchError  # noqa: E402

COMMANDS = {"etl": etl, "pnl": pnl, "increment": increment, "growth": growth, "formats": formats, "tpch": tpch, "report": report}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the contenders and end")
    commands = parser.add_subparsers(dest="command")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").split(": ", 1)[1].strip()
        module.add_options(commands.add_parser(name, help=summary.splitlines()[0], description=summary))
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{contender.name:<18} {contender.title}" for contender in CONTENDERS.values()))
        sys.exit(0)
    if options.command is None:
        parser.error("name a bench: " + ", ".join(COMMANDS))
    return options


def main() -> int:
    options = parse_arguments()
    try:
        return COMMANDS[options.command].run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
