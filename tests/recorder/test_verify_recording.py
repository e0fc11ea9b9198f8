"""tapeworks verify --recording: what was really recorded passes, and what pyarrow damages afterwards does not."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from harness import assert_clear_error, tapeworks
from recording import Exchanges, record, write_config


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Four seconds of all venues, with a message left out, a lost connection and a restart in between."""
    folder = tmp_path_factory.mktemp("recorded")
    script = [{"every": "700ms", "fault": "gap", "count": 2}, {"at": "1500ms", "venue": "gate_spot", "fault": "abort"}]
    with Exchanges(folder, "--symbols", "3", "--rate", "600/s", script=script) as exchanges:
        config = write_config(folder, exchanges.feeds)
        record(config, "3s")
        record(config, "2s")
    return folder / "out"


@pytest.fixture
def recording(recorded, tmp_path):
    return shutil.copytree(recorded, tmp_path / "recording")


def verify(folder, expect):
    return tapeworks("verify", "--recording", folder, "--memory", "256MiB", expect=expect)


def failed(folder):
    return [row for row in verify(folder, 1).records() if row["status"] == "failed"]


def an_hour(folder, market="binance_spot"):
    return min((folder / market).rglob("[0-2][0-9].parquet"))


def test_a_recording_passes_and_its_coverage_is_that_of_its_files(recorded):
    rows = verify(recorded, 0).records()
    assert "failed" not in {row["status"] for row in rows}
    hours = sorted(path.relative_to(recorded).as_posix() for path in recorded.rglob("[0-2][0-9].parquet"))
    covered = [row for row in rows if row["stream"]]
    assert sorted({row["path"] for row in covered}) == hours
    assert sum(row["rows"] for row in covered) == \
        sum(pq.read_metadata(recorded / path).num_rows for path in hours)
    for path in hours:
        table = pq.read_table(recorded / path, partitioning=None)
        assert {row["symbol"] for row in covered if row["path"] == path} == set(table["symbol"].to_pylist())
    trades = [row for row in covered if row["market"] == "spot" and row["exchange"] == "binance"
              and row["stream"] == "trade"]
    assert {row["class"] for row in trades} == {"contiguous"}
    # The recorder was restarted, so no stream is without a gap.
    assert all(row["gaps"] > 0 for row in covered)


def test_all_formats(recorded):
    json_rows = json.loads(tapeworks("verify", "--recording", recorded, "--format", "json").stdout)
    csv = tapeworks("verify", "--recording", recorded, "--format", "csv").stdout.splitlines()
    table = tapeworks("verify", "--recording", recorded, "--format", "table").stdout.splitlines()
    assert len(json_rows) == len(csv) - 1
    assert csv[0].startswith("status,path,exchange")
    assert "status" in table[0]
    outcome = tapeworks("verify", "--recording", recorded, "--format", "jsonl")
    assert outcome.records() == json_rows


def test_it_writes_nothing(recording):
    before = {path: path.read_bytes() for path in recording.rglob("*") if path.is_file()}
    verify(recording, 0)
    assert {path: path.read_bytes() for path in recording.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage,said", [
    (lambda path: path.unlink(), "missing"),
    (lambda path: path.write_bytes(path.read_bytes()[:-100]), "bytes"),
    (lambda path: path.write_bytes(b"x" * path.stat().st_size), "checksum"),
    (lambda path: shutil.copy(path, path.with_name("99.parquet")), "does not list"),
    (lambda path: (path.parent / "notes.txt").write_text("mine"), "does not list"),
], ids=["missing", "cut", "overwritten", "doubled", "unknown"])
def test_a_damaged_file_fails_and_is_named(recording, damage, said):
    path = an_hour(recording)
    damage(path)
    rows = failed(recording)
    assert any(said in row["detail"] and path.parent.name in row["path"] for row in rows), rows


def rewrite(recording, path, change):
    """Other rows under the old footer, and a manifest that lists the new file."""
    file = pq.read_table(path, partitioning=None)
    pq.write_table(change(file).replace_schema_metadata(file.schema.metadata), path, store_schema=False)
    name = path.relative_to(recording).as_posix()
    for listing in (recording / "_manifest").rglob("*.json"):
        content = json.loads(listing.read_text())
        for entry in content["files"]:
            if entry["path"] == name:
                entry["bytes"] = path.stat().st_size
        listing.write_text(json.dumps(content))


