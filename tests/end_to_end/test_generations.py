"""Generations: stale tables are refused, one command goes back, folders are adopted, old ones are collected."""

import json
import os
import shutil

import pyarrow.parquet as pq
import pytest

from harness import (GOOD_PRICES, GOOD_ROWS, assert_clear_error, generations_folder, leftovers, publish_good, tapeworks,
                     tree_hash, write_prices, write_transactions)

LATER_ROWS = [*GOOD_ROWS, ("2330", "2023-01-05", "1440", "520", 700, 0)]
LATER_PRICES = [*GOOD_PRICES, ("2330", "2023-01-05", 530.0)]
READERS = [["ranking"], ["query", "1440"], ["symbol", "2330"], ["rolling", "--years", "1"]]


@pytest.fixture
def published(data, tmp_path):
    publish_good(data, tmp_path)
    return data


def etl_later(data, tmp_path):
    tapeworks("etl", write_transactions(tmp_path / "later.parquet", LATER_ROWS), "--data", data)


def run_later(data, tmp_path, *options):
    tapeworks("run", write_transactions(tmp_path / "later.parquet", LATER_ROWS), "--prices",
              write_prices(tmp_path / "later_prices.parquet", LATER_PRICES), "--data", data, *options)


def generation_names(data):
    return sorted(p.name for p in generations_folder(data).iterdir() if p.is_dir())


def test_the_data_directory_is_a_link_to_a_generation(published):
    assert published.is_symlink()
    target = published.resolve()
    assert target.parent == generations_folder(published).resolve()
    assert (target / "manifest.json").is_file() and (target / "run.json").is_file()


def test_missing_parent_folders_are_made(tmp_path):
    publish_good(tmp_path / "some" / "new" / "data", tmp_path)
    assert (tmp_path / "some" / "new" / "data" / "manifest.json").is_file()


def test_path_prints_the_folder_of_the_current_generation(published):
    outcome = tapeworks("path", "--data", published)
    assert outcome.stdout.count("\n") == 1
    assert os.path.samefile(outcome.stdout.strip(), published)
    assert os.path.realpath(outcome.stdout.strip()) == outcome.stdout.strip() or os.path.isabs(outcome.stdout.strip()) is False


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_fresh_tables_are_answered(published, reader):
    assert tapeworks(*reader, "--data", published).records()


@pytest.mark.parametrize("changed", ["etl", "sync"])
@pytest.mark.parametrize("reader", [*READERS, ["symbol", "2330", "--from", "2023-01-01"]], ids=lambda reader: " ".join(reader[:3]))
def test_stale_tables_are_refused_with_the_command_to_run(published, tmp_path, reader, changed):
    if changed == "etl":
        etl_later(published, tmp_path)
    else:
        tapeworks("sync", write_prices(tmp_path / "later_prices.parquet", LATER_PRICES), "--data", published)
    outcome = tapeworks(*reader, "--data", published, expect=1)
    assert_clear_error(outcome, "tapeworks pnl")
    assert outcome.stdout == ""
    assert tapeworks(*reader, "--data", published, "--allow-stale").records()
    tapeworks("pnl", "--data", published)
    assert tapeworks(*reader, "--data", published).records()


def test_a_repeated_etl_of_the_same_input_makes_nothing_stale(published, tmp_path):
    tapeworks("etl", tmp_path / "good.parquet", "--data", published)
    tapeworks("ranking", "--data", published)


def test_back_to_an_earlier_generation(published, tmp_path):
    before = tree_hash(published)
    run_later(published, tmp_path)
    after = tree_hash(published)
    assert after != before
    listed = tapeworks("generations", "--data", published).records()
    assert len(listed) == 2
    tapeworks("generations", "--data", published, "--back-to", 1)
    assert tree_hash(published) == before
    tapeworks("verify", "--data", published)
    tapeworks("generations", "--data", published, "--back-to", 2)
    assert tree_hash(published) == after


def test_back_to_a_generation_that_does_not_exist(published):
    before = tree_hash(published)
    assert_clear_error(tapeworks("generations", "--data", published, "--back-to", 77, expect=1), "77")
    assert tree_hash(published) == before


def test_numbers_are_not_used_again_after_going_back(published, tmp_path):
    run_later(published, tmp_path)
    tapeworks("generations", "--data", published, "--back-to", 1)
    run_later(published, tmp_path)
    assert published.resolve().name == "000003"
    assert generation_names(published) == ["000001", "000002", "000003"]


def test_unchanged_tables_are_hard_links(published, tmp_path):
    before = (published / "daily_summary" / "2330.parquet").stat().st_ino
    tapeworks("sync", write_prices(tmp_path / "later_prices.parquet", LATER_PRICES), "--data", published)
    assert (published / "daily_summary" / "2330.parquet").stat().st_ino == before


