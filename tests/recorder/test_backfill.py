"""Backfill: trades that were missed come from the exchange's REST interface, once, and replay needs no network for them."""

import json
import time
import tomllib
import urllib.error
import urllib.request

import polars as pl
from harness import tapeworks
from recorded_tables import read_rows, read_table
from recording import Exchanges, Recording, free_port, published_hashes

# Where a venue tells of past trades, and what it calls a trade's number.
REST = {
    ("binance", "spot"): ("/api/v3/historicalTrades?fromId=1&symbol=", "id"),
    ("binance", "usdt_futures"): ("/fapi/v1/trades?limit=1000&symbol=", "id"),
    ("kucoin", "spot"): ("/api/v1/market/histories?symbol=", "sequence"),
    ("kucoin", "usdt_futures"): ("/api/v1/trade/history?symbol=", "sequence"),
    ("gate", "spot"): ("/api/v4/spot/trades?last_id=1&currency_pair=", "id"),
    ("gate", "usdt_futures"): ("/api/v4/futures/usdt/trades?contract=", "id"),
}
STREAM = ["exchange", "market", "transport", "symbol"]


def exchanges_of(folder, *options, script=()):
    return Exchanges(folder, "--symbols", "2", "--rate", "600/s", *options, script=list(script))


class Backfilling(Recording):
    """A recorder with `backfill = true` whose metrics say what is still missing."""

    def __init__(self, folder, feeds):
        self.port = free_port()
        super().__init__(folder, feeds.replace("[[feed]]", "[[feed]]\nbackfill = true"),
                         sections=f'[metrics]\nlisten = "127.0.0.1:{self.port}"\n')

    def metric(self, name: str) -> int:
        """The sum over all markets; 0 also while metrics are not served yet."""
        try:
            return self._metric(name)
        except urllib.error.URLError:
            return 0

    def _metric(self, name: str) -> int:
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read().decode()
        return int(sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)))

    def ended(self) -> int:
        return self.metric("tapeworks_backfill_gaps_total{")

    def wait_filled(self, at_least: int):
        self.wait_for(lambda r: r.metric("tapeworks_backfill_open_gaps{") == 0 and r.ended() >= at_least)


def trades(out) -> pl.DataFrame:
    return read_rows(out).filter(pl.col("stream") == "trade")


def ends_of(out) -> list[tuple[str, str]]:
    events = read_table(out, "_events").filter(pl.col("event") == "backfill")
    return events.select("cause", "detail").rows()


def told(feed: dict, symbol: str) -> list[int]:
    """Numbers of the trades that the exchange itself tells of now."""
    path, number = REST[feed["exchange"], feed["market"]]
    answer = json.load(urllib.request.urlopen(feed["rest_endpoint"] + path + symbol, timeout=10))
    return [int(trade[number]) for trade in (answer["data"] if "data" in answer else answer)]


def left_out(ledger) -> list[dict]:
    """Trades that a `gap` fault has kept back."""
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [row for entry in entries if entry.get("fault") == "gap" for row in entry["rows"] if row["stream"] == "trade"]


def judge_files(folder) -> pl.DataFrame:
    """The trades, none of which is there twice; the program's own judgement, and a replay that gives the same bytes."""
    rows = trades(folder / "out")
    assert not rows.select(pl.struct(*STREAM, "sequence").is_duplicated().any()).item(), "a trade is there twice"
    tapeworks("verify", "--recording", folder / "out", "--wal", folder / "log")
    tapeworks("replay", "--wal", folder / "log", "--out", folder / "again")
    assert published_hashes(folder / "out") == published_hashes(folder / "again")
    return rows


def test_trades_of_all_venues_that_were_missed_are_there_once(tmp_path):
    script = [{"fault": "gap", "message": 60, "count": 9, "venue": venue} for venue in ("binance_spot", "binance_spot_sbe", "binance_usdm")]
    script += [{"fault": "close", "at": "4s", "code": 1001}, {"fault": "rest_failure", "at": "1s", "count": 1, "status": 429, "duration": "2s"},
               {"fault": "rest_empty", "at": "5s", "venue": "gate_spot"}]
    with exchanges_of(tmp_path, script=script) as exchanges:
        with Backfilling(tmp_path, exchanges.feeds) as recording:
            # After the close: two symbols of seven venues.
            recording.wait_for(lambda r: "disconnected" in r.errors)
            recording.wait_live(7)
            recording.wait_filled(14)
            assert recording.metric("tapeworks_backfill_refusals_total{") >= 1
            known = {(feed["exchange"], feed["market"], feed["transport"], symbol): told(feed, symbol)
                     for feed in tomllib.loads(exchanges.feeds)["feed"] for symbol in feed["symbols"]}
            time.sleep(1)
        exchanges.stop()
    rows = judge_files(tmp_path)
    fetched = rows.filter(pl.col("source") == "backfill")
    assert fetched.select(STREAM[:3]).unique().height == 7, "of each venue"
    assert fetched["exchange_time"].null_count() == fetched.height and fetched["event_time"].null_count() == 0

    # All that the exchange tells of since the first trade that was received.
    for (*venue, symbol), numbers in known.items():
        mine = rows.filter(pl.all_horizontal(pl.col(name) == value for name, value in zip(STREAM, [*venue, symbol])))["sequence"]
        missing = {number for number in numbers if mine.min() <= number <= mine.max()} - set(mine)
        assert not missing, (venue, symbol, sorted(missing))
        if venue == ["binance", "spot", "json"] or venue == ["binance", "spot", "sbe"]:
            assert mine.max() - mine.min() + 1 == mine.len(), (venue, symbol)

    # What was kept back is what was fetched.
    columns = ["symbol", "sequence", "trade_id", "event_time", "side", "price", "quantity"]
    recorded = set(fetched.select(columns).rows())
    kept_back = left_out(exchanges.ledger)
    assert kept_back
    assert not [row for row in kept_back if tuple(row[name] for name in columns) not in recorded]

    gaps = read_table(tmp_path / "out", "_gaps")
    holes = gaps.filter(pl.col("class") == "contiguous")
    numbers = ["folder", "symbol", "from_sequence", "to_sequence", "to_time"]
    filled = holes.filter(pl.col("filled_by") == "rest")
    assert set(holes.select(numbers).rows()) == set(filled.select(numbers).rows()), "each hole was filled"
    assert filled.filter(pl.col("folder") == "binance_spot")["missing_count"].sum() == 0
    assert {cause for cause, _ in ends_of(tmp_path / "out")} == {"filled"}


