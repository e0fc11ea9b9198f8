"""`run --incremental` and `pnl --incremental` give the bytes of a rebuild; checkpoints are never trusted."""

import json
import random
import shutil

import pytest

from deliveries import DAYS, SYMBOLS, day_rows, replace
from flipping import check_checkpoint_flips
from harness import (
    Untouched, assert_clear_error, assert_same_trees, data_files, generations_folder, leftovers, read_table, tapeworks,
    tree_hash, write_prices, write_transactions)

class Market:
    """Deliveries of some days over four months, closes of all of them, and the tables of all but the last day."""

    def __init__(self, folder, data):
        self.folder, self.data, self.closes = folder / "in", data, folder / "closes.parquet"
        self.rows = {day: [row for symbol in SYMBOLS for row in day_rows(random.Random(day + symbol), day, [symbol])]
                     for day in DAYS[:20]}
        for day in DAYS[:19]:
            self.deliver(day)
        self.close = {(symbol, day): 10.0 + i + j for i, symbol in enumerate(SYMBOLS) for j, day in enumerate(DAYS[:20])}
        self.write_closes()
        self.run()

    def deliver(self, day):
        return write_transactions(self.folder / f"tx_{day}.parquet", self.rows[day])

    def write_closes(self):
        write_prices(self.closes, [(symbol, day, close) for (symbol, day), close in sorted(self.close.items())])

    def run(self, *options, **how):
        return tapeworks("run", self.folder, "--prices", self.closes, "--data", self.data, "--incremental", *options, **how)

    def rebuild_and_compare(self, *options):
        rebuilt = self.data.with_name("rebuilt")
        rebuilt.unlink(missing_ok=True)
        shutil.rmtree(generations_folder(rebuilt), ignore_errors=True)
        tapeworks("run", self.folder, "--prices", self.closes, "--data", rebuilt, *options)
        assert_same_trees(self.data, rebuilt)

    def rewritten(self, do):
        """The data files that are not those of the generation before."""
        before = {name: path.stat().st_ino for name, path in data_files(self.data).items()}
        do()
        return {name for name, path in data_files(self.data).items() if path.stat().st_ino != before.get(name)}

    def checkpoint(self, symbol="2330"):
        return self.data / "checkpoint" / "pnl" / symbol


@pytest.fixture
def market(tmp_path, data):
    return Market(tmp_path, data)


def derived(*tables):
    return {f"derived/{table}.parquet" for table in ("broker_ranking", "symbol_broker", *tables)} | {"manifest.json"}


def test_a_new_day_equals_a_rebuild(market):
    market.deliver(DAYS[19])
    market.run()
    market.rebuild_and_compare()


def test_nothing_new_touches_nothing(market):
    with Untouched(market.data):
        assert "nothing new" in market.run().stdout


def test_only_the_symbol_of_a_late_trade_is_computed(market):
    write_transactions(market.folder / "late.parquet", [("1101", DAYS[3], "1440", "9", 1, 0)])
    rewritten = market.rewritten(market.run)
    assert rewritten == derived("broker_names") | {
        "price/close_prices.parquet", "daily_summary/1101.parquet", "pnl/1101.parquet", "fifo_state/1101.parquet"}
    market.rebuild_and_compare()


def test_only_the_symbol_of_a_corrected_close_is_computed(market):
    market.close["2317", DAYS[5]] = 99.0
    market.write_closes()
    rewritten = market.rewritten(market.run)
    assert rewritten == derived() | {"price/close_prices.parquet", "pnl/2317.parquet", "fifo_state/2317.parquet"}
    market.rebuild_and_compare()


def test_a_new_last_trade_date_moves_the_valuation_of_symbols_without_trades(market):
    """All closes of the new day are there already; 1101 trades, the others are valued at the new closes."""
    market.deliver(DAYS[19])
    write_transactions(market.folder / f"tx_{DAYS[19]}.parquet", [("1101", DAYS[19], "1440", "9", 1, 0)])
    old = read_table(market.data, "pnl/2330.parquet")
    market.run()
    assert read_table(market.data, "pnl/2330.parquet") != old
    market.rebuild_and_compare()


def test_a_correction_before_the_checkpoints_is_computed_from_the_first_trade(market):
    market.rows[DAYS[0]][0] = ("2330", DAYS[0], "1440", "77.5", 1000, 0)
    market.deliver(DAYS[0])
    assert "cannot be used" not in market.run().stderr
    market.rebuild_and_compare()


