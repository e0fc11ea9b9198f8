"""simulate-exchange, judged by a WebSocket client that shares no code with it."""

import asyncio
import contextlib
import json
import random
import signal
import socket
import ssl
import urllib.error
import urllib.request
from decimal import Decimal

import pytest
import websockets
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from exchange_client import VENUES, Client, Simulator, decode
from harness import ROOT, assert_clear_error, make_certificate, tapeworks


def frames_of(ledger, venue, connection=1):
    """What the ledger says was sent to one connection, in its order."""
    entries = [entry for entry in ledger
               if entry["venue"] == venue and entry["connection"] == connection and entry["number"] > 0]
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    return entries


def faults_of(ledger, name):
    return [entry for entry in ledger if entry.get("fault") == name]


def assert_ledger_equals(ledger, venue, frames, connection=1):
    """Frame by frame: size, and rows unless the frame is disturbed."""
    entries = frames_of(ledger, venue, connection)
    assert len(entries) >= len(frames) > 0
    for frame, entry in zip(frames, entries):
        assert entry["bytes"] == len(frame if isinstance(frame, bytes) else frame.encode())
        if entry["kind"] != "fault":
            assert decode(venue, frame) == entry["rows"], (frame, entry)


@pytest.mark.parametrize("venue", VENUES)
def test_a_client_receives_what_the_ledger_says(tmp_path, venue):
    with Simulator(tmp_path, "--symbols", "5", venue=venue) as simulator:
        with simulator.client(venue) as client:
            client.subscribe().receive_count(600)
        ledger = simulator.stop()
    assert_ledger_equals(ledger, venue, client.frames)
    entries = frames_of(ledger, venue)[:600]
    rows = [row for entry in entries for row in entry["rows"]]
    assert {(row["stream"], row["symbol"]) for row in rows} == {
        (stream, symbol) for stream in ("book", "l5", "trade") for symbol in simulator.feeds[venue]["symbols"]}
    assert len({json.dumps(row, default=str) for row in rows}) == len(rows), "no two rows are equal"
    assert {entry["kind"] for entry in entries} <= {"event", "control", "placeholder"}


@pytest.mark.parametrize("venue", ["binance_spot", "binance_spot_sbe", "binance_usdm"])
def test_trade_ids_are_contiguous_and_placeholders_use_them_up(tmp_path, venue):
    with Simulator(tmp_path, "--symbols", "2", venue=venue, rate="20000/s") as simulator:
        with simulator.client(venue) as client:
            client.subscribe(streams=["trade"]).receive_count(1500)
        ledger = simulator.stop()
    numbers, placeholders = {}, 0
    for frame in client.frames:
        ids = [(row["symbol"], int(row["trade_id"])) for row in decode(venue, frame)]
        if isinstance(frame, str) and '"X":"NA"' in frame:
            data = json.loads(frame)["data"]
            assert (data["p"], data["q"]) == ("0", "0")
            ids, placeholders = [(data["s"], data["t"])], placeholders + 1
        for symbol, number in ids:
            assert numbers.get(symbol, number - 1) == number - 1
            numbers[symbol] = number
    assert len(numbers) == 2
    assert (placeholders > 0) == (venue == "binance_usdm")
    kinds = [entry["kind"] for entry in frames_of(ledger, venue)[:len(client.frames)]]
    assert kinds.count("placeholder") == placeholders


@pytest.mark.parametrize("venue", VENUES)
def test_only_who_subscribed_gets_a_stream(tmp_path, venue):
    with Simulator(tmp_path, "--symbols", "3", venue=venue) as simulator:
        wanted = simulator.feeds[venue]["symbols"][1]
        with simulator.client(venue) as client, simulator.client(venue) as other:
            other.subscribe()
            client.subscribe([wanted], ["book"]).receive_count(40)
    rows = [row for frame in client.frames for row in decode(venue, frame)]
    assert rows and {(row["stream"], row["symbol"]) for row in rows} == {("book", wanted)}


def test_all_connections_get_the_same_event(tmp_path):
    with Simulator(tmp_path, "--symbols", "2", venue="gate_spot") as simulator:
        with simulator.client("gate_spot") as one, simulator.client("gate_spot") as two:
            one.subscribe()
            two.subscribe()
            one.receive_count(200)
            two.receive_count(200)
        ledger = simulator.stop()
    seen = [{entry["logical_id"]: entry["rows"] for entry in frames_of(ledger, "gate_spot", number)
             if entry["kind"] == "event"} for number in (1, 2)]
    shared = seen[0].keys() & seen[1].keys()
    assert len(shared) > 100
    assert all(seen[0][number] == seen[1][number] for number in shared)


