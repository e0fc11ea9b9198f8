"""Tests of what the bench concludes: run with `.venv/bin/python -m pytest bench`."""

import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tapebench.agreement import compare_samples, compare_sums  # noqa: E402
from tapebench.claims import claims_of  # noqa: E402
from tapebench.commands.increment import agreement_of  # noqa: E402
from tapebench.commands.report import replaced  # noqa: E402
from tapebench.digest import digest  # noqa: E402
from tapebench.inputs import FULL_DAYS, FULL_ROWS, FULL_SYMBOLS, shape_of  # noqa: E402
from tapebench.process import Limits, run_measured  # noqa: E402
from tapebench.python_fifo import Account  # noqa: E402
from tapebench.results import find, summaries  # noqa: E402
from tapebench.rounds import spilled_bytes  # noqa: E402
from tapebench.session import chosen, without_missing  # noqa: E402
from tapebench.units import parse_bytes, parse_count  # noqa: E402

MIB = 2**20


def rows_of_one_symbol() -> dict[str, list[object]]:
    return {"broker": ["1020", "1020", "9A00"], "date": [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 2)],
            "buy_shares": [1000, 0, 500], "sell_shares": [0, 1000, 0], "buy_amount": [5e6, 0.0, 2.5e6],
            "sell_amount": [0.0, 5.1e6, 0.0]}


def output(folder: Path, rows: dict[str, list[object]], name: str = "2330.parquet") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), path)
    return folder


def differences(left: Path, right: Path, scratch: Path) -> list[str]:
    ours, theirs = (digest(folder, scratch / f"{place}.parquet", 10) for place, folder in enumerate((left, right)))
    samples = (pq.read_table(scratch / f"{place}.parquet") for place in (0, 1))
    return compare_sums(ours["symbols"], theirs["symbols"]) + compare_samples(*samples)


def test_the_layout_of_the_files_plays_no_part(tmp_path):
    flat = output(tmp_path / "flat", rows_of_one_symbol())
    hive = output(tmp_path / "hive", rows_of_one_symbol(), "symbol=2330/part-0.parquet")
    assert differences(flat, hive, tmp_path) == []


@pytest.mark.parametrize("column, row, value", [
    ("broker", 2, "9A01"), ("date", 1, date(2024, 1, 4)), ("buy_shares", 0, 1001), ("sell_shares", 1, 999),
    ("buy_amount", 0, 5e6 * 1.00001), ("sell_amount", 1, 0.0)])
def test_one_wrong_value_is_found(tmp_path, column, row, value):
    wrong = rows_of_one_symbol()
    wrong[column][row] = value
    assert differences(output(tmp_path / "a", rows_of_one_symbol()), output(tmp_path / "b", wrong), tmp_path)


def test_the_rounding_of_float32_is_no_difference(tmp_path):
    rounded = rows_of_one_symbol() | {"buy_amount": [5e6 * (1 + 1e-7), 0.0, 2.5e6]}
    assert differences(output(tmp_path / "a", rows_of_one_symbol()), output(tmp_path / "b", rounded), tmp_path) == []


def test_an_unsorted_file_is_named(tmp_path):
    backwards = {name: values[::-1] for name, values in rows_of_one_symbol().items()}
    assert digest(output(tmp_path / "a", backwards), tmp_path / "sample.parquet", 10)["unsorted_symbols"] == ["2330"]


def test_the_peak_of_a_child_is_its_own(tmp_path):
    measured = run_measured([sys.executable, "-c", "a = b'x' * (200 << 20)"], log_stem=tmp_path / "log.txt")
    assert measured.exit_code == 0 and 200 * MIB < measured.peak_rss_bytes < 300 * MIB


def test_a_child_above_its_limit_is_killed(tmp_path):
    program = "import time; a = b'x' * (200 << 20); time.sleep(60)"
    measured = run_measured([sys.executable, "-c", program], log_stem=tmp_path / "log.txt", limits=Limits(100 * MIB, 50))
    assert measured.failed and measured.stopped_because.startswith("memory above")


def test_shapes_keep_the_density_of_the_full_data():
    full = shape_of(FULL_ROWS)
    assert (full.symbols, full.days) == (FULL_SYMBOLS, FULL_DAYS)
    assert shape_of(100_000_000).days == 58
    assert shape_of(100_000_000, days=FULL_DAYS).symbols == 136


def test_medians_leave_failed_runs_out():
    run = {"cell": {"rows": 1}, "contender": "tapeworks", "title": "t", "cpu_seconds": 1, "peak_rss_bytes": 1}
    runs = [run | {"wall_seconds": t, "durable_seconds": t} for t in (3.0, 1.0, 2.0)]
    runs.append(run | {"wall_seconds": 99.0, "durable_seconds": 99.0, "failure": "killed"})
    assert find(summaries(runs), rows=1).durable_seconds == 2.0


def test_spilled_bytes_are_found_wherever_stats_tell_them():
    assert spilled_bytes({"rows": 5}) is None
    assert spilled_bytes({"spilled_bytes": 7}) == 7
    assert spilled_bytes({"phases": [{"name": "scan", "bytes_spilled": 7}, {"bytes_spilled": 1}]}) == 8


def test_a_peer_that_is_not_installed_is_left_out_and_named():
    left, missing = without_missing(chosen("tapeworks,duckdb-copy", ()), {"packages": {"polars": "2"}})
    assert [contender.name for contender in left] == ["tapeworks"] and missing == ["duckdb-copy"]


def test_a_page_keeps_its_prose_when_results_are_drawn_again():
    page = replaced("# B\n\nprose\n", "etl", "old") + "\nmore prose\n"
    assert replaced(page, "etl", "new") == page.replace("old", "new")


def test_an_increment_with_another_manifest_is_a_difference():
    runs = [{"title": "t", "round": 0, "cell": {"rows": 1}, "manifest": manifest} for manifest in ({"a": 1}, {"a": 1}, {"a": 2})]
    assert agreement_of(runs[:2])["agrees"]
    found = agreement_of(runs)
    assert not found["agrees"] and len(found["differences"]) == 1


def test_the_increment_is_judged_at_the_largest_size():
    run = {"title": "t", "cpu_seconds": 1, "peak_rss_bytes": 1, "round": 0}
    runs = [run | {"cell": {"rows": rows}, "contender": kind, "wall_seconds": t, "durable_seconds": t}
            for rows, kind, t in ((1, "full", 4.0), (1, "increment", 4.0), (2, "full", 8.0), (2, "increment", 2.0))]
    judged = claims_of({"bench": "increment", "runs": runs})
    assert [(claim.holds, claim.found) for claim in judged] == [(True, "0.25x")]


def test_fifo_closes_the_oldest_lot_and_flips():
    account = Account()
    assert account.trade((100, 0, 1000.0, 0.0)) == 0.0  # 100 at 10
    assert account.trade((0, 150, 0.0, 1800.0)) == 200.0  # at 12: closes 100, 50 short
    assert account.trade((20, 0, 220.0, 0.0)) == 20.0  # covers 20 at 11
    assert list(account.shorts) == [(30, 12.0)] and account.value(10.0) == 60.0


def test_sizes_and_counts():
    assert (parse_bytes("512MiB"), parse_count("2.08G"), parse_count("10M")) == (512 * MIB, 2_080_000_000, 10_000_000)
    with pytest.raises(ValueError):
        parse_bytes("512")
