"""tapeworks wal: logs that the tests wrote themselves, by the page of the format."""

import csv
import fcntl
import io
import json
import shutil
import subprocess

import pytest

from harness import assert_clear_error, tapeworks
from wal_files import Segment, payload_of, record, write_log


@pytest.fixture
def log(tmp_path):
    write_log(tmp_path / "log")
    return tmp_path / "log"


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x20
    path.write_bytes(content)


def segments(log):
    return sorted(p for p in log.iterdir() if ".wal" in p.name and p.name != "wal.lock")


def test_inspect_lists_the_segments(log):
    first, second = tapeworks("wal", "inspect", log).records()
    assert first == {
        "segment": "00000000000000000001.wal", "state": "closed", "first_lsn": 1, "last_lsn": 20, "records": 20,
        "bytes": segments(log)[0].stat().st_size, "used_bytes": segments(log)[0].stat().st_size,
        "first_time": "2023-11-14T22:13:20.000000001Z", "last_time": "2023-11-14T22:13:20.000000020Z",
        "boot_id": "000102030405060708090a0b0c0d0e0f"}
    assert (second["first_lsn"], second["last_lsn"], second["records"]) == (21, 40, 20)


def test_inspect_speaks_every_format(log):
    rows = tapeworks("wal", "inspect", log).records()
    assert json.loads(tapeworks("wal", "inspect", log, "--format", "json").stdout) == rows
    table = list(csv.DictReader(io.StringIO(tapeworks("wal", "inspect", log, "--format", "csv").stdout)))
    assert [row["segment"] for row in table] == [row["segment"] for row in rows]
    assert "00000000000000000021.wal" in tapeworks("wal", "inspect", log, "--format", "table").stdout


def test_inspect_shows_records(log):
    rows = tapeworks("wal", "inspect", log, "--records").records()
    assert [row["lsn"] for row in rows] == list(range(1, 41))
    assert [row["kind"] for row in rows] == [0 if lsn in (1, 21) else 16 for lsn in range(1, 41)]
    for row in rows:
        if row["kind"] != 16:
            continue
        payload = payload_of(row["lsn"])
        assert row["payload_bytes"] == len(payload)
        assert row["payload"].startswith(payload.decode()[:150])
        assert (row["source"], row["connection"], row["flags"], row["hole"]) == (7, 3, 0, None)
        assert row["monotonic_ns"] == 10**9 + row["lsn"]


def test_records_from_to_and_limit(log):
    rows = tapeworks("wal", "inspect", log, "--records", "--from", "18", "--to", "23").records()
    assert [row["lsn"] for row in rows] == list(range(18, 24))
    outcome = tapeworks("wal", "inspect", log, "--records", "--from", "5", "--limit", "3")
    assert [row["lsn"] for row in outcome.records()] == [5, 6, 7]
    assert "--from 8" in outcome.stderr


def test_a_hole_is_a_row_among_the_records(log):
    flip(segments(log)[0], 40000)
    rows = tapeworks("wal", "inspect", log, "--records").records()
    holes = [row for row in rows if row["hole"]]
    assert len(holes) == 1 and "00000000000000000001.wal" in holes[0]["hole"]
    lsns = [row["lsn"] for row in rows]
    assert lsns == sorted(lsns) and holes[0]["lsn"] in lsns


def test_a_whole_log_passes(log):
    rows = tapeworks("wal", "verify", log).records()
    assert [row["status"] for row in rows] == ["passed", "passed"]


def test_a_segment_that_a_kill_left_open_passes(log):
    segment = Segment(41)
    segment.append(record(41, (40).to_bytes(8, "little") + bytes(8), kind=0), 41)
    segment.append(record(42, b"x"), 42)
    segment.write(log, closed=False, reserved=200_000)
    assert tapeworks("wal", "verify", log).records()[-1]["status"] == "passed"
    row = tapeworks("wal", "inspect", log).records()[-1]
    assert (row["state"], row["bytes"], row["used_bytes"]) == ("open", 200_000, len(segment.content))


