"""A disk that fills: each step of the ladder, on a real small file system."""

import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import polars as pl
import pytest

from harness import tapeworks
from recorded_tables import read_rows, read_table
from recording import KEY, RATE, Exchanges, free_port, judge, start_recording, write_config
from small_disk import small_disk

MIB = 1 << 20
# Of the feeds, by exchange: which stop first.
PRIORITIES = {"binance": 0, "kucoin": 1, "gate": 2}


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", "96m") as mounted:
        yield mounted


@pytest.fixture
def exchanges(tmp_path):
    with Exchanges(tmp_path, "--symbols", "4", "--rate", RATE) as running:
        yield running


def with_priorities(feeds: str) -> str:
    return re.sub(r'exchange = "(\w+)"', lambda match: f"{match[0]}\npriority = {PRIORITIES[match[1]]}", feeds)


class Recording:
    """`record` on the small disk, in the background."""

    def __init__(self, disk, exchanges, tmp_path, sections: str):
        port = free_port()
        # In [wal], which write_config ends with.
        config = write_config(disk.folder, with_priorities(exchanges.feeds),
                              sections=f'[metrics]\nlisten = "127.0.0.1:{port}"\n{sections}')
        text = config.read_text().replace("[wal]\n", '[wal]\nsegment = "1MiB"\nbuffer = "1MiB"\nsync_bytes = "64KiB"\n')
        self.config = tmp_path / "recorder.toml"
        self.config.write_text(text)
        self.errors_path = tmp_path / "record.err"
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        self.errors = self.errors_path.open("a")
        self.process = start_recording(self.config, self.errors)

    def said(self) -> str:
        return self.errors_path.read_text()

    def metric(self, name: str) -> float:
        text = urllib.request.urlopen(f"{self.url}/metrics", timeout=10).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))

    def health(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait_for(self, what, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if what():
                    return
            except OSError:
                pass  # not listening yet
            assert self.process.poll() is None, f"the recorder has ended: {self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"waited in vain: {self.said()[-3000:]}"
            time.sleep(0.1)

    def wait_for_metric(self, name: str, value: float) -> None:
        self.wait_for(lambda: self.metric(name) == value)

    def stop(self, expect: int = 0) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == expect, self.said()[-3000:]
        self.errors.close()


LADDER = '[disk]\nreserve = "4MiB"\nmin_free = "32MiB"\n'


def test_each_step_of_the_ladder_up_and_down(disk, exchanges, tmp_path):
    recording = Recording(disk, exchanges, tmp_path, LADDER)
    reserve = disk.folder / "log" / "disk.reserve"
    feed_count = exchanges.feeds.count("[[feed]]")
    gate_count = exchanges.feeds.count('exchange = "gate"')
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 1000)
    assert recording.metric("tapeworks_disk_step") == 0, recording.said()[-2000:]
    assert reserve.exists() and reserve.stat().st_size == 4 * MIB, sorted(path.name for path in reserve.parent.iterdir())

    # Low: it warns, and everything goes on.
    disk.leave_free(26 * MIB)
    recording.wait_for_metric("tapeworks_disk_step", 1)
    assert "less than disk.min_free" in recording.said() and recording.metric("tapeworks_paused_feeds") == 0

    # Feeds stop by priority, and the most important one is left.
    disk.leave_free(13 * MIB)
    recording.wait_for_metric("tapeworks_paused_feeds", feed_count - gate_count)
    recording.wait_for_metric("tapeworks_connections_live", gate_count)
    assert recording.metric("tapeworks_disk_step") == 2 and recording.health()[0] == 200

    # Full: nothing runs, the reserve is given up, the process stays.
    disk.leave_free(3 * MIB)
    recording.wait_for_metric("tapeworks_disk_step", 3)
    recording.wait_for_metric("tapeworks_connections_live", 0)
    assert not reserve.exists()
    status, why = recording.health()
    assert status == 503 and "disk is full" in why

    # Room again: all come back.
    disk.empty()
    recording.wait_for_metric("tapeworks_paused_feeds", 0)
    recording.wait_for_metric("tapeworks_connections_live", feed_count)
    recording.wait_for(lambda: recording.metric("tapeworks_disk_step") == 0 and reserve.exists())
    before = recording.metric("tapeworks_messages_total")
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > before + 500)
    assert recording.health()[0] == 200
    recording.stop()
    exchanges.stop()
    assert not reserve.exists()

    out = disk.folder / "out"
    counts = judge(out, exchanges.ledger)
    assert counts["rows"] > 1000
    gaps = read_table(out, "_gaps").filter(pl.col("cause") == "disk_full")
    assert {"binance_spot", "kucoin_spot", "gate_spot"} <= set(gaps["folder"])
    notices = read_table(out, "_events").filter(pl.col("event") == "notice")["cause"].to_list()
    assert [cause for cause in notices if cause.startswith("disk_")][:3] == ["disk_low", "disk_stop_feeds", "disk_full"]
    assert "disk_fine" in notices
    tapeworks("verify", "--recording", out, "--wal", disk.folder / "log")


