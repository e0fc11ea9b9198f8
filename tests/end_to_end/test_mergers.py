"""Merged brokers: both sets of tables, whatever the mode; the map; the questions; phantom positions."""

import datetime
import json
import math
import random
from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness import (TEST_DATA, Untouched, assert_clear_error, assert_same_trees, data_files, generate, read_symbol_files,
                     read_table, run_pipeline, tapeworks, write_prices, write_transactions)

GOLDEN = TEST_DATA / "golden"
MONEY = ["total_pnl", "realized_pnl", "unrealized_pnl", "total_buy_amount", "total_sell_amount"]
PER_SYMBOL = ["pnl", "fifo_state", "pnl_daily"]
DERIVED = ["symbol_broker", "broker_ranking"]


def compat(mode):
    return [] if mode == "default" else ["--compat", mode]


# ---- goldens ---------------------------------------------------------------------------------------

def golden_accounts(name):
    rows = pq.read_table(GOLDEN / name / "expected_later" / "pnl_merged.parquet").to_pylist()
    return {(row["symbol_id"], row["broker"]): row for row in rows}


def timing_scales(summaries, closes, start, mergers):
    """Per account the size of the terms of its timing, over sigma: what the tolerance of the goldens refers to."""
    scales = {}
    for symbol, table in summaries.items():
        days = sorted(set(table["date"].to_pylist()))
        known, returns, previous = closes.get(symbol, {}), {}, None
        for day, close in sorted(known.items()):
            returns[day] = abs(close / previous - 1) if previous else 0.0
            previous = close or None
        days = [day for day in days if day >= start]
        net = defaultdict(lambda: defaultdict(int))
        for row in table.to_pylist():
            if row["date"] >= start:
                net[mergers.get(row["broker"], row["broker"])][row["date"]] += row["buy_shares"] - row["sell_shares"]
        for broker, by_day in net.items():
            series = [by_day[day] for day in days]
            mean = sum(series) / len(series)
            sigma = math.sqrt(sum((x - mean) ** 2 for x in series) / len(series))
            size = sum(abs(x - mean) * returns.get(day, 0.0) for x, day in zip(series, days[1:]))
            scales[symbol, broker] = size / sigma if sigma else 0.0
    return scales


@pytest.fixture(scope="module")
def golden_data(tmp_path_factory):
    made = {}

    def make(name, mode):
        if (name, mode) not in made:
            data = tmp_path_factory.mktemp(f"{name}_{mode}") / "data"
            folder = GOLDEN / name
            tapeworks("run", folder / "broker_tx.parquet", "--prices", folder / "close_prices.parquet", "--data", data,
                      "--merge-map", folder / "broker_merge_map.json", "--daily", *compat(mode))
            made[name, mode] = data
        return made[name, mode]

    return make


# The default mode refuses the two closes of one day in `edge`.
@pytest.mark.parametrize(("name", "mode"), [("small", "default"), ("small", "v1"), ("small", "v2"), ("edge", "v1"), ("edge", "v2")])
def test_merged_accounts_and_their_ranking_are_verified_like_the_plain_ones(golden_data, name, mode):
    outcome = tapeworks("verify", "--data", golden_data(name, mode), "--full")
    checks = {row["check"]: row["status"] for row in outcome.records()}
    assert {checks[check] for check in ("accounts", "accounts_merged", "broker_ranking", "broker_ranking_merged", "recomputed_pnl")} == {"ok"}
    assert "failed" not in checks.values()


@pytest.mark.parametrize("name", ["small", "edge"])
def test_accounts_of_v2_equal_the_golden(golden_data, name):
    golden = golden_accounts(name)
    data = golden_data(name, "v2")
    ours = {(row["symbol_id"], row["broker"]): row
            for row in read_table(data, "derived/symbol_broker_merged.parquet").to_pylist()}
    assert set(ours) == set(golden)
    closes = defaultdict(dict)
    for row in pq.read_table(GOLDEN / name / "close_prices.parquet").to_pylist():
        if row["close_price"] is not None:
            closes[row["symbol_id"]][row["date"]] = row["close_price"]
    mergers = json.loads((GOLDEN / name / "broker_merge_map.json").read_text())
    scales = timing_scales(read_symbol_files(data, "daily_summary"), closes, datetime.date(2023, 1, 1), mergers)
    for account, expected in golden.items():
        traded = expected["total_buy_amount"] + expected["total_sell_amount"]
        for column in MONEY:
            # An account that traded only before the start has no amounts to refer to, and nothing merged in it.
            tolerance = 2e-7 * max(traded, 1)
            assert ours[account][column] == pytest.approx(expected[column], rel=0, abs=tolerance, nan_ok=True), (account, column)
        assert ours[account]["timing_alpha"] == pytest.approx(
            expected["timing_alpha"], rel=0, abs=1e-12 * max(scales.get(account, 0), 1), nan_ok=True), account