def test_the_market_goes_on_while_nobody_is_connected(tmp_path):
    def trade_ids(simulator):
        with simulator.client("binance_spot") as client:
            client.subscribe(["BTCUSDT"], ["trade"]).receive_count(20)
        return [int(row["trade_id"]) for frame in client.frames for row in decode("binance_spot", frame)]

    with Simulator(tmp_path, venue="binance_spot") as simulator:
        before = trade_ids(simulator)
        with Client(simulator.feeds["binance_spot"], "binance_spot") as idle:
            idle.send({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            idle.receive()
            with pytest.raises(TimeoutError):
                idle.receive(timeout=0.3)
        after = trade_ids(simulator)
    assert after[0] > before[-1] + 1


def test_the_configuration_names_every_venue(tmp_path):
    with Simulator(tmp_path, "--symbols", "2") as simulator:
        assert set(simulator.feeds) == set(VENUES)
        assert simulator.feeds["kucoin_futures"]["symbols"] == ["XBTUSDTM", "ETHUSDTM"]
        assert all(feed["streams"] == ["book", "l5", "trade"] for feed in simulator.feeds.values())
        assert len({feed["endpoint"] for feed in simulator.feeds.values()}) == len(VENUES)
        assert all(feed["rest_endpoint"].startswith("http://127.0.0.1:") for feed in simulator.feeds.values())


@pytest.mark.parametrize(("venue", "path", "names"), [
    ("binance_spot", "/api/v3/exchangeInfo", lambda reply: [item["symbol"] for item in reply["symbols"]]),
    ("binance_usdm", "/fapi/v1/exchangeInfo", lambda reply: [item["symbol"] for item in reply["symbols"]]),
    ("kucoin_spot", "/api/v2/symbols", lambda reply: [item["symbol"] for item in reply["data"]]),
    ("kucoin_futures", "/api/v1/contracts/active", lambda reply: [item["symbol"] for item in reply["data"]]),
    ("gate_spot", "/api/v4/spot/currency_pairs", lambda reply: [item["id"] for item in reply]),
    ("gate_futures", "/api/v4/futures/usdt/contracts", lambda reply: [item["name"] for item in reply])])
def test_the_list_of_symbols_is_where_the_exchange_has_it(tmp_path, venue, path, names):
    with Simulator(tmp_path, "--symbols", "12", venue=venue) as simulator:
        feed = simulator.feeds[venue]
        with urllib.request.urlopen(feed["rest_endpoint"] + path, timeout=20) as reply:
            assert names(json.load(reply)) == feed["symbols"]
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(feed["rest_endpoint"] + "/api/no/such", timeout=20)
        assert missing.value.code == 404


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_with_a_whole_ledger(tmp_path, how):
    with Simulator(tmp_path, venue="gate_spot", rate="20000/s") as simulator:
        with simulator.client("gate_spot") as client:
            client.subscribe().receive_count(3000)
            ledger = simulator.stop(how)
    assert_ledger_equals(ledger, "gate_spot", client.frames)


# ---- what exchanges say ----------------------------------------------------------------------------


def test_binance_acknowledges_what_does_not_exist_and_stays_silent(tmp_path):
    with Simulator(tmp_path, venue="binance_usdm") as simulator:
        with simulator.client("binance_usdm") as client:
            client.send({"method": "SUBSCRIBE", "params": ["nosuch@trade", "btcusdt@nosuch"], "id": "text"})
            assert client.receive_json() == {"result": None, "id": "text"}
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.3)
        feed = dict(simulator.feeds["binance_usdm"])
        feed["endpoint"] = feed["endpoint"].replace("/public/", "/market/")
        with Client(feed, "binance_usdm") as wrong_route:
            wrong_route.subscribe()
            assert wrong_route.receive_json()["result"] is None
            with pytest.raises(TimeoutError):
                wrong_route.receive(timeout=0.3)


def test_binance_closes_after_too_many_messages(tmp_path):
    with Simulator(tmp_path, venue="binance_spot") as simulator:
        with simulator.client("binance_spot") as client, pytest.raises(ConnectionClosed) as closed:
            for number in range(10):
                client.send({"method": "LIST_SUBSCRIPTIONS", "id": number})
            client.receive_count(11)
    assert closed.value.rcvd.code == 1008


def test_binance_sbe_wants_a_key(tmp_path):
    with Simulator(tmp_path, venue="binance_spot_sbe") as simulator:
        with pytest.raises(InvalidStatus) as refused:
            simulator.client("binance_spot_sbe", headers={"X-MBX-APIKEY": ""})
    assert refused.value.response.status_code == 401


def test_kucoin_answers_pings_and_refuses_unknown_topics(tmp_path):
    with Simulator(tmp_path, venue="kucoin_spot") as simulator:
        with simulator.client("kucoin_spot") as client:
            assert client.receive_json() == {"id": "me", "type": "welcome"}
            client.send({"id": "p1", "type": "ping"})
            assert client.receive_json().items() >= {"id": "p1", "type": "pong"}.items()
            client.send({"id": 5, "type": "subscribe", "topic": "/no/such:BTC-USDT", "response": True})
            assert client.receive_json() == {"id": "5", "type": "error", "code": 404, "data": "topic does not exist"}
            names = ",".join(["BTC-USDT"] * 101)
            client.send({"id": 6, "type": "subscribe", "topic": "/market/match:" + names, "response": True})
            assert client.receive_json()["code"] == 509


def test_kucoin_wants_a_token_of_its_own(tmp_path):
    with Simulator(tmp_path, venue="kucoin_futures") as simulator:
        with simulator.client("kucoin_futures", token="made-up") as client:
            assert client.receive_json() == {"type": "error", "code": 401, "data": "token is expired"}
            with pytest.raises(ConnectionClosed):
                client.receive()


def test_gate_fails_the_whole_list_for_one_unknown_name(tmp_path):
    with Simulator(tmp_path, venue="gate_spot") as simulator:
        with simulator.client("gate_spot") as client:
            client.send({"time": 1, "id": 7, "channel": "spot.trades", "event": "subscribe",
                         "payload": ["BTC_USDT", "币安人生_USDT"]})
            reply = client.receive_json()
            assert reply["id"] == 7 and reply["result"] == {"status": "fail"}
            assert reply["error"] == {"code": 2, "message": "unknown currency pair: 币安人生_USDT"}
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.3)


