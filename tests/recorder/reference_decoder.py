"""A second decoder of what the exchanges send, small and slow, to judge the program's own by.

It shares nothing with it: the shapes stand in tables, numbers are Python's Decimal, times are integers of
nanoseconds. outcomes(folder, line) gives what docs/formats/events.md says a message becomes: a list of rows
without their null columns, or one object that says what else the message is.
"""

import json
from decimal import Decimal, InvalidOperation, localcontext

YEAR_2009_NS = 1_230_768_000 * 10**9
YEAR_2100_NS = 4_102_444_800 * 10**9
POWER = {"s": 9, "ms": 6, "us": 3, "ns": 0}


class Undecodable(Exception):
    """A message that belongs into quarantine."""


class Token(str):
    """A number as it was written."""


def parse(line):
    def object_of(pairs):
        if len(dict(pairs)) != len(pairs):
            raise Undecodable("a name twice")
        return dict(pairs)

    try:
        return json.loads(line, parse_int=Token, parse_float=Token, object_pairs_hook=object_of)
    except ValueError as error:
        raise Undecodable(str(error)) from error


def exact(text):
    try:
        with localcontext() as context:
            context.prec = 200
            return Decimal(text)
    except (InvalidOperation, TypeError) as error:
        raise Undecodable(f"no number: {text}") from error


def put_number(row, column, text, signed=False):
    number = exact(text)
    if not signed and number < 0 and "quantity" in column:
        raise Undecodable("negative quantity")
    row[column] = float(text) if not signed else abs(float(text))
    if Decimal(repr(float(text))) != number:
        row.setdefault("raw", {})[column] = str(text)


def put_time(row, column, value, *units):
    if value in (None, "0") or (isinstance(value, str) and exact(value) == 0):
        return
    for unit in units:
        instant = exact(value).scaleb(POWER[unit])
        if YEAR_2009_NS <= instant <= YEAR_2100_NS and instant == int(instant):
            row[column] = int(instant)
            return
    raise Undecodable(f"no time: {value}")


def put_levels(row, side, levels):
    for index, level in enumerate(levels[:5], start=1):
        price, quantity = (level["p"], level["s"]) if isinstance(level, dict) else level[:2]
        if price in (None, ""):
            continue
        if exact(price) == 0 and exact(quantity) == 0:
            continue
        put_number(row, f"{side}_price_{index}", price)
        put_number(row, f"{side}_quantity_{index}", quantity)


def put_sequence(row, value):
    if value is not None and int(value) != 0:
        row["sequence"] = int(value)


def start(stream, symbol, unit):
    if not symbol:
        raise Undecodable("no symbol")
    return {"stream": stream, "symbol": symbol, "quantity_unit": unit}


def ignored(what):
    return {"kind": "ignored", "what": what}


def error_of(code, message):
    outcome = {"kind": "error"}
    if code is not None:
        outcome["code"] = int(code)
    if message:
        outcome["message"] = message
    return outcome


# --- Binance ---------------------------------------------------------------------------------------------------

BINANCE_OTHER = {"aggTrade": "agg_trade", "kline": "kline", "markPrice": "mark_price", "forceOrder": "liquidation",
                 "24hr": "ticker", "miniTicker": "ticker", "ticker": "ticker"}


