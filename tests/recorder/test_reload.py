"""Changing what is recorded without a restart: SIGHUP, and new listings that a pattern finds."""

import json
import re
import time

import polars as pl

from harness import SANITIZERS
from recorded_tables import read_rows, read_table
from recording import Exchanges, Recording, judge_and_replay, record, with_symbols, write_config

RATE = "300/s" if SANITIZERS else "1500/s"


def symbol_events(out) -> list[tuple]:
    events = read_table(out, "_events").filter(pl.col("event") == "symbol").sort("lsn")
    return list(events.select("folder", "symbol", "cause", "detail").iter_rows())


def one_venue(tmp_path, **options):
    return Exchanges(tmp_path, "--symbols", "6", "--rate", RATE, "--exchange", "gate", "--market", "spot", **options)


def test_symbols_come_and_go_while_it_records(tmp_path):
    out = tmp_path / "out"
    with one_venue(tmp_path) as exchanges:
        known = re.search(r"symbols = (.*)", exchanges.feeds).group(1)
        a, b, c, d = json.loads(known)[:4]
        with Recording(tmp_path, with_symbols(exchanges.feeds, [a, b, c])) as recording:
            recording.wait_live(1, events=300)
            recording.reload(with_symbols(exchanges.feeds, [a, c, d]))
            # What the symbol had is published while the others go on.
            recording.wait_for(lambda _: list(out.glob(f"gate_spot/{b}/*/*.parquet")))
            recording.wait_live(1, events=recording.status()["events"] + 300)
            assert not list(out.glob(f"gate_spot/{a}/*/*.parquet"))
        exchanges.stop()
        judge_and_replay(tmp_path, exchanges.ledger)
    assert set(symbol_events(out)) == {("gate_spot", b, "removed", "configuration"), ("gate_spot", d, "added", "configuration")}
    rows = read_rows(out)
    assert set(rows["symbol"]) == {a, b, c, d}
    removed_at = read_table(out, "_events").filter(pl.col("cause") == "removed")["lsn"][0]
    assert rows.filter(pl.col("symbol") == b)["lsn"].max() < removed_at
    # Nobody missed anything: the new socket was there before the old one went.
    gaps = read_table(out, "_gaps")
    assert gaps.height == 0 or set(gaps["cause"]) <= {"stopped"}
    switches = read_table(out, "_events").filter(pl.col("event") == "leg_switch")
    assert "configuration" in set(switches["cause"])
    configurations = read_table(out, "_events").filter(pl.col("event") == "configuration")
    assert configurations.height == 2 and json.dumps(d) in configurations.sort("lsn")["detail"][1]


def test_feeds_come_and_go_while_it_records(tmp_path):
    with Exchanges(tmp_path, "--symbols", "3", "--rate", RATE) as exchanges:
        feeds = {re.search(r'exchange = "(.*)"\nmarket = "(.*)"\ntransport = "(.*)"', text).groups(): "[[feed]]" + text
                 for text in exchanges.feeds.split("[[feed]]")[1:]}
        gate, kucoin = feeds["gate", "spot", "json"], feeds["kucoin", "spot", "json"]
        binance = feeds["binance", "usdt_futures", "json"]
        with Recording(tmp_path, gate + kucoin) as recording:
            recording.wait_live(2, events=100)
            recording.reload(kucoin + binance)
            recording.wait_for(lambda _: len(list((tmp_path / "out").glob("gate_spot/*/*/*.parquet"))) >= 3)
            recording.wait_live(2, events=recording.status()["events"] + 200)
            assert recording.status()["dropped_total"] == 0
        exchanges.stop()
        judge_and_replay(tmp_path, exchanges.ledger)
    markets = read_rows(tmp_path / "out").group_by("exchange", "market").agg(pl.col("lsn").min(), pl.col("lsn").max().alias("last"))
    first = {key[:2]: key[2] for key in markets.select("exchange", "market", "lsn").iter_rows()}
    last = {key[:2]: key[2] for key in markets.select("exchange", "market", "last").iter_rows()}
    assert set(first) == {("gate", "spot"), ("kucoin", "spot"), ("binance", "usdt_futures")}
    assert last["gate", "spot"] < last["kucoin", "spot"] and first["binance", "usdt_futures"] > first["kucoin", "spot"]
    found = symbol_events(tmp_path / "out")
    assert {(folder, cause) for folder, _, cause, _ in found} == {("gate_spot", "removed"), ("binance_usdt_futures", "added")}
    assert len(found) == 6


def test_a_bad_configuration_leaves_the_old_one_in_force(tmp_path):
    with one_venue(tmp_path) as exchanges, Recording(tmp_path, exchanges.feeds) as recording:
        recording.wait_live(1, events=100)
        mistakes = [
            ("nonsense", "", "the new configuration is not used: "),
            (exchanges.feeds.replace("symbols", "symbol"), "", "there is no key symbol in [feed]"),
            (exchanges.feeds, "[metrics]\nunhealthy_after = \"2m\"\n", 'metrics.unhealthy_after cannot be changed from "1m" to "2m" without a restart'),
            (exchanges.feeds + "dedupe_window = 100\n", "", "the largest feed.dedupe_window cannot be changed without a restart"),
            (exchanges.feeds.replace(', "trade"]', "]") + "backfill = true\n", "", "backfill fetches trades, and the feed does not record any"),
        ]
        for feeds, sections, sentence in mistakes:
            recording.reload(feeds, sections)
            recording.wait_for(lambda r, sentence=sentence: sentence in r.errors)
        recording.wait_live(1, events=recording.status()["events"] + 200)
        refusals = recording.errors.count("the new configuration is not used: ")
        assert refusals == len(mistakes)
    events = read_table(tmp_path / "out", "_events")
    assert events.filter(pl.col("cause") == "reload_refused").height == len(mistakes)
    assert events.filter(pl.col("event") == "symbol").height == 0
    assert events.filter(pl.col("event") == "connect").height == 1


