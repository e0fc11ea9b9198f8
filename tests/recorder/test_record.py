"""Recording from simulated exchanges: what was sent is there once, or in a gap that is named."""

import random
import signal
import socket
import subprocess
import time

import polars as pl
import pyarrow.parquet as pq
import pytest

from harness import SANITIZERS, assert_clear_error, make_certificate, start, tapeworks
from recorded_tables import read_rows, read_table
from recording import RATE, Exchanges, judge, last_status, published_hashes, record, start_recording, write_config


@pytest.fixture
def exchanges(tmp_path):
    with Exchanges(tmp_path, "--symbols", "6", "--rate", RATE) as running:
        yield running


def test_every_message_of_seven_venues_is_there_once(exchanges, tmp_path):
    outcome = record(write_config(tmp_path, exchanges.feeds), "6s")
    exchanges.stop()
    status = last_status(outcome)
    assert status["connections"] == 7 and status["dropped_total"] == 0 and status["quarantined"] == 0
    assert status["queue_len"] == 0
    counts = judge(tmp_path / "out", exchanges.ledger)
    assert counts["rows"] > 1000
    assert counts["missing"] < counts["sent"] / 20  # what was sent while the connections were closed
    venues = read_rows(tmp_path / "out").select("exchange", "market", "transport", "stream").unique()
    assert venues.height == 21


FAULTS = [
    {"message": 150, "fault": "close", "code": 1001, "reason": "Bye"},
    {"message": 260, "venue": "gate_spot", "fault": "abort"},
    {"message": 260, "venue": "binance_usdm", "fault": "half_frame"},
    {"every": "900ms", "fault": "duplicate", "count": 3},
    {"every": "700ms", "venue": "kucoin_spot", "fault": "malformed_json", "count": 2},
    {"every": "800ms", "venue": "gate_futures", "fault": "wrong_numbers", "count": 2},
    {"every": "600ms", "venue": "binance_spot", "fault": "scientific", "count": 4},
    {"every": "650ms", "venue": "kucoin_futures", "fault": "extra_keys", "count": 4},
    {"at": "2s", "fault": "huge_message"},
    {"at": "1s", "venue": "kucoin_spot", "fault": "expired_token"},
    {"at": "1s", "venue": "kucoin_futures", "fault": "509"},
]


def test_what_faults_lose_is_named_and_nothing_else_is_lost(tmp_path):
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE, script=FAULTS) as exchanges:
        outcome = record(write_config(tmp_path, exchanges.feeds), "8s")
        exchanges.stop()
        status = last_status(outcome)
        assert status["quarantined"] > 0
        judge(tmp_path / "out", exchanges.ledger)
        gaps = read_table(tmp_path / "out", "_gaps")
        assert {"binance_spot", "gate_spot", "kucoin_usdt_futures"} <= set(gaps["folder"])
        assert read_table(tmp_path / "out", "_quarantine").height == status["quarantined"]


def test_a_replaced_connection_overlaps_and_repeats_nothing(tmp_path):
    script = [{"at": "2s", "fault": "server_shutdown", "duration": "2s"}]
    with Exchanges(tmp_path, "--symbols", "4", "--rate", RATE, script=script) as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "7s")
        exchanges.stop()
        judge(tmp_path / "out", exchanges.ledger)
        events = read_table(tmp_path / "out", "_events")
        replaced = events.filter((pl.col("event") == "disconnect") & (pl.col("cause") == "replaced"))
        assert {"binance_spot", "binance_usdt_futures"} <= set(replaced["folder"])


def test_a_gap_inside_a_connection_is_found_on_contiguous_streams(tmp_path):
    script = [{"every": "1s", "venue": "binance_spot", "fault": "gap", "count": 5}]
    with Exchanges(tmp_path, "--symbols", "2", "--rate", RATE, "--exchange", "binance", "--market", "spot", script=script) as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "5s")
        exchanges.stop()
        rows = read_rows(tmp_path / "out")
        gaps = read_table(tmp_path / "out", "_gaps").filter(pl.col("cause") == "sequence_hole")
        missing = set()
        for symbol, begin, end in gaps.select("symbol", "from_sequence", "to_sequence").iter_rows():
            missing |= {(symbol, number) for number in range(begin, end + 1)}
        trades = rows.filter((pl.col("stream") == "trade") & (pl.col("transport") == "json"))
        for (symbol,), group in trades.group_by("symbol"):
            numbers = set(group["sequence"].to_list())
            holes = {(symbol, n) for n in range(min(numbers), max(numbers) + 1) if n not in numbers}
            assert holes == {entry for entry in missing if entry[0] == symbol}


def test_replay_makes_the_same_bytes(exchanges, tmp_path):
    record(write_config(tmp_path, exchanges.feeds), "3s")
    tapeworks("replay", "--wal", tmp_path / "log", "--out", tmp_path / "again")
    made = published_hashes(tmp_path / "out")
    assert made and made == published_hashes(tmp_path / "again")