@pytest.mark.parametrize("mode", ["v1", "default"])
def test_accounts_of_other_modes_have_the_realised_numbers_of_the_golden(golden_data, mode):
    golden = golden_accounts("small")
    table = read_table(golden_data("small", mode), "derived/symbol_broker_merged.parquet")
    ours = {(row["symbol_id"], row["broker"]): row for row in table.to_pylist()}
    assert set(ours) == set(golden)
    for account, expected in golden.items():
        traded = expected["total_buy_amount"] + expected["total_sell_amount"]
        columns = MONEY if mode == "v1" else ["realized_pnl", "total_buy_amount", "total_sell_amount"]
        for column in columns:
            assert ours[account][column] == pytest.approx(expected[column], rel=0, abs=2e-7 * max(traded, 1)), (account, column)


@pytest.mark.parametrize("name", ["small", "edge"])
def test_ranking_of_v2_equals_the_golden(golden_data, name):
    ours = read_table(golden_data(name, "v2"), "derived/broker_ranking_merged.parquet")
    golden = pq.read_table(GOLDEN / name / "expected_later" / "broker_ranking_merged.parquet")
    assert ours.column_names == golden.column_names
    by_broker = {row["broker"]: row for row in ours.to_pylist()}
    assert set(by_broker) == set(golden["broker"].to_pylist())
    for expected in golden.to_pylist():
        row = by_broker[expected["broker"]]
        for column in [*MONEY, "total_amount"]:
            assert row[column] == pytest.approx(expected[column], rel=0, abs=2e-7 * max(expected["total_amount"], 1), nan_ok=True)
    assert [row["rank"] for row in ours.to_pylist()] == list(range(1, ours.num_rows + 1))


@pytest.mark.parametrize("mode", ["default", "v1", "v2"])
def test_the_plain_tables_are_the_same_with_and_without_a_map(golden_data, mode, data):
    folder = GOLDEN / "small"
    tapeworks("run", folder / "broker_tx.parquet", "--prices", folder / "close_prices.parquet", "--data", data, "--daily", *compat(mode))
    plain, both = data_files(data), data_files(golden_data("small", mode))
    for name, path in plain.items():
        assert name == "manifest.json" or path.read_bytes() == both[name].read_bytes(), name
    tables = {name.split("/")[0] if not name.startswith("derived") else name for name in set(both) - set(plain)}
    assert tables == {"pnl_merged", "fifo_state_merged", "pnl_daily_merged", "derived/symbol_broker_merged.parquet",
                      "derived/broker_ranking_merged.parquet", "derived/broker_merge_map.parquet"}


# ---- property: a merger is a renaming ----------------------------------------------------------------

@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("input"), rows=30_000, symbols=12, brokers=20, days=40, seed=7)


def renamed(table, mergers, mode):
    """The transactions with each row under the code it counts for: the map applied by hand, one chain step at a time."""
    hours = 0 if mode == "v1" else 8  # the day of an instant
    stamps = pc.add(pc.cast(table["date"], pa.int64()), hours * 3600 * 1000)
    days = pc.cast(stamps, pa.timestamp("ms")).cast(pa.date32()).to_pylist()
    brokers = table["broker"].to_pylist()
    for row, day in enumerate(days):
        at = day
        while True:
            steps = sorted((last, new) for old, new, last in mergers if old == brokers[row] and last >= at)
            if not steps:
                break
            at, brokers[row] = steps[0]
    index = table.column_names.index("broker")
    return table.set_column(index, table.schema.field(index).with_type(pa.string()), pa.array(brokers))


def write_tsv(path, mergers):
    path.write_text("old\tnew\tdate\n" + "".join(f"{old}\t{new}\t{last}\n" for old, new, last in mergers))
    return path


