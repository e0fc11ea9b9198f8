"""Recordings on a device that is slow or stands still: for the folder of the files, or for that of the log.

The device is a library in front of the program's calls (slow_disk.c), so no privileges are needed.
"""

import signal
import struct
import time
from collections import Counter
from pathlib import Path

import polars as pl

from load_judge import judge_load
from preload import build
from recorded_tables import VENUES, read_table
from recording import CLOCK_SLACK_NS, Exchanges, Recording, judge
from scripted_day import BEGIN, write_clock

BLOCK = 4096
# Of a device that is as good as dead: a block of 4 KiB takes a second and more.
NEARLY_NOTHING = 4000
STANDS_STILL = 1
# Of one that stores enough, but takes 100 ms for a sync.
SLOW, SLOW_SYNC_BYTES = 4_000_000, 400_000
# Messages that were under way when the log's device stood still have waited in sockets.
STALL_SLACK_NS = CLOCK_SLACK_NS + 3_000_000_000


class SlowDisk:
    """The device below `folder`. `env` is for the program."""

    def __init__(self, folder: Path, scratch: Path, sync_bytes: int = BLOCK):
        self.rate_file = scratch / "slow_disk.rate"
        self.set(0)
        self.env = {"LD_PRELOAD": str(build("slow_disk", scratch)), "SLOW_DISK_FOLDER": str(folder), "SLOW_DISK_RATE": str(self.rate_file),
                    "SLOW_DISK_SYNC_BYTES": str(sync_bytes)}

    def set(self, bytes_per_second: int) -> None:
        """0 is as fast as the disk. In place: the program has the file mapped."""
        with self.rate_file.open("r+b" if self.rate_file.exists() else "wb") as file:
            file.write(struct.pack("<Q", bytes_per_second))


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def record_with_slow_output(folder: Path, seconds: float, rate: str, symbols: int, output: str = "") -> Counter:
    """For `seconds` hardly anything can be written to the output, while the log is on a good disk.

    Memory must stay where it was and no connection may end; afterwards the backlog drains and everything is there.
    """
    disk = SlowDisk(folder / "out", folder)
    with Exchanges(folder, "--symbols", symbols, "--rate", rate) as exchanges:
        with Recording(folder, exchanges.feeds, env=disk.env, output=output) as recording:
            # With many symbols a venue takes more than one.
            recording.wait_for(lambda r: r.status()["connected"] == r.status()["connections"] >= len(VENUES) and r.status()["events"] > 1000)
            time.sleep(5)
            before_mib = resident_mib(recording.process.pid)
            disk.set(NEARLY_NOTHING)
            begin = time.monotonic()
            peak_mib, backlog = before_mib, 0
            while time.monotonic() - begin < seconds:
                peak_mib = max(peak_mib, resident_mib(recording.process.pid))
                backlog = max(backlog, recording.status()["queue_len"])
                time.sleep(0.5)
            disk.set(0)
            begin = time.monotonic()
            recording.wait_for(lambda r: r.status()["queue_len"] < 1000, seconds=60 + seconds)
            drained_s = time.monotonic() - begin
        exchanges.stop()
    counts = judge_load(folder)
    gaps = read_table(folder / "out", "_gaps")
    assert gaps.height == 0, gaps
    counts.update(before_mib=round(before_mib), peak_mib=round(peak_mib), backlog=backlog, drained_s=round(drained_s))
    return counts


def record_an_hour_change_on_a_slow_disk(folder: Path, rate: int, symbols: int) -> Counter:
    """The files of an hour are made on a device that takes its time for each sync, while messages come as before.

    Returns, of the time in which files waited to be made: how many messages came, how many waited in the log at the most,
    and how long it was.
    """
    disk = SlowDisk(folder / "out", folder, SLOW_SYNC_BYTES)
    seconds_to_start = 30
    clock = write_clock(folder / "clock", time.time(), 1, [], begin=BEGIN // 3600 * 3600 + 3600 - seconds_to_start)
    with Exchanges(folder, "--symbols", symbols, "--rate", f"{rate}/s", "--clock", f"script:{clock}") as exchanges:
        with Recording(folder, exchanges.feeds, env=disk.env, options=("--clock", f"script:{clock}")) as recording:
            recording.wait_live(len(VENUES), events=1000)
            assert recording.status()["waiting_merges"] == recording.status()["published_files"] == 0, "the hour was over before all venues were there"
            disk.set(SLOW)
            recording.wait_for(lambda r: r.status()["waiting_merges"] > 0)
            recording.wait_for(lambda r: r.status()["waiting_merges"] == 0, seconds=300)
            disk.set(0)
        lines = [line for line in recording.statuses() if line["waiting_merges"] > 0]
        exchanges.stop()
    counts = judge_load(folder)
    first, last = lines[0], lines[-1]
    counts.update(came=last["events"] - first["events"], waited=max(line["queue_len"] for line in lines),
                  merging_s=round(last["seconds"] - first["seconds"]), files=last["published_files"])
    return counts


def record_and_kill_before_a_connect_is_durable(folder: Path) -> Counter:
    """The first recorder of a folder is killed while the log stores none of its connections; the next one has to know what that lost."""
    disk = SlowDisk(folder / "log", folder)
    with Exchanges(folder, "--symbols", "2", "--rate", "1000/s") as exchanges:
        exchanges.process.send_signal(signal.SIGSTOP)
        recording = Recording(folder, exchanges.feeds, env=disk.env)
        try:
            recording.wait_for(lambda r: r.status()["durable_lsn"] > 1)
            disk.set(STANDS_STILL)
            exchanges.process.send_signal(signal.SIGCONT)
            recording.wait_for(lambda r: r.status()["events"] > 100)
            lost = recording.status()["events"]
        finally:
            recording.process.kill()
            recording.process.wait()
        with Recording(folder, exchanges.feeds) as recording:
            recording.wait_live(len(VENUES), events=1000)
        exchanges.stop()
    counts = judge(folder / "out", exchanges.ledger)
    connects = read_table(folder / "out", "_events").filter(pl.col("event") == "connect")
    counts.update(lost=lost, connects=connects.height)
    return counts


def record_with_stalled_log(folder: Path, policy: str, stall_s: float, rate: str) -> Counter:
    """The log's device stands still for `stall_s`, and what the feeds' policy does is a recorded gap, or nothing at all."""
    disk = SlowDisk(folder / "log", folder)
    with Exchanges(folder, "--symbols", "4", "--rate", rate) as exchanges:
        feeds = exchanges.feeds.replace("[[feed]]\n", f'[[feed]]\nloss_policy = "{policy}"\nblock_timeout = "1s"\n')
        with Recording(folder, feeds, env=disk.env, wal='buffer = "1MiB"\n') as recording:
            recording.wait_live(len(VENUES), events=1000)
            time.sleep(2)
            disk.set(STANDS_STILL)
            begin, blocked = time.monotonic(), 0
            while time.monotonic() - begin < stall_s:
                blocked = max(blocked, recording.status()["blocked"])
                time.sleep(0.1)
            disk.set(0)
            events = recording.status()["events"]
            recording.wait_live(len(VENUES), events=events + 1000)
            status = recording.status()
        exchanges.stop()
    counts = judge(folder / "out", exchanges.ledger, slack_ns=STALL_SLACK_NS)
    causes = Counter(read_table(folder / "out", "_gaps")["cause"]) if list(folder.glob("out/*/_gaps/*")) else Counter()
    counts.update(dropped=status["dropped_total"], blocked=blocked, **{f"gaps_{cause}": count for cause, count in causes.items()})
    return counts