def test_gate_cuts_fractions_off_without_its_header(tmp_path):
    with Simulator(tmp_path, "--symbols", "2", venue="gate_futures") as simulator:
        fractional = simulator.feeds["gate_futures"]["symbols"][1]
        sizes = {}
        for header in ("1", "0"):
            with simulator.client("gate_futures", headers={"X-Gate-Size-Decimal": header}) as client:
                client.subscribe([fractional], ["book"]).receive_count(30)
            sizes[header] = [json.loads(frame)["result"]["B"] for frame in client.frames[1:]]
    assert any("." in size for size in sizes["1"])
    assert all(isinstance(size, int) for size in sizes["0"])


# ---- faults ----------------------------------------------------------------------------------------


def run_with_fault(folder, venue, fault, count=60):
    """A client that reads `count` frames, or until it is cut. The frames, the exception, the ledger."""
    with Simulator(folder, "--symbols", "2", venue=venue, script=[fault]) as simulator:
        client, cut = simulator.client(venue), None
        with contextlib.closing(client.socket):
            try:
                client.subscribe().receive_count(count)
            except ConnectionClosed as closed:
                cut = closed
        ledger = simulator.stop()
    return client.frames, cut, ledger


@pytest.mark.parametrize("venue", VENUES)
def test_close_has_its_code(tmp_path, venue):
    frames, cut, ledger = run_with_fault(
        tmp_path, venue, {"message": 10, "fault": "close", "code": 1012, "reason": "restart"})
    assert (cut.rcvd.code, cut.rcvd.reason) == (1012, "restart")
    assert_ledger_equals(ledger, venue, frames)
    assert len(faults_of(ledger, "close")) == 1
    assert [entry["kind"] for entry in frames_of(ledger, venue)].count("event") <= 9