@pytest.mark.parametrize("options", [("--daily",), ("--ledger",), ("--start", "2023-03-28"), ("--as-of", DAYS[10])])
def test_other_options_give_what_they_give_in_a_rebuild(market, options):
    market.run(*options)
    market.rebuild_and_compare(*options)
    market.run()
    market.rebuild_and_compare()


def test_another_map_of_mergers_is_seen(market, tmp_path):
    mergers = tmp_path / "mergers.tsv"
    for line in ("9A00\t1440\t2023-02-28\n", "9A00\t8888\t2023-02-28\n"):
        mergers.write_text(line)
        market.run("--merge-map", mergers)
        market.rebuild_and_compare("--merge-map", mergers)
    with Untouched(market.data):
        assert "nothing new" in market.run("--merge-map", mergers).stdout


def test_pnl_alone_is_incremental(market):
    market.deliver(DAYS[19])
    tapeworks("etl", market.folder, "--data", market.data, "--incremental")
    market.close["2317", DAYS[5]] = 99.0
    market.write_closes()
    tapeworks("sync", market.closes, "--data", market.data)
    tapeworks("pnl", "--data", market.data, "--incremental")
    market.rebuild_and_compare()
    before = {name: path.stat().st_ino for name, path in data_files(market.data).items()}
    tapeworks("pnl", "--data", market.data, "--incremental")
    after = {name: path.stat().st_ino for name, path in data_files(market.data).items()}
    assert {name for name in after if after[name] != before[name]} == derived()


# ---- checkpoints are never trusted ------------------------------------------------------------------

def test_a_lost_checkpoint_is_a_warning(market):
    market.checkpoint().unlink()
    market.deliver(DAYS[19])
    outcome = market.run()
    assert "1 checkpoint of pnl" in outcome.stderr and "2330" in outcome.stderr and "missing" in outcome.stderr
    market.rebuild_and_compare()
    market.deliver(DAYS[18])
    assert "cannot be used" not in market.run().stderr


def test_a_checkpoint_of_another_symbol_is_a_warning(market):
    replace(market.checkpoint("2330"), market.checkpoint("1101").read_bytes())
    market.deliver(DAYS[19])
    assert "another symbol" in market.run().stderr
    market.rebuild_and_compare()


def test_a_damaged_checkpoint_is_healed_when_nothing_is_new(market):
    content = market.checkpoint().read_bytes()
    replace(market.checkpoint(), content[:-1])
    before = tree_hash(market.data)
    assert "cannot be used" in market.run().stderr
    assert tree_hash(market.data) == before
    assert market.checkpoint().read_bytes() == content


def test_a_checkpoint_of_an_older_generation_links_no_file(market):
    """A correction and back again: the older checkpoint fits the summary of now, but not the tables beside it."""
    older = market.checkpoint().read_bytes()
    row = market.rows[DAYS[18]][0]
    market.rows[DAYS[18]][0] = (*row[:3], "77.5", 1000, 0)
    market.deliver(DAYS[18])
    market.run()
    replace(market.checkpoint(), older)
    market.rows[DAYS[18]][0] = row
    market.deliver(DAYS[18])
    market.run()
    market.rebuild_and_compare()


def test_a_checkpoint_of_other_data_is_a_warning(market, tmp_path):
    """Of the same symbol, whose tables have other values there."""
    other = Market(tmp_path / "other", tmp_path / "other_data")
    tapeworks("pnl", "--data", other.data, "--start", "2023-02-01")
    replace(market.checkpoint(), other.checkpoint().read_bytes())
    market.deliver(DAYS[19])
    outcome = market.run()
    assert "1 checkpoint of pnl" in outcome.stderr and "other tables" in outcome.stderr
    market.rebuild_and_compare()


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    replace(path, bytes(content))


@pytest.mark.parametrize("name", ["daily_summary/2330.parquet", "price/close_prices.parquet"])
def test_a_damaged_source_is_refused(market, name):
    """What is made of it would have its damage, and checksums that say nothing of it."""
    damage(market.data / name)
    with Untouched(market.data):
        assert_clear_error(tapeworks("pnl", "--data", market.data, expect=3), name, "checksum")
        if name.startswith("daily_summary"):
            market.deliver(DAYS[19])
            assert_clear_error(market.run(expect=3), name, "without --incremental")
            assert_clear_error(tapeworks("etl", market.folder, "--data", market.data, "--incremental", expect=3), name)
        else:
            assert_clear_error(tapeworks("sync", market.closes, "--data", market.data, "--incremental", expect=3), name)


