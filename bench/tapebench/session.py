"""What the benches share: options of the command line, the start of a call and its end."""

import argparse
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from tapebench.claim import Claim, show_claims
from tapebench.claims import claims_of
from tapebench.contenders import CONTENDERS, PEERS, Contender
from tapebench.inputs import Trades, generated, given, shape_of
from tapebench.machine import describe, disk_bandwidth
from tapebench.places import BINARY, DEFAULT_WORK_FOLDER, BenchError, Places, require_setup
from tapebench.process import Limits
from tapebench.results import new_results, save
from tapebench.rounds import LoopOptions
from tapebench.units import parse_bytes, parse_count, show_bytes

RESERVE_SHARE = 0.08  # of the machine's memory, kept from every contender


def add_common_options(parser: argparse.ArgumentParser, *, rows: str, repeat: int, memory: str = "1GiB") -> None:
    parser.add_argument("--rows", type=parse_count, default=parse_count(rows), help=f"rows of the input (default {rows})")
    parser.add_argument("--repeat", type=int, default=repeat, help=f"rounds; medians are reported (default {repeat})")
    parser.add_argument("--only", metavar="NAMES", help="contenders, separated by commas; --list names them")
    parser.add_argument("--memory", dest="memory_bytes", type=parse_bytes, default=parse_bytes(memory),
                        help=f"--memory of tapeworks (default {memory})")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1),
                        help="threads, and processors all contenders are bound to (default 2)")
    parser.add_argument("--results", type=Path, help="write all numbers to this JSON file")
    parser.add_argument("--work-dir", type=Path, default=DEFAULT_WORK_FOLDER, help="inputs and scratch (default build/bench)")
    parser.add_argument("--binary", type=Path, default=BINARY, help="the tapeworks to measure (default the release build)")
    parser.add_argument("--sample-symbols", type=int, default=20, help="symbols compared row by row; 0 compares nothing")
    parser.add_argument("--timeout", dest="timeout_seconds", type=float, default=7200, help="seconds a run may take")
    parser.add_argument("--disk-test", dest="disk_test_bytes", type=parse_bytes, default=parse_bytes("512MiB"),
                        help="bytes written and read to measure the disk; 0B skips it")


def add_shape_options(parser: argparse.ArgumentParser) -> None:
    for name in ("symbols", "brokers", "days"):
        parser.add_argument(f"--{name}", type=int, help="of the generated input (default: as dense as the full data)")
    parser.add_argument("--seed", type=int, default=1)


def add_input_options(parser: argparse.ArgumentParser) -> None:
    add_shape_options(parser)
    parser.add_argument("--order", choices=("date", "shuffled"), default="date", help="of the rows (default date)")
    parser.add_argument("--input", type=Path, help="take this file instead of making one")
    parser.add_argument("--prices", type=Path, help="its closes, for tapeworks-run")


def places_of(options: argparse.Namespace) -> Places:
    places = Places(options.binary.resolve(), options.work_dir.resolve())
    require_setup(places)
    shutil.rmtree(places.checks, ignore_errors=True)
    shutil.rmtree(places.runs, ignore_errors=True)
    places.work_folder.mkdir(parents=True, exist_ok=True)
    return places


def trades_of(places: Places, options: argparse.Namespace) -> Trades:
    if options.input is not None:
        return given(options.input, options.prices)
    return generated(places, shape_of(options.rows, symbols=options.symbols, brokers=options.brokers, days=options.days,
                                      order=options.order, seed=options.seed))


def chosen(names: str | None, default: tuple[str, ...]) -> list[Contender]:
    wanted = names.split(",") if names else list(default)
    if unknown := [name for name in wanted if name not in CONTENDERS]:
        raise BenchError(f"no contender is called {', '.join(unknown)}; there are {', '.join(CONTENDERS)}")
    return [CONTENDERS[name] for name in wanted]


def without_missing(contenders: list[Contender], machine: dict[str, object]) -> tuple[list[Contender], list[str]]:
    """Those whose package is installed, and the names of the others; says so."""
    missing = [c.name for c in contenders if c.package and c.package not in machine["packages"]]
    for name in missing:
        print(f"MISSING: {name}; its package is not installed, see bench/setup.sh", flush=True)
    return [c for c in contenders if c.name not in missing], missing


def loop_options(options: argparse.Namespace, machine: dict[str, object]) -> LoopOptions:
    limits = Limits(resident_bytes=int(machine["memory_bytes"] * (1 - RESERVE_SHARE)), wall_seconds=options.timeout_seconds)
    return LoopOptions(options.repeat, options.sample_symbols, limits)


def begin(bench: str, places: Places, options: argparse.Namespace) -> dict[str, object]:
    """The results so far: machine, disk, parameters."""
    machine = describe(places.binary)
    disk = disk_bandwidth(places.work_folder, options.disk_test_bytes) if options.disk_test_bytes else {}
    parameters = {name: value for name, value in vars(options).items() if isinstance(value, (int, float, str, bool))}
    print(f"{machine['processor']}, {machine['cpu_count']} processors, {show_bytes(machine['memory_bytes'])}, "
          f"{machine['tapeworks']}, " + ", ".join(f"{n} {v}" for n, v in machine["packages"].items()))
    if disk:
        print(f"disk: {show_bytes(disk['write_bytes_per_second'])}/s written and synced, "
              f"{show_bytes(disk['read_bytes_per_second'])}/s read")
    if machine["load_before"] > 0.5:
        print(f"WARNING: the machine is not quiet (load {machine['load_before']:.2f}); times will be too long", flush=True)
    return new_results(bench, command=command_of(sys.argv), machine=machine, disk=disk, parameters=parameters, missing_peers=[], inputs=[], runs=[], checks={})


def command_of(arguments: list[str]) -> str:
    """What was asked for, without the places of this machine."""
    words, places = [f"bench/{Path(arguments[0]).name}"], ("--results", "--work-dir", "--binary", "--input", "--prices")
    rest = iter(arguments[1:])
    for word in rest:
        if word in places:
            next(rest, None)
        elif not word.startswith(tuple(f"{place}=" for place in places)):
            words.append(word)
    return " ".join(words)


def finish(results: dict[str, object], tables: str, options: argparse.Namespace, judged: list[Claim] | None = None) -> int:
    """Prints, saves and removes the outputs; 1 when the results of two contenders differ. Without `judged` claims_of() judges."""
    shutil.rmtree(Places(options.binary, options.work_dir.resolve()).runs, ignore_errors=True)
    judged = claims_of(results) if judged is None else judged
    results["claims"] = [asdict(claim) for claim in judged]
    print("\n" + tables)
    for check in results["checks"].values():
        for difference in check.get("differences", []):
            print(f"DIFFERS: {check['contender']}: {difference}")
    if judged:
        print("\n" + show_claims(judged))
    if options.results:
        save(results, options.results)
        print(f"\nwritten: {options.results}")
    return 0 if all(check["agrees"] for check in results["checks"].values()) else 1


def peers_and(*ours: str) -> tuple[str, ...]:
    return (*ours, *PEERS)