def test_abort_has_no_close_frame(tmp_path):
    frames, cut, ledger = run_with_fault(tmp_path, "gate_spot", {"message": 10, "fault": "abort"})
    assert isinstance(cut, ConnectionClosedError) and cut.rcvd is None
    assert_ledger_equals(ledger, "gate_spot", frames)


@pytest.mark.parametrize("venue", VENUES)
def test_half_a_frame_is_in_no_row_of_the_ledger(tmp_path, venue):
    frames, cut, ledger = run_with_fault(tmp_path, venue, {"message": 10, "fault": "half_frame"})
    assert cut is not None and cut.rcvd is None
    assert len(frames_of(ledger, venue)) == len(frames)
    assert_ledger_equals(ledger, venue, frames)
    assert faults_of(ledger, "half_frame")[0]["number"] == 0


@pytest.mark.parametrize("venue", VENUES)
def test_duplicates_are_repeats(tmp_path, venue):
    frames, _, ledger = run_with_fault(tmp_path, venue, {"message": 5, "fault": "duplicate", "count": 3})
    assert_ledger_equals(ledger, venue, frames)
    entries = frames_of(ledger, venue)
    repeats = [place for place, entry in enumerate(entries) if entry["kind"] == "repeat"]
    assert len(repeats) == 3
    assert all(frames[place] == frames[place - 1] for place in repeats)


def test_a_gap_leaves_out_trades_that_the_ledger_names(tmp_path):
    with Simulator(tmp_path, "--symbols", "1", venue="binance_spot",
                   script=[{"message": 10, "fault": "gap", "count": 4}]) as simulator:
        with simulator.client("binance_spot") as client:
            client.subscribe(streams=["trade"]).receive_count(60)
        ledger = simulator.stop()
    received = [int(row["trade_id"]) for frame in client.frames for row in decode("binance_spot", frame)]
    missing = sorted(set(range(received[0], received[-1])) - set(received))
    assert len(missing) == 4
    assert [int(row["trade_id"]) for entry in faults_of(ledger, "gap") for row in entry["rows"]] == missing
    assert_ledger_equals(ledger, "binance_spot", client.frames)


def test_reordered_messages_change_places(tmp_path):
    frames, _, ledger = run_with_fault(tmp_path, "kucoin_spot", {"message": 10, "fault": "reorder"})
    assert_ledger_equals(ledger, "kucoin_spot", frames)
    ids = [entry["logical_id"] for entry in frames_of(ledger, "kucoin_spot") if entry["kind"] == "event"]
    assert [place for place in range(1, len(ids)) if ids[place] < ids[place - 1]] == [10]


@pytest.mark.parametrize("venue", [venue for venue in VENUES if venue != "binance_spot_sbe"])
def test_malformed_json_is_no_json(tmp_path, venue):
    frames, _, ledger = run_with_fault(tmp_path, venue, {"message": 10, "fault": "malformed_json", "count": 2})
    broken = [int(entry["number"]) for entry in faults_of(ledger, "malformed_json")]
    assert len(broken) == 2
    for number, frame in enumerate(frames, start=1):
        with pytest.raises(json.JSONDecodeError) if number in broken else contextlib.nullcontext():
            json.loads(frame)
    assert_ledger_equals(ledger, venue, frames)


def test_wrong_numbers_are_no_numbers(tmp_path):
    frames, _, ledger = run_with_fault(tmp_path, "gate_futures", {"message": 3, "fault": "wrong_numbers", "count": 12})
    wrong = faults_of(ledger, "wrong_numbers")
    assert len(wrong) == 12 and all(entry["rows"] == [] for entry in wrong)
    text = "".join(frames[int(entry["number"]) - 1] for entry in wrong)
    assert '"NaN"' in text and '"1e999"' in text


def test_a_huge_message_has_its_size(tmp_path):
    frames, _, ledger = run_with_fault(tmp_path, "gate_spot", {"message": 3, "fault": "huge_message", "bytes": 5_000_000})
    assert [len(frame) for frame in frames].count(5_000_000) == 1
    assert faults_of(ledger, "huge_message")[0]["bytes"] == 5_000_000