def test_dates_without_closes_are_counted_over_all_symbols(market):
    """Also those of symbols that the increment does not read."""
    for symbol in SYMBOLS:
        market.close[symbol, DAYS[0]] = 9.0
    del market.close["1101", DAYS[19]]
    write_transactions(market.folder / "alone.parquet", [("9999", "2023-01-07", "1440", "9", 1, 0)])
    incremental = market.run()
    full = tapeworks("run", market.folder, "--prices", market.closes, "--data", market.data)
    assert "trade dates" in full.stderr
    assert [line for line in incremental.stderr.splitlines() if "trade dates" in line] == [
        line for line in full.stderr.splitlines() if "trade dates" in line]
    assert "trade dates" not in tapeworks("pnl", "--data", market.data, "--incremental").stderr, "it has read none"


def test_a_damaged_table_is_not_carried_into_others(market):
    damage(market.data / "pnl" / "2330.parquet")
    write_transactions(market.folder / "late.parquet", [("1101", DAYS[3], "1440", "9", 1, 0)])
    assert "checksum" in market.run().stderr
    market.rebuild_and_compare()


@pytest.mark.parametrize("table", ["pnl", "pnl_merged"])
def test_flipped_bytes_of_a_checkpoint_lead_to_a_recomputation(market, tmp_path, table):
    """tests/long/flip_checkpoints.py has 2,000 positions."""
    mergers = tmp_path / "mergers.tsv"
    mergers.write_text("9A00\t1440\t2023-02-28\n")
    market.run("--merge-map", mergers)
    market.deliver(DAYS[19])
    run = ["run", market.folder, "--prices", market.closes, "--incremental", "--merge-map", mergers]
    check_checkpoint_flips((market.data, run), tmp_path, f"checkpoint/{table}/2330", count=12, seed=3)


# ---- the traps of the reference ----------------------------------------------------------------------

def test_trap_7_symbols_that_end_early_do_not_double_days(tmp_path, data):
    folder, closes = tmp_path / "in", write_prices(tmp_path / "closes.parquet", [(s, DAYS[0], 10.0) for s in SYMBOLS])
    write_transactions(folder / "a.parquet", [(s, DAYS[0], "1440", "10", 5, 0) for s in SYMBOLS])
    write_transactions(folder / "b.parquet", [("2317", DAYS[1], "1440", "10", 5, 0)])
    write_transactions(folder / "c.parquet", [("2317", DAYS[2], "1440", "12", 0, 4)])
    arguments = ["run", folder, "--prices", closes, "--data", data, "--incremental", "--daily"]
    tapeworks(*arguments)
    write_transactions(folder / "d.parquet", [(s, DAYS[3], "1440", "10", 5, 0) for s in SYMBOLS])
    for _ in range(2):
        tapeworks(*arguments)
        lots = read_table(data, "fifo_state/2317.parquet").to_pylist()
        assert [(str(lot["open_date"]), lot["shares"]) for lot in lots] == [(DAYS[0], 1), (DAYS[1], 5), (DAYS[3], 5)]
        assert read_table(data, "pnl/2317.parquet")["realized_pnl"].to_pylist() == [8.0]


def test_trap_8_a_vanished_symbol_leaves_no_table_and_no_rank(tmp_path, data):
    folder, closes = tmp_path / "in", write_prices(tmp_path / "closes.parquet", [("2330", DAYS[0], 10.0)])
    write_transactions(folder / "a.parquet", [("2330", DAYS[0], "1440", "10", 5, 0)])
    gone = write_transactions(folder / "b.parquet", [("9999", DAYS[0], "8888", "10", 5, 0)])
    arguments = ["run", folder, "--prices", closes, "--data", data, "--incremental", "--daily"]
    tapeworks(*arguments)
    assert "pnl/9999.parquet" in data_files(data)
    gone.unlink()
    tapeworks(*arguments, "--allow-vanished", 1)
    assert not [name for name in data_files(data) if "9999" in name]
    assert not (data / "checkpoint" / "pnl" / "9999").exists()
    assert read_table(data, "derived/broker_ranking.parquet")["broker"].to_pylist() == ["1440"]