def random_mergers(brokers, rng, first_day, day_count):
    """Branches that get codes nobody has, some in two steps, one code given to two branches."""
    day = lambda: first_day + datetime.timedelta(days=rng.randrange(day_count))
    chosen = rng.sample(sorted(brokers), 4)
    one, two = sorted([day(), day()])
    mergers = [(chosen[0], "ZZ10", day()), (chosen[1], "ZZ20", one), ("ZZ20", "ZZ30", two), (chosen[2], "zz10", day())]
    if one != two:
        mergers += [(chosen[3], "ZZ40", one), (chosen[3], "ZZ50", two)]
    return mergers


def assert_merged_set_is(merged_data, renamed_data):
    """The merged tables of one data directory are the plain tables of the other, byte for byte."""
    ours, theirs = data_files(merged_data), data_files(renamed_data)
    wanted = {}
    for table in PER_SYMBOL:
        wanted |= {name.replace(f"{table}/", f"{table}_merged/", 1): path
                   for name, path in theirs.items() if name.startswith(f"{table}/")}
    for table in DERIVED:
        wanted[f"derived/{table}_merged.parquet"] = theirs[f"derived/{table}.parquet"]
    assert set(wanted) == {name for name in ours if "_merged" in name}
    for name, path in wanted.items():
        assert ours[name].read_bytes() == path.read_bytes(), name


@pytest.mark.parametrize("seed, mode", [(1, "default"), (2, "default"), (3, "default"), (4, "v1"), (5, "v2")])
def test_merging_equals_a_run_over_renamed_input(source, tmp_path, seed, mode):
    table = pq.read_table(source.transactions)
    rng = random.Random(seed)
    mergers = random_mergers(set(table["broker"].to_pylist()), rng, datetime.date(2023, 1, 2), 56)
    map_file = write_tsv(tmp_path / "map.tsv", mergers)
    pq.write_table(renamed(table, mergers, mode), tmp_path / "renamed.parquet")
    run_pipeline(tmp_path / "a", source, "--daily", "--merge-map", map_file, *compat(mode))
    run_pipeline(tmp_path / "b", source, "--daily", *compat(mode), inputs=[tmp_path / "renamed.parquet"])
    assert_merged_set_is(tmp_path / "a", tmp_path / "b")
    for question in (["rolling", "--years", "1"], ["symbol", sorted(read_symbol_files(tmp_path / "a", "pnl"))[0], "--from", "2023-01-20"]):
        merged, plain = (tapeworks(*question, "--data", tmp_path / data, *extra).records()
                         for data, extra in (("a", ["--merged"]), ("b", [])))
        for row in merged + plain:
            del row["name"]  # names belong to the codes that the input has
        assert merged == plain, (seed, question)


