"""Recording over two legs while a line between recorder and exchange breaks every few seconds, never both of a venue at once."""

import json
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from cutting_proxy import CuttingProxy
from recorded_tables import VENUES, read_rows, read_table
from recording import Exchanges, Recording, judge_and_replay, read_ledger, rows_by_venue

# Streams whose rows have a number that both copies share: nothing of them may be missing.
KEYED = {"binance_spot": {"trade", "book"}, "binance_spot_sbe": {"trade", "book"}, "binance_usdm": {"trade", "book"},
         "kucoin_spot": {"trade"}, "kucoin_futures": {"trade"}, "gate_spot": {"trade", "book"}, "gate_futures": {"trade", "book"}}
# So long a leg must have been sent everything before its twin is cut: what only the twin was sent has been read by then.
COVERS_AFTER_NS = 3_000_000_000
# A connection without a message for so long has gone.
GONE_AFTER_NS = 1_000_000_000
# What was sent so long before a cut has been read.
READ_AFTER_NS = 1_000_000_000
EDGE_NS = 2_000_000_000
STREAMS, SYMBOLS = 3, 4


@dataclass
class Leg:
    """A connection, as the ledger knows it."""

    pairs: set = field(default_factory=set)  # (stream, symbol) that were sent on it
    last_ns: int = 0
    covers_from_ns: int | None = None


class Coverage:
    """Which connections are sent everything, read from the ledger while it grows."""

    def __init__(self, ledger: Path, symbols: int):
        self.file = ledger.open("rb")
        self.pair_count = STREAMS * symbols
        self.legs: dict[str, dict[int, Leg]] = {}
        self.rest = b""

    def read(self) -> None:
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        for line in lines:
            entry = json.loads(line)
            leg = self.legs.setdefault(entry["venue"], {}).setdefault(entry["connection"], Leg())
            leg.last_ns = max(leg.last_ns, entry["sent_time"])
            leg.pairs |= {(row["stream"], row["symbol"]) for row in entry["rows"]}
            if leg.covers_from_ns is None and len(leg.pairs) == self.pair_count:
                leg.covers_from_ns = entry["sent_time"]

    def has_two_whole_legs(self, venue: str) -> bool:
        now_ns = time.time_ns()
        alive = [leg for leg in self.legs.get(venue, {}).values() if now_ns - leg.last_ns < GONE_AFTER_NS]
        return len(alive) == 2 and all(leg.covers_from_ns is not None and now_ns - leg.covers_from_ns > COVERS_AFTER_NS for leg in alive)


def venues_by_port(feeds: str) -> dict[int, str]:
    names = {value: key for key, value in VENUES.items()}
    ports = {}
    for text in feeds.split("[[feed]]")[1:]:
        name = re.search(r'exchange = "(.*)"\nmarket = "(.*)"\ntransport = "(.*)"', text).groups()
        ports[int(re.search(r'endpoint = "[^"]*:(\d+)', text).group(1))] = names[name]
    return ports


def cut_at_random(proxy: CuttingProxy, coverage: Coverage, venues: dict[int, str], seconds: float, moments: random.Random) -> int:
    """How often one leg was cut."""
    cuts, end = 0, time.monotonic() + seconds
    cut_ns = {}  # the last time, by port
    while time.monotonic() < end:
        time.sleep(moments.uniform(0.2, 0.8))
        coverage.read()
        by_port = {}
        for tunnel in list(proxy.tunnels):
            by_port.setdefault(tunnel.port, []).append(tunnel)
        # The ledger shows only after a while that a connection has gone.
        settled_ns = time.time_ns() - GONE_AFTER_NS - COVERS_AFTER_NS
        ready = [port for port, legs in by_port.items()
                 if len(legs) == 2 and cut_ns.get(port, 0) < settled_ns and coverage.has_two_whole_legs(venues[port])]
        if ready:
            port = moments.choice(ready)
            proxy.cut(moments.choice(by_port[port]))
            cut_ns[port] = time.time_ns()
            cuts += 1
    return cuts


