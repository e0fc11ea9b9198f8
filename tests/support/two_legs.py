"""Recording over two legs while a line between recorder and exchange breaks every few seconds, never both of a venue at once."""

import random
import time
from collections import Counter
from pathlib import Path

import polars as pl

from cutting_proxy import CuttingProxy
from recording import VENUES, Exchanges, Recording, judge_and_replay, read_ledger, read_rows, read_table, rows_by_venue

# Streams whose rows have a number that both copies share: nothing of them may be missing.
KEYED = {"binance_spot": {"trade", "book"}, "binance_spot_sbe": {"trade", "book"}, "binance_usdm": {"trade", "book"},
         "kucoin_spot": {"trade"}, "kucoin_futures": {"trade"}, "gate_spot": {"trade", "book"}, "gate_futures": {"trade", "book"}}
# So long a leg must have spoken before its twin is cut: it has subscribed to everything by then (KuCoin's futures take 2 s).
COVERS_AFTER_SECONDS = 3
EDGE_NS = 2_000_000_000


def cut_at_random(proxy: CuttingProxy, seconds: float, moments: random.Random) -> int:
    """How often one leg was cut."""
    cuts, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(moments.uniform(0.2, 0.8))
        by_port = {}
        for tunnel in list(proxy.tunnels):
            by_port.setdefault(tunnel.port, []).append(tunnel)
        ready = [legs for legs in by_port.values() if len(legs) == 2 and min(leg.spoken_seconds for leg in legs) > COVERS_AFTER_SECONDS]
        if ready:
            proxy.cut(moments.choice(moments.choice(ready)))
            cuts += 1
    return cuts


def record_with_cuts(folder: Path, seconds: float, rate: str, seed: int) -> Counter:
    """Asserts all that two legs promise."""
    with CuttingProxy() as proxy, Exchanges(folder, "--symbols", "4", "--rate", rate) as exchanges:
        # Metrics and lists take the same way, but are over in a moment.
        feeds = exchanges.feeds.replace("[[feed]]", f'[[feed]]\nlegs = 2\nproxy = "http://127.0.0.1:{proxy.port}"')
        with Recording(folder, feeds) as recording:
            recording.wait_live(2 * len(VENUES), events=100)
            time.sleep(COVERS_AFTER_SECONDS)
            begin_ns = time.time_ns()
            cuts = cut_at_random(proxy, seconds, random.Random(seed))
            end_ns = time.time_ns()
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
    recorded = rows_by_venue(rows)
    for entry in read_ledger(ledger):
        if entry.row[0] not in KEYED[entry.venue] or not begin_ns + EDGE_NS < entry.sent_ns < end_ns:
            continue
        counts["keyed"] += 1
        assert entry.row in recorded[entry.venue], f"{entry.venue}: sent at {entry.sent_ns} and missing: {entry.row}"
    both = rows.group_by("exchange", "market", "transport").agg(pl.col("leg").n_unique())
    assert both["leg"].min() == 2, "each leg supplied something"


def check_sampled(rows: pl.DataFrame, out: Path, counts: Counter) -> None:
    """Rows of five levels come from the leg that the events name, and switch with them."""
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
        steps = sorted(mine.select("lsn", "event", "leg").iter_rows())
        for (lsn, event, leg), (until, _, _) in zip(steps, [*steps[1:], (1 << 63, "", 0)]):
            if event == "leg_switch":
                legs = set(sampled.filter(pl.col("lsn") > lsn, pl.col("lsn") < until)["leg"])
                assert legs <= {leg}, f"{folder} {connection}: {legs} behind the switch to leg {leg} at {lsn}"


def check_gaps(out: Path, counts: Counter) -> None:
    gaps = read_table(out, "_gaps")
    counts["gaps"] = gaps.height
    assert gaps.height == 0, f"one leg was there at any time: {gaps}"