@pytest.mark.parametrize("venue", [venue for venue in VENUES if venue != "binance_spot_sbe"])
def test_scientific_notation_and_unknown_members_keep_their_rows(tmp_path, venue):
    script = [{"message": 5, "fault": "scientific", "count": 10}, {"message": 20, "fault": "extra_keys", "count": 10}]
    with Simulator(tmp_path, "--symbols", "2", venue=venue, script=script) as simulator:
        with simulator.client(venue) as client:
            client.subscribe().receive_count(60)
        ledger = simulator.stop()
    assert sum('e4"' in frame or 'e3"' in frame for frame in client.frames) >= 5
    assert sum('"zz":' in frame for frame in client.frames) == 10
    assert_ledger_equals(ledger, venue, client.frames)


def test_silence_has_no_data_and_still_answers(tmp_path):
    script = [{"message": 10, "fault": "silence", "duration": "1h"}]
    with Simulator(tmp_path, venue="kucoin_spot", script=script) as simulator:
        with simulator.client("kucoin_spot") as client:
            client.subscribe(["BTC-USDT"], ["book"]).receive_count(11)
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.3)
            client.send({"id": "p1", "type": "ping"})
            assert client.receive_json()["type"] == "pong"


def test_slow_reading_reads_later(tmp_path):
    script = [{"at": "300ms", "fault": "slow_reading", "duration": "1s"}]
    with Simulator(tmp_path, venue="gate_spot", script=script) as simulator:
        with simulator.client("gate_spot") as client:
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.5)
            client.send({"time": 1, "channel": "spot.ping"})
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.2)
            assert client.receive_json()["channel"] == "spot.pong"


def test_a_509_subscribes_nothing(tmp_path):
    with Simulator(tmp_path, venue="kucoin_spot",
                   script=[{"every": "100ms", "fault": "509", "count": 1000}]) as simulator:
        with simulator.client("kucoin_spot") as client:
            client.receive()
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.5)
            client.subscribe(["BTC-USDT"], ["book"])
            assert client.receive_json().items() >= {
                "type": "error", "code": 509, "data": "exceed max permits per 10 seconds"}.items()
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.3)


def test_tokens_expire_and_fail_by_script(tmp_path):
    script = [{"at": "0s", "fault": "expired_token", "count": 1},
              {"at": "0s", "fault": "token_failure", "count": 1, "status": 429, "duration": "0s"}]
    with Simulator(tmp_path, venue="kucoin_spot", script=script) as simulator:
        with pytest.raises(urllib.error.HTTPError) as refused:
            Client.ask_token(simulator.feeds["kucoin_spot"])
        assert refused.value.code == 429
        with simulator.client("kucoin_spot") as client:
            assert client.receive_json()["code"] == 401
        with simulator.client("kucoin_spot") as client:
            assert client.receive_json()["type"] == "welcome"


@pytest.mark.parametrize(("venue", "notice"), [
    ("binance_spot", lambda message: message.get("stream") == "!serverShutdown"),
    ("gate_futures", lambda message: message.get("channel") == "futures.system")])
def test_a_shutdown_is_announced_before_the_end(tmp_path, venue, notice):
    script = [{"at": "1s", "fault": "server_shutdown", "duration": "500ms", "code": 1001}]
    with Simulator(tmp_path, "--symbols", "1", venue=venue, script=script) as simulator:
        with simulator.client(venue) as client:
            client.subscribe(streams=["book"])
            client.receive_until(lambda frame: notice(json.loads(frame)))
            announced = len(client.frames)
            with pytest.raises(ConnectionClosed) as closed:
                client.receive_until(lambda _: False)
    assert closed.value.rcvd.code == 1001
    assert len(client.frames) > announced, "data go on until the end"


def test_the_day_cut_closes_every_connection_of_the_venue(tmp_path):
    script = [{"at": "1s", "fault": "day_cut", "venue": "kucoin_spot", "reason": "Bye"}]
    with Simulator(tmp_path, "--exchange", "kucoin", script=script) as simulator:
        spot = [simulator.client("kucoin_spot") for _ in range(2)]
        with simulator.client("kucoin_futures") as other:
            for client in spot:
                with pytest.raises(ConnectionClosed) as closed:
                    client.receive_until(lambda _: False)
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "Bye")
            other.send({"id": "p", "type": "ping"})
            other.receive_until(lambda frame: "pong" in frame)