def test_what_a_crash_has_missed_is_fetched_after_the_next_start(tmp_path):
    with exchanges_of(tmp_path, "--exchange", "binance", "--market", "spot") as exchanges:
        recording = Backfilling(tmp_path, exchanges.feeds)
        recording.wait_live(2, events=300)
        recording.process.kill()
        recording.process.wait()
        time.sleep(2)
        with Backfilling(tmp_path, exchanges.feeds) as recording:
            recording.wait_live(2)
            recording.wait_filled(4)
        exchanges.stop()
    rows = judge_files(tmp_path)
    assert rows.filter(pl.col("source") == "backfill").height > 20
    for key, mine in rows.group_by(STREAM):
        assert mine["sequence"].max() - mine["sequence"].min() + 1 == mine.height, key


def test_a_gap_that_is_open_at_the_end_is_filled_by_the_next_start(tmp_path):
    # Nobody answers before the recorder ends.
    script = [{"fault": "gap", "message": 60, "count": 9}, {"fault": "rest_failure", "at": "0s", "count": 1, "status": 429, "duration": "5m"}]
    with exchanges_of(tmp_path, "--exchange", "binance", "--market", "spot", script=script) as exchanges:
        feeds = exchanges.feeds.split("\n\n")[0] + "\n"
        with Backfilling(tmp_path, feeds) as recording:
            recording.wait_for(lambda r: r.metric("tapeworks_backfill_refusals_total{") == 1)
        assert trades(tmp_path / "out").filter(pl.col("source") == "backfill").height == 0
        gaps = read_table(tmp_path / "out", "_gaps").filter(pl.col("class") == "contiguous").height
        assert gaps > 0
        with Backfilling(tmp_path, feeds) as recording:
            recording.wait_live(1)
            recording.wait_filled(gaps + 2)
        exchanges.stop()
    rows = judge_files(tmp_path)
    for key, mine in rows.group_by(STREAM):
        assert mine["sequence"].max() - mine["sequence"].min() + 1 == mine.height, key


def test_what_is_not_to_be_had_remains_a_gap_and_says_why(tmp_path):
    script = [{"fault": "gap", "message": 60, "count": 9}, {"fault": "rest_failure", "at": "0s", "count": 1000, "status": 400}]
    with exchanges_of(tmp_path, "--exchange", "binance", "--market", "usdt_futures", script=script) as exchanges:
        with Backfilling(tmp_path, exchanges.feeds) as recording:
            recording.wait_filled(1)
            assert "the search for them ended as given_up: the exchange answered with status 400" in recording.errors
        exchanges.stop()
    rows = judge_files(tmp_path)
    assert rows.filter(pl.col("source") == "backfill").height == 0
    ends = ends_of(tmp_path / "out")
    assert ends and all(cause == "given_up" and "status 400" in detail for cause, detail in ends)
    assert read_table(tmp_path / "out", "_gaps")["filled_by"].null_count() == read_table(tmp_path / "out", "_gaps").height


def test_an_exchange_that_serves_nobody_for_a_while_is_asked_again(tmp_path):
    script = [{"fault": "gap", "message": 60, "count": 9}, {"fault": "rest_failure", "at": "0s", "count": 3, "status": 403}]
    with exchanges_of(tmp_path, "--exchange", "binance", "--market", "usdt_futures", script=script) as exchanges:
        with Backfilling(tmp_path, exchanges.feeds) as recording:
            recording.wait_filled(1)
            assert recording.errors.count("cannot be fetched: the exchange answered with status 403") == 1
        exchanges.stop()
    assert judge_files(tmp_path).filter(pl.col("source") == "backfill").height > 0
    assert {cause for cause, _ in ends_of(tmp_path / "out")} == {"filled"}


def test_an_answer_that_lacks_trades_is_asked_for_again(tmp_path):
    script = [{"fault": "gap", "message": 60, "count": 20}, {"fault": "rest_partial", "at": "0s", "count": 1}]
    with exchanges_of(tmp_path, "--exchange", "binance", "--market", "spot", script=script) as exchanges:
        with Backfilling(tmp_path, exchanges.feeds.split("\n\n")[0] + "\n") as recording:
            recording.wait_filled(1)
        exchanges.stop()
    rows = judge_files(tmp_path)
    for key, mine in rows.group_by(STREAM):
        assert mine["sequence"].max() - mine["sequence"].min() + 1 == mine.height, key


def test_without_the_key_nothing_is_fetched(tmp_path):
    script = [{"fault": "gap", "message": 60, "count": 9}]
    with exchanges_of(tmp_path, "--exchange", "binance", "--market", "spot", script=script) as exchanges:
        with Recording(tmp_path, exchanges.feeds) as recording:
            recording.wait_for(lambda r: r.status()["holes"] > 0)
            time.sleep(4)
        exchanges.stop()
    rows = judge_files(tmp_path)
    assert set(rows["source"]) == {"live"} and not ends_of(tmp_path / "out")
