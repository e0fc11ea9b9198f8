"""`compare.py pnl`: `tapeworks pnl` alone, against FIFO in plain Python on a sample of the symbols.

Both are counted in groups, the (symbol, broker, date) rows of daily_summary, per second of wall time and of CPU. The
time of tapeworks is that of the whole process with everything published and durable; that of Python leaves out its
start and its imports. The generated input has all 1,214 days and so many symbols as --rows allows.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
from dataclasses import asdict
from pathlib import Path

from tapebench.contenders import TAPEWORKS, environment_of
from tapebench.inputs import FULL_DAYS, Trades, run_helper
from tapebench.machine import flush_to_disk
from tapebench.outputs import size_of
from tapebench.places import BENCH, PEER_PYTHON, BenchError, Places
from tapebench.process import Limits, last_line, run_measured
from tapebench.rounds import stats_of
from tapebench.session import (add_common_options, add_input_options, begin, finish, places_of, trades_of)
from tapebench.tables import markdown
from tapebench.units import show_bytes, show_count, show_seconds

VALUATIONS = {"every-day": "plain Python FIFO, as today (values every day)",
              "last-day": "plain Python FIFO, leaner (values once)"}


def add_options(parser: argparse.ArgumentParser) -> None:
    add_common_options(parser, rows="100M", repeat=5)
    add_input_options(parser)
    parser.set_defaults(days=FULL_DAYS)  # how long accounts live decides what P&L costs
    parser.add_argument("--start", default="2022-11-01", help="first day that counts (default the generator's first)")
    parser.add_argument("--python-groups", type=int, default=400_000, help="groups given to Python at least (default 400000)")


def prepared_data(places: Places, trades: Trades, options: argparse.Namespace) -> Path:
    """A data directory with summaries and closes; not timed. Returns the folder above `data`."""
    folder = places.runs / "pnl-base"
    folder.mkdir(parents=True)
    common = ["--data", str(folder / "data"), "--no-progress"]
    for verb, source in (("etl", trades.path), ("sync", trades.prices)):
        answer = subprocess.run([str(places.binary), verb, str(source), *common], capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise BenchError(f"tapeworks {verb} failed: {answer.stderr.strip()}")
    return folder


def copied(base: Path, name: str) -> Path:
    """The same generation once more, as hard links, so that every round starts alike."""
    target = base.with_name(name)
    shutil.copytree(base, target, symlinks=True, copy_function=os.link)
    return target


def measure_tapeworks(places: Places, base: Path, round_number: int, options: argparse.Namespace) -> dict[str, object]:
    folder = copied(base, f"pnl-{round_number}")
    log_stem = places.logs / "pnl.log"
    flush_to_disk(places.work_folder)
    command = [str(places.binary), "pnl", "--data", str(folder / "data"), "--start", options.start, "--threads",
               str(options.threads), "--memory", f"{options.memory_bytes // 2**20}MiB", "--stats", "--no-progress"]
    measured = run_measured(command, log_stem=log_stem, limits=Limits(cpu_count=options.threads))
    if measured.failed:
        raise BenchError(f"tapeworks pnl failed: {last_line(log_stem.with_suffix('.err'))}")
    files, size = size_of(folder / "data/pnl")
    return {"cell": {"rows": options.rows}, "contender": TAPEWORKS, "title": "tapeworks pnl", "round": round_number,
            **asdict(measured), "cpu_seconds": measured.cpu_seconds, "durable_seconds": measured.wall_seconds,
            "output_files": files, "output_bytes": size, "stats": stats_of(log_stem.with_suffix(".err"))}


def measure_python(places: Places, base: Path, round_number: int, valuation: str, symbols: list[str],
                   options: argparse.Namespace) -> dict[str, object]:
    log_stem = places.logs / f"python-fifo-{valuation}.log"
    out = places.checks / f"python-{valuation}.parquet"
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [str(PEER_PYTHON), "-m", "tapebench.python_fifo", str(base / "data"), str(out), "--start", options.start,
               "--symbols", ",".join(symbols), "--valuation", valuation]
    measured = run_measured(command, folder=BENCH, environment=environment_of(1), log_stem=log_stem,
                            limits=Limits(cpu_count=1))
    if measured.failed:
        raise BenchError(f"the plain Python FIFO failed: {last_line(log_stem.with_suffix('.err'))}")
    stats = stats_of(log_stem.with_suffix(".out"))
    return {"cell": {"groups": stats["groups"]}, "contender": f"python-{valuation}", "title": VALUATIONS[valuation],
            "round": round_number, **asdict(measured), "cpu_seconds": stats["cpu_seconds"],
            "durable_seconds": measured.wall_seconds, "stats": stats}


def sample_of(symbols: dict[str, int], least_groups: int) -> list[str]:
    """Symbols spread evenly over the sizes, so that the sample is like the whole; at least so many groups."""
    by_size = sorted(symbols, key=lambda symbol: (symbols[symbol], symbol))
    total = sum(symbols.values())
    step = max(1, int(total / max(least_groups, 1)))
    return by_size[step // 2 :: step]


def rates_of(records: list[dict[str, object]], groups: int) -> dict[str, float]:
    """Groups a second; medians over the rounds."""
    ours = [record for record in records if record["contender"] == TAPEWORKS]
    rates = {
        "groups": groups,
        "tapeworks_groups_per_second": groups / statistics.median(record["wall_seconds"] for record in ours),
        "tapeworks_groups_per_cpu_second": groups / statistics.median(record["cpu_seconds"] for record in ours),
    }
    for valuation in VALUATIONS:
        theirs = [r["stats"]["groups"] / r["cpu_seconds"] for r in records if r["contender"] == f"python-{valuation}"]
        rates[f"python_{valuation}_groups_per_cpu_second"] = statistics.median(theirs)
    ours_rate = rates["tapeworks_groups_per_cpu_second"]
    rates["ratio_to_today"] = ours_rate / rates["python_every-day_groups_per_cpu_second"]
    rates["ratio_to_leaner"] = ours_rate / rates["python_last-day_groups_per_cpu_second"]
    return rates


def tables_of(results: dict[str, object]) -> str:
    rates, rows = results["rates"], []
    for name in (TAPEWORKS, *(f"python-{valuation}" for valuation in VALUATIONS)):
        runs = [run for run in results["runs"] if run["contender"] == name]
        ours = name == TAPEWORKS
        groups = rates["groups"] if ours else runs[0]["stats"]["groups"]
        rate = rates["tapeworks_groups_per_cpu_second"] if ours else rates[name.replace("python-", "python_") + "_groups_per_cpu_second"]
        rows.append((runs[0]["title"], show_count(groups), show_seconds(statistics.median(r["wall_seconds"] for r in runs)),
                     show_seconds(statistics.median(r["cpu_seconds"] for r in runs)), show_count(rate),
                     show_bytes(max(r["peak_rss_bytes"] for r in runs)),
                     "1.00x" if ours else f"{rate / rates['tapeworks_groups_per_cpu_second']:.5f}x"))
    header = ("contender", "groups", "wall", "CPU", "groups per CPU second", "peak memory", "rate to tapeworks")
    per_second = show_count(rates["tapeworks_groups_per_second"])
    return (markdown(header, rows) + f"\n\ntapeworks: {per_second} groups a second of wall time; per CPU second "
            f"{rates['ratio_to_today']:.0f} times the Python of today, {rates['ratio_to_leaner']:.0f} times the leaner one")


def run(options: argparse.Namespace) -> int:
    places = places_of(options)
    results = begin("pnl", places, options)
    trades = trades_of(places, options)
    if trades.prices is None:
        raise BenchError("--prices is missing: P&L needs closes")
    results["inputs"] = [trades.described()]
    base = prepared_data(places, trades, options)
    size = json.loads(run_helper("pnl_check", "size", base / "data"))
    symbols = sample_of(size["symbols"], options.python_groups)
    for round_number in range(options.repeat):
        results["runs"].append(measure_tapeworks(places, base, round_number, options))
        results["runs"] += [measure_python(places, base, round_number, valuation, symbols, options) for valuation in VALUATIONS]
        print(f"  {round_number + 1}/{options.repeat} tapeworks pnl {show_seconds(results['runs'][-3]['wall_seconds'])}, "
              f"Python {show_seconds(results['runs'][-2]['cpu_seconds'])} CPU for {len(symbols)} symbols", flush=True)
    last = places.runs / f"pnl-{options.repeat - 1}"
    for valuation in VALUATIONS:
        answer = json.loads(run_helper("pnl_check", last / "data", places.checks / f"python-{valuation}.parquet"))
        results["checks"][valuation] = {"cell": {}, "contender": f"python-{valuation}", **answer}
    results["rates"] = rates_of(results["runs"], size["groups"])
    return finish(results, tables_of(results), options)
