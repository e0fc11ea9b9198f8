"""An exchange that costs almost nothing: answers Binance's spot subscriptions and then pours frames that were built before. A child.

    python -m tapebench.recorder.pour SYMBOLS RATE SECONDS [CERTIFICATE KEY]        RATE 0: as fast as they are taken

Prints LISTENING ADDRESS, then SUBSCRIBED when all streams are asked for; a line on standard input begins the pouring. At its end a
JSON line says what was sent: {"messages", "bytes", "seconds", "cpu_seconds"}. Ends with its standard input.

Every frame is another one: before a block of frames is sent again, numbers, quantities and times are written over in place, all at
once. Numbers rise by one on each stream, so a recorder finds neither repeats nor holes. With a certificate and its key over TLS.
"""

import base64
import hashlib
import json
import select
import socket
import ssl
import sys
import time

import numpy as np

from tapebench.recorder.pour_channel import Channel, PlainChannel, TlsChannel, server_context
from tapebench.recorder.poured import STREAMS

PASSES = 40  # frames of each stream in a block
SEND_FRAMES_MAX = 2_000
PAUSE_SECONDS = 0.005
NUMBER_DIGITS, TIME_DIGITS, QUANTITY_DIGITS = 10, 13, 8
FIRST_NUMBER = 1_000_000_000
_ACCEPT_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455
# What is written over; no other text of a frame has these letters.
_NUMBER, _TIME, _QUANTITY = "n" * NUMBER_DIGITS, "w" * TIME_DIGITS, "z" * QUANTITY_DIGITS


def payload(stream: str, symbol: str, price: int) -> str:
    """Binance's text, with places for number, time and quantity."""
    def level(offset: int, quantity: str = "0.52340000") -> str:
        return f'["{(price + offset) / 100:.2f}000000","{quantity}"]'

    if stream == "bookTicker":
        data = (f'{{"u":{_NUMBER},"s":"{symbol}","b":"{price / 100:.2f}000000","B":"1.{_QUANTITY}","a":"{(price + 1) / 100:.2f}000000",'
                '"A":"12.40670000"}')
    elif stream == "trade":
        data = (f'{{"e":"trade","E":{_TIME},"s":"{symbol}","t":{_NUMBER},"p":"{price / 100:.2f}000000","q":"1.{_QUANTITY}","T":{_TIME},"m":true,"M":true}}')
    else:
        bids = ",".join([level(0, f"1.{_QUANTITY}"), *(level(-step) for step in range(1, 5))])
        asks = ",".join(level(step) for step in range(1, 6))
        data = f'{{"lastUpdateId":{_NUMBER},"bids":[{bids}],"asks":[{asks}]}}'
    return f'{{"stream":"{symbol.lower()}@{stream}","data":{data}}}'


def frame(content: bytes) -> bytes:
    """A text frame as a server sends it."""
    length = len(content)
    return bytes([0x81, length]) + content if length < 126 else bytes([0x81, 126]) + length.to_bytes(2, "big") + content


class Block:
    """PASSES frames of each stream, in which the digits are written over."""

    def __init__(self, streams: list[tuple[str, str]], seed: int) -> None:
        random = np.random.default_rng(seed)
        frames, passes = [], []
        for number in range(PASSES):
            for place in random.permutation(len(streams)):
                symbol, stream = streams[place]
                frames.append(frame(payload(stream, symbol, 10_000 + 37 * int(place) + int(random.integers(0, 50))).encode()))
                passes.append(number)
        self.bytes = bytearray(b"".join(frames))
        self.ends = np.cumsum([len(one) for one in frames])
        self.digits = np.frombuffer(self.bytes, np.uint8)
        self.numbers = self._places(_NUMBER), self._owners(_NUMBER, np.array(passes))
        self.quantities = self._places(_QUANTITY), self._owners(_QUANTITY, np.array(passes))
        self.times = self._places(_TIME)
        self.next_number = FIRST_NUMBER

    def __len__(self) -> int:
        return len(self.ends)

    def _places(self, mark: str) -> np.ndarray:
        """Where the digits of each mark stand: a row a mark."""
        found, at = [], self.bytes.find(mark.encode())
        while at >= 0:
            found.append(at)
            at = self.bytes.find(mark.encode(), at + len(mark))
        return np.array(found)[:, None] + np.arange(len(mark))

    def _owners(self, mark: str, passes: np.ndarray) -> np.ndarray:
        """The pass of the frame in which each mark stands."""
        return passes[np.searchsorted(self.ends, self._places(mark)[:, 0], side="right")]

    def renew(self, now_ms: int) -> None:
        """The digits of the next PASSES numbers of each stream."""
        for (places, passes) in (self.numbers, self.quantities):
            self._write(places, self.next_number + passes)
        self._write(self.times, np.array([now_ms]))
        self.next_number += PASSES

    def _write(self, places: np.ndarray, values: np.ndarray) -> None:
        powers = 10 ** np.arange(places.shape[1] - 1, -1, -1)
        self.digits[places] = values[:, None] // powers % 10 + ord("0")


