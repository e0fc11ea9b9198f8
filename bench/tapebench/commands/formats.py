"""`compare.py formats`: tapeworks on the same rows, written by other programs and with other compressions."""

import argparse

from tapebench.contenders import TAPEWORKS, Setting
from tapebench.inputs import run_helper, rewritten
from tapebench.jobs import TRADES
from tapebench.places import BenchError
from tapebench.results import find, summaries
from tapebench.rounds import Entrant, check, run_rounds
from tapebench.session import (add_common_options, add_input_options, begin, chosen, finish, loop_options, places_of,
                               trades_of)
from tapebench.tables import by_cell

OURSELVES = "tapeworks-zstd"
LEFT_OUT = ("one-row-group",)  # the bench growth has it


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser, rows="20M", repeat=5)
    add_input_options(parser)
    parser.add_argument("--variants", help="names separated by commas (default all)")


def variants_of(options: argparse.Namespace) -> list[str]:
    known = [name for name in run_helper("rewrite", "list").split() if name not in LEFT_OUT]
    wanted = options.variants.split(",") if options.variants else known
    if unknown := set(wanted) - set(known) - {OURSELVES}:
        raise BenchError(f"no variant is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in wanted if name != OURSELVES]


def tables_of(results: dict[str, object]) -> str:
    found = summaries(results["runs"])
    sizes = {item["variant"]: item["bytes"] for item in results["inputs"]}
    lines = "\n".join(f"- {name}: {size / results['inputs'][0]['rows']:.2f} bytes a row" for name, size in sizes.items())
    return by_cell(found, ["variant"], find(found, variant=OURSELVES)) + "\n\nInputs:\n\n" + lines


def run(options: argparse.Namespace) -> int:
    wanted = chosen(options.only, (TAPEWORKS,))
    places = places_of(options)
    variants = variants_of(options)
    results = begin("formats", places, options)
    own = trades_of(places, options)
    inputs = {OURSELVES: own} | {name: rewritten(places, own, name) for name in variants}
    results["inputs"] = [trades.described() | {"variant": name} for name, trades in inputs.items()]
    entrants = [
        Entrant({"variant": name, "rows": own.rows}, contender,
                Setting(TRADES, trades, options.threads, options.memory_bytes, None))
        for contender in wanted for name, trades in inputs.items()
    ]
    results["runs"] = run_rounds(places, entrants, loop_options(options, results["machine"]))
    if options.sample_symbols:
        results["checks"] = check(places, entrants[0], entrants[1:])
    return finish(results, tables_of(results), options)
