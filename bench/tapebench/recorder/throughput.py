"""`recorder.py throughput`: messages a second from frames that were built before, the backlog and how it drains.

One sender that costs little pours Binance's spot messages over a few connections; sender and recorder share the processors.
Afterwards every message must be a row of the published files. With --tls each message is a TLS record, and what is asked is what one
of them costs the recorder from socket to published file; records of several messages share a TCP segment.
"""

import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path

from tapebench.claim import Claim, at_least, at_most
from tapebench.inputs import run_helper
from tapebench.places import BENCH, PEER_PYTHON, BenchError, Places
from tapebench.recorder.exchanges import make_certificate
from tapebench.recorder.limits import bind
from tapebench.recorder.load import fresh_folder
from tapebench.recorder.options import add_machine_options
from tapebench.recorder.poured import STREAMS, symbol_names
from tapebench.recorder.recording import Recorder, Sample, Setting, plain
from tapebench.recorder.watched import Watched
from tapebench.session import begin, finish, places_of
from tapebench.tables import markdown
from tapebench.units import show_bytes

RATE_MIN = 150_000
TLS_RATE = 100_000  # sender and recorder both encrypt, on the same processors
CPU_US_MAX = 12
LOOK_SECONDS = 1.0
DRAIN_SECONDS_MAX = 600
DRAINED_RECORDS_MAX = 10  # heartbeats come all the time


def add_options(parser: argparse.ArgumentParser) -> None:
    add_machine_options(parser)
    parser.add_argument("--seconds", type=float, default=60, help="of pouring (default 60)")
    parser.add_argument("--rate", type=int, help=f"messages a second; 0: as fast as they are taken (default {RATE_MIN}, with --tls {TLS_RATE})")
    parser.add_argument("--tls", action="store_true", help="over TLS, a record for each message")
    parser.add_argument("--symbols", type=int, default=150, help="of three streams each (default 150)")
    parser.add_argument("--layout", choices=("symbol", "market", "exchange"), default="symbol")


def feed_of(address: str, symbols: int, certificate: Path | None) -> str:
    secure = "s" if certificate else ""
    trust = f"ca_file = {json.dumps(str(certificate))}\n" if certificate else ""
    return (f'[[feed]]\nexchange = "binance"\nmarket = "spot"\nsymbols = {json.dumps(symbol_names(symbols))}\n'
            f'endpoint = "ws{secure}://{address}/stream"\nrest_endpoint = "http{secure}://{address}"\n{trust}')


def expect_line(sender: Watched, word: str) -> str:
    line = sender.process.stdout.readline().decode()
    if not line.startswith(word):
        sender.process.wait()
        sender.require_running()
        raise BenchError(f"the sender said '{line.strip()}' instead of {word}")
    return line.removeprefix(word).strip()


def pour_into_recorder(places: Places, options: argparse.Namespace) -> dict[str, object]:
    folder = fresh_folder(places, "throughput")
    certificate, key = make_certificate(folder) if options.tls else (None, None)
    command = [PEER_PYTHON, "-m", "tapebench.recorder.pour", options.symbols, options.rate, options.seconds, *([certificate, key] if options.tls else [])]
    samples: list[Sample] = []
    with Watched(command, folder / "pour.log", folder=BENCH, stdin=subprocess.PIPE, stdout=subprocess.PIPE, prepare=lambda: bind(options.cpu_count)) as sender:
        feed = feed_of(expect_line(sender, "LISTENING"), options.symbols, certificate)
        with Recorder(places.binary, folder, feed, Setting(options.memory_bytes, options.layout, options.cpu_count)) as recorder:
            expect_line(sender, "SUBSCRIBED")
            recorder.wait_connected()

            def look() -> Sample:
                samples.append(recorder.sample(recorder.read()))
                return samples[-1]

            before = look()
            sender.process.stdin.write(b"GO\n")
            sender.process.stdin.flush()
            while look().at_seconds < before.at_seconds + options.seconds:
                time.sleep(LOOK_SECONDS)
            sent = json.loads(expect_line(sender, ""))
            end_of_sending = look()
            while look().queue_records > DRAINED_RECORDS_MAX:
                if samples[-1].at_seconds > end_of_sending.at_seconds + DRAIN_SECONDS_MAX:
                    raise BenchError(f"the backlog of {samples[-1].queue_records:,} records did not drain within {DRAIN_SECONDS_MAX} s")
                time.sleep(0.1)
            end = recorder.stop()
        sender.process.stdin.close()
        sender.wait()
    rows = int(run_helper("recorder.count_rows", folder / "out"))
    shutil.rmtree(folder, ignore_errors=True)
    return {"title": "tapeworks record", "samples": plain(samples), "end": end, "sent": sent, "rows": rows,
            "summary": summary_of(before, end_of_sending, samples, end, sent)}


