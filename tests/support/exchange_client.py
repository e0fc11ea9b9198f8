"""An independent client of simulate-exchange: Python's websockets, and decoders of its own.

A decoded message is a list of rows like those of the ledger: {column: value}, numbers as Decimal, so that the two
can be compared for equality.
"""

import json
import signal
import struct
import subprocess
import tomllib
import urllib.request
from decimal import Decimal

from websockets.sync.client import connect

from harness import start

VENUES = ["binance_spot", "binance_spot_sbe", "binance_usdm", "kucoin_spot", "kucoin_futures", "gate_spot",
          "gate_futures"]
MS, US, S = 10**6, 10**3, 10**9


def venue_of(feed: dict) -> str:
    sbe = "_sbe" if feed["transport"] == "sbe" else ""
    market = {"spot": "spot", "usdt_futures": "usdm" if feed["exchange"] == "binance" else "futures"}[feed["market"]]
    return f"{feed['exchange']}_{market}{sbe}"


def exchange_and_market(venue: str) -> tuple[str, str]:
    exchange, market = venue.removesuffix("_sbe").split("_")
    return exchange, "spot" if market == "spot" else "usdt_futures"


def json_numbers(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


class Simulator:
    """A running simulate-exchange with a ledger and, if wanted, a script."""

    def __init__(self, folder, *options, venue=None, script=(), rate="2000/s"):
        self.ledger_file = folder / "ledger.jsonl"
        arguments = ["--listen", "127.0.0.1:0", "--ledger", self.ledger_file, *options]
        if rate:
            arguments += ["--rate", rate]
        if venue:
            exchange, market = exchange_and_market(venue)
            arguments += ["--exchange", exchange, "--market", market]
        if script:
            script_file = folder / "script.jsonl"
            script_file.write_text("".join(json.dumps(fault) + "\n" for fault in script))
            arguments += ["--script", script_file]
        self.process = start("simulate-exchange", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # The configuration comes at once, when all ports are open.
        text = b""
        while not text.endswith(b"\n"):
            chunk = self.process.stdout.read1()
            assert chunk, self.process.stderr.read().decode()
            text += chunk
        self.toml = text.decode()
        self.feeds = {venue_of(feed): feed for feed in tomllib.loads(self.toml)["feed"]}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is not None:
            return
        if kind is None:
            self.end()
        else:
            self.process.kill()
            self.process.communicate()

    def end(self, how=signal.SIGINT) -> None:
        """Ends it as a user does."""
        self.process.send_signal(how)
        _, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err.decode()
        # The warning of --clock, which only tests give.
        assert not [line for line in err.splitlines() if b"THE TIME IS NOT REAL" not in line], err.decode()

    def stop(self, how=signal.SIGINT) -> list[dict]:
        """Ends it and gives the ledger."""
        self.end(how)
        return [json_numbers(line) for line in self.ledger_file.read_text().splitlines()]

    def client(self, venue, **options):
        return Client(self.feeds[venue], venue, **options)


class Client:
    """One connection of the venue's kind."""

    def __init__(self, feed, venue, token=None, headers=None, **options):
        self.venue, self.feed = venue, feed
        self.request_id = 0
        target = feed["endpoint"]
        headers = dict(headers or {})
        if venue == "binance_spot_sbe":
            headers.setdefault("X-MBX-APIKEY", "key")
        if venue == "gate_futures":
            headers.setdefault("X-Gate-Size-Decimal", "1")
        if venue.startswith("kucoin"):
            target += f"?token={token or self.ask_token(feed)}&connectId=me"
        self.frames = []
        self.socket = connect(target, additional_headers=headers, ping_interval=None, max_size=None, max_queue=None,
                              **{"compression": None, **options}).__enter__()

    @staticmethod
    def ask_token(feed) -> str:
        request = urllib.request.Request(feed["rest_endpoint"] + "/api/v1/bullet-public", method="POST", data=b"")
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)["data"]["token"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, message):
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message, ensure_ascii=False))

    def receive(self, timeout=20):
        self.frames.append(self.socket.recv(timeout=timeout))
        return self.frames[-1]

    def receive_json(self, timeout=20):
        return json.loads(self.receive(timeout))

    def receive_until(self, wanted, timeout=20):
        """The first frame that `wanted` accepts; all others are kept in `frames`, too."""
        while not wanted(self.receive(timeout)):
            pass
        return self.frames[-1]

    def receive_count(self, count):
        while len(self.frames) < count:
            self.receive()
        return self

    def requests(self, symbols, streams=("book", "l5", "trade")):
        """The frames that subscribe to streams of symbols."""
        self.request_id += 1
        if self.venue.startswith("binance"):
            names = {"binance_spot_sbe": {"book": "bestBidAsk", "l5": "depth20", "trade": "trade"}}.get(
                self.venue, {"book": "bookTicker", "l5": "depth5@100ms", "trade": "trade"})
            params = [f"{symbol.lower()}@{names[stream]}" for symbol in symbols for stream in streams]
            return [{"method": "SUBSCRIBE", "params": params, "id": self.request_id}]
        if self.venue.startswith("kucoin"):
            topics = {"kucoin_spot": {"book": "/market/ticker", "l5": "/spotMarket/level2Depth5", "trade": "/market/match"},
                      "kucoin_futures": {"book": "/contractMarket/tickerV2", "l5": "/contractMarket/level2Depth5",
                                         "trade": "/contractMarket/execution"}}[self.venue]
            return [{"id": self.request_id, "type": "subscribe", "topic": f"{topics[stream]}:{','.join(symbols)}",
                     "privateChannel": False, "response": True} for stream in streams]
        kind = self.venue.removeprefix("gate_")
        frames = []
        for stream in streams:
            channel = {"book": "book_ticker", "l5": "order_book", "trade": "trades"}[stream]
            payloads = [[symbol, "5", "100ms" if kind == "spot" else "0"] for symbol in symbols] if stream == "l5" \
                else [list(symbols)]
            frames += [{"time": 1, "channel": f"{kind}.{channel}", "event": "subscribe", "payload": payload}
                       for payload in payloads]
        return frames

    def subscribe(self, symbols=None, streams=("book", "l5", "trade")):
        for request in self.requests(symbols or self.feed["symbols"], streams):
            self.send(request)
        return self


