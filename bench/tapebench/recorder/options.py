"""Options that the commands of bench/recorder.py share, and what they say."""

import argparse
import os
from pathlib import Path

from tapebench.places import BINARY, DEFAULT_WORK_FOLDER
from tapebench.recorder.load import Load
from tapebench.recorder.recording import Setting
from tapebench.units import parse_bytes


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, help="write all numbers to this JSON file")
    parser.add_argument("--work-dir", type=Path, default=DEFAULT_WORK_FOLDER, help="where recordings are made and deleted (default build/bench)")
    parser.add_argument("--binary", type=Path, default=BINARY, help="the tapeworks to measure (default the release build)")
    parser.add_argument("--cpus", dest="cpu_count", type=int, default=min(2, os.cpu_count() or 1),
                        help="processors that recorder and peers are bound to (default 2)")
    parser.add_argument("--memory", dest="memory_bytes", type=parse_bytes, default=parse_bytes("192MiB"), help="--memory of the recorder (default 192MiB)")
    parser.add_argument("--disk-test", dest="disk_test_bytes", type=parse_bytes, default=parse_bytes("512MiB"),
                        help="bytes written and read to measure the disk; 0B skips it")


def add_load_options(parser: argparse.ArgumentParser, *, seconds: float, hour_changes: int) -> None:
    parser.add_argument("--seconds", type=float, default=seconds, help=f"of the recording (default {seconds:g})")
    parser.add_argument("--rate", type=int, default=20_000, help="messages a second over all exchanges (default 20000)")
    parser.add_argument("--symbols", type=int, default=450, help="a third of them on each of three exchanges (default 450)")
    parser.add_argument("--activity-range", type=int, default=10_000, help="the busiest symbol has so many times the messages of the quietest (default 10000)")
    parser.add_argument("--hour-changes", type=int, default=hour_changes, help=f"inside the run; 0 needs no scripted clock (default {hour_changes})")
    parser.add_argument("--layout", choices=("symbol", "market", "exchange"), default="symbol")
    parser.add_argument("--tls", action="store_true", help="over TLS, as with real exchanges")
    parser.add_argument("--memory-limit", dest="memory_limit_bytes", type=parse_bytes, default=parse_bytes("4GiB"),
                        help="of the recorder's control group, where one can be made (default 4GiB)")


def load_of(options: argparse.Namespace) -> Load:
    return Load(options.symbols, options.rate, options.activity_range, options.seconds, options.hour_changes, options.tls)


def setting_of(options: argparse.Namespace, clock: Path | None) -> Setting:
    return Setting(options.memory_bytes, options.layout, options.cpu_count, clock)


def describe_load(results: dict[str, object]) -> str:
    """One sentence for tables and pages."""
    p = results["parameters"]
    return (f"{p['symbols']:,} symbols of three exchanges, three streams, {p['rate']:,} messages a second, {p['seconds']:g} s, {p['hour_changes']} hour changes, "
            f"layout {p['layout']}, {'TLS' if p['tls'] else 'no TLS'}, --memory {p['memory_bytes'] // 2**20}MiB")