def test_replay_follows_the_settings_that_the_log_names(exchanges, tmp_path):
    feeds = exchanges.feeds.replace("[[feed]]", '[[feed]]\nmax_time_skew = "1ms"\ndedupe_window = 64')
    config = write_config(tmp_path, feeds)
    layout = ("--set", "output.layout=market", "--set", "output.part_rows=500")
    record(config, "2s", *layout, "--set", "output.row_group_rows=1000")
    record(config, "2s", *layout, "--set", "output.row_group_rows=700")
    made = published_hashes(tmp_path / "out")
    groups = [pq.read_metadata(tmp_path / "out" / path) for path in made]
    assert any(file.num_row_groups > 1 for file in groups), "rows are too few to tell row groups apart"
    tapeworks("replay", "--wal", tmp_path / "log", "--out", tmp_path / "again")
    assert made == published_hashes(tmp_path / "again")


@pytest.mark.parametrize("layout, depth", [("symbol", 3), ("market", 2), ("exchange", 2)])
def test_layouts(tmp_path, layout, depth):
    with Exchanges(tmp_path, "--symbols", "3", "--rate", "300/s") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        record(config, "3s", "--set", f"output.layout={layout}")
        exchanges.stop()
        files = [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").glob("**/[0-2][0-9].parquet")]
        assert {len(path.parts) - 1 for path in files} == {depth}
        judge(tmp_path / "out", exchanges.ledger)


def test_killed_again_and_again_it_loses_nothing_durable_and_repeats_nothing(tmp_path):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    moments = random.Random(seed)
    with Exchanges(tmp_path, "--symbols", "5", "--rate", RATE) as exchanges, (tmp_path / "record.err").open("w") as errors:
        config = write_config(tmp_path, exchanges.feeds)
        for _ in range(3 if SANITIZERS else 8):
            process = start_recording(config, errors)
            time.sleep(moments.uniform(0.05, 1.5))
            process.kill()
            process.wait()
            read_rows(tmp_path / "out")  # whatever has a final name can be read
        record(config, "2s")
        exchanges.stop()
        judge(tmp_path / "out", exchanges.ledger)
        tapeworks("replay", "--wal", tmp_path / "log", "--out", tmp_path / "again")
        assert published_hashes(tmp_path / "out") == published_hashes(tmp_path / "again")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_publishes(exchanges, tmp_path, number):
    with (tmp_path / "record.err").open("w") as errors:
        process = start_recording(write_config(tmp_path, exchanges.feeds), errors)
        time.sleep(2)
        process.send_signal(number)
        assert process.wait(30) == 0
    exchanges.stop()
    judge(tmp_path / "out", exchanges.ledger)


def test_a_second_signal_ends_it_at_once_and_the_next_start_completes(exchanges, tmp_path):
    config = write_config(tmp_path, exchanges.feeds)
    with (tmp_path / "record.err").open("w") as errors:
        process = start_recording(config, errors)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    record(config, "1s")
    exchanges.stop()
    judge(tmp_path / "out", exchanges.ledger)


@pytest.mark.parametrize("feed, fact", [
    ('exchange = "binance"\nmarket = "spot"\ntransport = "sbe"\nsymbols = ["BTCUSDT"]', "TAPEWORKS_BINANCE_SBE_KEY"),
    ('exchange = "gate"\nmarket = "spot"\nsymbols = ["BTC_USDT"]\nstreams = ["book"]\nbackfill = true', 'add "trade" to streams'),
])
def test_what_cannot_be_recorded_is_refused_before_anything_is_touched(tmp_path, feed, fact):
    config = write_config(tmp_path, f"[[feed]]\n{feed}\n")
    assert_clear_error(tapeworks("record", "--config", config, "--for", "1s", expect=2), fact)
    assert not (tmp_path / "out").exists() and not (tmp_path / "log").exists()


def test_the_second_recorder_on_the_same_folders_says_so(exchanges, tmp_path):
    config = write_config(tmp_path, exchanges.feeds)
    with (tmp_path / "record.err").open("w") as errors:
        process = start_recording(config, errors)
        time.sleep(1)
        outcome = record(config, "1s", expect=4)
        assert "use" in outcome.error
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("memory, buffer, sentence", [
    ("64MiB", "32MiB", "--memory 64.00 MiB is too little for 1 symbol, a wal.buffer of 32.00 MiB and a dedupe_window of 512; at least 96.00 MiB is needed"),
    ("192MiB", "256MiB", "--memory 192.00 MiB is too little for 1 symbol, a wal.buffer of 256.00 MiB and a dedupe_window of 512; at least 320.00 MiB is needed")])
def test_too_little_memory_is_refused_with_the_figure(tmp_path, memory, buffer, sentence):
    feeds = '[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["BTC_USDT"]\n'
    outcome = record(write_config(tmp_path, feeds), "1s", "--memory", memory, "--set", f"wal.buffer={buffer}", expect=2)
    assert_clear_error(outcome, sentence)
    assert not (tmp_path / "out").exists() and not (tmp_path / "log").exists()


def test_over_tls_only_a_trusted_certificate_is_believed(tmp_path):
    cert, key = make_certificate(tmp_path, "IP:127.0.0.1")
    with Exchanges(tmp_path, "--symbols", "2", "--rate", "300/s", "--tls-cert", cert, "--tls-key", key) as exchanges:
        assert "wss://" in exchanges.feeds and "ca_file" in exchanges.feeds
        trusting_nobody = "\n".join(line for line in exchanges.feeds.splitlines() if not line.startswith("ca_file"))
        refused = record(write_config(tmp_path, trusting_nobody), "10s" if SANITIZERS else "2s")
        assert last_status(refused)["events"] == 0
        assert "self-signed" in refused.stderr
        outcome = record(write_config(tmp_path, exchanges.feeds), "3s")
        exchanges.stop()
        assert last_status(outcome)["events"] > 100
        judge(tmp_path / "out", exchanges.ledger)


def test_a_service_manager_hears_that_it_is_ready_alive_and_ending(tmp_path):
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, (tmp_path / "record.err").open("w") as errors:
        manager.bind(str(address))
        manager.settimeout(30)
        feeds = '[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["BTC_USDT"]\nendpoint = "ws://127.0.0.1:9"\n'
        process = start("record", "--config", write_config(tmp_path, feeds), stdout=subprocess.DEVNULL, stderr=errors,
                        env={"NOTIFY_SOCKET": str(address)})
        heard = [manager.recv(100) for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))
        assert process.wait(30) == 0
    assert heard.index(b"READY=1") <= 1 and heard.count(b"WATCHDOG=1") >= 3 and set(heard) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}