def test_compression_is_refused_unless_the_script_allows_it(tmp_path):
    script = [{"at": "1s", "fault": "compression", "on": True}]
    with Simulator(tmp_path, venue="gate_spot", script=script) as simulator:
        with simulator.client("gate_spot", compression="deflate") as client:
            assert client.socket.protocol.extensions == []
            with pytest.raises(TimeoutError):
                client.receive(timeout=1.5)
        with simulator.client("gate_spot", compression="deflate") as client:
            assert len(client.socket.protocol.extensions) == 1
            client.subscribe().receive_count(200)
        ledger = simulator.stop()
    assert_ledger_equals(ledger, "gate_spot", client.frames, connection=2)


@pytest.mark.parametrize(("venue", "symbol"), [
    ("binance_spot", "币安人生USDT"), ("binance_usdm", "龙虾USDT"), ("kucoin_spot", "牛来-USDT"), ("gate_spot", "币安人生_USDT")])
def test_symbols_are_listed_and_delisted_by_script(tmp_path, venue, symbol):
    script = [{"at": "0s", "fault": "list_symbol", "venue": venue, "symbol": symbol},
              {"at": "2s", "fault": "delist_symbol", "venue": venue, "symbol": symbol}]
    with Simulator(tmp_path, "--symbols", "1", venue=venue, script=script) as simulator:
        with simulator.client(venue) as client:
            client.subscribe([symbol])
            client.receive_count(20)
            with pytest.raises(TimeoutError):
                while True:
                    client.receive(timeout=1)
        ledger = simulator.stop()
    assert {row["symbol"] for frame in client.frames for row in decode(venue, frame)} == {symbol}
    assert_ledger_equals(ledger, venue, client.frames)


def test_clocks_may_be_ahead_of_ours(tmp_path):
    script = [{"at": "0s", "fault": "clock_skew", "duration": "2h"}]
    with Simulator(tmp_path, venue="gate_spot", script=script) as simulator:
        with simulator.client("gate_spot") as client:
            client.subscribe().receive_count(50)
        ledger = simulator.stop()
    events = [entry for entry in frames_of(ledger, "gate_spot") if entry["kind"] == "event"]
    assert all(entry["rows"][0]["event_time"] > entry["sent_time"] + Decimal(7_000 * 10**9) for entry in events)


def test_acks_may_come_after_data(tmp_path):
    script = [{"at": "0s", "fault": "delay_acks", "duration": "300ms"}]
    with Simulator(tmp_path, venue="gate_spot", script=script) as simulator:
        with simulator.client("gate_spot") as client:
            client.subscribe(["BTC_USDT"], ["book"])
            assert client.receive_json()["event"] == "update"
            client.receive_until(lambda frame: json.loads(frame)["event"] == "subscribe")
        ledger = simulator.stop()
    assert_ledger_equals(ledger, "gate_spot", client.frames)


# ---- robustness and usage --------------------------------------------------------------------------


