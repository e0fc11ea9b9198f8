"""Tests of what bench/recorder.py concludes: run with `.venv/bin/python -m pytest bench`."""

import json
import math
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.sync.client import connect

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tapebench.places import BenchError  # noqa: E402
from tapebench.recorder import arrow_writers, latency, metrics, pour, profile, throughput, versus_cryptofeed  # noqa: E402
from tapebench.recorder.clock import change_times, clock_script  # noqa: E402
from tapebench.recorder.disk import fdatasync_seconds, percentiles  # noqa: E402
from tapebench.recorder.exchanges import make_certificate  # noqa: E402
from tapebench.recorder.load import Load, growth_after_first_quarter, require_sensible, summary_of  # noqa: E402
from tapebench.recorder.poured import STREAMS  # noqa: E402
from tapebench.recorder.recording import Sample  # noqa: E402
from tapebench.recorder.watched import Watched, cpu_seconds_of  # noqa: E402
from tapebench.session import command_of  # noqa: E402

ANSWER = """# HELP t_seconds what
# TYPE t_seconds histogram
t_seconds_bucket{le="0.01"} 50
t_seconds_bucket{le="0.02"} 90
t_seconds_bucket{le="+Inf"} 100
t_seconds_sum 1.5
t_seconds_count 100
messages_total{exchange="binance",market="spot"} 3
messages_total{exchange="gate",market="spot"} 4e2
"""


def test_counters_are_summed_over_their_labels():
    reading = metrics.parse(ANSWER)
    assert reading.sum("messages_total") == 403 and reading.sum("unknown") == 0


def test_percentiles_lie_inside_their_bucket_and_shares_are_exact():
    histogram = metrics.parse(ANSWER).histogram("t_seconds")
    assert histogram.quantile(0.5) == pytest.approx(0.01) and histogram.quantile(0.7) == pytest.approx(0.015)
    assert math.isinf(histogram.quantile(0.99)) and histogram.share_up_to(0.02) == 0.9


def test_a_histogram_since_a_moment_counts_what_came_later():
    now = metrics.parse(ANSWER).histogram("t_seconds")
    later = now.since(replace(now, counts=(50.0, 50.0, 50.0)))
    assert later.count == 50 and later.share_up_to(0.01) == 0 and later.share_up_to(0.02) == 0.8


