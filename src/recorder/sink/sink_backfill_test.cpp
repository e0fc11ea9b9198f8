#include <nlohmann/json.hpp>

#include "recorder/sink/sink_fixture_test_support.h"

namespace tapeworks::recorder {
namespace {

const std::set<Venue> kAllVenues(kVenues.begin(), kVenues.end());
const LogSource kGate = source_of(Venue::kGateSpot);

std::string gate_trade(int64_t id, int64_t time_ns) {
  return fmt::format(
      R"({{"time_ms":{0},"channel":"spot.trades","event":"update","result":{{"id":{1},)"
      R"("create_time_ms":"{0}","side":"buy","currency_pair":"A_B","amount":"1","price":"2"}}}})",
      time_ns / 1'000'000, id);
}

std::string gate_page(const std::vector<int64_t>& ids, int64_t time_ns) {
  std::string page;
  for (const int64_t id : ids) {
    page += fmt::format(R"({}{{"id":"{}","create_time_ms":"{}","side":"buy","amount":"1",)"
                        R"("price":"2"}})",
                        page.empty() ? "" : ",", id, time_ns / 1'000'000);
  }
  return "[" + page + "]";
}

std::string kucoin_page(int64_t first, int64_t last, int64_t time_ns) {
  std::string trades;
  for (int64_t sequence = first; sequence <= last; ++sequence) {
    trades += fmt::format(R"({}{{"sequence":"{}","price":"1","size":"2","side":"sell","time":{}}})",
                          trades.empty() ? "" : ",", sequence, time_ns);
  }
  return R"({"code":"200000","data":[)" + trades + "]}";
}

class SinkBackfillTest : public SinkTest {
 protected:
  void page(int64_t from, int64_t to, const std::vector<int64_t>& ids, int64_t ago_ns = 0) {
    log_.event(LogKind::kBackfill,
               backfill_event("AAA", from, to, kBackfillPage,
                              binance_trade_page(ids, log_.time_ns() - ago_ns)),
               kSpot, 0);
  }
  void end(int64_t from, int64_t to, std::string_view cause, std::string why = "") {
    log_.event(LogKind::kBackfill, backfill_event("AAA", from, to, cause, std::move(why)), kSpot,
               0);
  }
  std::filesystem::path gaps() const {
    return options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet";
  }
  /// "7 live, 8 backfill, ": in the order of the file.
  std::string numbers(const arrow::Table& rows) const {
    std::string found;
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      found += text(rows, "sequence", row) + " " + text(rows, "source", row) + ", ";
    }
    return found;
  }
};

TEST_F(SinkBackfillTest, FetchedTradesAreRowsAndTheGapIsFilled) {
  trade(1);
  trade(5);
  page(2, 4, {2, 3, 4});
  end(2, 4, "filled");
  trade(6);
  next_hour();
  EXPECT_EQ(run()->counts().backfilled[0], 3U);
  const auto rows = table(hour("22"));
  EXPECT_EQ(numbers(*rows), "1 live, 5 live, 2 backfill, 3 backfill, 4 backfill, 6 live, ");
  const auto found = nlohmann::json::parse(certificate(hour("22"))->gaps);
  ASSERT_EQ(found.size(), 1U) << found;
  EXPECT_EQ(found[0]["filled_by"], "rest");
  EXPECT_EQ(found[0]["missing_count"], 0);
  // The table keeps both: what was missing, and what became of it.
  const auto table_rows = table(gaps());
  ASSERT_EQ(table_rows->num_rows(), 2);
  EXPECT_EQ(text(*table_rows, "filled_by", 0), "null");
  EXPECT_EQ(text(*table_rows, "missing_count", 0), "3");
  EXPECT_EQ(text(*table_rows, "filled_by", 1), "rest");
  EXPECT_EQ(text(*table_rows, "missing_count", 1), "0");
  EXPECT_EQ(text(*table_rows, "from_sequence", 1), "2");
  EXPECT_EQ(text(*table_rows, "detail", 1), "filled, rows fetched: 3");
}

TEST_F(SinkBackfillTest, BackfilledRowsGoToTheHourOfTheirEvent) {
  trade(1);
  trade(5);
  page(2, 4, {3}, 3 * kHourNs);
  next_hour();
  run();
  const auto rows = table(hour("19"));
  EXPECT_EQ(text(*rows, "source", 0), "backfill");
  const auto streams = nlohmann::json::parse(certificate(hour("19"))->streams);
  EXPECT_EQ(streams[0]["first_sequence"], 3) << "there are no others";
  EXPECT_EQ(text(*rows, "event_time", 0).substr(0, 13), "2023-11-14 19");
  EXPECT_EQ(text(*rows, "receive_time", 0).substr(0, 13), "2023-11-14 22");
}

TEST_F(SinkBackfillTest, ATimeFarInTheFutureOpensNoHourThere) {
  trade(1);
  trade(5);
  page(2, 4, {3}, -100 * 24 * kHourNs);
  next_hour();
  run();
  const auto rows = table(hour("22"));
  EXPECT_EQ(numbers(*rows), "1 live, 5 live, 3 backfill, ");
  EXPECT_EQ(text(*rows, "event_time", 2).substr(0, 7), "2024-02") << "as it was sent";
}

TEST_F(SinkBackfillTest, AnHourThatWasDeletedComesBackAsPartial) {
  trade(1);
  next_hour();
  trade(4);
  const auto sink = open_sink(options_);
  size_t next = 0;
  const auto feed_all = [&] {
    for (; next < log_.size(); ++next) ASSERT_TRUE(feed(*sink, log_, next));
    while (sink->work().value()) {
    }
  };
  feed_all();
  RetentionLimits limits;
  limits.before_ns = log_.time_ns();
  while (sink->delete_old(limits).value()) {
  }
  ASSERT_FALSE(std::filesystem::exists(hour("22")));
  for (const int64_t number : {2, 3}) {
    page(2, 3, {number}, log_.time_ns() - SyntheticLog::kBeginNs);
    next_hour();
    feed_all();
    EXPECT_TRUE(certificate(hour("22"))->partial) << number;
  }
  EXPECT_EQ(numbers(*table(hour("22"))), "2 backfill, 3 backfill, ");
  EXPECT_FALSE(certificate(hour("23"))->partial);
}

TEST_F(SinkBackfillTest, APublishedHourIsReplacedAndItsGapIsFilledThere) {
  trade(1);
  trade(3);
  next_hour();
  run();
  EXPECT_EQ(nlohmann::json::parse(certificate(hour("22"))->gaps)[0].count("filled_by"), 0U);
  page(2, 2, {2}, kHourNs / 2);
  end(2, 2, "filled");
  next_hour();
  run();
  EXPECT_EQ(numbers(*table(hour("22"))), "1 live, 3 live, 2 backfill, ");
  const auto found = certificate(hour("22"));
  const auto streams = nlohmann::json::parse(found->streams);
  EXPECT_EQ(streams[0]["rows"], 3);
  EXPECT_EQ(streams[0]["first_sequence"], 1);
  EXPECT_EQ(streams[0]["last_sequence"], 3);
  EXPECT_EQ(found->revision, 2U);
  const auto list = nlohmann::json::parse(found->gaps);
  ASSERT_EQ(list.size(), 1U) << list;
  EXPECT_EQ(list[0]["filled_by"], "rest");
}

TEST_F(SinkBackfillTest, AReplayThatEndsBeforeTheAnswerKeepsTheFetchedRows) {
  trade(1);
  trade(3);
  next_hour();
  const uint64_t before_lsn = log_.next_lsn() - 1;
  page(2, 2, {2}, kHourNs / 2);
  end(2, 2, "filled");
  next_hour();
  run();
  SinkOptions replay = options_;
  replay.replay = true;
  for (const bool is_cut : {true, false}) {
    if (is_cut) replay.last_lsn = before_lsn;
    if (!is_cut) replay.last_lsn = log_.next_lsn() - 1;
    const auto sink = open_sink(replay);
    for (size_t i = 0; i < log_.size() && log_.record(i).lsn <= replay.last_lsn; ++i) {
      ASSERT_TRUE(feed(*sink, log_, i));
    }
    ASSERT_TRUE(sink->finish());
    EXPECT_EQ(sink->status().kept_files > 0, is_cut);
    EXPECT_EQ(numbers(*table(hour("22"))), "1 live, 3 live, 2 backfill, ") << is_cut;
    EXPECT_EQ(table(gaps())->num_rows(), 2) << is_cut;
    EXPECT_EQ(certificate(hour("22"))->revision, 2U);
  }
}

TEST_F(SinkBackfillTest, NothingIsThereTwice) {
  trade(1);
  trade(5);
  trade(3);  // late, and before the answer
  page(2, 4, {2, 3, 4});
  page(2, 4, {2, 3, 4});  // the request was repeated
  trade(4);               // late, and behind it
  trade(6);
  next_hour();
  const auto sink = run();
  EXPECT_EQ(numbers(*table(hour("22"))),
            "1 live, 5 live, 3 live, 2 backfill, 4 backfill, 6 live, ");
  EXPECT_EQ(sink->counts().backfilled_again, 1U);
  EXPECT_EQ(sink->counts().resets, 0U);
}

TEST_F(SinkBackfillTest, ANumberThatTheExchangeDidNotHaveMayStillComeLate) {
  trade(1);
  trade(5);
  page(2, 4, {2, 4});
  end(2, 4, "filled");
  trade(3);
  next_hour();
  run();
  EXPECT_EQ(numbers(*table(hour("22"))), "1 live, 5 live, 2 backfill, 4 backfill, 3 live, ");
  const auto rows = table(gaps());
  EXPECT_EQ(text(*rows, "missing_count", 1), "1");
  EXPECT_EQ(text(*rows, "detail", 1),
            "filled, rows fetched: 2; the exchange has none with the other numbers");
}

TEST_F(SinkBackfillTest, WhatNoGapAsksForIsNoRow) {
  trade(1);
  page(2, 4, {2, 3, 4});  // nothing shows yet that they are missing
  trade(5);
  page(2, 4, {1, 5, 6});
  end(2, 4, "given_up", "the exchange keeps no more");
  page(2, 4, {3});
  next_hour();
  EXPECT_EQ(run()->counts().backfilled[0], 0U);
  EXPECT_EQ(numbers(*table(hour("22"))), "1 live, 5 live, ");
  const auto rows = table(gaps());
  ASSERT_EQ(rows->num_rows(), 1) << "nothing has changed";
}

TEST_F(SinkBackfillTest, AnOldGapIsNotFilledAnyMore) {
  trade(1);
  trade(3);
  log_.set_time(log_.time_ns() + TradeHoles::kKeptNs + kSecondNs);
  page(2, 2, {2});
  next_hour();
  EXPECT_EQ(run()->counts().backfilled[0], 0U);
}

TEST_F(SinkBackfillTest, AfterDaysWithoutARecorderTheGapIsNotLookedFor) {
  trade(1);
  log_.advance(TradeHoles::kKeptNs + kSecondNs);
  trade(1'000'000);
  const auto sink = run();
  EXPECT_EQ(sink->counts().holes, 1U);
  EXPECT_TRUE(sink->open_trade_gaps(kAllVenues, 10).empty());
}

TEST_F(SinkBackfillTest, ANewBeginningOfTheNumbersEndsTheSearch) {
  trade(1'000);
  trade(1'003);
  trade(1);  // a reset
  page(1'001, 1'002, {1'001, 1'002});
  next_hour();
  const auto sink = run();
  EXPECT_EQ(sink->counts().resets, 1U);
  EXPECT_EQ(sink->counts().backfilled[0], 0U);
}

TEST_F(SinkBackfillTest, AnAnswerThatCannotBeReadGoesIntoQuarantine) {
  trade(1);
  trade(3);
  log_.event(LogKind::kBackfill, backfill_event("AAA", 2, 2, kBackfillPage, "<html>"), kSpot, 0);
  next_hour();
  EXPECT_EQ(run()->counts().quarantined, 1U);
}

TEST_F(SinkBackfillTest, OpenGapsAreKnownAndOutliveARestart) {
  trade(1);
  trade(5);
  const auto expected =
      std::vector<TradeGap>{{Venue::kBinanceSpot, "AAA", 2, 4, log_.time_ns(), log_.time_ns()}};
  EXPECT_EQ(run()->open_trade_gaps(kAllVenues, 10), expected);
  page(2, 4, {2});
  const auto open = run()->open_trade_gaps(kAllVenues, 10);
  EXPECT_EQ(open, expected) << "from the checkpoint, and not over yet";
  EXPECT_EQ(open.at(0).next, 3) << "what is in the log need not be fetched again";
  trade(9);
  EXPECT_EQ(run()->open_trade_gaps(kAllVenues, 1).size(), 1U);
  end(2, 4, "partly_filled", "no more");
  const auto sink = run();
  ASSERT_EQ(sink->open_trade_gaps(kAllVenues, 10).size(), 1U);
  EXPECT_EQ(sink->open_trade_gaps(kAllVenues, 10)[0].from, 6);
}

/// There are more holes than are followed: those that are forgotten are not looked for any more,
/// because nobody could tell what is there.
TEST_F(SinkBackfillTest, AGapThatIsForgottenIsNotSaidToBeFilled) {
  constexpr int64_t kHoles = SequenceTracker::kHolesMax + 6;
  for (int64_t i = 0; i <= kHoles; ++i) trade(10 * i);
  const auto open = run()->open_trade_gaps(kAllVenues, 100);
  ASSERT_EQ(open.size(), TradeHoles::kHolesMax) << "newer ones have their places";
  EXPECT_EQ(open.front().from, 61) << "the first six are forgotten";
  page(1, 9, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  end(1, 9, "filled");
  page(61, 69, {61, 65, 69});
  end(61, 69, "filled");
  next_hour();
  const auto sink = run();
  EXPECT_EQ(sink->counts().backfilled_again, 0U);
  EXPECT_EQ(sink->counts().backfilled[0], 3U);
  const auto rows = table(gaps());
  ASSERT_EQ(rows->num_rows(), kHoles + 1);
  EXPECT_EQ(text(*rows, "from_sequence", kHoles), "61");
  EXPECT_EQ(text(*rows, "missing_count", kHoles), "6");
}

/// Where numbers are skipped in any case, the numbers around a time without connection say what
/// may be missing.
TEST_F(SinkBackfillTest, AConnectionGapIsAGapOfItsTradesWhereNumbersProveNothing) {
  const auto gate = [&](int64_t id) {
    log_.append(LogKind::kFrame, gate_trade(id, log_.time_ns()), kGate, 2);
  };
  log_.event(LogKind::kSubscription, {.symbols = {"A_B"}}, kGate, 2);
  log_.event(LogKind::kConnect, {}, kGate, 2);
  gate(10);
  gate(20);
  EXPECT_TRUE(run()->open_trade_gaps(kAllVenues, 10).empty());
  const int64_t lost_ns = log_.time_ns();
  log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kGate, 2);
  log_.advance(5 * kSecondNs);
  log_.event(LogKind::kConnect, {}, kGate, 2);
  log_.append(LogKind::kFrame, gate_trade(20, lost_ns), kGate, 2);  // once more
  gate(40);
  gate(50);
  const auto expected =
      std::vector<TradeGap>{{Venue::kGateSpot, "A_B", 21, 39, lost_ns, log_.time_ns()}};
  EXPECT_EQ(run()->open_trade_gaps(kAllVenues, 10), expected);
  log_.event(
      LogKind::kBackfill,
      backfill_event("A_B", 21, 39, kBackfillPage, gate_page({40, 30, 25, 20}, log_.time_ns())),
      kGate, 0);
  log_.event(LogKind::kBackfill, backfill_event("A_B", 21, 39, "filled", ""), kGate, 0);
  next_hour();
  run();
  EXPECT_EQ(numbers(*table(options_.output_dir / "gate_spot/A_B/2023-11-14/22.parquet")),
            "10 live, 20 live, 40 live, 50 live, 25 backfill, 30 backfill, ");
  const auto rows = table(options_.output_dir / "gate_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(rows->num_rows(), 2);
  EXPECT_EQ(text(*rows, "cause", 1), "timeout");
  EXPECT_EQ(text(*rows, "filled_by", 1), "rest");
  EXPECT_EQ(text(*rows, "missing_count", 1), "null") << "nobody can tell";
}

TEST_F(SinkBackfillTest, AVenueWithManyGapsLeavesRoomForOthers) {
  for (int64_t id = 10; id <= 30; id += 10) trade(id);
  log_.advance(kSecondNs);
  const LogSource futures = source_of(Venue::kBinanceUsdm);
  for (const int64_t id : {1, 3}) {
    log_.append(LogKind::kFrame, binance_trade("BBB", id, log_.time_ns()), futures, 2);
  }
  const auto sink = run();
  const auto open = sink->open_trade_gaps(kAllVenues, 1);
  ASSERT_EQ(open.size(), 2U);
  EXPECT_EQ(open[0].from, 11);
  EXPECT_EQ(open[1].venue, Venue::kBinanceUsdm);
  EXPECT_EQ(sink->open_trade_gaps({Venue::kBinanceUsdm}, 10).size(), 1U);
  EXPECT_TRUE(sink->open_trade_gaps({}, 10).empty());
}

/// A trade can be missing since the last one that came, however many outages there were meanwhile.
TEST_F(SinkBackfillTest, AGapBeginsWithTheLastTradeByTheExchangesClock) {
  constexpr int64_t kAheadNs = 30 * kSecondNs;  // the local clock
  const auto gate = [&](int64_t id) {
    log_.append(LogKind::kFrame, gate_trade(id, log_.time_ns() - kAheadNs), kGate, 2);
  };
  log_.event(LogKind::kConnect, {}, kGate, 2);
  gate(10);
  const int64_t last_ns = log_.time_ns() - kAheadNs;
  for (int outage = 0; outage < 2; ++outage) {
    log_.advance(600 * kSecondNs);
    log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kGate, 2);
    log_.advance(kSecondNs);
    log_.event(LogKind::kConnect, {}, kGate, 2);
    run();  // and on from the checkpoint
  }
  gate(20);
  const auto expected =
      std::vector<TradeGap>{{Venue::kGateSpot, "A_B", 11, 19, last_ns, log_.time_ns()}};
  EXPECT_EQ(run()->open_trade_gaps(kAllVenues, 10), expected);
  EXPECT_EQ(run()->open_trade_gaps(kAllVenues, 10), expected) << "from the checkpoint";
}

/// The connection that a symbol comes to was down while another one still brought it.
TEST_F(SinkBackfillTest, AnOutageBeforeASymbolCameIsNoGapOfIt) {
  const auto gate = [&](int64_t id, uint32_t connection) {
    log_.append(LogKind::kFrame, gate_trade(id, log_.time_ns()), kGate, connection);
    log_.advance(kSecondNs);
  };
  for (const uint32_t connection : {2U, 9U}) {
    log_.event(LogKind::kConnect, {}, kGate, connection);
  }
  gate(10, 2);
  log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kGate, 9);
  log_.advance(kSecondNs);
  log_.event(LogKind::kConnect, {}, kGate, 9);
  log_.advance(kSecondNs);
  gate(20, 2);
  run();  // and on from the checkpoint
  gate(30, 9);
  EXPECT_TRUE(run()->open_trade_gaps(kAllVenues, 10).empty());
  log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kGate, 9);
  log_.event(LogKind::kConnect, {}, kGate, 9);
  gate(40, 9);
  EXPECT_EQ(run()->open_trade_gaps(kAllVenues, 10).size(), 1U) << "but of this one it knows";
}

/// The last trades do not reach back to the gap's beginning: what lies before them was not fetched.
TEST_F(SinkBackfillTest, ALateTradeIsKeptUnlessItsNumberWasFetched) {
  const LogSource kucoin = source_of(Venue::kKucoinSpot);
  const auto match = [&](int64_t sequence) {
    log_.append(LogKind::kFrame, kucoin_match("A-B", sequence, log_.time_ns()), kucoin, 2);
  };
  log_.event(LogKind::kSubscription, {.symbols = {"A-B"}}, kucoin, 2);
  log_.event(LogKind::kConnect, {}, kucoin, 2);
  match(100);
  log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kucoin, 2);
  log_.event(LogKind::kConnect, {}, kucoin, 2);
  match(110);
  log_.event(LogKind::kBackfill,
             backfill_event("A-B", 101, 109, kBackfillPage, kucoin_page(107, 110, log_.time_ns())),
             kucoin, 0);
  run();  // and on from the checkpoint
  match(108);
  match(104);
  next_hour();
  run();
  EXPECT_EQ(numbers(*table(options_.output_dir / "kucoin_spot/A-B/2023-11-14/22.parquet")),
            "100 live, 110 live, 107 backfill, 108 backfill, 109 backfill, 104 live, ");
  const auto events = table(options_.output_dir / "kucoin_spot/_events/2023-11-14.parquet");
  std::string dropped;
  for (int64_t row = 0; row < events->num_rows(); ++row) {
    if (text(*events, "event", row) == "backfill_repeat") dropped += text(*events, "count", row);
  }
  EXPECT_EQ(dropped, "108") << "the number alone is no proof, so the drop is named";
}

