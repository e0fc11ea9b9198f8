"""The goldens of the recorded messages, judged by a second decoder and by what other projects' tests state."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest
import reference_decoder

CORPUS = Path(__file__).parents[1] / "data" / "exchanges"
FILES = sorted(p for p in CORPUS.glob("*/*.jsonl") if p.name.count(".") == 1 and p.parent.name != "binance_sbe")


def golden_of(path):
    """{line number: what the golden says of that line}"""
    lines = [json.loads(text) for text in path.with_suffix(".golden.jsonl").read_text().splitlines()]
    return {number: [{k: v for k, v in entry.items() if k != "line"} for entry in entries]
            for number, entries in groupby(lines, key=lambda entry: entry["line"])}


def test_the_corpus_is_all_there():
    assert sum(len(path.read_text().splitlines()) for path in FILES) == 1410


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_second_decoder_agrees(path):
    golden = golden_of(path)
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        assert reference_decoder.outcomes(path.parent.name, line) == golden[number], f"line {number}: {line}"


# --- what the sources of the messages state ---------------------------------------------------------------------


def same_instant(stated, row):
    times = [row[c] for c in ("event_time_ns", "exchange_time_ns") if c in row]
    if isinstance(stated, str):
        stated_ms = (datetime.fromisoformat(stated) - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    else:
        stated_ms = stated
    return stated_ms in [ns // 1_000_000 for ns in times]


def same_number(stated, ours):
    return stated is None or Decimal(str(stated)) == Decimal(repr(ours))


def check_trade(stated, row):
    assert "event_time" not in stated or same_instant(stated["event_time"], row)
    assert "symbol_raw" not in stated or stated["symbol_raw"] == row["symbol"]
    assert "price" not in stated or same_number(stated["price"], row["price"])
    assert "qty" not in stated or same_number(stated["qty"], row["quantity"])
    assert "side" not in stated or stated["side"] == row["side"]
    assert "trade_id" not in stated or stated["trade_id"] == row["trade_id"]


def check_book(stated, row):
    assert "event_time" not in stated or same_instant(stated["event_time"], row)
    assert "symbol_raw" not in stated or stated["symbol_raw"] == row["symbol"]
    assert "seq_id" not in stated or stated["seq_id"] == row["sequence"]
    for side in ("bid", "ask"):
        levels = list(enumerate(stated.get(f"{side}s", [])))
        levels = [(index, *level[:2]) for index, level in levels] + stated.get(f"{side}s_partial", [])
        for index, price, quantity in levels:
            if index < 5:
                assert same_number(price, row[f"{side}_price_{index + 1}"])
                assert same_number(quantity, row[f"{side}_quantity_{index + 1}"])
        if (count := stated.get(f"n_{side}s")) is not None:
            assert sum(f"{side}_price_{i}" in row for i in range(1, 6)) == min(count, 5)


STATED = [(path, json.loads(text)) for path in FILES if path.with_suffix(".expected.jsonl").exists()
          for text in path.with_suffix(".expected.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("path, stated", STATED, ids=lambda v: f"{v.parent.name}/{v.stem}" if isinstance(v, Path) else str(v["line"]))
def test_rows_have_the_values_that_their_sources_state(path, stated):
    outcomes = golden_of(path)[stated["line"]]
    if stated.get("is_trade") is False:
        assert [o["kind"] for o in outcomes] == ["placeholder"]
        return
    if "kind" in outcomes[0]:
        # Known and not recorded: a change and no snapshot, another stream, another protocol.
        assert outcomes[0]["kind"] == "ignored"
        assert (stated.get("is_snapshot") is False or stated["stream"] in ("agg_trade", "obu", "legacy_v3"))
        return
    if outcomes[0]["stream"] == "trade":
        if "n_trades" in stated:
            assert len(outcomes) == stated["n_trades"]
        check_trade(stated, outcomes[0])
        for item, row in zip(stated.get("items", []), outcomes):
            check_trade(item, row)
    else:
        check_book(stated, outcomes[0])


def test_enough_is_stated():
    assert len(STATED) == 100