def test_each_hole_is_named_and_stays_known_after_a_repair(log):
    first, second = segments(log)
    damaged = {}
    for path in (first, second):
        flip(path, path.stat().st_size // 2)
        damaged[path.name] = path.read_bytes()
    rows = tapeworks("wal", "verify", log, expect=1).records()
    assert [(row["segment"], row["finding"], row["status"]) for row in rows] == [
        (first.name, "hole", "failed"), (second.name, "hole", "failed")]
    for row in rows:
        assert row["lsn_after"] == row["lsn_before"] + row["missing_records"] + 1
    before = [r["lsn"] for r in tapeworks("wal", "inspect", log, "--records").records() if not r["hole"]]

    (done,) = tapeworks("wal", "repair", log).records()
    assert done["rewritten_segments"] == 2
    assert done["lost_records"] == sum(row["missing_records"] for row in rows)
    assert {path.name: path.read_bytes() for path in (log / "damaged").iterdir()} == damaged
    after = [r["lsn"] for r in tapeworks("wal", "inspect", log, "--records").records() if not r["hole"]]
    assert after == before
    noted = tapeworks("wal", "verify", log).records()
    assert [(row["finding"], row["status"], row["missing_records"]) for row in noted] == [
        ("lost", "noted", row["missing_records"]) for row in rows]
    (again,) = tapeworks("wal", "repair", log).records()
    assert again["rewritten_segments"] == 0


def test_a_torn_tail_is_cut_and_kept(log):
    newest = segments(log)[-1]
    content = newest.read_bytes()[:-100]
    newest.write_bytes(content)
    (row,) = [r for r in tapeworks("wal", "verify", log, expect=1).records() if r["finding"]]
    assert (row["finding"], row["segment"], row["missing_records"]) == ("torn_tail", newest.name, 0)
    assert tapeworks("wal", "inspect", log).records()[-1]["state"] == "torn"
    tapeworks("wal", "repair", log)
    tapeworks("wal", "verify", log)
    assert (log / "damaged" / newest.name).read_bytes() == content


def test_an_archive_is_read_like_a_segment(log):
    zstd = shutil.which("zstd")
    if zstd is None:
        pytest.skip("no zstd program")
    from wal_files import crc32c
    path = segments(log)[0]
    content = path.read_bytes()
    rows = tapeworks("wal", "inspect", log, "--records").records()
    frame = subprocess.run([zstd, "-q", "-c", "--check"], input=content, capture_output=True, check=True).stdout
    front = b"".join(n.to_bytes(size, "little") for n, size in (
        (0x184D2A50, 4), (32, 4), (0, 8), (len(content), 8), (1, 8), (len(frame), 4)))
    archive = path.with_name(path.name + ".zst")
    archive.write_bytes(front + crc32c(front).to_bytes(4, "little") + frame)
    path.unlink()
    assert tapeworks("wal", "inspect", log, "--records").records() == rows
    tapeworks("wal", "verify", log)
    assert subprocess.run([zstd, "-dqc", archive], capture_output=True, check=True).stdout == content


def test_repair_is_refused_while_a_writer_is_at_work(log):
    with open(log / "wal.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = tapeworks("wal", "repair", log, expect=4)
        tapeworks("wal", "verify", log)
    assert_clear_error(outcome, "in use")


def test_another_format_version_is_refused(log):
    from wal_files import crc32c
    path = segments(log)[1]
    content = bytearray(path.read_bytes())
    content[8] = 9
    content[60:64] = crc32c(bytes(content[:60])).to_bytes(4, "little")
    path.write_bytes(content)
    assert_clear_error(tapeworks("wal", "verify", log, expect=3), path.name, "version 9")


@pytest.mark.parametrize("action", ["inspect", "verify", "repair"])
def test_a_folder_without_a_log_is_a_usage_error(tmp_path, action):
    assert_clear_error(tapeworks("wal", action, tmp_path, expect=2), str(tmp_path))
    assert_clear_error(tapeworks("wal", action, tmp_path / "missing", expect=2), "missing")
    assert list(tmp_path.iterdir()) == []