def test_a_symbol_does_not_move_between_feeds_while_it_is_recorded(tmp_path):
    with one_venue(tmp_path) as exchanges:
        symbols = json.loads(re.search(r"symbols = (.*)", exchanges.feeds).group(1))
        one, other = with_symbols(exchanges.feeds, symbols[:3]), with_symbols(exchanges.feeds, symbols[3:5])
        with Recording(tmp_path, one + "\n" + other) as recording:
            recording.wait_live(2, events=100)
            recording.reload(with_symbols(exchanges.feeds, symbols[:2]) + "\n" + with_symbols(exchanges.feeds, symbols[2:5]))
            recording.wait_for(lambda r: f"gate spot {symbols[2]} cannot move from one [[feed]] to another" in r.errors)


def test_a_new_listing_is_recorded_when_a_pattern_wants_it(tmp_path):
    script = [{"at": "4s", "venue": "gate_spot", "fault": "list_symbol", "symbol": "NEW_USDT"},
              {"at": "4s", "venue": "gate_spot", "fault": "list_symbol", "symbol": "NEW_BTC"}]
    with one_venue(tmp_path, script=script) as exchanges:
        feeds = with_symbols(exchanges.feeds, ["*_USDT"]) + 'list_interval = "1s"\n'
        with Recording(tmp_path, feeds) as recording:
            recording.wait_live(1, events=100)
            time.sleep(6)  # the listing, a look at the list, and the new socket
            recording.wait_live(1, events=recording.status()["events"] + 100)
        exchanges.stop()
        judge_and_replay(tmp_path, exchanges.ledger)
    rows = read_rows(tmp_path / "out")
    assert "NEW_USDT" in set(rows["symbol"]) and "NEW_BTC" not in set(rows["symbol"])
    assert symbol_events(tmp_path / "out") == [("gate_spot", "NEW_USDT", "added", "new listing")]
    instruments = read_table(tmp_path / "out", "_instruments")
    assert sorted(instruments["symbol"]) == sorted({*instruments["symbol"]}), "each instrument once, however often the list is read"
    assert "NEW_USDT" in set(instruments["symbol"])


def test_the_top_by_volume_is_chosen_again(tmp_path):
    # The first symbol is traded most, and leaves; what is listed new is traded least.
    script = [{"at": "4s", "venue": "gate_spot", "fault": "list_symbol", "symbol": "NEW_USDT"},
              {"at": "4s", "venue": "gate_spot", "fault": "delist_symbol", "symbol": "BTC_USDT"}]
    with one_venue(tmp_path, script=script) as exchanges:
        first, second, third = json.loads(re.search(r"symbols = (.*)", exchanges.feeds).group(1))[:3]
        assert first == "BTC_USDT"
        feeds = with_symbols(exchanges.feeds, ["*_USDT"]) + 'top_by_volume = 2\nvolume_interval = "1s"\n'
        with Recording(tmp_path, feeds) as recording:
            recording.wait_live(1, events=100)
            recording.wait_for(lambda _: list((tmp_path / "out").glob(f"gate_spot/{first}/*/*.parquet")))
            recording.wait_live(1, events=recording.status()["events"] + 100)
        exchanges.stop()
        judge_and_replay(tmp_path, exchanges.ledger)
    assert set(read_rows(tmp_path / "out")["symbol"]) == {first, second, third}
    assert set(symbol_events(tmp_path / "out")) == {("gate_spot", first, "removed", "volume"), ("gate_spot", third, "added", "volume")}


def test_a_reload_that_takes_a_waiting_pattern_away_ends_gaps_of_connections_that_are_no_more(tmp_path):
    with one_venue(tmp_path) as exchanges:
        symbols = json.loads(re.search(r"symbols = (.*)", exchanges.feeds).group(1))
        one, other = with_symbols(exchanges.feeds, symbols[:2]), with_symbols(exchanges.feeds, symbols[2:4])
        record(write_config(tmp_path, one + "\n" + other), "2s")
        waiting = re.sub(r"rest_endpoint = .*", 'rest_endpoint = "http://127.0.0.1:9"', with_symbols(exchanges.feeds, ["*"]))
        with Recording(tmp_path, waiting) as recording:
            recording.wait_for(lambda r: "patterns wait for it: " in r.errors)
            recording.reload(one)
            recording.wait_live(1, events=100)
    ended = read_table(tmp_path / "out", "_gaps").filter(pl.col("connection") == 2)
    assert list(ended["detail"]) == ["from here on there is no connection of this number"]


def test_reloads_without_end(tmp_path):
    """Many changes in a row, some while the last one is not done yet."""
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE, "--exchange", "binance", "--market", "spot") as exchanges:
        symbols = json.loads(re.search(r"symbols = (.*)", exchanges.feeds).group(1))
        with Recording(tmp_path, exchanges.feeds) as recording:
            recording.wait_live(2, events=50)
            for number in range(8):
                kept = [symbol for place, symbol in enumerate(symbols) if place != number % 5]
                recording.reload(with_symbols(exchanges.feeds, kept))
                time.sleep(0.2 + 0.4 * (number % 3))
            recording.reload(exchanges.feeds)
            recording.wait_live(2, events=recording.status()["events"] + 300)
        exchanges.stop()
        judge_and_replay(tmp_path, exchanges.ledger)