TEST(TradeHoles, TooManyOpenOnesAreNotKept) {
  TradeHoles holes;
  for (size_t i = 0; i < TradeHoles::kHolesMax; ++i) {
    const auto from = static_cast<int64_t>(10 * i);
    EXPECT_TRUE(holes.add({.from = from, .to = from + 5, .cause = {}, .from_ns = {}}, 0, 0));
  }
  EXPECT_FALSE(holes.add({.from = 900, .to = 901, .cause = {}, .from_ns = {}}, 0, 0));
  holes.find_open(20, 25, 0)->is_over = true;
  EXPECT_TRUE(holes.add({.from = 900, .to = 901, .cause = {}, .from_ns = {}}, 0, 0));
  EXPECT_EQ(holes.find_open(20, 25, 0), nullptr);
  EXPECT_NE(holes.find_open(900, 901, 0), nullptr);
}

TEST(TradeHoles, ReadBackAsWritten) {
  TradeHoles holes;
  holes.add({.from = 1, .to = 9, .connection = 3, .cause = "timeout", .from_ns = 5, .to_ns = 7}, 7,
            7);
  holes.find_open(1, 9, 7)->next = 4;
  ByteWriter out;
  holes.save(out);
  holes.save_bounds(out);
  ByteReader in(out.bytes());
  TradeHoles back = TradeHoles::load(in);
  back.load_bounds(in);
  ASSERT_TRUE(in.ok() && in.at_end());
  EXPECT_TRUE(back.covers(3, 7));
  EXPECT_FALSE(back.covers(4, 7));
  EXPECT_FALSE(back.covers(3, 8 + TradeHoles::kLateNs)) << "that is no late copy";
  EXPECT_EQ(back.holes()[0].cause, "timeout");
  EXPECT_EQ(back.holes()[0].from_ns, 5);
}

TEST(TradeHoles, WhatAnEarlierVersionWroteLacksTheirBounds) {
  TradeHoles holes;
  holes.add({.from = 1, .to = 9, .search_from_ns = 3, .cause = {}, .from_ns = 5, .to_ns = 7}, 7, 7);
  TradeHole& hole = *holes.find_open(1, 9, 7);
  hole.begin_page(4, true);
  hole.next = 8;
  EXPECT_FALSE(holes.covers(2, 7));
  ByteWriter out;
  holes.save(out);
  ByteReader in(out.bytes());
  const TradeHoles back = TradeHoles::load(in);
  ASSERT_TRUE(in.ok() && in.at_end());
  EXPECT_TRUE(back.covers(2, 7)) << "as it was taken to be";
  EXPECT_EQ(back.holes()[0].search_from_ns, 5);
}

}  // namespace
}  // namespace tapeworks::recorder
