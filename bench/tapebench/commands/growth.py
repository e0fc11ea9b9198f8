"""`compare.py growth`: time and memory against rows, threads, memory budget, order, symbols and row groups.

One axis is changed at a time; the others stay at --rows, --threads, --memory, ordered by date, 2,839 symbols. The
cells of one axis alternate. Peers run on the axes rows (up to --peers-up-to) and order only.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tapebench.contenders import OURS, TAPEWORKS, TAPEWORKS_RUN, Contender, Setting
from tapebench.inputs import Trades, generated, rewritten, shape_of
from tapebench.jobs import TRADES
from tapebench.places import BenchError, Places
from tapebench.results import Summary, save, summaries
from tapebench.rounds import Entrant, check, run_rounds
from tapebench.session import (add_common_options, add_shape_options, begin, chosen, finish, loop_options, peers_and,
                               places_of, without_missing)
from tapebench.tables import by_cell
from tapebench.units import parse_bytes, parse_count

AXES = ("rows", "threads", "memory", "order", "symbols", "row-group")
# The column of the results in which an axis varies.
COLUMN_OF = {"rows": "rows", "threads": "threads", "memory": "memory_bytes", "order": "order", "symbols": "symbols",
             "row-group": "layout"}
AXES_WITH_PEERS = ("rows", "order")


@dataclass(frozen=True)
class Point:
    """One cell: what is generated and what is asked for."""

    axis: str
    rows: int
    threads: int
    memory_bytes: int
    order: str = "date"
    symbols: int | None = None  # None: as dense as the full data
    layout: str = "many row groups"  # or one


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser, rows="100M", repeat=3)
    add_shape_options(parser)
    parser.add_argument("--axis", default="all", help=f"axes, separated by commas: {', '.join(AXES)} (default all)")
    parser.add_argument("--rows-list", default="10M,100M,500M,2.08G", help="the points of the axis rows")
    parser.add_argument("--threads-list", default="1,2")
    parser.add_argument("--memory-list", default="512MiB,1GiB,2GiB,4GiB,8GiB")
    parser.add_argument("--symbols-list", default="100,20000")
    parser.add_argument("--peers-up-to", type=parse_count, default=parse_count("100M"),
                        help="rows above which only tapeworks runs on the axis rows (default 100M)")


def points_of(axis: str, options: argparse.Namespace) -> Iterator[Point]:
    base = Point(axis, options.rows, options.threads, options.memory_bytes, symbols=options.symbols)
    if axis == "rows":
        yield from (replace(base, rows=parse_count(text)) for text in options.rows_list.split(","))
    elif axis == "threads":
        available = len(os.sched_getaffinity(0))
        yield from (replace(base, threads=n) for n in map(int, options.threads_list.split(",")) if n <= available)
    elif axis == "memory":
        yield from (replace(base, memory_bytes=parse_bytes(text)) for text in options.memory_list.split(","))
    elif axis == "order":
        yield from (replace(base, order=order) for order in ("date", "shuffled"))
    elif axis == "symbols":
        yield from (replace(base, symbols=int(text)) for text in options.symbols_list.split(","))
    else:
        yield from (replace(base, layout=layout) for layout in ("many row groups", "one row group"))


def trades_at(places: Places, point: Point, options: argparse.Namespace) -> Trades:
    trades = generated(places, shape_of(point.rows, symbols=point.symbols, brokers=options.brokers, days=options.days,
                                        order=point.order, seed=options.seed))
    return rewritten(places, trades, "one-row-group") if point.layout == "one row group" else trades


def entrants_at(places: Places, point: Point, contenders: list[Contender], options: argparse.Namespace) -> list[Entrant]:
    trades = trades_at(places, point, options)
    cell = {"axis": point.axis, "rows": point.rows, "threads": point.threads, "memory_bytes": point.memory_bytes,
            "order": point.order, "symbols": trades.shape.symbols, "layout": point.layout}
    setting = Setting(TRADES, trades, point.threads, point.memory_bytes, None)
    peers_run = point.axis in AXES_WITH_PEERS and point.rows <= options.peers_up_to
    return [Entrant(cell, contender, setting) for contender in contenders if contender.name in OURS or peers_run]


def checks_of(places: Places, entrants: list[Entrant]) -> dict[str, dict[str, object]]:
    """Inside each cell everybody against tapeworks; cells of the same rows against the first of them."""
    found: dict[str, dict[str, object]] = {}
    ours = [entrant for entrant in entrants if entrant.contender.name == TAPEWORKS]
    for reference in ours:
        found |= check(places, reference, [e for e in entrants if e.cell == reference.cell and e is not reference])
    if ours and ours[0].cell["axis"] in ("threads", "memory", "row-group"):
        found |= check(places, ours[0], ours[1:])
    return found


def base_of(found: list[Summary]) -> Summary | None:
    """What the ratios of one axis refer to: its last budget, otherwise its first cell."""
    ours = [summary for summary in found if summary.contender == TAPEWORKS and summary.runs]
    if not ours:
        return None
    return ours[-1] if ours[0].cell["axis"] == "memory" else ours[0]


def tables_of(results: dict[str, object]) -> str:
    found = summaries(results["runs"])
    parts = []
    for axis in AXES:
        if of_axis := [summary for summary in found if summary.cell["axis"] == axis]:
            parts.append(f"### {axis}\n\n" + by_cell(of_axis, [COLUMN_OF[axis]], base_of(of_axis)))
    return "\n\n".join(parts)


def run(options: argparse.Namespace) -> int:
    wanted = chosen(options.only, peers_and(TAPEWORKS, TAPEWORKS_RUN))
    axes = AXES if options.axis == "all" else options.axis.split(",")
    if unknown := set(axes) - set(AXES):
        raise BenchError(f"no axis is called {', '.join(sorted(unknown))}; there are {', '.join(AXES)}")
    places = places_of(options)
    results = begin("growth", places, options)
    contenders, results["missing_peers"] = without_missing(wanted, results["machine"])
    for axis in axes:
        entrants = [entrant for point in points_of(axis, options)
                    for entrant in entrants_at(places, point, contenders, options)]
        results["inputs"] += [entrant.setting.trades.described() for entrant in entrants
                              if entrant.contender is contenders[0]]
        results["runs"] += run_rounds(places, entrants, loop_options(options, results["machine"]))
        if options.sample_symbols:
            results["checks"] |= checks_of(places, entrants)
        if options.results:
            save(results, options.results)  # hours may have gone into it
    return finish(results, tables_of(results), options)