def test_trap_9_closed_lots_do_not_come_back(tmp_path, data):
    folder, closes = tmp_path / "in", write_prices(tmp_path / "closes.parquet", [("2330", DAYS[0], 10.0)])
    write_transactions(folder / "a.parquet", [("2330", DAYS[0], "1440", "500", 100, 0)])
    arguments = ["run", folder, "--prices", closes, "--data", data, "--incremental", "--daily"]
    tapeworks(*arguments)
    for name, rows in (("b", [("2330", DAYS[6], "1440", "510", 0, 100)]), ("c", [("2330", DAYS[11], "1440", "5", 0, 0)])):
        write_transactions(folder / f"{name}.parquet", rows)
        tapeworks(*arguments)
        assert read_table(data, "fifo_state/2330.parquet").num_rows == 0
        assert read_table(data, "pnl/2330.parquet")["realized_pnl"].to_pylist() == [1000.0]


def test_trap_10_a_level_is_no_flow(tmp_path, data):
    """A gain from before the start stands in opening_unrealized_pnl; a window subtracts the level before it."""
    folder = tmp_path / "in"
    closes = write_prices(tmp_path / "closes.parquet", [("2330", "2023-01-02", 30.0), ("2330", "2023-02-27", 35.0)])
    write_transactions(folder / "a.parquet", [("2330", "2023-01-02", "1440", "10", 100, 0)])
    arguments = ["run", folder, "--prices", closes, "--data", data, "--incremental", "--start", "2023-02-01"]
    tapeworks(*arguments)
    # In the next month, so that the state at the end of January is begun from.
    write_transactions(folder / "b.parquet", [("2330", "2023-02-27", "8888", "35", 1, 0)])
    tapeworks(*arguments)
    account = next(row for row in read_table(data, "pnl/2330.parquet").to_pylist() if row["broker"] == "1440")
    assert (account["unrealized_pnl"], account["opening_unrealized_pnl"]) == (2500.0, 2000.0)
    window = tapeworks("symbol", "2330", "--data", data, "--from", "2023-02-01", "--to", "2023-02-27", "--format", "jsonl")
    assert next(row for row in window.records() if row["broker"] == "1440")["total_pnl"] == 500.0


def test_trap_11_trades_of_merged_brokers_stay_in_merged_tables(tmp_path, data):
    folder, closes = tmp_path / "in", write_prices(tmp_path / "closes.parquet", [("2330", DAYS[0], 10.0)])
    mergers = tmp_path / "mergers.tsv"
    mergers.write_text(f"9A00\t1440\t{DAYS[4]}\n")
    write_transactions(folder / "a.parquet", [("2330", DAYS[0], "9A00", "10", 100, 0)])
    arguments = ["run", folder, "--prices", closes, "--data", data, "--incremental", "--merge-map", mergers]
    tapeworks(*arguments)
    write_transactions(folder / "b.parquet", [("2330", DAYS[6], "1440", "12", 0, 40)])
    tapeworks(*arguments)
    merged = read_table(data, "pnl_merged/2330.parquet").to_pylist()
    assert [(row["broker"], row["realized_pnl"], row["total_buy_amount"]) for row in merged] == [("1440", 80.0, 1000.0)]
    # A late trade of the old code, before the day of the merger.
    write_transactions(folder / "c.parquet", [("2330", DAYS[1], "9A00", "8", 0, 100)])
    tapeworks(*arguments)
    merged = read_table(data, "pnl_merged/2330.parquet").to_pylist()
    assert [(row["broker"], row["total_sell_amount"]) for row in merged] == [("1440", 1280.0)]


# ---- the position ledger -----------------------------------------------------------------------------

def answers(data, *question):
    """Numbers by broker, without the rank."""
    return {row["broker"]: {name: value for name, value in row.items() if name not in ("rank", "broker", "name")}
            for row in tapeworks(*question, "--data", data).records()}


def test_windows_are_the_same_with_and_without_a_ledger(market, tmp_path):
    mergers = tmp_path / "mergers.tsv"
    mergers.write_text("9A00\t1440\t2023-02-28\n")
    windows = [["rolling", "--years", 1], ["rolling", "--years", 1, "--merged"], ["symbol", "2330", "--from", DAYS[7], "--to", DAYS[12]],
               ["symbol", "2330", "--to", DAYS[3], "--merged"]]
    market.run("--merge-map", mergers)
    without = [answers(market.data, *window) for window in windows]
    market.run("--merge-map", mergers, "--ledger")
    ledger = read_table(market.data, "position_ledger/2330.parquet")
    assert ledger.num_rows == read_table(market.data, "daily_summary/2330.parquet").num_rows
    for window, expected in zip(windows, without):
        found = answers(market.data, *window)
        assert found.keys() == expected.keys(), window
        for broker, row in found.items():
            assert row == pytest.approx(expected[broker], rel=1e-9, abs=1e-6), (window, broker)


