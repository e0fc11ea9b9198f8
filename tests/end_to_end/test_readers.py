"""Readers beside a writer: one generation by `tapeworks path`, whole files over the stable path.

DuckDB opens a file once for its footer and again for its pages, so over the stable path, between the two, it may
meet the next generation and says that the file is invalid. It never returns a wrong answer; a reader that opens a
file once never sees even that. docs/formats/dataset.md tells readers to ask `tapeworks path` first.
"""

import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness import generate, run_pipeline, tapeworks

PUBLICATIONS_MIN = 3
PUBLICATIONS_MAX = 60


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
    """Rows and shares of one file, which is opened once."""
    with pa.OSFile(str(path)) as file:
        table = pq.read_table(file, columns=["buy_shares", "sell_shares"])
    return table.num_rows, pc.sum(table["buy_shares"]).as_py(), pc.sum(table["sell_shares"]).as_py()


@pytest.fixture
def publishing(sources, data):
    """The data directory while a thread publishes the two inputs in turn, and what each of them contains."""
    truths = []
    for source in sources:
        run_pipeline(data, source)
        truths.append((summary_totals(data), {p.name: file_total(p) for p in (data / "daily_summary").iterdir()}))
    assert truths[0] != truths[1]
    failures = []
    enough = threading.Event()

    def publish():
        try:
            for i in range(PUBLICATIONS_MAX):
                if i >= PUBLICATIONS_MIN and enough.is_set():
                    break
                run_pipeline(data, sources[i % 2])
        except AssertionError as failure:
            failures.append(failure)

    writer = threading.Thread(target=publish)
    writer.start()
    yield data, truths, writer, enough
    enough.set()
    writer.join()
    assert not failures, failures[0]


def test_a_reader_with_path_always_sees_one_generation(publishing):
    data, truths, writer, enough = publishing
    seen = set()
    while writer.is_alive():
        folder = tapeworks("path", "--data", data).stdout.strip()
        assert Path(folder).is_dir()
        first = summary_totals(folder)
        time.sleep(0.01)
        assert first in [truth[0] for truth in truths], "a mixture of two generations"
        assert summary_totals(folder) == first, "the generation changed under its reader"
        seen.add(first)
        if len(seen) == 2:
            enough.set()
    assert len(seen) == 2, "both generations should have been seen"


def test_the_stable_path_never_shows_half_a_file(publishing):
    data, truths, writer, enough = publishing
    seen = set()
    names = sorted(truths[0][1].keys() & truths[1][1].keys())
    while writer.is_alive():
        for name in names:
            total = file_total(data / "daily_summary" / name)
            assert total in [truth[1][name] for truth in truths], f"{name} is of neither generation"
            seen.add((name, total))
        if len(seen) >= 2 * len(names) - 2:
            enough.set()
    assert len(seen) > len(names), "both generations should have been seen"


def test_duckdb_over_the_stable_path_gives_a_right_answer_or_an_error(publishing):
    data, truths, writer, enough = publishing
    name = sorted(truths[0][1].keys() & truths[1][1].keys())[0]
    answers = 0
    while writer.is_alive():
        try:
            with duckdb.connect() as connection:
                total = connection.execute("SELECT count(*), sum(buy_shares), sum(sell_shares) FROM "
                                           f"read_parquet('{data}/daily_summary/{name}')").fetchone()
        except duckdb.Error:
            continue
        assert total in [truth[1][name] for truth in truths]
        answers += 1
        if answers >= 40:
            enough.set()
    assert answers > 0
