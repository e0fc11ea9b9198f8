"""`recorder.py profile`: memory, CPU, queue and losses under the load of 450 symbols, beside as many open Arrow writers.

Three simulated exchanges send books, levels and trades of symbols from busy to nearly dead; hours change as often as wanted,
because recorder and exchanges keep a scripted clock.
"""

import argparse

from tapebench.claim import Claim, at_most
from tapebench.places import BenchError
from tapebench.recorder.load import SECONDS_MIN, arrow_writers_under_load, record_under_load, require_sensible
from tapebench.recorder.options import add_load_options, add_machine_options, describe_load, load_of, setting_of
from tapebench.session import begin, finish, places_of
from tapebench.tables import markdown
from tapebench.units import show_bytes

CPU_US_MAX = 12
GROWTH_MAX = 0.02
CORE_SHARE_MAX = 0.35
QUEUE_RECORDS_MAX = 20_000  # a second of the load


def add_options(parser: argparse.ArgumentParser) -> None:
    add_machine_options(parser)
    add_load_options(parser, seconds=3600, hour_changes=3)
    parser.add_argument("--without-writers", action="store_true", help="leave the Arrow writers away")
    parser.add_argument("--writers-seconds", type=float, help="run the Arrow writers for only so long (default as long as the recording)")


def tables_of(results: dict[str, object]) -> str:
    header = ("", "peak resident", "growth after the first quarter", "CPU of a core", "CPU a message", "messages a second", "queue, median", "queue, most",
              "dropped", "files")
    rows = []
    for run in results["recordings"]:
        s = run["summary"]
        rows.append((
            run["title"], show_bytes(s["peak_rss_bytes"]), "-" if s["growth_after_first_quarter"] is None else f"{100 * s['growth_after_first_quarter']:+.1f} %", f"{100 * s['cpu_of_a_core']:.0f} %",
            *((f"{s['cpu_us_per_message']:.1f} us", f"{s['messages_per_second']:,.0f}", f"{s['queue_records_median']:,.0f}", f"{s['queue_records_max']:,}",
               str(s["dropped"]), f"{s['published_files']:,}") if "dropped" in s else ("-",) * 6)))
    return f"{describe_load(results)}.\n\n{markdown(header, rows)}"


def claims_of(results: dict[str, object]) -> list[Claim]:
    run = results["recordings"][0]
    found, limit = run["summary"], results["parameters"]["memory_bytes"]
    return [
        Claim("resident within --memory", f"{show_bytes(found['peak_rss_bytes'])} of {show_bytes(limit)}", found["peak_rss_bytes"] <= limit),
        at_most("growth after the first quarter", 100 * found["growth_after_first_quarter"], 100 * GROWTH_MAX, " %"),
        at_most("CPU of one core", 100 * found["cpu_of_a_core"], 100 * CORE_SHARE_MAX, " %"),
        at_most("CPU a message, socket to published file", found["cpu_us_per_message"], CPU_US_MAX, " us"),
        Claim("queue below a second of the load at every look", f"{found['queue_records_max']:,} records", found["queue_records_max"] <= QUEUE_RECORDS_MAX),
        Claim("nothing dropped", str(found["dropped"]), found["dropped"] == 0),
        Claim("the wanted rate arrived", f"{found['messages_per_second']:,.0f}/s", found["messages_per_second"] >= 0.98 * results["parameters"]["rate"]),
    ]


def run(options: argparse.Namespace) -> int:
    places = places_of(options)
    results = begin("recorder-profile", places, options)
    load = load_of(options)
    require_sensible(load)
    writers_seconds = load.seconds if options.writers_seconds is None else min(options.writers_seconds, load.seconds)
    if writers_seconds < SECONDS_MIN:
        raise BenchError(f"--writers-seconds {writers_seconds:g} is too short to be judged; at least {SECONDS_MIN}")
    results["recordings"] = [record_under_load(places, "profile", load, lambda clock: setting_of(options, clock), options.memory_limit_bytes)]
    if not options.without_writers:
        results["recordings"].append(arrow_writers_under_load(places, load, options.cpu_count, writers_seconds))
    return finish(results, tables_of(results), options, claims_of(results))
