"""The machine fails or the user interrupts: exit 4 or 130, nothing half-written is visible, nothing is left."""

import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import (BINARY, Untouched, assert_clear_error, generate, generations_folder, publish_good,
                     start, tapeworks)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("input"), rows=300_000, symbols=100, brokers=60, days=40, seed=3)


def run_arguments(source, data):
    return ["run", source.transactions, "--prices", source.prices, "--data", data]


def can_unshare():
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


def in_own_mounts(shell: str, *arguments) -> str:
    """Runs shell code where mounts are its own, with the binary as $TAPEWORKS; returns what it printed."""
    if not can_unshare():
        pytest.skip("this machine does not allow mount namespaces")
    done = subprocess.run(["unshare", "-rm", "bash", "-eu", "-c", shell, "bash", *map(str, arguments)],
                          capture_output=True, text=True, env={**os.environ, "TAPEWORKS": BINARY}, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


# Publishes a small generation on a file system of $3 bytes, then runs $1 over it and prints what happened.
ON_A_SMALL_DISK = """
mount -t tmpfs -o size=$3 none "$4"
cd "$4"
"$TAPEWORKS" run "$5"/good.parquet --prices "$5"/good_prices.parquet --data data
listing() { find data.generations -type f ! -name lock ! -name "*.json" -exec sha256sum {} + | sort; readlink data; }
before=$(listing)
set +e
"$TAPEWORKS" run "$1" --prices "$2" --data data $6 2>"$5"/error
echo "exit $?"
[ "$before" = "$(listing)" ] && echo untouched
ls data.generations | grep -E "partial|temp-" || echo clean
"$TAPEWORKS" verify --data data >/dev/null && echo verified
"""


@pytest.mark.parametrize("size", ["1m", "2m", "3m"])
@pytest.mark.parametrize("options", ["", "--memory 192MiB --threads 1"])
def test_a_full_disk(source, tmp_path, size, options):
    publish_good(tmp_path / "elsewhere", tmp_path)
    (tmp_path / "disk").mkdir()
    printed = in_own_mounts(ON_A_SMALL_DISK, source.transactions, source.prices, size, tmp_path / "disk", tmp_path, options)
    assert printed.split("\n")[:4] == ["exit 4", "untouched", "clean", "verified"], (tmp_path / "error").read_text() + printed
    error = (tmp_path / "error").read_text()
    assert len(error.splitlines()) == 1 and "disk" in error.lower() or "space" in error.lower(), error


def test_a_disk_that_fills_up_during_the_work(source, data, tmp_path):
    # A limit on the size of files fails like a full disk, but no check of free space can foresee it.
    publish_good(data, tmp_path)

    def limit_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    with Untouched(data):
        outcome = tapeworks(*run_arguments(source, data), expect=4, preexec_fn=limit_files)
    assert_clear_error(outcome)


# UBSan probes addresses through a pipe of its own, and without one takes good objects for bad ones.
@pytest.mark.skipif("os.environ.get('TAPEWORKS_SANITIZE')", reason="sanitizers need descriptors of their own")
@pytest.mark.parametrize("descriptors", [12, 16, 24])
def test_too_few_file_descriptors(source, data, tmp_path, descriptors):
    publish_good(data, tmp_path)

    def limit_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    # It may do with so few; if not, it says so.
    outcome = tapeworks(*run_arguments(source, tmp_path / "other"), expect=(0, 4), preexec_fn=limit_descriptors)
    if outcome.exit_code == 4:
        assert_clear_error(outcome)
        assert not (tmp_path / "other").exists()


def test_a_data_directory_on_a_read_only_disk(source, tmp_path):
    publish_good(tmp_path / "elsewhere", tmp_path)
    (tmp_path / "disk").mkdir()
    printed = in_own_mounts("""
        mount -t tmpfs none "$3"; cd "$3"
        "$TAPEWORKS" run "$4"/good.parquet --prices "$4"/good_prices.parquet --data data
        mount -o remount,ro "$3"
        set +e
        "$TAPEWORKS" run "$1" --prices "$2" --data data 2>&1; echo "exit $?"
        "$TAPEWORKS" run "$1" --prices "$2" --data new/folder/data 2>&1; echo "exit $?"
        "$TAPEWORKS" verify --data data >/dev/null && echo verified
        "$TAPEWORKS" ranking --data data --top 1 >/dev/null && echo readable
        """, source.transactions, source.prices, tmp_path / "disk", tmp_path)
    lines = printed.split("\n")
    assert [line for line in lines if line.startswith("exit")] == ["exit 4", "exit 4"], printed
    assert "verified" in lines and "readable" in lines, printed


def test_a_data_directory_below_a_file(source, tmp_path):
    (tmp_path / "file").write_text("no folder")
    outcome = tapeworks(*run_arguments(source, tmp_path / "file" / "data"), expect=(2, 4))
    assert_clear_error(outcome, "file")
    assert (tmp_path / "file").read_text() == "no folder"


def test_a_temp_folder_that_does_not_exist(source, data, tmp_path):
    outcome = tapeworks(*run_arguments(source, data), "--temp-dir", tmp_path / "nowhere", expect=(2, 4))
    assert_clear_error(outcome, "nowhere")
    assert not data.exists()


def many_times(source, tmp_path, count):
    """The same input under many names, so that a run takes long enough to be stopped in the middle."""
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(count):
        os.link(source.transactions, folder / f"{i:03}.parquet")
    return folder


def wait_for_work(process, data, timeout=60):
    """Waits until the run has begun to write; False when it ended before that was seen."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and process.poll() is None:
        folder = generations_folder(data)
        if folder.is_dir() and any(p.name.endswith(".partial") for p in folder.iterdir()):
            return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
def test_an_interrupt_in_the_middle(source, data, tmp_path, signal_number, delay):
    publish_good(data, tmp_path)
    many = many_times(source, tmp_path, 100)
    with Untouched(data):
        process = start("run", many, "--prices", source.prices, "--data", data, stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE)
        assert wait_for_work(process, data), process.communicate()
        time.sleep(delay)
        process.send_signal(signal_number)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130, error.decode()
    assert len(error.decode().splitlines()) <= 1, error.decode()


def test_a_second_writer_says_so(source, data, tmp_path):
    publish_good(data, tmp_path)
    many = many_times(source, tmp_path, 100)
    first = start("run", many, "--prices", source.prices, "--data", data, stdout=subprocess.DEVNULL,
                  stderr=subprocess.PIPE)
    try:
        assert wait_for_work(first, data), first.communicate()
        first.send_signal(signal.SIGSTOP)
        before = sorted(p.name for p in generations_folder(data).iterdir())
        for arguments in (run_arguments(source, data), ["sync", source.prices, "--data", data], ["pnl", "--data", data]):
            outcome = tapeworks(*arguments, expect=4)
            assert_clear_error(outcome, "data")
        assert sorted(p.name for p in generations_folder(data).iterdir()) == before, "it touched the first one's files"
        tapeworks("ranking", "--data", data, "--top", 1)
    finally:
        first.send_signal(signal.SIGCONT)
        _, error = first.communicate(timeout=120)
    assert first.returncode == 0, error.decode()
    tapeworks("verify", "--data", data)


def test_memory_below_the_minimum_is_refused(source, data):
    assert_clear_error(tapeworks(*run_arguments(source, data), "--memory", "100MiB", expect=2), "192MiB")
    assert not data.exists()


@pytest.mark.skipif("os.environ.get('TAPEWORKS_SANITIZE')", reason="sanitizers need memory of their own")
@pytest.mark.parametrize("memory", [192, 256, 384])
def test_the_resident_size_stays_within_the_limit(source, data, tmp_path, memory):
    many = many_times(source, tmp_path, 20)
    outcome = tapeworks("run", many, "--prices", source.prices, "--data", data, "--memory", f"{memory}MiB", "--threads", 2)
    assert outcome.peak_resident_bytes <= memory * 2**20, f"{outcome.peak_resident_bytes / 2**20:.0f} MiB"


def test_closed_standard_output_is_no_crash(source, data, tmp_path):
    publish_good(data, tmp_path)
    done = subprocess.run(["bash", "-c", 'set -o pipefail; "$0" ranking --data "$1" | true', BINARY, str(data)],
                          capture_output=True, text=True, check=False)
    assert done.returncode in (0, 4), done


def test_a_full_standard_output_exits_with_4(source, data, tmp_path):
    publish_good(data, tmp_path)
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BINARY, "ranking", "--data", str(data)], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 4, done


def memory_named_in(outcome) -> str:
    return re.search(r"--memory (\d+MiB)", outcome.stderr)[1]


def test_the_memory_that_is_named_for_a_large_page_is_enough(tmp_path, data):
    """Columns of one page each, as a writer without a limit makes them."""
    rows = 6_000_000
    days = pa.array(np.full(rows, np.datetime64("2023-01-03T16:00:00", "ns")), type=pa.timestamp("ns", "UTC"))
    table = pa.table({
        "symbol_id": pa.array(["2330"]).take(pa.array(np.zeros(rows, dtype=np.int32))), "date": days,
        "broker": pa.array(["1440"]).take(pa.array(np.zeros(rows, dtype=np.int32))), "price": pa.array(np.arange(rows) % 500 + 1.5),
        "buy": pa.array(np.arange(rows) % 100), "sell": pa.array(np.arange(rows) % 90)})
    path = tmp_path / "pages.parquet"
    pq.write_table(table, path, use_dictionary=False, compression="none", data_page_size=1 << 30, row_group_size=rows,
                   write_batch_size=rows, max_rows_per_page=rows)
    refused = tapeworks("etl", path, "--data", data, "--memory", "192MiB", expect=3)
    assert_clear_error(refused, "pages.parquet", "row group 0", "column")
    tapeworks("etl", path, "--data", data, "--memory", memory_named_in(refused))


def test_the_memory_that_is_named_for_a_large_symbol_is_enough(tmp_path, data):
    source = generate(tmp_path / "one", rows=3_000_000, symbols=1, brokers=3000, days=1000)
    refused = tapeworks("etl", source.transactions, "--data", data, "--memory", "192MiB", expect=4)
    tapeworks("etl", source.transactions, "--data", data, "--memory", memory_named_in(refused))