@pytest.mark.parametrize("changes", [[20.0], [20.0, 60.0, 100.0], [540.0, 1560.0, 2580.0]])
def test_the_scripted_hours_end_when_wanted(changes):
    begin, leaps = 0.0, []
    for line in clock_script(changes, 1000.0).splitlines():
        words = line.split()
        if words[0] == "begin":
            begin = float(words[1])
        elif words[0] == "at":
            leaps.append((float(words[1][:-2]) / 1000, float(words[3][:-2]) / 1000))

    def hour_at(seconds: float) -> int:
        return int((begin + seconds + sum(leap for at, leap in leaps if at <= seconds)) // 3600)

    for number, change in enumerate(changes):
        assert hour_at(change + 0.5) - hour_at(0) == number + 1 and hour_at(change - 0.5) - hour_at(0) == number


def test_the_first_hour_change_lies_in_the_first_quarter():
    assert change_times(3600, 3) == [540, 1560, 2580] and change_times(100, 1) == [15]


@pytest.mark.parametrize("load", [Load(seconds=29), Load(seconds=60, hour_changes=3), Load(seconds=10_000, hour_changes=2)])
def test_a_run_that_could_not_be_judged_is_refused(load):
    with pytest.raises(BenchError):
        require_sensible(load)
    require_sensible(Load(seconds=3600, hour_changes=3))


def test_growth_compares_the_first_quarter_with_the_rest():
    assert growth_after_first_quarter([(0, 50), (1, 100), (2, 90), (3, 90), (4, 110)]) == pytest.approx(0.1)
    assert growth_after_first_quarter([(0, 50), (1, 100), (4, 90)]) == pytest.approx(-0.1)


SAMPLE = Sample(at_seconds=0, resident_bytes=50, reported_resident_bytes=50, cpu_seconds=1, messages=100, queue_records=1, queue_bytes=0, dropped=0,
                open_partitions=0, parts=0, waiting_merges=0, published_files=0, log_bytes=0, buffered_bytes=0, column_bytes=0, state_bytes=0, heap_bytes=0)


def profile_results(**differences: object) -> dict[str, object]:
    samples = [SAMPLE, replace(SAMPLE, at_seconds=2.0), replace(SAMPLE, at_seconds=10.0, cpu_seconds=2, messages=10_100, **differences)]
    summary = summary_of(samples, {"cpu_seconds": 2.02, "peak_rss_bytes": 60})
    return {"recordings": [{"title": "tapeworks record", "summary": summary}], "parameters": {"memory_bytes": 60, "rate": 1000}}


def test_a_profile_is_judged_by_its_samples():
    judged = {claim.text.split(":")[0]: claim for claim in profile.claims_of(profile_results())}
    assert judged["CPU of one core"].found == "10.00 %" and judged["the wanted rate arrived"].holds
    assert not judged["CPU a message, socket to published file"].holds  # 200 us: the end counts as well
    assert all(claim.holds for name, claim in judged.items() if not name.startswith("CPU a message"))


@pytest.mark.parametrize("differences, missed", [
    ({"dropped": 1}, "nothing dropped"), ({"resident_bytes": 52}, "growth after"), ({"queue_records": 30_000}, "queue below")])
def test_a_promise_that_is_not_kept_is_missed(differences, missed):
    assert [claim.holds for claim in profile.claims_of(profile_results(**differences)) if claim.text.startswith(missed)] == [False]


@pytest.mark.parametrize("rows, per_second, holds", [(1000, 150_000, [True, True]), (999, 150_000, [True, False]), (1000, 140_000, [False, True])])
def test_throughput_counts_only_what_became_rows(rows, per_second, holds):
    run = {"rows": rows, "sent": {"messages": 1000}, "summary": {"received_per_second": per_second, "dropped": 0}}
    assert [claim.holds for claim in throughput.claims_of({"parameters": {"rate": 150_000, "tls": False}, "recordings": [run]})] == holds


@pytest.mark.parametrize("cost_us, holds", [(12.0, [True, True, True]), (12.1, [True, False, True])])
def test_throughput_over_tls_is_also_judged_by_its_cost(cost_us, holds):
    run = {"rows": 9, "sent": {"messages": 9}, "summary": {"received_per_second": 100_000, "dropped": 0, "cpu_us_per_message": cost_us}}
    assert [claim.holds for claim in throughput.claims_of({"parameters": {"rate": 100_000, "tls": True}, "recordings": [run]})] == holds


def test_latency_is_judged_by_exact_shares():
    found = {"share_up_to_10_ms": 0.5, "share_up_to_30_ms": 0.989}
    assert [claim.holds for claim in latency.claims_of({"recordings": [{"latency": found}]})] == [True, False]


def test_the_disk_is_measured_and_nothing_is_left(tmp_path):
    found = percentiles(fdatasync_seconds(tmp_path, 0.3))
    assert found["count"] > 1 and 0 < found["p50_seconds"] <= found["p99_seconds"] <= found["max_seconds"]
    assert list(tmp_path.iterdir()) == []


def test_what_cryptofeed_kept_are_its_whole_lines(tmp_path):
    message = '1795301196.07: {"stream":"btcusdt@trade","data":{"e":"trade"}}'
    (tmp_path / "BINANCE.ws.1.0").write_text(f"wss://127.0.0.1 <-> 1795301196.05\n{message}\n{message}\n{message[:-5]}")
    (tmp_path / "BINANCE.0").write_text(f"configuration: 1\n{message}\n")
    assert versus_cryptofeed.raw_messages(tmp_path) == 2


def test_only_messages_of_the_market_are_expected(tmp_path):
    lines = [{"kind": kind, "sent_time": at, "rows": []} for kind, at in (("control", 1), ("event", 2), ("event", 3))]
    (tmp_path / "ledger.jsonl").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    assert versus_cryptofeed.sent_times_ns(tmp_path / "ledger.jsonl") == [2, 3]


def test_a_command_is_told_without_the_places_of_a_machine():
    arguments = ["/x/bench/recorder.py", "profile", "--results", "/x/r.json", "--tls", "--work-dir=/x", "--seconds", "60"]
    assert command_of(arguments) == "bench/recorder.py profile --tls --seconds 60"


def test_the_arrow_writers_share_the_rows_as_the_exchanges_do():
    shares = arrow_writers.shares_of(450, 10_000)
    assert shares.sum() == pytest.approx(1) and shares[0] / shares[-1] == pytest.approx(10_000)
    assert shares[0] == shares[2] > shares[3]


def test_a_watched_child_tells_its_memory_and_cpu(tmp_path):
    program = "import time\na = b'x' * (100 << 20)\nt = time.time()\nwhile time.time() < t + 0.3: pass\nprint('READY', flush=True)\ntime.sleep(60)"
    with Watched([sys.executable, "-c", program], tmp_path / "log", stdout=-1) as child:
        child.process.stdout.readline()
        assert child.memory_bytes() > 100 << 20 and child.memory_bytes("VmHWM") >= child.memory_bytes()
        assert child.cpu_seconds() > 0
        with pytest.raises(BenchError, match="ended with -15"):
            child.stop()
    assert cpu_seconds_of(child.usage) > 0 and child.usage.ru_maxrss > 100 << 10


def test_poured_frames_differ_and_their_numbers_go_on():
    block = pour.Block([("C0000USDT", stream) for stream in STREAMS] + [("C0001USDT", stream) for stream in STREAMS], seed=1)
    seen = {}
    for _ in range(3):
        block.renew(1_772_402_400_123)
        for message in messages_of(bytes(block.bytes)):
            data = message["data"]
            seen.setdefault(message["stream"], []).append(data.get("u") or data.get("t") or data["lastUpdateId"])
            quantity = data.get("B") or data.get("q") or data["bids"][0][1]
            assert quantity == f"1.{seen[message['stream']][-1] % 10**8:08}"
            assert data.get("E", 1_772_402_400_123) == 1_772_402_400_123
    assert sorted(seen) == sorted(f"c000{n}usdt@{stream}" for n in (0, 1) for stream in STREAMS)
    assert all(numbers == list(range(pour.FIRST_NUMBER, pour.FIRST_NUMBER + 3 * pour.PASSES)) for numbers in seen.values())


def messages_of(stream: bytes) -> list[dict]:
    """The JSON texts of a server's WebSocket frames."""
    found, at = [], 0
    while at < len(stream):
        assert stream[at] == 0x81
        length, at = stream[at + 1], at + 2
        if length == 126:
            length, at = int.from_bytes(stream[at:at + 2], "big"), at + 2
        found.append(json.loads(stream[at:at + length]))
        at += length
    return found


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_client_of_the_sender_is_answered_in_the_words_of_the_exchange(tmp_path, over_tls):
    files = make_certificate(tmp_path) if over_tls else ()
    trust = ssl.create_default_context(cafile=files[0]) if over_tls else None
    command = [sys.executable, "-m", "tapebench.recorder.pour", 1, 2000, 0.5, *files]
    with Watched(command, tmp_path / "log", folder=Path(__file__).resolve().parent, stdin=-1, stdout=-1) as sender:
        address = sender.process.stdout.readline().decode().split()[1]
        with connect(f"ws{'s' if over_tls else ''}://{address}/stream", compression=None, ssl=trust) as client:
            client.send(json.dumps({"method": "SUBSCRIBE", "params": [f"c0000usdt@{stream}" for stream in STREAMS], "id": 7}))
            assert json.loads(client.recv(timeout=10)) == {"result": None, "id": 7}
            assert sender.process.stdout.readline() == b"SUBSCRIBED\n"
            client.ping().wait(10)
            sender.process.stdin.write(b"GO\n")
            sender.process.stdin.flush()
            messages = [json.loads(client.recv(timeout=10))]
            sent = json.loads(sender.process.stdout.readline())
            messages += [json.loads(client.recv(timeout=10)) for _ in range(sent["messages"] - 1)]
            with pytest.raises(TimeoutError):
                client.recv(timeout=0.2)
        assert 500 < sent["messages"] <= 1000 and {message["data"]["s"] for message in messages if "s" in message["data"]} == {"C0000USDT"}
        sender.process.stdin.close()
        sender.wait()
    assert sender.process.returncode == 0