def test_symbols_that_vanish_from_the_input_leave_no_file(published, tmp_path):
    only = write_transactions(tmp_path / "only.parquet", [row for row in GOOD_ROWS if row[0] == "2330"])
    tapeworks("run", only, "--prices", tmp_path / "good_prices.parquet", "--data", published)
    for table in ("daily_summary", "pnl", "fifo_state"):
        assert [p.name for p in (published / table).iterdir()] == ["2330.parquet"], table
    tapeworks("symbol", "2317", "--data", published, expect=1)


def test_daily_tables_stay_only_while_they_are_asked_for(published, tmp_path):
    run_later(published, tmp_path, "--daily")
    assert (published / "pnl_daily").is_dir()
    run_later(published, tmp_path)
    assert not (published / "pnl_daily").exists() or not any((published / "pnl_daily").iterdir())


def test_old_generations_are_collected(published, tmp_path):
    for _ in range(4):
        run_later(published, tmp_path, "--keep-generations-for", "0s")
    # The current one, the one before; the last one in which all tables agree is one of them.
    assert len(generation_names(published)) == 2
    tapeworks("verify", "--data", published)


def test_young_generations_are_kept(published, tmp_path):
    for _ in range(3):
        run_later(published, tmp_path)
    assert len(generation_names(published)) == 4


def test_the_last_consistent_generation_is_kept(published, tmp_path):
    consistent = published.resolve().name
    for _ in range(3):
        tapeworks("etl", write_transactions(tmp_path / "later.parquet", LATER_ROWS), "--data", published,
                  "--keep-generations-for", "0s")
    assert consistent in generation_names(published)
    assert len(generation_names(published)) == 3


def test_leftovers_of_a_crash_are_removed_by_the_next_run(published, tmp_path):
    for name in ("000099.partial/daily_summary", "temp-999999-0"):
        (generations_folder(published) / name).mkdir(parents=True)
        (generations_folder(published) / name / "half.parquet").write_bytes(b"PAR1")
    run_later(published, tmp_path)
    assert leftovers(published) == []


def test_a_real_folder_is_refused_with_the_way_out(published, tmp_path):
    real = tmp_path / "real"
    shutil.copytree(published, real)
    outcome = tapeworks("etl", tmp_path / "good.parquet", "--data", real, expect=2)
    assert_clear_error(outcome, "tapeworks adopt")
    assert_clear_error(tapeworks("ranking", "--data", real, expect=2), "tapeworks adopt")


def test_adopt_puts_a_folder_behind_a_link(published, tmp_path):
    real = tmp_path / "real"
    shutil.copytree(published, real)
    (real / "manifest.json").unlink()
    (real / "run.json").unlink()
    tapeworks("adopt", real)
    assert real.is_symlink()
    for name, content in tree_hash(published).items():
        if name != "manifest.json":
            assert tree_hash(real)[name] == content
    tapeworks("verify", "--data", real)
    tapeworks("etl", tmp_path / "good.parquet", "--data", real)


def test_adopt_refuses_what_is_adopted_already(published):
    before = tree_hash(published)
    tapeworks("adopt", published, expect=2)
    assert tree_hash(published) == before


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_verify_finds_a_damaged_file(published, damage):
    path = published / "daily_summary" / "2330.parquet"
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-1])
    outcome = tapeworks("verify", "--data", published, "--full", expect=1)
    assert "2330.parquet" in outcome.stdout + outcome.stderr


def test_verify_passes_on_good_data(published, tmp_path):
    tapeworks("verify", "--data", published)
    tapeworks("verify", "--data", published, "--full")
    tapeworks("verify", "--data", published, "--input", tmp_path / "good.parquet")


def test_the_manifest_lists_every_file_with_its_rows(published):
    manifest = json.loads((published / "manifest.json").read_text())
    assert manifest["mode"] == "default"
    listed = {file["path"]: file for table in manifest["tables"].values() for file in table["files"]}
    on_disk = {p.relative_to(published.resolve()).as_posix(): p for p in published.resolve().rglob("*.parquet")}
    assert set(listed) == set(on_disk)
    for name, path in on_disk.items():
        assert pq.read_metadata(path).num_rows in listed[name].values(), name
        assert path.stat().st_size in listed[name].values(), name


def test_tables_of_different_modes_do_not_mix(published, tmp_path):
    tapeworks("pnl", "--data", published, "--compat", "v1", expect=2)
    tapeworks("sync", tmp_path / "good_prices.parquet", "--data", published, "--compat", "v2", expect=2)


def test_pnl_without_its_inputs_names_the_command_to_run(data, tmp_path):
    tapeworks("etl", write_transactions(tmp_path / "in.parquet", GOOD_ROWS), "--data", data)
    outcome = tapeworks("pnl", "--data", data, expect=(1, 2))
    assert_clear_error(outcome, "tapeworks sync")


@pytest.mark.parametrize("reader", [*READERS, ["verify"], ["path"], ["generations"], ["pnl"]], ids=lambda reader: reader[0])
def test_a_data_directory_that_does_not_exist(data, reader):
    assert_clear_error(tapeworks(*reader, "--data", data, expect=2))
    assert not data.exists() and not generations_folder(data).exists()