def test_a_value_that_was_changed_fails(recording):
    path = an_hour(recording)

    def change(table):
        column = table.schema.get_field_index("receive_time")
        values = table["receive_time"].to_pylist()
        return table.set_column(column, table.schema.field(column),
                                [table["receive_time"].combine_chunks()[:1].take([0] * len(values))])

    rewrite(recording, path, change)
    assert failed(recording)[0]["path"] == path.relative_to(recording).as_posix()


def verify_by_log(folder, log, expect=0):
    return tapeworks("verify", "--recording", folder, "--wal", log, "--memory", "256MiB", expect=expect).records()


def failed_by_log(folder, log):
    return [(row["path"], row["detail"]) for row in verify_by_log(folder, log, 1) if row["status"] == "failed"]


def drop_from_manifest(recording, name):
    for listing in (recording / "_manifest").rglob("*.json"):
        content = json.loads(listing.read_text())
        content["files"] = [entry for entry in content["files"] if entry["path"] != name]
        listing.write_text(json.dumps(content))


def test_the_log_gives_every_file_again(recorded, recording):
    rows = verify_by_log(recording, recorded.parent / "log")
    assert {row["log"] for row in rows} == {"same"}
    assert {row["log"] for row in verify(recording, 0).records()} == {None}


def test_the_log_is_found_beside_the_recording_and_can_be_left_out(recorded, recording):
    shutil.copytree(recorded.parent / "log", recording.parent / "recording-wal")
    assert {row["log"] for row in verify(recording, 0).records()} == {"same"}
    alone = tapeworks("verify", "--recording", recording, "--without-log").records()
    assert {row["log"] for row in alone} == {None}
    for wrong in (("--wal", recording.parent / "none"), ("--wal", recorded, "--without-log")):
        assert_clear_error(tapeworks("verify", "--recording", recording, *wrong, expect=2), "--wal")
    tapeworks("verify", "--wal", recorded.parent / "log", expect=2)


def test_a_file_that_only_the_log_has_is_found(recorded, recording):
    names = sorted(path.relative_to(recording).as_posix() for path in (recording / "gate_spot").rglob("[0-2][0-9].parquet"))
    (recording / names[-1]).unlink()
    drop_from_manifest(recording, names[-1])
    verify(recording, 0)
    found = failed_by_log(recording, recorded.parent / "log")
    assert [path for path, _ in found] == [names[-1]] and "not published" in found[0][1], found


def test_a_log_that_cannot_tell_is_named(recording, tmp_path):
    with Exchanges(tmp_path, "--symbols", "1", "--rate", "50/s") as exchanges:
        record(write_config(tmp_path, exchanges.feeds), "1s")
    outcome = tapeworks("verify", "--recording", recording, "--wal", tmp_path / "log")
    assert "none of these files" in outcome.stderr
    assert {row["log"] for row in outcome.records()} == {None}


def test_what_a_damaged_log_lacks_is_no_fault_of_the_recording(recorded, recording, tmp_path):
    log = shutil.copytree(recorded.parent / "log", tmp_path / "damaged")
    segment = max(log.glob("*.wal*"), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    outcome = tapeworks("verify", "--recording", recording, "--wal", log)
    assert "has lost" in outcome.stderr
    assert "failed" not in {row["status"] for row in outcome.records()}


def test_wrong_usage_says_what_is_wrong(recorded, tmp_path):
    assert_clear_error(tapeworks("verify", "--recording", tmp_path / "none", expect=2), "none")
    assert_clear_error(tapeworks("verify", "--recording", tmp_path, expect=2), "_manifest.json")
    tapeworks("verify", "--recording", recorded, "--full", expect=2)
    tapeworks("verify", "--recording", recorded, "--data", "data", expect=2)


def test_a_recorder_goes_on_over_damaged_files(tmp_path):
    out = tmp_path / "out"
    with Exchanges(tmp_path, "--symbols", "2", "--rate", "200/s") as exchanges:
        config = write_config(tmp_path, exchanges.feeds)
        record(config, "1s")
        path = an_hour(out)
        listing = out / "_manifest" / path.parent.name / f"{path.stem}.json"
        damaged = [path, listing, out / "_manifest.json"]
        for file in damaged:
            file.write_bytes(file.read_bytes()[:-30])
        outcome = record(config, "2s")
    for file in damaged:
        assert f"{file.relative_to(tmp_path)}" in outcome.stderr
        assert (out / ".parts" / "set_aside" / (file.relative_to(out).as_posix() + ".damaged")).exists()
    rows = verify(out, 0).records()
    assert {row["status"] for row in rows if row["path"] == path.relative_to(out).as_posix()} == {"partial"}