def test_the_ledger_holds_the_levels_of_pnl_daily(market):
    """Position, cost and the close give the unrealised level on every trade day."""
    market.run("--daily", "--ledger")
    daily = {(r["broker"], r["date"]): r for r in read_table(market.data, "pnl_daily/2330.parquet").to_pylist()}
    rows = read_table(market.data, "position_ledger/2330.parquet").to_pylist()
    assert rows
    for row in rows:
        close = market.close["2330", str(row["date"])]
        level = row["position"] * close + (-row["cost"] if row["position"] > 0 else row["cost"])
        same = daily.get((row["broker"], row["date"]), {"realized_pnl": 0, "unrealized_pnl": 0})
        assert level == pytest.approx(same["unrealized_pnl"], abs=1e-6)
        assert row["realized_pnl"] == same["realized_pnl"]


def test_a_run_without_the_option_leaves_no_ledger(market):
    market.run("--ledger")
    assert "position_ledger/2330.parquet" in data_files(market.data)
    market.run()
    assert not [name for name in data_files(market.data) if "position_ledger" in name]


def test_compat_modes_have_no_ledger(market):
    outcome = tapeworks("run", market.folder, "--prices", market.closes, "--data", market.data, "--compat", "v2", "--ledger", expect=2)
    assert_clear_error(outcome, "--ledger")


# ---- usage -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, fact", [
    (("--compat", "v1"), "--compat"), (("--compat", "v2"), "--compat"), (("--amounts", "float64"), "other options"),
    (("--add", "x.parquet"), "--add"), (("--verify-every", "soon"), "--verify-every"),
])
def test_what_contradicts_an_incremental_run_is_exit_2(market, options, fact):
    with Untouched(market.data):
        assert_clear_error(market.run(*options, expect=2), fact)


def test_pnl_in_compat_modes_is_not_incremental(market):
    with Untouched(market.data):
        assert_clear_error(tapeworks("pnl", "--data", market.data, "--incremental", "--compat", "v2", expect=2), "--compat")


def test_a_missing_input_is_refused_and_deletes_nothing(market):
    (market.folder / f"tx_{DAYS[2]}.parquet").unlink()
    with Untouched(market.data):
        assert_clear_error(market.run(expect=3), f"tx_{DAYS[2]}.parquet", "--allow-vanished")


def test_only_new_input_is_read(market):
    new = market.deliver(DAYS[19])
    outcome = tapeworks("run", "--incremental", "--add", new, "--prices", market.closes, "--data", market.data, "--stats")
    assert json.loads(outcome.error)["rows"] == len(market.rows[DAYS[19]])
    market.rebuild_and_compare()


def test_the_first_run_is_a_full_one_and_tables_without_checkpoints_are_computed(tmp_path, data):
    path = write_transactions(tmp_path / "a.parquet", day_rows(random.Random(1), DAYS[0]))
    closes = write_prices(tmp_path / "closes.parquet")
    tapeworks("run", path, "--prices", closes, "--data", data, "--incremental")
    shutil.rmtree(data / "checkpoint" / "pnl")
    more = write_transactions(tmp_path / "b.parquet", day_rows(random.Random(2), DAYS[1]))
    outcome = tapeworks("run", path, more, "--prices", closes, "--data", data, "--incremental")
    assert "cannot be used" in outcome.stderr
    rebuilt = tmp_path / "rebuilt"
    tapeworks("run", path, more, "--prices", closes, "--data", rebuilt)
    assert_same_trees(data, rebuilt)


# ---- verification and plan ---------------------------------------------------------------------------

def test_a_verification_that_is_due_passes_and_is_noted(market):
    before = market.data.readlink()
    market.run("--verify-every", "0s")
    assert market.data.readlink() != before, "the day of the verification stands in a new generation"
    market.deliver(DAYS[19])
    market.run("--verify-every", "0s")
    market.rebuild_and_compare()
    assert not leftovers(market.data)


def test_a_verification_that_finds_a_difference_is_exit_1_and_publishes_nothing(market):
    damage(market.data / "fifo_state" / "2330.parquet")
    write_transactions(market.folder / "late.parquet", [("1101", DAYS[3], "1440", "9", 1, 0)])
    with Untouched(market.data):
        outcome = market.run("--verify-every", "0s", "--quiet", expect=1)
    assert_clear_error(outcome, "fifo_state/2330.parquet", "nothing was published")


