"""The SBE frames that the unit tests decode: built from the schema file, and like the real ones where those are known.

Run as a program, it writes them anew.
"""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from sbe_encoder import Schema

FOLDER = Path(__file__).parents[1] / "data" / "exchanges" / "binance_sbe"
FRAMES = FOLDER / "encoded_frames.jsonl"

TIMES = {"eventTime": 1759737767354941, "transactTime": 1759737767354588}
EXPONENTS = {"priceExponent": -8, "qtyExponent": -8}


def trade(number, price, quantity, maker):
    return {"id": number, "price": price, "qty": quantity, "isBuyerMaker": maker}


def levels(count, price, step):
    return [{"price": price + step * i, "qty": 100_000_000 + i} for i in range(count)]


# Name, message, values, and how many bytes a later version adds to each block.
CASES = [
    ("one trade", "TradesStreamEvent",
     TIMES | EXPONENTS | {"trades": [trade(5_000_000_001, 12346739000000, 2500000, 1)], "symbol": "BTCUSDT"}, 0),
    ("three trades in one frame", "TradesStreamEvent",
     TIMES | EXPONENTS | {"trades": [trade(7 + i, 12346739000000 + i, 1 + i, i % 2) for i in range(3)],
                          "symbol": "BTCUSDT"}, 0),
    ("no trade", "TradesStreamEvent", TIMES | EXPONENTS | {"trades": [], "symbol": "BTCUSDT"}, 0),
    ("a mantissa that float64 does not hold", "TradesStreamEvent",
     TIMES | {"priceExponent": -8, "qtyExponent": 0,
              "trades": [trade(1, 9007199254740993, 9007199254740993, 0)], "symbol": "ETHUSDT"}, 0),
    ("a later version of trades", "TradesStreamEvent",
     TIMES | EXPONENTS | {"trades": [trade(7 + i, 12346739000000, 5, 0) for i in range(2)], "symbol": "BTCUSDT"}, 7),
    ("a book", "BestBidAskStreamEvent",
     TIMES | EXPONENTS | {"bookUpdateId": 77453571531, "bidPrice": 12346739000000, "bidQty": 1, "askPrice": 12346740000000,
                          "askQty": 250000000, "symbol": "BTCUSDT"}, 0),
    ("a book with an empty side", "BestBidAskStreamEvent",
     TIMES | EXPONENTS | {"bookUpdateId": 3, "bidPrice": 0, "bidQty": 0, "askPrice": 5, "askQty": 6,
                          "symbol": "币安人生USDT"}, 0),
    ("a later version of a book", "BestBidAskStreamEvent",
     TIMES | {"priceExponent": -2, "qtyExponent": 3} | {"bookUpdateId": 4, "bidPrice": 11, "bidQty": 12, "askPrice": 13,
                                                        "askQty": 14, "symbol": "X"}, 16),
    ("twenty levels", "DepthSnapshotStreamEvent",
     TIMES | EXPONENTS | {"bookUpdateId": 9, "bids": levels(20, 10**12, -10**6), "asks": levels(20, 10**12 + 1, 10**6),
                          "symbol": "BTCUSDT"}, 0),
    ("two levels of a later version", "DepthSnapshotStreamEvent",
     TIMES | EXPONENTS | {"bookUpdateId": 9, "bids": levels(2, 10**12, -10**6), "asks": [], "symbol": "BTCUSDT"}, 3),
    ("a diff", "DepthDiffStreamEvent",
     TIMES | EXPONENTS | {"firstBookUpdateId": 77453519695, "lastBookUpdateId": 77453519761, "bids": levels(1, 10**12, 1),
                          "asks": [], "symbol": "BTCUSDT"}, 0),
]


def put(row, raw, column, mantissa, exponent):
    number = Decimal(mantissa).scaleb(exponent)
    row[column] = float(number)
    if Decimal(repr(row[column])) != number:
        raw[column] = f"{number:f}"


def rows_of(message, values):
    """What docs/formats/events.md makes of the values."""
    base = {"symbol": values["symbol"], "exchange_time_ns": values["eventTime"] * 1000, "quantity_unit": "base"}
    price, quantity = values["priceExponent"], values["qtyExponent"]
    rows = []
    if message == "TradesStreamEvent":
        for entry in values["trades"]:
            row, raw = {"stream": "trade", "event_time_ns": values["transactTime"] * 1000} | base, {}
            row |= {"sequence": entry["id"], "trade_id": str(entry["id"]),
                    "side": "sell" if entry["isBuyerMaker"] else "buy"}
            put(row, raw, "price", entry["price"], price)
            put(row, raw, "quantity", entry["qty"], quantity)
            rows.append(row | ({"raw": json.dumps(raw, separators=(",", ":"))} if raw else {}))
    elif message != "DepthDiffStreamEvent":
        row = {"stream": "l5" if "bids" in values else "book", "sequence": values["bookUpdateId"]} | base
        for side in ("bid", "ask"):
            book = values.get(f"{side}s", [{"price": values.get(f"{side}Price"), "qty": values.get(f"{side}Qty")}])
            for index, level in enumerate(book[:5], start=1):
                if level["price"] or level["qty"]:
                    put(row, {}, f"{side}_price_{index}", level["price"], price)
                    put(row, {}, f"{side}_quantity_{index}", level["qty"], quantity)
        rows.append(row)
    return rows


def encoded():
    schema = Schema()
    return [json.dumps({"name": name, "hex": schema.frame(message, values, extra, version=min(extra, 1)).hex(),
                        "rows": rows_of(message, values)}, ensure_ascii=False) for name, message, values, extra in CASES]


def test_the_committed_frames_follow_from_the_schema():
    assert FRAMES.read_text().splitlines() == encoded()


@pytest.mark.parametrize("line", (FOLDER / "real_frame_fragments.jsonl").read_text().splitlines())
def test_real_frames_begin_as_ours(line):
    fragment = json.loads(line)
    real, known = bytes.fromhex(fragment["hex"]), fragment["decoded"]
    values = {"eventTime": known["eventTime_us"], "transactTime": known.get("transactTime_us"),
              "bookUpdateId": known.get("bookUpdateId"), "firstBookUpdateId": known.get("firstBookUpdateId"),
              "lastBookUpdateId": known.get("lastBookUpdateId"), "bidPrice": known.get("bidPrice_if_upper_bytes_zero"),
              "priceExponent": known.get("priceExponent", 0), "qtyExponent": known.get("qtyExponent", 0),
              "bidQty": 0, "askPrice": 0, "askQty": 0, "trades": [trade(0, 0, 0, 0)], "bids": [], "asks": [],
              "symbol": "BTCUSDT"}
    ours = Schema().frame(fragment["template"], values)
    begin = 8 if fragment["template"] == "TradesStreamEvent" else 0  # the source cut the header off
    assert ours[begin:begin + len(real)] == real
    if fragment["template"] == "BestBidAskStreamEvent":
        assert len(ours) == 66  # what the note says of the whole frame


if __name__ == "__main__":
    FRAMES.write_text("\n".join(encoded()) + "\n")
