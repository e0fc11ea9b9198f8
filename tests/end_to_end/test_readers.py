"""Readers beside a writer: one generation by `tapeworks path`, whole files over the stable path."""

import threading
import time
from pathlib import Path

import duckdb
import pytest

from harness import generate, run_pipeline, tapeworks

PUBLICATIONS = 3


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two inputs with different numbers; many symbols are in both."""
    return [generate(tmp_path_factory.mktemp("input"), rows=100_000, symbols=30, brokers=20, days=20, seed=seed)
            for seed in (1, 2)]


def summary_totals(folder):
    """What a reader of all symbols sees: files, rows, shares."""
    with duckdb.connect() as connection:
        return connection.execute(f"""SELECT count(DISTINCT filename), count(*), sum(buy_shares), sum(sell_shares)
            FROM read_parquet('{folder}/daily_summary/*.parquet', filename = true)""").fetchone()[1:]


def file_total(path):
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT count(*), sum(buy_shares), sum(sell_shares) FROM read_parquet('{path}')").fetchone()


@pytest.fixture
def publishing(sources, data):
    """The data directory while a thread publishes the two inputs in turn, and what each of them contains."""
    truths = []
    for source in sources:
        run_pipeline(data, source)
        truths.append((summary_totals(data), {p.name: file_total(p) for p in (data / "daily_summary").iterdir()}))
    assert truths[0] != truths[1]
    failures = []

    def publish():
        try:
            for i in range(PUBLICATIONS):
                run_pipeline(data, sources[i % 2])
        except AssertionError as failure:
            failures.append(failure)

    writer = threading.Thread(target=publish)
    writer.start()
    yield data, truths, writer
    writer.join()
    assert not failures, failures[0]


def test_a_reader_with_path_always_sees_one_generation(publishing):
    data, truths, writer = publishing
    seen = set()
    while writer.is_alive() or len(seen) < 2:
        folder = tapeworks("path", "--data", data).stdout.strip()
        assert Path(folder).is_dir()
        first = summary_totals(folder)
        time.sleep(0.01)
        assert first in [truth[0] for truth in truths], "a mixture of two generations"
        assert summary_totals(folder) == first, "the generation changed under its reader"
        seen.add(first)
        if not writer.is_alive() and len(seen) < 2:
            break
    assert len(seen) == 2, "both generations should have been seen"


def test_the_stable_path_never_shows_half_a_file(publishing):
    data, truths, writer = publishing
    reads = 0
    names = sorted(truths[0][1].keys() & truths[1][1].keys())
    while writer.is_alive():
        for name in names:
            total = file_total(data / "daily_summary" / name)
            assert total in [truth[1][name] for truth in truths], f"{name} is of neither generation"
            reads += 1
    assert reads > 0
