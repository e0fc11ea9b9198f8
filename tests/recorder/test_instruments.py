"""Symbols and instruments from the exchanges' lists: patterns, names that do not exist, and the table _instruments."""

import re

import polars as pl

from harness import SANITIZERS, tapeworks
from recording import Exchanges, judge, last_status, published_hashes, read_rows, read_table, record, with_symbols, write_config

RATE = "200/s" if SANITIZERS else "1000/s"


def test_a_star_records_all_that_a_venue_trades(tmp_path):
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE) as exchanges:
        outcome = record(write_config(tmp_path, with_symbols(exchanges.feeds, ["*"])), "5s")
        exchanges.stop()
        status = last_status(outcome)
        assert status["connections"] == 7 and status["events"] > 100
        judge(tmp_path / "out", exchanges.ledger)
        symbols = read_rows(tmp_path / "out").select("exchange", "market", "symbol").unique()
        assert symbols.group_by("exchange", "market").len()["len"].to_list() == [5] * 6


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