def binance(folder, message):
    payload = message.get("data", message)
    if payload.get("e") == "serverShutdown":
        return {"kind": "shutdown"}
    if "error" in message:
        return error_of(message["error"].get("code"), message["error"].get("msg"))
    if "code" in message and "msg" in message:
        return error_of(message["code"], message["msg"])
    if "result" in message:
        return {"kind": "ack"}
    if "method" in message:
        return ignored("client_request")
    spot = folder == "binance_spot"
    name = message.get("stream")
    symbol, channel = None, payload.get("e")
    if name:
        symbol, _, channel = name.partition("@")
        channel = channel.partition("@")[0] or symbol.removeprefix("!")  # "!bookTicker": of all symbols
    elif channel is None and "lastUpdateId" in payload:
        return ignored("unattributed_depth")
    elif channel is None and "u" in payload:
        channel = "bookTicker"
    elif channel == "depthUpdate":
        return ignored("depth_diff" if spot else "unattributed_depth")
    if channel is None:
        raise Undecodable("no shape")
    if channel == "trade":
        return binance_trade(payload)
    if channel == "bookTicker":
        row = start("book", payload["s"], "base")
        row["sequence"] = int(payload["u"])
        put_levels(row, "bid", [[payload["b"], payload["B"]]])
        put_levels(row, "ask", [[payload["a"], payload["A"]]])
        return binance_times(row, payload)
    if channel == "depth":
        return ignored("depth_diff")
    if channel.startswith("depth"):
        row = start("l5", symbol.upper() if spot else payload["s"], "base")
        row["sequence"] = int(payload["lastUpdateId" if spot else "u"])
        put_levels(row, "bid", payload["bids" if spot else "b"])
        put_levels(row, "ask", payload["asks" if spot else "a"])
        return row if spot else binance_times(row, payload)
    return ignored(next((kind for prefix, kind in BINANCE_OTHER.items() if channel.startswith(prefix)), "other_stream"))


def binance_times(row, payload):
    put_time(row, "event_time_ns", payload.get("T"), "ms")
    put_time(row, "exchange_time_ns", payload.get("E"), "ms")
    return row


def binance_trade(payload):
    if payload.get("X") == "NA":
        return {"kind": "placeholder", "symbol": payload["s"], "sequence": int(payload["t"])}
    row = start("trade", payload["s"], "base")
    row["sequence"] = int(payload["t"])
    row["trade_id"] = str(payload["t"])
    row["side"] = {True: "sell", False: "buy"}[payload["m"]]
    put_number(row, "price", payload["p"])
    put_number(row, "quantity", payload["q"])
    if flag := {"INSURANCE_FUND": 2, "ADL": 4}.get(payload.get("X")):
        row["flags"] = flag
    return binance_times(row, payload)


# --- KuCoin ----------------------------------------------------------------------------------------------------


def kucoin(folder, message):
    kind = message.get("type", "message" if "topic" in message else None)
    if kind in ("welcome", "ack", "pong"):
        return {"kind": kind}
    if kind == "error":
        return error_of(message.get("code"), message.get("data"))
    if kind in ("ping", "subscribe", "unsubscribe"):
        return ignored("client_request")
    if kind is None and "code" in message:
        return ignored("rest_reply")
    if kind != "message":
        raise Undecodable("no shape")
    spot = folder == "kucoin_spot"
    unit = "base" if spot else "contract"
    path, _, suffix = message["topic"].partition(":")
    data = message["data"]
    symbol = data.get("symbol") or (message["subject"] if suffix == "all" else suffix)
    if path.startswith("/contract") == spot:
        return ignored("other_market")
    topic = path.rpartition("/")[2]
    if topic in ("ticker", "tickerV2"):
        names = ("bestBid", "bestAsk") if spot else ("bestBidPrice", "bestAskPrice")
        row = start("book", symbol, unit)
        put_sequence(row, data.get("sequence"))
        put_time(row, "event_time_ns", data.get("time" if spot else "ts"), "ms" if spot else "ns")
        put_levels(row, "bid", [[data.get(names[0]), data.get("bestBidSize")]])
        put_levels(row, "ask", [[data.get(names[1]), data.get("bestAskSize")]])
        return row
    if topic in ("level1", "level2Depth5", "level2Depth50"):
        row = start("book" if topic == "level1" else "l5", symbol, unit)
        put_sequence(row, data.get("sequence"))
        put_time(row, "event_time_ns", data.get("ts", data.get("timestamp")), *(["ms"] if spot else ["ms", "ns"]))
        for side in ("bid", "ask"):
            levels = data[side + "s"]
            put_levels(row, side, [levels] if topic == "level1" and levels else levels)
        return row
    if topic in ("match", "execution"):
        row = start("trade", symbol, unit)
        row["sequence"] = int(data["sequence"])
        row["trade_id"] = data["tradeId"]
        row["side"] = data["side"]
        put_time(row, "event_time_ns", data["time" if spot else "ts"], "ns")
        put_number(row, "price", data["price"])
        put_number(row, "quantity", data["size"])
        return row
    return ignored({"level2": "depth_diff", "candles": "kline"}.get(topic, "other_stream"))