@pytest.fixture(scope="module")
def expected(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("expected")
    brokers = set(pq.read_table(source.transactions)["broker"].to_pylist())
    # Here branches merge into others that trade on the same days.
    a, b, c, d = sorted(brokers)[:4]
    mergers = [(a, b, "2023-01-20"), (b, c, "2023-02-10"), (d, c, "2023-01-10")]
    map_file = write_tsv(folder / "map.tsv", mergers)
    run_pipeline(folder / "data", source, "--daily", "--merge-map", map_file, "--threads", 1, "--memory", "8GiB")
    return folder


@pytest.mark.parametrize("threads, memory", [(2, "8GiB"), (7, "256MiB"), (2, "192MiB")])
def test_any_number_of_threads_and_any_memory(expected, source, data, threads, memory):
    run_pipeline(data, source, "--daily", "--merge-map", expected / "map.tsv", "--threads", threads, "--memory", memory)
    assert_same_trees(expected / "data", data)


def test_one_pass_gives_the_bytes_of_three(expected, source, data):
    tapeworks("etl", source.transactions, "--data", data)
    tapeworks("sync", source.prices, "--data", data)
    tapeworks("pnl", "--data", data, "--daily", "--merge-map", expected / "map.tsv")
    assert_same_trees(expected / "data", data)


def test_merged_tables_are_verified_in_full(expected):
    outcome = tapeworks("verify", "--data", expected / "data", "--full")
    checks = {row["check"]: row["status"] for row in outcome.records()}
    assert checks["recomputed_pnl"] == "ok"
    assert "failed" not in checks.values()


# ---- the map -----------------------------------------------------------------------------------------

TRADES = [
    ("2330", "2023-01-03", "A", "100", 10, 0), ("2330", "2023-01-03", "X", "100", 0, 10),
    ("2330", "2023-03-01", "B", "110", 0, 4), ("2330", "2023-03-01", "X", "110", 4, 0),
    ("2330", "2023-06-01", "A", "120", 1, 0), ("2330", "2023-06-01", "X", "120", 0, 1),
]
CLOSES = [("2330", "2023-01-03", 100.0), ("2330", "2023-03-01", 110.0), ("2330", "2023-06-01", 120.0)]


@pytest.fixture
def world(tmp_path):
    """A data directory in which A became B in February and its code went to somebody else in June."""
    write_transactions(tmp_path / "tx.parquet", TRADES)
    write_prices(tmp_path / "closes.parquet", CLOSES)
    write_tsv(tmp_path / "map.tsv", [("A", "B", "2023-02-28")])
    tapeworks("run", tmp_path / "tx.parquet", "--prices", tmp_path / "closes.parquet", "--data", tmp_path / "data",
              "--merge-map", tmp_path / "map.tsv")
    return tmp_path


def by_broker(outcome):
    return {row["broker"]: row for row in outcome.records()}


def test_lots_pass_to_the_successor_and_a_code_used_again_starts_anew(world):
    merged = by_broker(tapeworks("symbol", "2330", "--data", world / "data", "--merged"))
    assert merged["B"]["realized_pnl"] == 4 * (110 - 100)
    assert merged["B"]["unrealized_pnl"] == 6 * (120 - 100)
    assert merged["A"]["total_buy_amount"] == 120 and merged["A"]["unrealized_pnl"] == 0
    plain = by_broker(tapeworks("symbol", "2330", "--data", world / "data"))
    assert plain["B"]["realized_pnl"] == 0 and plain["A"]["unrealized_pnl"] == 10 * 20


def test_the_map_is_kept_in_the_generation(world):
    kept = read_table(world / "data", "derived/broker_merge_map.parquet")
    assert kept.to_pylist() == [{"old_broker": "A", "new_broker": "B", "last_date": datetime.date(2023, 2, 28)}]


def test_a_run_without_a_map_carries_no_merged_table_over(world):
    tapeworks("pnl", "--data", world / "data")
    assert not [name for name in data_files(world / "data") if "merge" in name]
    for question in (["ranking"], ["query", "B"], ["query", "B", "--breakdown"], ["symbol", "2330"],
                     ["symbol", "2330", "--from", "2023-01-01"], ["rolling", "--years", "1"]):
        outcome = tapeworks(*question, "--data", world / "data", "--merged", expect=1)
        assert_clear_error(outcome, "no tables of merged brokers", "pnl --merge-map FILE")


def test_merged_tables_grow_stale_like_plain_ones(world):
    write_prices(world / "closes.parquet", [*CLOSES, ("2330", "2023-06-02", 130.0)])
    tapeworks("sync", world / "closes.parquet", "--data", world / "data")
    for question in (["ranking"], ["query", "B"], ["symbol", "2330"]):
        outcome = tapeworks(*question, "--data", world / "data", "--merged", expect=1)
        assert_clear_error(outcome, "is older than price", "pnl --merge-map FILE")
        tapeworks(*question, "--data", world / "data", "--merged", "--allow-stale")


def test_questions_answer_for_merged_brokers(world):
    data = ["--data", world / "data", "--merged"]
    assert by_broker(tapeworks("ranking", *data))["B"]["total_sell_amount"] == 440
    [row] = tapeworks("query", "B", *data).records()
    assert row["total_buy_amount"] == 1000 and row["total_pnl"] == 40 + 120
    [row] = tapeworks("query", "B", "--breakdown", *data).records()
    assert row["symbol_id"] == "2330" and row["realized_pnl"] == 40
    assert by_broker(tapeworks("rolling", "--years", "1", *data))["B"]["total_pnl"] == 160
    assert "A" not in by_broker(tapeworks("symbol", "2330", "--to", "2023-05-31", *data))


def test_a_code_that_merged_is_answered_with_its_successor(world):
    tapeworks("pnl", "--data", world / "data", "--merge-map", write_tsv(world / "map.tsv", [("A", "B", "2023-12-31")]))
    for question in (["query", "A"], ["query", "A", "--breakdown"]):
        outcome = tapeworks(*question, "--data", world / "data", "--merged", expect=1)
        assert_clear_error(outcome, "broker 'A' merged into 'B'")
        tapeworks(*question, "--data", world / "data")
    assert_clear_error(tapeworks("query", "Q", "--data", world / "data", "--merged", expect=1), "there is no broker 'Q'")


def test_an_empty_name_of_a_map_is_wrong_usage(world):
    with Untouched(world / "data"):
        assert_clear_error(tapeworks("pnl", "--data", world / "data", "--merge-map", "", expect=2), "--merge-map")


@pytest.mark.parametrize("text, line", [
    ("A\tA\t2023-01-01\n", "line 1: broker A cannot merge into itself"),
    ("A\tB\t2023-01-01\nB\tC\t2023-01-02\nC\tA\t2023-01-03\n", "line 3: broker C merging into A closes a cycle"),
    ('{"A": "B",\n "B": "A"}', "line 2: broker B merging into A closes a cycle"),
    ('{"A": "A"}', "line 1: broker A cannot merge into itself"),
    ("A\tB\t2023-01-01\nA\tC\t2023-01-01\n", "line 2: broker A merges on the same day as in line 1"),
    ("A\tB\n", "line 1: 2 instead of 3 fields"),
    ("A\tB\t2023-13-01\n", "line 1: '2023-13-01' is no day"),
    ('{"A": 5}', "line 1: a number stands where a broker code must"),
    ("", "is empty"),
])
def test_a_map_that_makes_no_sense_is_refused(world, text, line):
    bad = world / "bad.map"
    bad.write_text(text)
    with Untouched(world / "data"):
        assert_clear_error(tapeworks("pnl", "--data", world / "data", "--merge-map", bad, expect=3), bad, line)
        run = ["run", world / "tx.parquet", "--prices", world / "closes.parquet", "--data", world / "data"]
        assert_clear_error(tapeworks(*run, "--merge-map", bad, expect=3), bad, line)
        assert_clear_error(tapeworks("pnl", "--data", world / "data", "--merge-map", world / "none", expect=2), "does not exist")


def test_codes_that_differ_in_case_are_two(world):
    map_file = write_tsv(world / "case.tsv", [("a", "B", "2023-02-28")])
    tapeworks("pnl", "--data", world / "data", "--merge-map", map_file)
    merged = by_broker(tapeworks("ranking", "--data", world / "data", "--merged"))
    assert merged.keys() == {"A", "B", "X"} and merged["A"]["total_buy_amount"] == 1120


# ---- phantom positions -------------------------------------------------------------------------------

def test_verify_warns_of_positions_nobody_can_close(world):
    # A and B trade to the end of the plain data only under the code that A lost.
    write_transactions(world / "tx.parquet", [*TRADES[:4], *[(s, d, "C" if b == "A" else b, *rest) for s, d, b, *rest in TRADES[4:]]])
    tapeworks("run", world / "tx.parquet", "--prices", world / "closes.parquet", "--data", world / "data", "--merge-map", world / "map.tsv")

    def checks(*options):
        return {row["check"]: row for row in tapeworks("verify", "--data", world / "data", *options).records()}

    found = checks()
    assert (found["phantom_positions"]["status"], found["phantom_positions"]["count"]) == ("warning", 2)
    assert "broker A has open lots in 1 symbol and last traded on 2023-01-03" in found["phantom_positions"]["detail"]
    # In the merged set A is gone; B is silent from March to June.
    assert found["phantom_positions_merged"]["count"] == 1
    assert found["phantom_positions_merged"]["detail"].startswith("broker B ")
    assert checks("--phantom-days", 93)["phantom_positions_merged"]["status"] == "ok"

    def phantoms(*options):
        rows = tapeworks("ranking", "--data", world / "data", *options).records()
        return {row["broker"]: row["phantom_positions"] for row in rows if row["phantom_positions"]}

    assert phantoms() == {"A": 1, "B": 1}
    assert phantoms("--merged") == {"B": 1}
    assert phantoms("--phantom-days", 93) == {"A": 1} and phantoms("--merged", "--phantom-days", 93) == {}
    assert checks("--phantom-days", 93)["phantom_positions"]["count"] == 1