class Connection:
    """One client: its streams, and after begin() its block."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self.waiting, self.streams = channel, b"", []
        self.block: Block | None = None
        self.sent_of_block = 0

    def read_more(self) -> bool:
        try:
            self.waiting += self.channel.receive()
        except EOFError:
            return False
        return True

    def answer_frames(self) -> None:
        while (message := self._next_frame()) is not None:
            kind, content = message
            if kind in (0x8, 0x9):  # a close is answered with one, a ping with a pong
                self.channel.send(bytes([0x88 if kind == 0x8 else 0x8A, len(content)]) + content)
            elif kind == 0x1:
                request = json.loads(content)
                self.streams += [tuple(name.split("@", 1)) for name in request.get("params", [])]
                self.channel.send(frame(json.dumps({"result": None, "id": request.get("id")}).encode()))

    def _next_frame(self) -> tuple[int, bytes] | None:
        """A whole masked frame of the client, taken out of what was read."""
        data = self.waiting
        if len(data) < 2:
            return None
        length, at = data[1] & 0x7F, 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            length, at = int.from_bytes(data[2:2 + wide], "big"), 2 + wide
        if len(data) < at + 4 + length:
            return None
        mask, content = data[at:at + 4], data[at + 4:at + 4 + length]
        self.waiting = data[at + 4 + length:]
        return data[0] & 0xF, bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))

    def begin(self, seed: int) -> None:
        self.block = Block([(symbol.upper(), stream) for symbol, stream in self.streams], seed)
        self.sent_of_block = len(self.block)

    def pour(self, count: int) -> tuple[int, int]:
        """Sends up to `count` further frames, and waits until the system has taken them; frames and bytes."""
        block = self.block
        if self.sent_of_block == len(block):
            block.renew(time.time_ns() // 1_000_000)
            self.sent_of_block = 0
        last = min(self.sent_of_block + count, len(block))
        begin, end = (int(block.ends[place - 1]) if place else 0 for place in (self.sent_of_block, last))
        self.channel.send_frames(memoryview(block.bytes)[begin:end], block.ends[self.sent_of_block:last] - begin)
        count, self.sent_of_block = last - self.sent_of_block, last
        return count, end - begin


def greet(channel: Channel) -> Connection | None:
    """Answers the first request: None when it was none of a WebSocket."""
    request = b""
    while b"\r\n\r\n" not in request:
        try:
            request += channel.receive()
        except EOFError:
            return None
    head, _, rest = request.partition(b"\r\n\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])}
    key = headers.get("sec-websocket-key")
    if key is None:  # the list of instruments: there is none
        channel.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        channel.socket.close()
        return None
    accept = base64.b64encode(hashlib.sha1((key + _ACCEPT_KEY).encode()).digest()).decode()
    channel.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    connection = Connection(channel)
    connection.waiting = rest
    return connection


class Server:
    def __init__(self, stream_count: int, tls: ssl.SSLContext | None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.tls = tls
        self.connections: list[Connection] = []
        self.stream_count = stream_count
        print("LISTENING", f"127.0.0.1:{self.listener.getsockname()[1]}", flush=True)

    def serve(self, timeout: float) -> bool:
        """Answers what came; true when standard input has something, or ended."""
        ready, _, _ = select.select([self.listener, sys.stdin, *(connection.channel.socket for connection in self.connections)], [], [], timeout)
        if self.listener in ready:
            client = self.listener.accept()[0]
            try:
                if connection := greet(TlsChannel(client, self.tls) if self.tls else PlainChannel(client)):
                    self.connections.append(connection)
            except (EOFError, ssl.SSLError):
                client.close()  # it did not end its handshake
        for connection in list(self.connections):
            if connection.channel.socket in ready and not connection.read_more():
                self.connections.remove(connection)
            connection.answer_frames()
        return sys.stdin in ready

    def wait_subscribed(self) -> None:
        while sum(len(set(connection.streams)) for connection in self.connections) < self.stream_count:
            self.serve(1)
        print("SUBSCRIBED", flush=True)
        while not self.serve(1):
            pass
        sys.stdin.readline()

    def pour(self, rate: int, seconds: float) -> dict[str, float]:
        pouring = [connection for connection in self.connections if connection.streams]
        for number, connection in enumerate(pouring):
            connection.begin(number)
        messages = sent_bytes = 0
        begin, cpu_begin = time.monotonic(), time.process_time()
        while (passed := time.monotonic() - begin) < seconds:
            due = SEND_FRAMES_MAX * len(pouring) if rate == 0 else int(rate * passed) - messages
            if due < rate * PAUSE_SECONDS:
                time.sleep(PAUSE_SECONDS)
            for connection in pouring:
                count, length = connection.pour(max(0, min(due // len(pouring), SEND_FRAMES_MAX)))
                messages, sent_bytes = messages + count, sent_bytes + length
            self.serve(0)
        return {"messages": messages, "bytes": sent_bytes, "seconds": time.monotonic() - begin, "cpu_seconds": time.process_time() - cpu_begin}


def main() -> None:
    symbols, rate, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    server = Server(symbols * len(STREAMS), server_context(*sys.argv[4:6]) if len(sys.argv) > 4 else None)
    server.wait_subscribed()
    print(json.dumps(server.pour(rate, seconds)), flush=True)
    while not server.serve(1):
        pass


if __name__ == "__main__":
    main()
