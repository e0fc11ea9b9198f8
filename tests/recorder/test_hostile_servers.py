"""`record` against servers that it must not believe, and one that wants its memory."""

import contextlib
import json
import re
import threading

import pytest
from websockets.sync.server import serve

from certificates import Authority
from harness import SANITIZERS, make_certificate
from recording import Exchanges, last_status, record, write_config


def refusal_of(tmp_path, files, trust) -> str:
    """Records for a moment from a server with this certificate, trusting that one; what it says."""
    with Exchanges(tmp_path, "--symbols", "2", "--exchange", "gate", "--market", "spot", "--tls-cert", files[0], "--tls-key", files[1]) as exchanges:
        feeds = re.sub(r"^ca_file = .*$", lambda _: f'ca_file = "{trust}"' if trust else "", exchanges.feeds, flags=re.M)
        outcome = record(write_config(tmp_path, feeds), "2s")
        exchanges.stop()
    assert last_status(outcome)["events"] == 0
    assert last_status(outcome)["connected"] == 0
    return outcome.stderr


@pytest.mark.parametrize("flaw, sentence", [
    ("expired", "its certificate expired on "),
    ("wrong host", "its certificate is for no name, not for this host; check the address"),
    ("unknown authority", "its certificate comes from an unknown authority; if that is the right one, name its certificate as the CA file"),
    ("self-signed", "its certificate is self-signed; if it is the right one, name it as the CA file"),
])
def test_a_certificate_that_is_not_right_is_refused_and_the_sentence_says_why(tmp_path, flaw, sentence):
    authority = Authority(tmp_path)
    trust = authority.file
    if flaw == "expired":
        files = authority.issue(days_valid=-1)
    elif flaw == "wrong host":
        files = authority.issue("127.0.0.9")
    elif flaw == "unknown authority":
        files, trust = authority.issue(), None
    else:
        files, trust = make_certificate(tmp_path, "IP:127.0.0.1"), None
    assert sentence in refusal_of(tmp_path, files, trust)


@contextlib.contextmanager
def inflating_server():
    """Answers a subscription with 100 MB of zeros, which are 100 KB on the wire; yields address and what it counted."""
    counts = {"connections": 0, "inflated": 0}

    def handler(connection):
        counts["connections"] += 1
        with contextlib.suppress(Exception):
            request = json.loads(connection.recv())
            connection.send(json.dumps({"result": None, "id": request["id"]}))
            counts["inflated"] += len(connection.protocol.extensions)
            connection.send(b"\0" * 100_000_000, text=True)

    with serve(handler, "127.0.0.1", 0, compression="deflate", ping_interval=None) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{running.socket.getsockname()[1]}", counts
        finally:
            running.shutdown()
            thread.join()


def test_an_inflating_frame_costs_its_connection_and_no_memory(tmp_path):
    with inflating_server() as (endpoint, counts):
        feed = ('[[feed]]\nexchange = "binance"\nmarket = "spot"\nsymbols = ["BTCUSDT"]\nstreams = ["trade"]\ncompression = true\n'
                f'endpoint = "{endpoint}"\nrest_endpoint = "http://127.0.0.1:9"\n')
        outcome = record(write_config(tmp_path, feed), "10s")
    assert counts["connections"] >= 2 and counts["inflated"] >= 2, "it came back, and was offered it again"
    assert "a message was longer than 8388608 bytes, the limit after inflation" in outcome.stderr
    if not SANITIZERS:
        residents = [json.loads(line)["resident_bytes"] for line in outcome.stderr.splitlines() if line.startswith("{")]
        assert max(residents) < min(residents) + 24 * 2**20, residents