# --- Gate ------------------------------------------------------------------------------------------------------

GATE_OTHER = {"order_book_update": "depth_diff", "obu": "depth_diff", "order_book": "depth_diff",
              "candlesticks": "kline", "tickers": "ticker"}


def gate(folder, message):
    if "channel" not in message:
        if "method" in message:
            return ignored("legacy_v3")
        if message.get("error"):
            return error_of(message["error"].get("code"), message["error"].get("message"))
        if "asks" in message:
            return ignored("rest_reply")
        raise Undecodable("no shape")
    market, _, channel = message["channel"].partition(".")
    result = message.get("result")
    if message["event"] == "subscribe":
        if error := message.get("error"):
            return error_of(error["code"], error["message"])
        return {"kind": "ack"} if result else ignored("client_request")
    if channel == "pong":
        return {"kind": "pong"}
    spot = folder == "gate_spot"
    if market != ("spot" if spot else "futures"):
        return ignored("other_market")
    unit = "base" if spot else "contract"
    sent = {}
    put_time(sent, "exchange_time_ns", message.get("time_ms"), "ms")
    if not sent:
        put_time(sent, "exchange_time_ns", message.get("time"), "s")
    if channel == "book_ticker":
        row = start("book", result["s"], unit) | sent
        put_sequence(row, result["u"])
        put_time(row, "event_time_ns", result["t"], "ms")
        put_levels(row, "bid", [[result["b"], result["B"]]])
        put_levels(row, "ask", [[result["a"], result["A"]]])
        return row
    if channel == "order_book" and isinstance(result, dict):
        row = start("l5", result["s" if spot else "contract"], unit) | sent
        put_sequence(row, result.get("lastUpdateId" if spot else "id"))
        put_time(row, "event_time_ns", result.get("t"), "ms")
        put_levels(row, "bid", result["bids"])
        put_levels(row, "ask", result["asks"])
        return row
    if channel == "trades":
        return [gate_trade(trade, unit) | sent for trade in ([result] if spot else result)]
    return ignored(GATE_OTHER.get(channel, "other_stream"))


def gate_trade(trade, unit):
    row = start("trade", trade.get("currency_pair") or trade.get("contract"), unit)
    row["sequence"] = int(trade["id"])
    row["trade_id"] = str(trade["id"])
    put_number(row, "price", trade["price"])
    flags = 0
    if unit == "base":
        row["side"] = trade["side"]
        put_number(row, "quantity", trade["amount"])
    else:
        if size := exact(trade["size"]):
            row["side"] = "sell" if size < 0 else "buy"
        put_number(row, "quantity", trade["size"], signed=True)
        flags |= 8 if trade.get("is_internal") else 0
    put_time(row, "event_time_ns", trade.get("create_time_ms"), "ms")
    if "event_time_ns" not in row:
        put_time(row, "event_time_ns", trade.get("create_time"), "s")
        flags |= 16
    if flags:
        row["flags"] = flags
    return row


def outcomes(folder, line):
    """What the message `line` of the corpus folder `folder` becomes, as a list."""
    decode = {"binance": binance, "kucoin": kucoin, "gate": gate}[folder.partition("_")[0]]
    try:
        outcome = decode(folder, parse(line))
    except (Undecodable, KeyError):
        return [{"kind": "undecodable"}]
    rows = outcome if isinstance(outcome, list) else [outcome]
    for row in rows:
        if "raw" in row:
            row["raw"] = json.dumps(row["raw"], separators=(",", ":"))
    return rows or [{"kind": "rows"}]
