"""Symbols and instruments from the exchanges' lists: patterns, names that do not exist, and the table _instruments."""

import json
import re
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl

from harness import SANITIZERS, tapeworks
from recorded_tables import read_rows, read_table
from recording import Exchanges, Recording, judge, last_status, published_hashes, record, with_symbols, write_config

RATE = "200/s" if SANITIZERS else "1000/s"


class Deaf:
    """Hands requests on to `behind`, but while it `is_deaf` answers those for `path` with 503."""

    def __init__(self, behind: str, path: str):
        self.is_deaf = True
        deaf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                refused = deaf.is_deaf and self.path == path
                body = b"" if refused else urllib.request.urlopen(behind + self.path, timeout=30).read()
                self.send_response(503 if refused else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_star_records_all_that_a_venue_trades(tmp_path):
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE) as exchanges:
        outcome = record(write_config(tmp_path, with_symbols(exchanges.feeds, ["*"])), "5s")
        exchanges.stop()
        status = last_status(outcome)
        assert status["connections"] == 7 and status["events"] > 100
        judge(tmp_path / "out", exchanges.ledger)
        symbols = read_rows(tmp_path / "out").select("exchange", "market", "symbol").unique()
        assert symbols.group_by("exchange", "market").len()["len"].to_list() == [5] * 6


def test_the_top_by_volume_of_every_venue_is_recorded(tmp_path):
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE) as exchanges:
        # The simulator's first symbol is traded most, and so on.
        top = {re.search(r'exchange = "(.*)"', feed).group(1) + " " + re.search(r'market = "(.*)"', feed).group(1):
               json.loads(re.search(r"symbols = (.*)", feed).group(1))[:2] for feed in exchanges.feeds.split("[[feed]]")[1:]}
        feeds = with_symbols(exchanges.feeds, ["*"]).replace('symbols = ["*"]\n', 'symbols = ["*"]\ntop_by_volume = 2\n')
        outcome = record(write_config(tmp_path, feeds), "5s")
        exchanges.stop()
        assert last_status(outcome)["connections"] == 7
        judge(tmp_path / "out", exchanges.ledger)
    recorded = read_rows(tmp_path / "out").select("exchange", "market", "symbol").unique().iter_rows()
    assert sorted(recorded) == sorted((*market.split(), symbol) for market, symbols in top.items() for symbol in symbols)


def test_a_feed_waits_for_volumes_and_others_do_not_wait_for_it(tmp_path):
    with Exchanges(tmp_path, "--symbols", "3", "--rate", RATE, "--exchange", "gate", "--market", "spot") as exchanges, \
            Deaf(re.search(r'rest_endpoint = "(.*)"', exchanges.feeds).group(1), "/api/v4/spot/tickers") as deaf:
        symbols = json.loads(re.search(r"symbols = (.*)", exchanges.feeds).group(1))
        feeds = re.sub(r"rest_endpoint = .*", f'rest_endpoint = "{deaf.url}"', exchanges.feeds)
        ranked = with_symbols(feeds, ["*_USDT"]) + "top_by_volume = 1\n"
        with Recording(tmp_path, with_symbols(feeds, symbols[2:]) + ranked) as recording:
            recording.wait_for(lambda r: "gate spot: the top by volume could not be chosen, and its feed waits for it: " in r.errors)
            recording.wait_live(1, events=100)
            deaf.is_deaf = False
            recording.wait_live(2, events=recording.status()["events"] + 100)
    assert "/api/v4/spot/tickers answered with status 503" in recording.errors
    assert recording.errors.count("the top by volume could not be chosen") == 1
    assert set(read_rows(tmp_path / "out")["symbol"]) == {symbols[0], symbols[2]}
    notices = read_table(tmp_path / "out", "_events").filter(pl.col("cause") == "volumes_unknown")
    assert list(notices["event"]) == ["notice"]


