"""`compare.py etl`: tapeworks and all peers on one input, alternating."""

import argparse

from tapebench.contenders import TAPEWORKS, TAPEWORKS_RUN, Setting
from tapebench.jobs import TRADES
from tapebench.results import find, summaries
from tapebench.rounds import Entrant, check, run_rounds
from tapebench.session import (add_common_options, add_input_options, begin, chosen, finish, loop_options, peers_and,
                               places_of, trades_of, without_missing)
from tapebench.tables import side_by_side
from tapebench.units import parse_bytes, show_bytes


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser, rows="100M", repeat=5)
    add_input_options(parser)
    parser.add_argument("--peer-memory", dest="peer_memory_bytes", type=parse_bytes,
                        help="limit for the peers that can keep one (default: none)")


def tables_of(results: dict[str, object]) -> str:
    found = summaries(results["runs"])
    lines = [side_by_side(found, results["checks"])]
    ours = find(found)
    if ours:
        spilled = "not told by --stats" if ours.spilled_bytes is None else show_bytes(ours.spilled_bytes)
        lines.append(f"tapeworks spilled: {spilled}; handed to the file system: {show_bytes(ours.written_bytes)}")
    return "\n\n".join(lines)


def run(options: argparse.Namespace) -> int:
    wanted = chosen(options.only, peers_and(TAPEWORKS, TAPEWORKS_RUN))
    places = places_of(options)
    results = begin("etl", places, options)
    contenders, results["missing_peers"] = without_missing(wanted, results["machine"])
    trades = trades_of(places, options)
    if trades.prices is None:
        contenders = [contender for contender in contenders if contender.name != TAPEWORKS_RUN]
    results["inputs"] = [trades.described()]
    setting = Setting(TRADES, trades, options.threads, options.memory_bytes, options.peer_memory_bytes)
    entrants = [Entrant({"rows": trades.rows}, contender, setting) for contender in contenders]
    results["runs"] = run_rounds(places, entrants, loop_options(options, results["machine"]))
    ours = [entrant for entrant in entrants if entrant.contender.name == TAPEWORKS]
    if ours and options.sample_symbols:
        results["checks"] = check(places, ours[0], [entrant for entrant in entrants if entrant is not ours[0]])
    return finish(results, tables_of(results), options)
