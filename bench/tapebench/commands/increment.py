"""`compare.py increment`: a full `run` against `run --incremental` of one further day, for several sizes of the history.

For each size a history of per-day files is made, and everything but its last day is published by `run --incremental`,
which is not timed. Each round starts from hard links of that generation. Both runs give the same manifest, or the bench
says so. Verifications are put off.
"""

import argparse
import json
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tapebench.commands.pnl import copied
from tapebench.inputs import Trades, generated, shape_of
from tapebench.machine import flush_to_disk
from tapebench.places import BenchError, Places
from tapebench.process import Limits, last_line, run_measured
from tapebench.results import find, save, summaries
from tapebench.rounds import empty_files, stats_of
from tapebench.session import add_common_options, add_shape_options, begin, finish, places_of
from tapebench.tables import markdown, times
from tapebench.units import parse_count, show_bytes, show_count, show_seconds

FULL, INCREMENT = "full", "increment"
TITLES = {FULL: "tapeworks run", INCREMENT: "tapeworks run --incremental, one day more"}
NEVER = "40000d"


@dataclass(frozen=True)
class History:
    """The days of a history, the newest apart, and what was published of the others."""

    trades: Trades
    newest: Path
    base: Path  # the folder above the data directory


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser, rows="500M", repeat=3)
    add_shape_options(parser)
    parser.add_argument("--rows-list", help="sizes of the history, separated by commas (default --rows alone)")
    parser.add_argument("--daily", action="store_true", help="with pnl_daily")


def command_of(places: Places, options: argparse.Namespace, trades: Trades, data: Path, *more: str) -> list[str]:
    line = [str(places.binary), "run", str(trades.path), "--prices", str(trades.prices), "--data", str(data), "--threads",
            str(options.threads), "--memory", f"{options.memory_bytes // 2**20}MiB", "--stats", "--no-progress", *more]
    return [*line, "--daily"] if options.daily else line


def history_of(places: Places, options: argparse.Namespace, rows: int) -> History:
    shape = shape_of(rows, symbols=options.symbols, brokers=options.brokers, days=options.days, seed=options.seed)
    trades = generated(places, replace(shape, per_day=True))
    newest = max(trades.path.glob("*.parquet"))
    base = places.runs / f"increment-{rows}-base"
    (base / "temp").mkdir(parents=True)
    away = base / newest.name
    newest.rename(away)
    try:
        # What the increment itself would leave behind is what it usually finds: states of all accounts.
        made = subprocess.run(command_of(places, options, trades, base / "data", "--incremental"), capture_output=True,
                              text=True, check=False)
    finally:
        away.rename(newest)
    if made.returncode != 0:
        raise BenchError(f"tapeworks run failed: {made.stderr.strip()}")
    return History(trades, newest, base)


def measure(places: Places, options: argparse.Namespace, history: History, kind: str,
            round_number: int) -> dict[str, object]:
    rows = history.trades.rows
    name = f"increment-{rows}-{kind}-{round_number}"
    folder = copied(history.base, name) if kind == INCREMENT else places.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    more = ("--incremental", "--verify-every", NEVER) if kind == INCREMENT else ()
    log_stem = places.logs / f"increment-{kind}.log"
    flush_to_disk(places.work_folder)
    measured = run_measured(command_of(places, options, history.trades, folder / "data", *more), log_stem=log_stem,
                            limits=Limits(wall_seconds=options.timeout_seconds, cpu_count=options.threads))
    if measured.failed:
        raise BenchError(f"{TITLES[kind]} failed: {last_line(log_stem.with_suffix('.err'))}")
    stats = stats_of(log_stem.with_suffix(".err"))
    manifest = json.loads((folder / "data" / "manifest.json").read_text())
    groups = sum(file["rows"] for file in manifest["tables"]["daily_summary"]["files"])
    record = {"cell": {"rows": rows, "bytes": history.trades.size_bytes, "days": history.trades.shape.days, "groups": groups},
              "contender": kind, "title": TITLES[kind], "round": round_number, **asdict(measured),
              "cpu_seconds": measured.cpu_seconds, "durable_seconds": measured.wall_seconds, "stats": stats,
              "rows_read": stats.get("rows"), "manifest": manifest}
    empty_files(folder, linked_elsewhere=False)  # what is linked belongs to the base as well
    return record


def agreement_of(records: list[dict[str, object]]) -> dict[str, object]:
    """Whether all runs of one size left the same manifest."""
    differences = [f"{record['title']}, round {record['round'] + 1}: another manifest than the first run"
                   for record in records[1:] if record["manifest"] != records[0]["manifest"]]
    return {"cell": records[0]["cell"], "contender": INCREMENT, "agrees": not differences, "differences": differences}


def tables_of(results: dict[str, object]) -> str:
    found = summaries(results["runs"])
    rows_read = {(run["cell"]["rows"], run["contender"]): run["rows_read"] for run in results["runs"]}
    lines = []
    for summary in found:
        full = find(found, FULL, rows=summary.cell["rows"])
        lines.append((show_count(summary.cell["rows"]), str(summary.cell["days"]), show_bytes(summary.cell["bytes"]),
                      show_count(summary.cell["groups"]), summary.title,
                      show_count(rows_read[summary.cell["rows"], summary.contender] or 0),
                      show_seconds(summary.durable_seconds), show_seconds(summary.cpu_seconds),
                      show_bytes(summary.peak_rss_bytes), times(summary.durable_seconds, full and full.durable_seconds)))
    header = ("rows", "days", "input", "groups", "what", "rows read", "wall, durable", "CPU", "peak memory", "ratio")
    return markdown(header, lines)


def run(options: argparse.Namespace) -> int:
    places = places_of(options)
    results = begin("increment", places, options)
    for rows in map(parse_count, (options.rows_list or str(options.rows)).split(",")):
        history = history_of(places, options, rows)
        results["inputs"].append(history.trades.described())
        records = []
        for round_number in range(options.repeat):
            for kind in (FULL, INCREMENT) if round_number % 2 == 0 else (INCREMENT, FULL):
                record = measure(places, options, history, kind, round_number)
                print(f"  {round_number + 1}/{options.repeat} {show_count(rows)} rows, {record['title']:<42} "
                      f"{show_seconds(record['durable_seconds'])}, {show_bytes(record['peak_rss_bytes'])}", flush=True)
                records.append(record)
        results["checks"][str(rows)] = agreement_of(records)
        results["runs"] += [{name: value for name, value in record.items() if name != "manifest"} for record in records]
        empty_files(history.base)
        if options.results:
            save(results, options.results)
    return finish(results, tables_of(results), options)