# ---- decoders --------------------------------------------------------------------------------------


def decode(venue: str, frame) -> list[dict]:
    """The rows of a frame; none for control frames and placeholders."""
    if isinstance(frame, bytes):
        return decode_sbe(frame)
    message = json_numbers(frame)
    return {"binance_spot": decode_binance, "binance_spot_sbe": lambda _: [], "binance_usdm": decode_binance,
            "kucoin_spot": decode_kucoin, "kucoin_futures": decode_kucoin, "gate_spot": decode_gate,
            "gate_futures": decode_gate}[venue](message)


def book(stream, symbol, unit, bids, asks, **more) -> dict:
    row = {"stream": stream, "symbol": symbol, "quantity_unit": unit, **more}
    for side, levels in (("bid", bids), ("ask", asks)):
        for number, (price, quantity) in enumerate(levels[:5], start=1):
            row[f"{side}_price_{number}"] = Decimal(price)
            row[f"{side}_quantity_{number}"] = Decimal(quantity)
    return row


def trade(symbol, unit, number, side, price, quantity, **more) -> dict:
    return {"stream": "trade", "symbol": symbol, "quantity_unit": unit, "sequence": Decimal(number), "trade_id": str(number),
            "side": side, "price": Decimal(price), "quantity": Decimal(quantity), **more}


def decode_binance(message):
    if "stream" not in message:
        return []
    data, (symbol, channel) = message["data"], message["stream"].split("@", 1)
    times = {column: data[key] * MS for column, key in (("event_time", "T"), ("exchange_time", "E")) if key in data}
    if channel == "trade":
        if data.get("X") == "NA":
            return []
        return [trade(data["s"], "base", data["t"], "sell" if data["m"] else "buy", data["p"], data["q"], **times)]
    if channel == "bookTicker":
        return [book("book", data["s"], "base", [(data["b"], data["B"])], [(data["a"], data["A"])], sequence=data["u"],
                     **times)]
    if "lastUpdateId" in data:
        return [book("l5", symbol.upper(), "base", data["bids"], data["asks"], sequence=data["lastUpdateId"])]
    return [book("l5", data["s"], "base", data["b"], data["a"], sequence=data["u"], **times)]