def test_writes_that_find_no_room_wait_for_it_and_lose_nothing_durable(disk, exchanges, tmp_path):
    """Somebody else fills the disk at once, so that nothing was there to see before."""
    recording = Recording(disk, exchanges, tmp_path, '[disk]\nreserve = "1MiB"\nmin_free = "0B"\n')
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 1000)
    disk.leave_free(0)
    recording.wait_for_metric("tapeworks_disk_step", 3)
    # The reserve lasts a moment; then the last byte is gone.
    for _ in range(20):
        disk.leave_free(0)
        time.sleep(0.1)
    assert recording.health()[0] == 503
    disk.empty()
    recording.wait_for_metric("tapeworks_disk_step", 0)
    before = recording.metric("tapeworks_messages_total")
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > before + 500)
    recording.stop()
    exchanges.stop()
    judge(disk.folder / "out", exchanges.ledger)
    tapeworks("verify", "--recording", disk.folder / "out", "--wal", disk.folder / "log")


def test_exit_ends_with_4_and_a_whole_recording(disk, exchanges, tmp_path):
    recording = Recording(disk, exchanges, tmp_path, LADDER + 'on_disk_full = "exit"\n')
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 1000)
    disk.leave_free(3 * MIB)
    assert recording.process.wait(60) == 4
    assert "on_disk_full is exit" in recording.said()
    # On the disk that is full it says so at once.
    recording.start()
    assert recording.process.wait(60) == 4
    disk.empty()
    recording.start()
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 1000)
    recording.stop()
    exchanges.stop()
    judge(disk.folder / "out", exchanges.ledger)


def test_a_recorder_killed_on_a_full_disk_goes_on_when_there_is_room(disk, exchanges, tmp_path):
    recording = Recording(disk, exchanges, tmp_path, LADDER)
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 1000)
    disk.leave_free(3 * MIB)
    recording.wait_for_metric("tapeworks_disk_step", 3)
    disk.leave_free(0)
    recording.process.kill()
    recording.process.wait()
    disk.empty()
    recording.start()
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 1000)
    recording.stop()
    exchanges.stop()
    judge(disk.folder / "out", exchanges.ledger)
    assert read_rows(disk.folder / "out").height > 1000


def test_a_stop_on_a_full_disk_says_so_and_loses_nothing(disk, exchanges, tmp_path):
    """The open hour cannot be published then; the next start does it."""
    recording = Recording(disk, exchanges, tmp_path, LADDER)
    recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > 3000)
    disk.leave_free(3 * MIB)
    recording.wait_for_metric("tapeworks_disk_step", 3)
    for _ in range(5):
        disk.leave_free(0)
        time.sleep(0.1)
    recording.process.send_signal(signal.SIGINT)
    code = recording.process.wait(60)
    assert code == 4 and "free some space" in recording.said().splitlines()[-1], recording.said()[-2000:]
    disk.empty()
    outcome = tapeworks("record", "--config", recording.config, "--for", "2s", env=KEY)
    assert outcome.exit_code == 0
    exchanges.stop()
    judge(disk.folder / "out", exchanges.ledger)
