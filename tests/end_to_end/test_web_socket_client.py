"""Our WebSocket client against servers that are not ours: Python's websockets, and a proxy of twenty lines."""

import asyncio
import contextlib
import json
import os
import resource
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import websockets
from websockets.sync.server import serve

from harness import BINARY, CRASH_WORDS, make_certificate

PROBE = Path(BINARY).parent / "src" / "recorder" / "net" / "web_socket_probe"
CLOSED_BY_PEER, LOST, TOO_LARGE, NOT_OPENED = 1, 3, 5, 0

pytestmark = pytest.mark.skipif(not PROBE.exists(), reason="web_socket_probe is not built")


@contextlib.contextmanager
def server(handler, **options):
    """Serves each connection with `handler`; yields the address."""
    with serve(handler, "127.0.0.1", 0, ping_interval=None, **{"compression": None, **options}) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{running.socket.getsockname()[1]}"
        finally:
            running.shutdown()
            thread.join()


@contextlib.contextmanager
def tls_server(text, context):
    """Sends `text` to each client, over TLS. On one thread, because Python's TLS objects do not stand two."""
    ready, addresses = threading.Event(), []

    async def run():
        async def handler(connection):
            await connection.send(text)

        async with websockets.serve(handler, "127.0.0.1", 0, ssl=context, compression=None) as running:
            addresses.append(running.sockets[0].getsockname()[1])
            loops.append((asyncio.get_running_loop(), finished := asyncio.Event()))
            ready.set()
            await finished.wait()

    loops = []
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(20)
    try:
        yield addresses[0]
    finally:
        loop, finished = loops[0]
        loop.call_soon_threadsafe(finished.set)
        thread.join()


def probe(url, preexec_fn=None, **arguments) -> list[dict]:
    outcome = subprocess.run([PROBE, url, *(f"{name}={value}" for name, value in arguments.items())],
                             capture_output=True, timeout=60, text=True, preexec_fn=preexec_fn)
    assert outcome.returncode == 0, outcome.stderr
    assert not any(word in outcome.stderr for word in CRASH_WORDS), outcome.stderr
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def frames(events):
    return [(event["opcode"], event["head"]) for event in events if event["event"] == "frame"]


def test_frames_pings_and_the_close_arrive_in_order():
    answers = []

    def handler(connection):
        answers.append(connection.recv())
        connection.send("one 币安")
        connection.send(b"two")
        connection.send(iter(["th", "r", "ee"]))  # three fragments
        pong = connection.ping("1234")
        answers.append(pong.wait(10))
        connection.close(1012, "restart")

    with server(handler) as address:
        events = probe(f"ws://{address}/stream?a=b", send="hello")
    assert answers == ["hello", True]
    assert frames(events) == [("text", "one 币安"), ("binary", "two"), ("text", "three")]
    assert [event["event"] for event in events] == ["open", "frame", "frame", "frame", "ping", "closed"]
    assert events[-1].items() >= {"cause": CLOSED_BY_PEER, "code": 1012, "reason": "restart"}.items()


def test_deflate_is_offered_only_when_asked_for():
    offers = []

    def handler(connection):
        offers.append(len(connection.protocol.extensions))
        connection.send("x" * 100_000)

    with server(handler, compression="deflate") as address:
        plain = probe(f"ws://{address}/")
        deflated = probe(f"ws://{address}/", deflate=1)
    assert offers == [0, 1]
    assert frames(plain) == frames(deflated) == [("text", "x" * 200)]
    assert plain[1]["bytes"] == deflated[1]["bytes"] == 100_000


def test_an_inflating_message_closes_the_connection_with_memory_flat():
    def handler(connection):
        with contextlib.suppress(Exception):
            connection.send(b"\0" * 200_000_000)  # 200 KB on the wire

    # Address space, not resident size: Linux counts into the latter what this process had when it forked.
    limit = None if os.environ.get("TAPEWORKS_SANITIZE") else lambda: resource.setrlimit(resource.RLIMIT_AS, (128 * 2**20,) * 2)
    with server(handler, compression="deflate") as address:
        events = probe(f"ws://{address}/", limit, deflate=1, max=1_000_000)
    assert [event["event"] for event in events] == ["open", "closed"]
    assert events[-1]["cause"] == TOO_LARGE


def test_a_pause_holds_the_server_back():
    sent = []

    def handler(connection):
        for number in range(300):
            connection.send(f"{number:05}" + "x" * 100_000)
            sent.append(time.time_ns())

    with server(handler) as address:
        events = probe(f"ws://{address}/", pause=700)
    assert [head[:5] for _, head in frames(events)] == [f"{number:05}" for number in range(300)]
    first, resumed = (next(place for place, event in enumerate(events) if event["event"] == kind)
                      for kind in ("frame", "resumed"))
    assert resumed == first + 1
    assert max(later - earlier for earlier, later in zip(sent, sent[1:])) > 300_000_000, "the server had to wait"


def test_a_connection_that_breaks_off_is_lost():
    def handler(connection):
        connection.send("last words")
        connection.socket.shutdown(socket.SHUT_RDWR)

    with server(handler) as address:
        events = probe(f"ws://{address}/")
    assert frames(events) == [("text", "last words")]
    assert events[-1]["cause"] == LOST and events[-1]["code"] == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = make_certificate(folder, "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def test_tls_needs_a_trusted_certificate_of_the_right_host(certificate):
    cert, context = certificate
    with tls_server("secret", context) as port:
        trusted = probe(f"wss://localhost:{port}/", ca=cert)
        untrusted = probe(f"wss://localhost:{port}/")
        other_host = probe(f"wss://127.0.0.1:{port}/", ca=cert)
    assert frames(trusted) == [("text", "secret")]
    for events, words in ((untrusted, "self-signed"), (other_host, "is for localhost, not for this host")):
        assert [event["event"] for event in events] == ["closed"]
        assert events[0]["cause"] == NOT_OPENED and words in events[0]["message"]


class Proxy:
    """Answers CONNECT and passes bytes on."""

    def __enter__(self):
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve_one)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join()

    def serve_one(self):
        client, _ = self.listener.accept()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1000)
        self.asked.append(head.decode())
        host, port = head.split()[1].decode().rsplit(":", 1)
        peer = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        back = threading.Thread(target=self.pump, args=(peer, client))
        back.start()
        self.pump(client, peer)
        back.join()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def test_a_proxy_is_asked_to_connect_and_tls_goes_through_it(certificate):
    cert, context = certificate
    with tls_server("through", context) as port, Proxy() as proxy:
        events = probe(f"wss://localhost:{port}/", ca=cert, proxy=proxy.address)
    assert frames(events) == [("text", "through")]
    assert proxy.asked[0].startswith(f"CONNECT localhost:{port} HTTP/1.1\r\n")