def test_garbage_harms_nobody_else(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with Simulator(tmp_path) as simulator:
        for venue in VENUES:
            port = int(simulator.feeds[venue]["endpoint"].split(":")[2].split("/")[0])
            for _ in range(10):
                with socket.create_connection(("127.0.0.1", port)) as raw:
                    raw.sendall(chance.choice([b"", b"GET / HTTP/1.1\r\n", b"GET /" + b"x" * 70_000]) +
                                chance.randbytes(chance.randrange(500)))
            with simulator.client(venue) as victim:
                victim.subscribe()
                for _ in range(30):
                    with simulator.client(venue) as client, contextlib.suppress(ConnectionClosed):
                        valid = json.dumps(chance.choice(client.requests(simulator.feeds[venue]["symbols"])))
                        place = chance.randrange(len(valid))
                        client.send(chance.choice([
                            valid[:place], valid[:place] + chance.choice('{}[]",:0x') + valid[place + 1:], "[" * 100_000,
                            '{"channel":"spot.x","payload":' + "[" * 50_000 + "]" * 50_000 + "}", chance.randbytes(50),
                            '{"method":5}', '{"method":"SUBSCRIBE","params":{},"id":{}}', '{"type":"subscribe","topic":7}',
                            '{"id":1e999,"type":"ping"}', '{"id":[],"channel":"spot.trades","event":"subscribe","payload":[1]}',
                            "null", "1", '""', "[]", "{}"]))
                victim.receive_count(100)
        simulator.stop()


async def read_with_tls(endpoint, context, count=200) -> list:
    """On one thread: Python's synchronous client reads and writes one TLS object from two, which sometimes fails."""
    async with websockets.connect(endpoint, ssl=context, compression=None) as client:
        await client.send('{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@depth5"],"id":1}')
        return [await client.recv() for _ in range(count)]


def test_tls_with_a_certificate_of_its_own(tmp_path):
    cert, key = make_certificate(tmp_path, "IP:127.0.0.1")
    with Simulator(tmp_path, "--tls-cert", cert, "--tls-key", key, venue="binance_spot") as simulator:
        feed = simulator.feeds["binance_spot"]
        assert feed["endpoint"].startswith("wss://") and feed["ca_file"] == str(cert)
        frames = asyncio.run(read_with_tls(feed["endpoint"], ssl.create_default_context(cafile=cert)))
        with pytest.raises(ssl.SSLCertVerificationError):
            asyncio.run(read_with_tls(feed["endpoint"], ssl.create_default_context()))
        ledger = simulator.stop()
    assert_ledger_equals(ledger, "binance_spot", frames)


@pytest.mark.parametrize(("options", "facts"), [
    (["--listen", "9001"], ["9001", "ADDRESS:PORT"]),
    (["--listen", "127.0.0.1:0", "--rate", "100"], ["--rate", "100"]),
    (["--listen", "127.0.0.1:0", "--rate", "0/s"], ["--rate"]),
    (["--listen", "127.0.0.1:0", "--exchange", "binnance"], ["binnance", "binance"]),
    (["--listen", "127.0.0.1:0", "--market", "coin_futures"], ["coin_futures", "usdt_futures"]),
    (["--listen", "127.0.0.1:0", "--tls-cert", "x.pem"], ["--tls-key"]),
    (["--listen", "127.0.0.1:0", "--tls-cert", "x.pem", "--tls-key", "y.pem"], ["x.pem"]),
    (["--listen", "127.0.0.1:0", "--script", "nowhere.jsonl"], ["nowhere.jsonl"]),
    (["--listen", "127.0.0.1:65533"], ["65533"]),
    ([], ["--listen"])])
def test_usage_errors_say_what_is_wrong(tmp_path, options, facts):
    assert_clear_error(tapeworks("simulate-exchange", *options, cwd=tmp_path, expect=2), *facts)


@pytest.mark.parametrize(("line", "facts"), [
    ("nonsense", ["line 2", "JSON"]),
    ('{"at":"1s"}', ["line 2", "fault"]),
    ('{"at":"1s","fault":"explode"}', ["explode", "half_frame"]),
    ('{"fault":"abort"}', ["when"]),
    ('{"at":"1s","message":5,"fault":"abort"}', ["when"]),
    ('{"at":"1","fault":"abort"}', ["at", "unit"]),
    ('{"at":"1s","fault":"abort","count":3}', ["abort", "count"]),
    ('{"at":"1s","fault":"abort","venue":"binance"}', ["binance"]),
    ('{"message":1,"fault":"day_cut"}', ["day_cut"]),
    ('{"at":"1s","fault":"close","code":99}', ["code", "1000"]),
    ('{"at":"1s","fault":"list_symbol","symbol":"X"}', ["venue"])])
def test_a_wrong_line_of_a_script_is_named(tmp_path, line, facts):
    (tmp_path / "script.jsonl").write_text(f"# a comment\n{line}\n")
    outcome = tapeworks("simulate-exchange", "--listen", "127.0.0.1:0", "--script", "script.jsonl", cwd=tmp_path, expect=2)
    assert_clear_error(outcome, "script.jsonl", *facts)


def test_it_overwrites_no_ledger_and_shares_no_port(tmp_path):
    (tmp_path / "kept.jsonl").write_text("mine")
    outcome = tapeworks("simulate-exchange", "--listen", "127.0.0.1:0", "--ledger", tmp_path / "kept.jsonl", expect=4)
    assert_clear_error(outcome, "kept.jsonl")
    assert (tmp_path / "kept.jsonl").read_text() == "mine"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = tapeworks("simulate-exchange", "--listen", f"127.0.0.1:{port}", expect=(2, 4))
    assert_clear_error(outcome, str(port))


def test_the_script_page_documents_every_fault():
    page = (ROOT / "docs/formats/simulator_script.md").read_text()
    source = (ROOT / "src/recorder/simulator/fault_script.cpp").read_text()
    import re
    names = re.findall(r'KindFacts\{"(\w+)"', source)
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in page] == []
