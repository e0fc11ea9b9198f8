"""Old hours: deleted where the configuration allows it, and otherwise kept, also on a disk that is short."""

import pytest
from test_replay import BEGIN, BINANCE_SPOT, HOUR, SUBSCRIPTION, Log

from harness import assert_clear_error, tapeworks
from recorded_tables import read_rows
from recording import KEY, Exchanges, write_config
from small_disk import small_disk
from test_full_disk import LADDER, MIB, Recording


def write_old_log(folder) -> None:
    """The log of a recorder that ran for three hours, years ago."""
    log = Log()
    log.event(SUBSCRIPTION, BINANCE_SPOT, stream="trade", symbols=["BTCUSDT"])
    for number in range(90):
        log.time = BEGIN + number * HOUR // 30
        log.trade("BTCUSDT", 100 + number, f"{number}.25", "0.5")
    log.write(folder)


def old_hours(out) -> list[str]:
    return sorted(path.stem for path in out.glob("binance_spot/BTCUSDT/2023-11-1*/*.parquet"))


@pytest.fixture
def exchanges(tmp_path):
    with Exchanges(tmp_path, "--symbols", "2", "--rate", "500/s") as running:
        yield running


def run(tmp_path, exchanges, sections) -> None:
    write_old_log(tmp_path / "log")
    config = write_config(tmp_path, exchanges.feeds, sections=sections)
    tapeworks("record", "--config", config, "--for", "5s", env=KEY)


def test_hours_stay_by_default(tmp_path, exchanges):
    run(tmp_path, exchanges, "")
    assert old_hours(tmp_path / "out") == ["00", "22", "23"]


def test_old_hours_go_and_the_new_one_stays(tmp_path, exchanges):
    run(tmp_path, exchanges, "[retention]\nhours = 24\nallow_delete = true\n")
    out = tmp_path / "out"
    assert old_hours(out) == []
    assert not list(out.glob("_manifest/2023-11-1*/[0-2][0-9].json"))
    assert read_rows(out).height > 100
    assert list(out.glob("binance_spot/_events/2023-11-14.parquet")), "tables of a day stay"
    tapeworks("verify", "--recording", out, "--wal", tmp_path / "log")


def test_the_oldest_go_above_the_limit_of_size(tmp_path, exchanges):
    run(tmp_path, exchanges, '[retention]\ndisk_soft_limit = "1B"\nallow_delete = true\n')
    assert old_hours(tmp_path / "out") == []
    # What a stop has published of the open hour is not complete, and stays.
    assert read_rows(tmp_path / "out").height > 100


def test_without_consent_a_limit_is_refused(tmp_path, exchanges):
    for setting in ("hours = 24", 'disk_soft_limit = "1GiB"'):
        config = write_config(tmp_path, exchanges.feeds, sections=f"[retention]\n{setting}\n")
        assert_clear_error(tapeworks("record", "--config", config, env=KEY, expect=2), "allow_delete")


@pytest.mark.parametrize("allow", [False, True])
def test_a_disk_that_is_short_takes_old_hours_only_with_consent(tmp_path, exchanges, allow):
    with small_disk(tmp_path / "disk", "96m") as disk:
        write_old_log(disk.folder / "log")
        sections = LADDER + ("[retention]\nallow_delete = true\n" if allow else "")
        recording = Recording(disk, exchanges, tmp_path, sections)
        out = disk.folder / "out"
        recording.wait_for(lambda: len(old_hours(out)) == 3)
        disk.leave_free(24 * MIB)
        recording.wait_for_metric("tapeworks_disk_step", 1)
        if allow:
            recording.wait_for(lambda: old_hours(out) == [])
            # Counted after the file is gone, and shown a moment later.
            recording.wait_for_metric("tapeworks_deleted_files_total", 3)
        before = recording.metric("tapeworks_messages_total")
        recording.wait_for(lambda: recording.metric("tapeworks_messages_total") > before + 1000)
        assert len(old_hours(out)) == (0 if allow else 3)
        disk.empty()
        recording.stop()
        assert read_rows(out).height > 1000
        tapeworks("verify", "--recording", out, "--wal", disk.folder / "log")
