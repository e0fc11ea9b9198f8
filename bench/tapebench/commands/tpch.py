"""`compare.py tpch`: TPC-H lineitem by l_shipdate and l_suppkey, one file for each l_shipdate, in little memory.

The same engine on data that everybody knows: `tapeworks etl` takes l_shipdate for the symbol and the date, l_suppkey
for the broker, l_extendedprice for the price and l_quantity and l_linenumber for the shares. Everybody who can keep a
memory limit gets the same one.
"""

import argparse

from tapebench.contenders import PEERS, TAPEWORKS, Setting
from tapebench.inputs import Trades, made_once, run_helper
from tapebench.jobs import LINEITEM
from tapebench.places import DBGEN_PYTHON, PEER_PYTHON, BenchError, Places
from tapebench.results import summaries
from tapebench.rounds import Entrant, check, run_rounds
from tapebench.session import add_common_options, begin, chosen, finish, loop_options, places_of, without_missing
from tapebench.tables import side_by_side
from tapebench.units import parse_bytes


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser, rows="60M", repeat=3)
    parser.add_argument("--source", choices=("auto", "dbgen", "likeness"), default="auto",
                        help="dbgen (bench/setup.sh tpch installs it), or a likeness in numpy (default: dbgen if there)")
    parser.add_argument("--peer-memory", dest="peer_memory_bytes", type=parse_bytes,
                        help="another limit for the peers than --memory")


def lineitem(places: Places, rows: int, source: str) -> Trades:
    if source == "auto":
        source = "dbgen" if DBGEN_PYTHON.exists() else "likeness"
    if source == "dbgen" and not DBGEN_PYTHON.exists():
        raise BenchError("build/bench-tpch-venv is missing; run bench/setup.sh tpch")

    def make(folder) -> None:
        print(f"making lineitem with {source}, {rows:,} rows", flush=True)
        python = DBGEN_PYTHON if source == "dbgen" else PEER_PYTHON
        run_helper("lineitem", source, folder / "lineitem.parquet", rows, python=python)

    path = made_once(places.inputs / f"lineitem-{rows}r-{source}", make) / "lineitem.parquet"
    return Trades(f"TPC-H lineitem ({source})", path, int(run_helper("rewrite", "count", path)))


def tables_of(results: dict[str, object]) -> str:
    return side_by_side(summaries(results["runs"]), results["checks"])


def run(options: argparse.Namespace) -> int:
    wanted = chosen(options.only, (TAPEWORKS, *PEERS))
    places = places_of(options)
    results = begin("tpch", places, options)
    trades = lineitem(places, options.rows, options.source)
    results["inputs"] = [trades.described()]
    contenders, results["missing_peers"] = without_missing(wanted, results["machine"])
    setting = Setting(LINEITEM, trades, options.threads, options.memory_bytes,
                      options.peer_memory_bytes or options.memory_bytes)
    entrants = [Entrant({"rows": trades.rows}, contender, setting) for contender in contenders]
    results["runs"] = run_rounds(places, entrants, loop_options(options, results["machine"]))
    ours = [entrant for entrant in entrants if entrant.contender.name == TAPEWORKS]
    if ours and options.sample_symbols:
        results["checks"] = check(places, ours[0], [entrant for entrant in entrants if entrant is not ours[0]])
    return finish(results, tables_of(results), options)
