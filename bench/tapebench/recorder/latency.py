"""`recorder.py latency`: from the receipt of a message until it is durable, with an hour change inside, beside the disk's own fdatasync."""

import argparse

from tapebench.claim import Claim, at_least
from tapebench.recorder.disk import fdatasync_seconds, percentiles
from tapebench.recorder.load import record_under_load
from tapebench.recorder.options import add_load_options, add_machine_options, describe_load, load_of, setting_of
from tapebench.session import begin, finish, places_of
from tapebench.tables import markdown


def add_options(parser: argparse.ArgumentParser) -> None:
    add_machine_options(parser)
    add_load_options(parser, seconds=600, hour_changes=1)
    parser.add_argument("--disk-seconds", type=float, default=20, help="of fdatasync before and after the recording (default 20)")


def show_ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def tables_of(results: dict[str, object]) -> str:
    run = results["recordings"][0]
    latency, worst = run["latency"], max(run["samples_latency"], key=lambda window: window["p99_seconds"])
    rows = [("receipt to durable", show_ms(latency["p50_seconds"]), show_ms(latency["p99_seconds"]), f"{latency['count']:,.0f}"),
            (f"the worst 5 s of it (until {worst['until_seconds']:.0f} s)", show_ms(worst["p50_seconds"]), show_ms(worst["p99_seconds"]),
             f"{worst['count']:,.0f}")]
    rows += [(f"256 KiB and fdatasync, alone, {when}", show_ms(found["p50_seconds"]), show_ms(found["p99_seconds"]), f"{found['count']:,}")
             for when, found in results["fdatasync"].items()]
    changes = ", ".join(f"{at:.0f} s" for at in run["changes_at_seconds"]) or "never"
    return (f"{describe_load(results)}; the hour changes at {changes}. Within 10 ms: {100 * latency['share_up_to_10_ms']:.1f} %, within 30 ms: "
            f"{100 * latency['share_up_to_30_ms']:.1f} %. Percentiles of the recorder are interpolated inside the buckets of its histogram.\n\n"
            + markdown(("", "p50", "p99", "count"), rows))


def claims_of(results: dict[str, object]) -> list[Claim]:
    latency = results["recordings"][0]["latency"]
    return [at_least("messages durable within 10 ms (the median)", 100 * latency["share_up_to_10_ms"], 50, " %"),
            at_least("messages durable within 30 ms (p99)", 100 * latency["share_up_to_30_ms"], 99, " %")]


def run(options: argparse.Namespace) -> int:
    places = places_of(options)
    results = begin("recorder-latency", places, options)
    results["fdatasync"] = {"before": percentiles(fdatasync_seconds(places.work_folder, options.disk_seconds))}
    results["recordings"] = [record_under_load(places, "latency", load_of(options), lambda clock: setting_of(options, clock), options.memory_limit_bytes)]
    results["fdatasync"]["after"] = percentiles(fdatasync_seconds(places.work_folder, options.disk_seconds))
    return finish(results, tables_of(results), options, claims_of(results))