def record_with_cuts(folder: Path, seconds: float, rate: str, seed: int) -> Counter:
    """Asserts all that two legs promise."""
    with CuttingProxy(late_requests=random.Random(seed)) as proxy, Exchanges(folder, "--symbols", str(SYMBOLS), "--rate", rate) as exchanges:
        # Metrics and lists take the same way, but are over in a moment.
        feeds = exchanges.feeds.replace("[[feed]]", f'[[feed]]\nlegs = 2\nproxy = "http://127.0.0.1:{proxy.port}"')
        with Recording(folder, feeds) as recording:
            recording.wait_live(2 * len(VENUES), events=100)
            coverage = Coverage(exchanges.ledger, SYMBOLS)
            begin_ns = time.time_ns()
            cuts = cut_at_random(proxy, coverage, venues_by_port(exchanges.feeds), seconds, random.Random(seed))
            end_ns = time.time_ns()
            time.sleep(READ_AFTER_NS / 1e9)
        exchanges.stop()
    counts = judge_and_replay(folder, exchanges.ledger, legs=2)
    counts["cuts"] = cuts
    out = folder / "out"
    rows = read_rows(out)
    check_gaps(out, counts)
    check_keyed(rows, exchanges.ledger, begin_ns, end_ns, counts)
    check_sampled(rows, out, counts)
    return counts


def check_keyed(rows: pl.DataFrame, ledger: Path, begin_ns: int, end_ns: int, counts: Counter) -> None:
    """What was sent on a connection that went on is there. The ledger knows who was subscribed; the cuts obeyed that, so there
    is nothing else, and what there is would be told with the connections it was sent on."""
    recorded = rows_by_venue(rows)
    sent = read_ledger(ledger)
    last_ns = {}
    for entry in sent:
        last_ns[entry.venue, entry.connection] = max(entry.sent_ns, last_ns.get((entry.venue, entry.connection), 0))
    missing = {}
    for entry in sent:
        if entry.row[0] not in KEYED[entry.venue] or not begin_ns + EDGE_NS < entry.sent_ns < end_ns:
            continue
        counts["keyed"] += 1
        if entry.row not in recorded[entry.venue]:
            missing.setdefault((entry.venue, entry.row), []).append((entry.connection, last_ns[entry.venue, entry.connection] - entry.sent_ns))
    for (venue, row), on in missing.items():
        was_to_be_read = any(left_ns > READ_AFTER_NS for _, left_ns in on)
        raise AssertionError(f"{venue}: missing, {'a defect of the recorder' if was_to_be_read else 'no leg covered it'}: {row}, "
                             f"sent on connections (number, ns until its last message) {on}; {len(missing)} such rows")
    # Of one venue it may always have been the same leg that was cut.
    assert set(rows["leg"]) == {0, 1}, "each leg supplied something"


def check_sampled(rows: pl.DataFrame, out: Path, counts: Counter) -> None:
    """Rows of five levels come from the leg that the events name, and switch with them: at once where that leg had all streams already,
    because its twin was lost, otherwise with its first row of each stream."""
    events = read_table(out, "_events")
    switches = events.filter(pl.col("event") == "leg_switch")
    assert "lost" in set(switches["cause"])
    counts["switches"] = switches.filter(pl.col("cause") == "lost").height
    for (folder, connection), mine in events.filter(pl.col("event").is_in(["leg_switch", "disconnect"])).group_by("folder", "connection"):
        exchange, market = folder.split("_", 1)
        transports = rows.filter(pl.col("exchange") == exchange, pl.col("market") == market)["transport"].unique()
        if len(transports) > 1:
            continue  # two feeds in one folder: their rows do not say their connection
        sampled = rows.filter(pl.col("exchange") == exchange, pl.col("market") == market, pl.col("stream") == "l5").sort("lsn")
        steps = sorted(mine.select("lsn", "event", "leg", "cause").iter_rows())
        for (lsn, event, leg, cause), (until, *_) in zip(steps, [*steps[1:], (1 << 63,)]):
            if event == "leg_switch":
                between = sampled.filter(pl.col("lsn") > lsn, pl.col("lsn") < until)
                where = f"{folder} {connection}, behind the switch to leg {leg} ({cause}) at {lsn}"
                if cause == "lost":
                    assert set(between["leg"]) <= {leg}, where
                for _, stream in between.group_by("symbol"):
                    check_change(stream, leg, where)


def check_change(stream: pl.DataFrame, leg: int, where: str) -> None:
    """The other leg counts until the new one has brought its first row; behind that, with what was sent before it."""
    number = pl.coalesce("sequence", "event_time")
    mine, others = stream.filter(pl.col("leg") == leg), stream.filter(pl.col("leg") != leg)
    if mine.height:
        late = others.filter(pl.col("lsn") > mine["lsn"][0], number > mine.select(number).item(0, 0))
        assert late.height == 0, f"{where}: {late}"


def check_gaps(out: Path, counts: Counter) -> None:
    gaps = read_table(out, "_gaps")
    counts["gaps"] = gaps.height
    assert gaps.height == 0, f"one leg was there at any time: {gaps}"