def verified(data):
    """When the summary and the tables of profit and loss were made or compared as a whole, and whether that is due."""
    times = json.loads((data / "run.json").read_text())["refreshes"]
    plan = tapeworks("plan", "--data", data, "--format", "jsonl").records()[0]
    return times.get("summary_verified_s"), times.get("pnl_verified_s"), plan["next_verification"] == "due"


def forget_verification(data, name):
    """As if it had been long ago."""
    run = json.loads((data / "run.json").read_text())
    run["refreshes"][name] = 1
    replace(data / "run.json", json.dumps(run).encode())


def test_a_verification_is_due_of_what_is_there(tmp_path, data):
    tx, closes = write_transactions(tmp_path / "a.parquet", day_rows(random.Random(1), DAYS[0])), write_prices(tmp_path / "c.parquet")
    tapeworks("etl", tx, "--data", data)
    tapeworks("sync", closes, "--data", data)
    assert verified(data)[1:] == (None, False), "there are no tables of profit and loss"
    tapeworks("pnl", "--data", data)
    forget_verification(data, "pnl_verified_s")
    assert verified(data)[2]
    tapeworks("pnl", "--data", data)
    plan = tapeworks("plan", "--data", data, "--format", "jsonl").records()[0]
    assert plan["refresh"] == "full" and plan["next_verification"] != "due" and "expected_full_seconds" not in plan


@pytest.mark.parametrize("command", ["etl", "run"])
def test_an_increment_verifies_when_it_is_due_and_only_then(market, command):
    forget_verification(market.data, "summary_verified_s")
    summary, pnl, due = verified(market.data)
    assert (summary, due) == (1, True)
    arguments = [command, market.folder, "--data", market.data, "--incremental"]
    if command == "run":
        arguments += ["--prices", market.closes]
    tapeworks(*arguments, "--verify-every", "40000d")
    assert verified(market.data)[0] == 1
    tapeworks(*arguments)
    assert verified(market.data)[0] > 1 and not verified(market.data)[2]
    if command == "etl":
        assert verified(market.data)[1] == pnl, "it vouches for its own tables alone"
    market.rebuild_and_compare()


def test_etl_verifies_its_summary(market):
    damage(market.data / "daily_summary" / "2330.parquet")
    with Untouched(market.data):
        outcome = tapeworks("etl", market.folder, "--data", market.data, "--incremental", "--verify-every", "0s", expect=1)
    assert "daily_summary/2330.parquet" in outcome.stderr and "nothing was published" in outcome.stderr
    # What it did not make is not its concern.
    damage(market.data / "daily_summary" / "2330.parquet")
    damage(market.data / "fifo_state" / "2330.parquet")
    market.deliver(DAYS[19])
    tapeworks("etl", market.folder, "--data", market.data, "--incremental", "--verify-every", "0s")
    assert not leftovers(market.data)


def test_pnl_verifies_its_tables(market):
    damage(market.data / "fifo_state" / "2330.parquet")
    pnl = ["pnl", "--data", market.data, "--incremental"]
    tapeworks(*pnl)
    with Untouched(market.data):
        outcome = tapeworks(*pnl, "--verify-every", "0s", expect=1)
    assert "fifo_state/2330.parquet" in outcome.stderr and "nothing was published" in outcome.stderr
    tapeworks("pnl", "--data", market.data)
    forget_verification(market.data, "pnl_verified_s")
    tapeworks(*pnl)
    assert verified(market.data)[1] > 1
    market.rebuild_and_compare()


def test_plan_tells_the_band_from_the_last_full_run(market):
    def plan():
        return tapeworks("plan", "--data", market.data, "--format", "jsonl").records()[0]

    market.deliver(DAYS[19])
    market.run()
    tapeworks("sync", market.closes, "--data", market.data)
    tapeworks("pnl", "--data", market.data, "--incremental")
    told = plan()
    assert told["refresh"] == "full" and told["expected_full_seconds"] > 0 and told["expected_incremental_seconds"] > 0
    # What a run of other sizes would have left.
    path = market.data / "run.json"
    run = json.loads(path.read_text())
    size = run["refreshes"]["full"]["input_bytes"]
    for seconds, refresh in ((3600, "full or incremental"), (4 * 3600, "incremental"), (2 * 86400, "incremental only")):
        run["refreshes"]["full"]["seconds"] = seconds
        replace(path, json.dumps(run).encode())
        assert plan()["refresh"] == refresh
    assert size == sum(p.stat().st_size for p in market.folder.iterdir() if p.name != f"tx_{DAYS[19]}.parquet")