def test_a_pattern_takes_what_it_matches_and_says_when_that_is_nothing(tmp_path):
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE, "--exchange", "binance", "--market", "spot") as exchanges:
        outcome = record(write_config(tmp_path, with_symbols(exchanges.feeds, ["BTC*", "NOSUCH*"])), "3s")
        exchanges.stop()
        assert set(read_rows(tmp_path / "out")["symbol"]) == {"BTCUSDT"}
        assert "the pattern 'NOSUCH*' matches none of 5 instruments" in outcome.stderr


def test_instruments_have_their_facts_and_replay_makes_them_again(tmp_path):
    with Exchanges(tmp_path, "--symbols", "3", "--rate", RATE) as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "3s")
        exchanges.stop()
    table = read_table(tmp_path / "out", "_instruments")
    # Binance spot has two feeds with an address each, and so two lists.
    assert table.filter(pl.col("folder") != "binance_spot").group_by("folder").len()["len"].to_list() == [3] * 5
    assert table.select("folder", "symbol").n_unique() == 18 and table.height == 21
    assert table["symbol"].null_count() == table["price_tick"].null_count() == table["quantity_step"].null_count() == 0
    assert (table["price_tick"] > 0).all() and (table["lsn"] > 0).all()
    assert set(table["status"]) == {"TRADING", "trading", "Open", "tradable"}
    has_multiplier = table.filter(pl.col("multiplier").is_not_null())
    assert set(has_multiplier["folder"]) == {"kucoin_usdt_futures", "gate_usdt_futures"}
    assert dict(has_multiplier.select("folder", "multiplier").iter_rows()) == {"kucoin_usdt_futures": 0.001, "gate_usdt_futures": 0.0001}
    tapeworks("replay", "--wal", tmp_path / "log", "--out", tmp_path / "again")
    assert published_hashes(tmp_path / "out") == published_hashes(tmp_path / "again")


def test_a_symbol_that_does_not_exist_is_named_and_the_others_go_on(tmp_path):
    with Exchanges(tmp_path, "--symbols", "3", "--rate", RATE, "--exchange", "binance", "--market", "usdt_futures") as exchanges:
        outcome = record(write_config(tmp_path, with_symbols(exchanges.feeds, ["BTCUSDT", "NOSUCHUSDT"])), "3s")
        exchanges.stop()
    assert "NOSUCHUSDT: the exchange does not know this symbol" in outcome.stderr
    assert set(read_rows(tmp_path / "out")["symbol"]) == {"BTCUSDT"}
    events = read_table(tmp_path / "out", "_events").filter(pl.col("cause") == "unknown_symbol")
    assert set(events["symbol"]) == {"NOSUCHUSDT"}


def test_without_the_list_names_are_recorded_and_that_is_said(tmp_path):
    with Exchanges(tmp_path, "--symbols", "2", "--rate", RATE, "--exchange", "gate", "--market", "spot") as exchanges:
        feeds = re.sub(r'rest_endpoint = .*', 'rest_endpoint = "http://127.0.0.1:9"', exchanges.feeds)
        outcome = record(write_config(tmp_path, feeds), "3s")
        exchanges.stop()
    assert "gate spot: the list of instruments could not be read: " in outcome.stderr
    assert read_rows(tmp_path / "out").height > 10
    table = read_table(tmp_path / "out", "_instruments")
    assert table.height == 1 and table["symbol"][0] is None and table["price_tick"][0] is None
    assert table["detail"][0].startswith("not known: ")


def test_patterns_wait_for_the_list(tmp_path):
    feeds = '[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["*"]\nendpoint = "ws://127.0.0.1:9"\n'
    outcome = record(write_config(tmp_path, feeds), "1s")
    assert "the list of instruments could not be read, and patterns wait for it: " in outcome.stderr
    assert last_status(outcome)["connections"] == 0


def test_more_symbols_than_memory_allows_is_an_error_when_they_are_known(tmp_path):
    with Exchanges(tmp_path, "--symbols", "500", "--rate", RATE, "--exchange", "gate", "--market", "spot") as exchanges:
        config = write_config(tmp_path, with_symbols(exchanges.feeds, ["*"]))
        outcome = record(config, "5s", "--memory", "96MiB", expect=2)
        exchanges.stop()
    assert "--memory 96.00 MiB is too little for 500 symbols" in outcome.stderr
