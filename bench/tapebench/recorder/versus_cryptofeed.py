"""`recorder.py cryptofeed`: cryptofeed and the recorder on the same simulated feed: CPU a message, memory, and what kill -9 costs.

A simulated Binance sends over TLS and keeps a ledger. Each of the two records it for a while on its own, is killed, and what it
has in files is compared with the ledger.
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tapebench.claim import Claim
from tapebench.inputs import run_helper
from tapebench.places import BENCH, CRYPTOFEED_PYTHON, BenchError, Places
from tapebench.recorder.exchanges import Exchanges
from tapebench.recorder.limits import bind
from tapebench.recorder.load import fresh_folder, sampled
from tapebench.recorder.options import add_machine_options
from tapebench.recorder.recording import Recorder, Setting
from tapebench.recorder.watched import Watched
from tapebench.session import begin, finish, places_of
from tapebench.tables import markdown
from tapebench.units import show_bytes

_EVENT = re.compile(r'"kind":"event"')
_SENT_TIME = re.compile(r'"sent_time":(\d+)')
_WARM_SECONDS = 3.0


def add_options(parser: argparse.ArgumentParser) -> None:
    add_machine_options(parser)
    parser.add_argument("--seconds", type=float, default=900, help="of each recording before it is killed (default 900)")
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second (default 10000)")
    parser.add_argument("--symbols", type=int, default=60, help="of three streams each (default 60)")


def sent_times_ns(ledger: Path) -> list[int]:
    """Of the messages of the market, in the order of the ledger."""
    with ledger.open() as lines:
        return [int(_SENT_TIME.search(line)[1]) for line in lines if _EVENT.search(line)]


def raw_messages(folder: Path) -> int:
    """Whole messages in the files of cryptofeed: lines TIME: {"stream":...}."""
    count = 0
    for path in folder.glob("*.ws.*"):
        with path.open() as lines:
            count += sum(1 for line in lines if ': {"stream":' in line and line.endswith("}}\n"))
    return count


def cryptofeed_process(folder: Path, exchanges: Exchanges, options: argparse.Namespace) -> Watched:
    feed = exchanges.feed_list[0]
    certificate = str(feed["ca_file"])
    command = [CRYPTOFEED_PYTHON, "-m", "tapebench.recorder.cryptofeed_child", folder, str(feed["endpoint"]).removesuffix("/stream"), feed["rest_endpoint"],
               *feed["symbols"]]
    return Watched(command, folder / "cryptofeed.err", folder=BENCH, prepare=lambda: bind(options.cpu_count),
                   environment={"SSL_CERT_FILE": certificate, "REQUESTS_CA_BUNDLE": certificate})


@dataclass(frozen=True)
class Life:
    """Of a process that was killed: samples of memory and CPU, and the wall clock at the first of them and just before the end."""

    samples: list[dict[str, float]]
    begin_ns: int
    end_ns: int


def watched_until_killed(process: Watched, seconds: float) -> Life:
    time.sleep(_WARM_SECONDS)
    samples: list[dict[str, float]] = []
    begin, begin_ns = time.monotonic(), time.time_ns()

    def look() -> None:
        process.require_running()
        samples.append({"at_seconds": round(time.monotonic() - begin, 3), "resident_bytes": process.memory_bytes(), "cpu_seconds": process.cpu_seconds()})

    sampled(seconds, look)
    end_ns = time.time_ns()
    process.process.send_signal(signal.SIGKILL)
    process.wait()
    return Life(samples, begin_ns, end_ns)


def measured(places: Places, name: str, title: str, options: argparse.Namespace,
             record: Callable[[Path, Exchanges], Life], stored: Callable[[Path], int]) -> dict[str, object]:
    folder = fresh_folder(places, name)
    with Exchanges(places.binary, folder, symbols_each=options.symbols, rate=options.rate, tls=True, ledger=folder / "ledger.jsonl", exchange="binance") as exchanges:
        life = record(folder, exchanges)
    sent_ns, kept = sent_times_ns(folder / "ledger.jsonl"), stored(folder)
    shutil.rmtree(folder, ignore_errors=True)
    sent = sum(at < life.end_ns for at in sent_ns)
    while_watched = sum(life.begin_ns <= at < life.end_ns for at in sent_ns)
    first, last = life.samples[0], life.samples[-1]
    seconds, cpu_seconds = last["at_seconds"] - first["at_seconds"], last["cpu_seconds"] - first["cpu_seconds"]
    return {"title": title, "samples": life.samples, "changes_at_seconds": [],
            "summary": {"seconds": seconds, "sent": sent, "stored": kept, "lost": sent - kept, "cpu_of_a_core": cpu_seconds / seconds,
                        "cpu_us_per_message": 1e6 * cpu_seconds / while_watched, "messages_per_second_and_core": while_watched / cpu_seconds,
                        "first_rss_bytes": first["resident_bytes"], "peak_rss_bytes": max(sample["resident_bytes"] for sample in life.samples),
                        "last_rss_bytes": last["resident_bytes"]}}


def with_tapeworks(places: Places, options: argparse.Namespace) -> dict[str, object]:
    def record(folder: Path, exchanges: Exchanges) -> Life:
        with Recorder(places.binary, folder, exchanges.feeds, Setting(options.memory_bytes, cpu_count=options.cpu_count)) as recorder:
            recorder.wait_connected()
            return watched_until_killed(recorder.process, options.seconds)

    def stored(folder: Path) -> int:
        # The next start publishes what was durable; the exchanges are gone.
        answer = subprocess.run([str(places.binary), "record", "--config", str(folder / "recorder.toml"), "--for", "1s", "--quiet"],
                                capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise BenchError(f"the start after kill -9 failed: {answer.stderr.strip().splitlines()[-1]}")
        return int(run_helper("recorder.count_rows", folder / "out"))

    return measured(places, "beside-cryptofeed", "tapeworks record", options, record, stored)


def with_cryptofeed(places: Places, options: argparse.Namespace) -> dict[str, object]:
    def record(folder: Path, exchanges: Exchanges) -> Life:
        with cryptofeed_process(folder, exchanges, options) as process:
            return watched_until_killed(process, options.seconds)

    return measured(places, "cryptofeed", "cryptofeed, raw files", options, record, raw_messages)


def tables_of(results: dict[str, object]) -> str:
    p = results["parameters"]
    header = ("", "messages a second and core", "CPU a message", "CPU of a core", "resident, first", "most", "last", "sent", "in files after kill -9", "lost")
    rows = []
    for run in results["recordings"]:
        s = run["summary"]
        rows.append((run["title"], f"{s['messages_per_second_and_core']:,.0f}", f"{s['cpu_us_per_message']:.1f} us", f"{100 * s['cpu_of_a_core']:.0f} %",
                     show_bytes(s["first_rss_bytes"]), show_bytes(s["peak_rss_bytes"]), show_bytes(s["last_rss_bytes"]), f"{s['sent']:,}", f"{s['stored']:,}",
                     f"{s['lost']:,}"))
    return (f"A simulated Binance, {p['symbols']} symbols, three streams, {p['rate']:,} messages a second over TLS, {p['seconds']:g} s each, cryptofeed "
            f"{results['cryptofeed']}. tapeworks makes rows and syncs its log every 10 ms; cryptofeed hands parsed messages to a callback that does nothing and "
            f"writes the texts to files, 10,000 at a time and connection.\n\n{markdown(header, rows)}")


def claims_of(results: dict[str, object]) -> list[Claim]:
    ours, theirs = (run["summary"] for run in results["recordings"])
    return [Claim("more messages a second and core than cryptofeed", f"{ours['messages_per_second_and_core'] / theirs['messages_per_second_and_core']:.1f}x",
                  ours["messages_per_second_and_core"] > theirs["messages_per_second_and_core"]),
            Claim("less lost by kill -9 than cryptofeed loses", f"{ours['lost']:,} against {theirs['lost']:,}", ours["lost"] < theirs["lost"])]


def cryptofeed_version() -> str:
    if not CRYPTOFEED_PYTHON.exists():
        raise BenchError("build/bench-recorder-venv is missing; run bench/setup.sh recorder")
    program = "import importlib.metadata, json; print(json.dumps(importlib.metadata.version('cryptofeed')))"
    return json.loads(subprocess.run([str(CRYPTOFEED_PYTHON), "-c", program], capture_output=True, text=True, check=True).stdout)


def run(options: argparse.Namespace) -> int:
    version = cryptofeed_version()
    places = places_of(options)
    results = begin("recorder-cryptofeed", places, options)
    results["cryptofeed"] = version
    results["recordings"] = [with_tapeworks(places, options), with_cryptofeed(places, options)]
    return finish(results, tables_of(results), options, claims_of(results))