def test_an_exchange_that_is_not_there_is_no_end(tmp_path):
    feeds = '[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["BTC_USDT"]\nendpoint = "ws://127.0.0.1:9"\n'
    outcome = record(write_config(tmp_path, feeds), "2s")
    assert "refused" in outcome.stderr.lower()
    assert last_status(outcome)["connected"] == 0


def test_a_log_that_is_kept_for_a_second_loses_only_what_is_published(tmp_path):
    with Exchanges(tmp_path, "--symbols", "4", "--rate", "1500/s", "--exchange", "binance", "--market", "spot") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        small = ("--set", "wal.segment=64KiB", "--set", "wal.keep=1s")
        record(config, "5s", *small)
        time.sleep(1.2)
        record(config, "2s", *small)
        exchanges.stop()
    oldest = min(int(path.name.split(".")[0]) for path in (tmp_path / "log").glob("*.wal*") if path.name != "wal.lock")
    assert oldest > 1
    rows = read_rows(tmp_path / "out")
    published = rows["lsn"].to_list()
    assert min(published) < oldest
    verified = tapeworks("verify", "--recording", tmp_path / "out", "--wal", tmp_path / "log").records()
    assert {row["log"] for row in verified} <= {"same", None}, "of a log that is not whole any more"

    replayed = tapeworks("replay", "--wal", tmp_path / "log", "--out", tmp_path / "again")
    assert "cannot be made of it" in replayed.stderr
    again = read_rows(tmp_path / "again")["lsn"].to_list()
    assert again == [lsn for lsn in published if lsn >= oldest]
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("[0-2][0-9].parquet")}
    tapeworks("replay", "--wal", tmp_path / "log", "--out", tmp_path / "out")
    assert {path: path.read_bytes() for path in before} == before


def test_quiet_keeps_only_errors(tmp_path):
    with Exchanges(tmp_path, "--symbols", "1", "--rate", "100/s") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        assert record(config, "2s", "--quiet").stderr == ""
        assert record(config, "1s").stderr.count('"events"') >= 2
        exchanges.stop()


def test_threads_and_temp_dir_are_accepted_as_everywhere(tmp_path):
    with Exchanges(tmp_path, "--symbols", "1", "--rate", "100/s") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        record(config, "1s", "--threads", "2", "--temp-dir", tmp_path)
        exchanges.stop()
    assert_clear_error(record(config, "1s", "--temp-dir", tmp_path / "none", expect=2), "is no folder")


def test_a_time_that_no_clock_has_is_refused(tmp_path):
    feeds = '[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["BTC_USDT"]\n'
    outcome = record(write_config(tmp_path, feeds), "9999999h", expect=2)
    assert_clear_error(outcome, "--for 9999999h is longer than 876600h (100 years)")