def decode_sbe(frame):
    block, template, schema, version = struct.unpack_from("<HHHH", frame)
    assert (schema, version) == (1, 0)
    root, groups = 8, 8 + block

    def symbol_at(place):
        assert len(frame) == place + 1 + frame[place], "the symbol is the last of it"
        return frame[place + 1:].decode()

    if template == 10000:
        sent, matched, price_exponent, quantity_exponent = struct.unpack_from("<qqbb", frame, root)
        length, count = struct.unpack_from("<HI", frame, groups)
        first = groups + 6
        symbol = symbol_at(first + length * count)
        return [trade(symbol, "base", number, "sell" if maker else "buy", Decimal(price).scaleb(price_exponent),
                      Decimal(quantity).scaleb(quantity_exponent), event_time=Decimal(matched * US),
                      exchange_time=Decimal(sent * US))
                for number, price, quantity, maker in
                (struct.unpack_from("<qqqB", frame, first + i * length) for i in range(count))]
    sent, sequence, price_exponent, quantity_exponent = struct.unpack_from("<qqbb", frame, root)
    more = {"exchange_time": Decimal(sent * US), "sequence": Decimal(sequence)}

    def level(price, quantity):
        return Decimal(price).scaleb(price_exponent), Decimal(quantity).scaleb(quantity_exponent)

    if template == 10001:
        bid, bid_quantity, ask, ask_quantity = struct.unpack_from("<qqqq", frame, root + 18)
        return [book("book", symbol_at(groups), "base", [level(bid, bid_quantity)], [level(ask, ask_quantity)], **more)]
    assert template == 10002
    sides, place = [], groups
    for _ in range(2):
        length, count = struct.unpack_from("<HH", frame, place)
        place += 4
        sides.append([level(*struct.unpack_from("<qq", frame, place + i * length)) for i in range(count)])
        place += length * count
    return [book("l5", symbol_at(place), "base", *sides, **more)]


def decode_kucoin(message):
    if message.get("type") != "message":
        return []
    data, (path, symbol) = message["data"], message["topic"].split(":")
    if path == "/market/ticker":
        return [book("book", symbol, "base", [(data["bestBid"], data["bestBidSize"])],
                     [(data["bestAsk"], data["bestAskSize"])], event_time=data["time"] * MS,
                     sequence=Decimal(data["sequence"]))]
    if path == "/spotMarket/level2Depth5":
        return [book("l5", symbol, "base", data["bids"], data["asks"], event_time=data["timestamp"] * MS)]
    if path == "/market/match":
        assert data["symbol"] == symbol and data["tradeId"] == data["sequence"]
        return [trade(symbol, "base", data["sequence"], data["side"], data["price"], data["size"],
                      event_time=Decimal(data["time"]))]
    if path == "/contractMarket/tickerV2":
        return [book("book", symbol, "contract", [(data["bestBidPrice"], data["bestBidSize"])],
                     [(data["bestAskPrice"], data["bestAskSize"])], event_time=data["ts"], sequence=data["sequence"])]
    if path == "/contractMarket/level2Depth5":
        return [book("l5", symbol, "contract", data["bids"], data["asks"], event_time=data["ts"] * MS,
                     sequence=data["sequence"])]
    assert path == "/contractMarket/execution"
    return [trade(symbol, "contract", data["sequence"], data["side"], data["price"], data["size"], event_time=data["ts"])]


def decode_gate(message):
    if message.get("event") not in ("update", "all") or message["channel"].endswith(".system"):
        return []
    kind, channel = message["channel"].split(".")
    unit, result, sent = "base" if kind == "spot" else "contract", message["result"], message["time_ms"] * MS
    if channel == "book_ticker":
        return [book("book", result["s"], unit, [(result["b"], result["B"])], [(result["a"], result["A"])],
                     event_time=result["t"] * MS, exchange_time=sent, sequence=result["u"])]
    if channel == "order_book" and kind == "spot":
        return [book("l5", result["s"], unit, result["bids"], result["asks"], event_time=result["t"] * MS,
                     exchange_time=sent, sequence=result["lastUpdateId"])]
    if channel == "order_book":
        sides = ([(level["p"], level["s"]) for level in result[side]] for side in ("bids", "asks"))
        return [book("l5", result["contract"], unit, *sides, event_time=result["t"] * MS, exchange_time=sent,
                     sequence=result["id"])]
    if kind == "spot":
        return [trade(result["currency_pair"], unit, result["id"], result["side"], result["price"], result["amount"],
                      event_time=Decimal(result["create_time_ms"]) * MS, exchange_time=sent)]
    return [trade(item["contract"], unit, item["id"], "sell" if Decimal(item["size"]) < 0 else "buy", item["price"],
                  abs(Decimal(item["size"])), event_time=item["create_time_ms"] * MS, exchange_time=sent)
            for item in result]