def summary_of(before: Sample, end_of_sending: Sample, samples: list[Sample], end: dict[str, object], sent: dict[str, float]) -> dict[str, object]:
    seconds = end_of_sending.at_seconds - before.at_seconds
    received = end_of_sending.messages - before.messages
    return {
        "received_per_second": received / seconds,
        "made_into_rows_per_second": (received - end_of_sending.queue_records) / seconds,
        "backlog_records": end_of_sending.queue_records,
        "backlog_records_max": max(sample.queue_records for sample in samples),
        "drain_seconds": samples[-1].at_seconds - end_of_sending.at_seconds,
        "stop_seconds": end["stop_seconds"],
        "cpu_us_per_message": 1e6 * end["cpu_seconds"] / samples[-1].messages,
        "cpu_of_a_core": (end_of_sending.cpu_seconds - before.cpu_seconds) / seconds,
        "sender_cpu_of_a_core": sent["cpu_seconds"] / sent["seconds"],
        "bytes_per_second": sent["bytes"] / sent["seconds"],
        "peak_rss_bytes": end["peak_rss_bytes"],
        "dropped": samples[-1].dropped,
    }


def tables_of(results: dict[str, object]) -> str:
    p, run = results["parameters"], results["recordings"][0]
    s = run["summary"]
    header = ("received a second", "made into rows a second", "backlog at the end", "drained after", "CPU a message", "CPU of a core", "sender's", "peak resident", "sent", "rows")
    row = (f"{s['received_per_second']:,.0f}", f"{s['made_into_rows_per_second']:,.0f}", f"{s['backlog_records']:,}", f"{s['drain_seconds']:.1f} s",
           f"{s['cpu_us_per_message']:.1f} us", f"{100 * s['cpu_of_a_core']:.0f} %", f"{100 * s['sender_cpu_of_a_core']:.0f} %", show_bytes(s["peak_rss_bytes"]),
           f"{run['sent']['messages']:,}", f"{run['rows']:,}")
    offered = f"{p['rate']:,} messages a second offered" if p["rate"] else "as fast as they were taken"
    return (f"Binance spot, {p['symbols']} symbols, {len(STREAMS)} streams, {offered} for {p['seconds']:g} s ({show_bytes(s['bytes_per_second'])}/s), "
            f"{'TLS with a record for each message' if p.get('tls') else 'no TLS'}, layout "
            f"{p['layout']}, --memory {p['memory_bytes'] // 2**20}MiB, recorder and sender on {p['cpu_count']} processors.\n\n{markdown(header, [row])}")


def claims_of(results: dict[str, object]) -> list[Claim]:
    p, run = results["parameters"], results["recordings"][0]
    found = run["summary"]
    is_tls = p.get("tls", False)
    wanted = (p["rate"] or TLS_RATE) if is_tls else RATE_MIN
    cost = [at_most("CPU a message, TLS included, socket to published file", found["cpu_us_per_message"], CPU_US_MAX, " us")] if is_tls else []
    # A hundredth for the moments between the last message and the look.
    return [at_least("messages a second received", found["received_per_second"] / 1000, 0.99 * wanted / 1000, "k"), *cost,
            Claim("every message is a row", f"{run['rows']:,} of {run['sent']['messages']:,}", run["rows"] == run["sent"]["messages"] and not found["dropped"])]


def run(options: argparse.Namespace) -> int:
    places = places_of(options)
    if options.rate is None:
        options.rate = TLS_RATE if options.tls else RATE_MIN
    results = begin("recorder-throughput-tls" if options.tls else "recorder-throughput", places, options)
    results["recordings"] = [pour_into_recorder(places, options)]
    return finish(results, tables_of(results), options, claims_of(results))
