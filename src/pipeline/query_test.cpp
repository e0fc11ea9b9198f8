#include "pipeline/query.h"

#include <limits>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "pipeline/query_rows.h"
#include "pipeline/query_test_support.h"

namespace tapeworks {
namespace {

using namespace test;
using Rows = std::vector<int64_t>;

std::shared_ptr<arrow::Table> ranking_of_four() {
  return make_table({{"rank", Ranks{1, 2, 3, 4}},
                     {"broker", Texts{"9A00", "116b", std::nullopt, "116B"}},
                     {"total_pnl", Doubles{50, 20, 0, -70}},
                     {"total_buy_amount", Doubles{100, 111, 100, 0}},
                     {"total_sell_amount", Doubles{100, 100, 112, 0}}});
}

std::shared_ptr<arrow::Table> names_of_two() {
  return make_table(
      {{"broker", Texts{"116b", "9A00"}}, {"broker_name", Texts{"凱基", "元大台北"}}});
}

void add_ranking(TestDirectory& directory) {
  directory.add("broker_ranking", "derived/broker_ranking.parquet", *ranking_of_four())
      .add("broker_names", "derived/broker_names.parquet", *names_of_two());
}

TEST(RankingAnswer, PutsTheNameBehindTheBrokerAndKeepsTheOrder) {
  TestDirectory directory;
  add_ranking(directory);
  directory.publish();
  const auto table = ranking_answer(directory.context(), "", 90);
  ASSERT_TRUE(table.has_value()) << error_of(table).message;
  EXPECT_EQ((*table)->ColumnNames(), (Names{"rank", "broker", "name", "total_pnl",
                                            "total_buy_amount", "total_sell_amount"}));
  EXPECT_EQ(texts_of(**table, "broker"), (Names{"9A00", "116b", "(null)", "116B"}));
  EXPECT_EQ(texts_of(**table, "name"), (Names{"元大台北", "凱基", "", ""}));
}

TEST(RankingAnswer, HasEmptyNamesWithoutATableOfNames) {
  TestDirectory directory;
  directory.add("broker_ranking", "derived/broker_ranking.parquet", *ranking_of_four()).publish();
  const auto table = ranking_answer(directory.context(), "", 90);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(texts_of(**table, "name"), (Names{"", "", "", ""}));
}

TEST(RankingAnswer, ShowsOpenPositionsOfBrokersThatNoLongerTrade) {
  TestDirectory directory;
  directory
      .add("broker_ranking", "derived/broker_ranking.parquet",
           *make_table({{"broker", Texts{"A", "B", "C", "D"}},
                        {"last_trade_date", Days{Day{100}, Day{10}, Day{11}, Day{5}}},
                        {"open_positions", Counts{1, 2, 3, 0}}}))
      .publish();
  const auto table = ranking_answer(directory.context(), "", 90);
  ASSERT_TRUE(table.has_value()) << error_of(table).message;
  EXPECT_EQ((*table)->ColumnNames().back(), "phantom_positions");
  EXPECT_TRUE((*table)->column(4)->chunk(0)->Equals(*make_column(Counts{0, 2, 0, 0})));
  const auto by_day = ranking_answer(directory.context(), "last_trade_date", 90);
  ASSERT_TRUE(by_day.has_value());
  EXPECT_EQ(texts_of(**by_day, "broker"), (Names{"A", "C", "B", "D"}));
}

TEST(RankingAnswer, SortsNumbersDownAndTextUpAndLeavesTiesAlone) {
  TestDirectory directory;
  add_ranking(directory);
  directory.publish();
  const auto by_number = ranking_answer(directory.context(), "total_buy_amount", 90);
  ASSERT_TRUE(by_number.has_value());
  EXPECT_EQ(texts_of(**by_number, "broker"), (Names{"116b", "9A00", "(null)", "116B"}));
  const auto by_text = ranking_answer(directory.context(), "broker", 90);
  ASSERT_TRUE(by_text.has_value());
  EXPECT_EQ(texts_of(**by_text, "broker"), (Names{"116B", "116b", "9A00", "(null)"}));
}

TEST(RankingAnswer, RefusesAnUnknownSortColumnNamingTheColumns) {
  TestDirectory directory;
  add_ranking(directory);
  directory.publish();
  const Error error = error_of(ranking_answer(directory.context(), "pnl", 90));
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(contains(error.message, "rank, broker, name, total_pnl")) << error.message;
}

TEST(RankingAnswer, RefusesAMissingTableNamingTheCommand) {
  TestDirectory directory;
  directory.add("broker_names", "derived/broker_names.parquet", *names_of_two()).publish();
  const Error error = error_of(ranking_answer(directory.context(), "", 90));
  EXPECT_EQ(error.kind, ErrorKind::kNotFound);
  EXPECT_TRUE(contains(error.message, "tapeworks pnl --data")) << error.message;
}

TEST(RankingAnswer, RefusesAStaleTableUnlessAllowed) {
  TestDirectory directory;
  add_ranking(directory);
  directory.add("daily_summary", "daily_summary/2330.parquet", *names_of_two())
      .describe("broker_ranking", {{"daily_summary", "0123456789abcdef"}})
      .publish();
  const Error error = error_of(ranking_answer(directory.context(), "", 90));
  EXPECT_EQ(error.kind, ErrorKind::kNotFound);
  EXPECT_TRUE(contains(error.message, "daily_summary")) << error.message;
  EXPECT_TRUE(contains(error.message, "tapeworks pnl --data")) << error.message;
  EXPECT_TRUE(ranking_answer(directory.context(true), "", 90).has_value());
}

TEST(BrokerAnswer, IsTheRowWithNameAndDirection) {
  TestDirectory directory;
  add_ranking(directory);
  directory.publish();
  const auto neutral = broker_answer(directory.context(), "9A00");
  ASSERT_TRUE(neutral.has_value());
  EXPECT_EQ(texts_of(**neutral, "direction"), (Names{"neutral"}));
  EXPECT_EQ(texts_of(**neutral, "name"), (Names{"元大台北"}));
  // 111 is more than 1.1 times 100; nothing at all is neutral.
  EXPECT_EQ(texts_of(**broker_answer(directory.context(), "116b"), "direction"), (Names{"long"}));
  EXPECT_EQ(texts_of(**broker_answer(directory.context(), "116B"), "direction"),
            (Names{"neutral"}));
}

TEST(BrokerAnswer, NamesSimilarBrokersByCodeAndByName) {
  TestDirectory directory;
  add_ranking(directory);
  directory.publish();
  const Error by_case = error_of(broker_answer(directory.context(), "9a00"));
  EXPECT_EQ(by_case.kind, ErrorKind::kNotFound);
  EXPECT_TRUE(contains(by_case.message, "9A00 (元大台北)")) << by_case.message;
  EXPECT_TRUE(
      contains(error_of(broker_answer(directory.context(), "11")).message, "116B, 116b (凱基)"))
      << error_of(broker_answer(directory.context(), "11")).message;
  EXPECT_TRUE(contains(error_of(broker_answer(directory.context(), "台北")).message, "9A00"))
      << error_of(broker_answer(directory.context(), "台北")).message;
  EXPECT_EQ(error_of(broker_answer(directory.context(), "")).kind, ErrorKind::kNotFound);
}

TEST(BreakdownAnswer, FindsAllRowsOfABrokerWhateverTheRowGroups) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    // Sorted by broker, symbol, as the file is; row groups may begin anywhere within a broker.
    Texts symbols;
    Texts brokers;
    Doubles bought;
    std::map<std::string, std::multiset<std::string>> expected;
    for (char letter = 'a'; letter < 'h'; ++letter) {
      const std::string broker = std::string("b") + letter;
      for (int symbol = 0; symbol < static_cast<int>(random() % 9); ++symbol) {
        symbols.emplace_back(std::to_string(1000 + symbol));
        brokers.emplace_back(broker);
        bought.push_back(static_cast<double>(random() % 3));
        expected[broker].insert(*symbols.back());
      }
    }
    symbols.emplace_back("1000");
    brokers.emplace_back("c");
    bought.push_back(1);
    TestDirectory directory;
    directory
        .add("symbol_broker", "derived/symbol_broker.parquet",
             *make_table(
                 {{"symbol_id", symbols}, {"broker", brokers}, {"total_buy_amount", bought}}),
             1 + static_cast<int64_t>(random() % 7))
        .add("broker_ranking", "derived/broker_ranking.parquet", *ranking_of_four())
        .publish();
    for (const auto& [broker, rows] : expected) {
      const auto table = breakdown_answer(directory.context(), broker);
      ASSERT_TRUE(table.has_value()) << error_of(table).message;
      const auto found = texts_of(**table, "symbol_id");
      EXPECT_EQ(std::multiset<std::string>(found.begin(), found.end()), rows);
      const auto amounts = doubles_of(**table, "total_buy_amount");
      EXPECT_TRUE(std::ranges::is_sorted(amounts, std::greater<>()));
    }
    EXPECT_EQ(error_of(breakdown_answer(directory.context(), "bb0")).kind, ErrorKind::kNotFound);
  }
}

TEST(SymbolAnswer, ReadsOnlyFilesThatTheManifestKnows) {
  TestDirectory directory;
  add_ranking(directory);
  directory.add("pnl", "pnl/2330.parquet", *ranking_of_four())
      .add("pnl", "pnl/2330A.parquet", *ranking_of_four())
      .publish();
  const auto table = symbol_answer(directory.context(), "2330");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(texts_of(**table, "name"), (Names{"元大台北", "凱基", "", ""}));
  EXPECT_TRUE(contains(error_of(symbol_answer(directory.context(), "2330a")).message, "2330A"))
      << error_of(symbol_answer(directory.context(), "2330a")).message;
  EXPECT_EQ(error_of(symbol_answer(directory.context(), "../derived/broker_ranking")).kind,
            ErrorKind::kNotFound);
}

TEST(UncoveredShortShare, IsTheShareOfAbsoluteProfitInAccountsWithAnOpenShort) {
  TestDirectory directory;
  directory
      .add("symbol_broker", "derived/symbol_broker.parquet",
           *make_table({{"total_pnl", Doubles{30, -10, 60, -100}},
                        {"open_short_cost", Doubles{0, 5, 0, 1}}}),
           1)
      .publish();
  const auto share = uncovered_short_share(directory.context(), 2);
  ASSERT_TRUE(share.has_value());
  EXPECT_EQ(*share, 110.0 / 200.0);
}

TEST(UncoveredShortShare, IsUnknownWhereTheTableDoesNotTell) {
  TestDirectory directory;
  directory
      .add("symbol_broker", "derived/symbol_broker.parquet",
           *make_table({{"total_pnl", Doubles{30}}}))
      .publish();
  const auto share = uncovered_short_share(directory.context(), 1);
  ASSERT_TRUE(share.has_value());
  EXPECT_FALSE(share->has_value());
}

TEST(TradeDates, ComeFromTheCountsOfTheManifest) {
  TestDirectory directory;
  directory.add("daily_summary", "daily_summary/1.parquet", *names_of_two())
      .describe("daily_summary", {}, {{"first_day", 19358}, {"last_day", 19400}})
      .publish();
  const auto dates = trade_date_range(directory.context().generation.manifest());
  EXPECT_EQ(dates.first, Day{19358});
  EXPECT_EQ(dates.last, Day{19400});
  EXPECT_EQ(trade_date_range(Manifest{}).last, std::nullopt);
}

TEST(QueryRows, OrderPutsNullAndNanLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto table = make_table({{"x", Doubles{nan, 1, 3, nan, 2}}});
  const auto rows = order_by_column(*table, "x");
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(*rows, (Rows{2, 4, 1, 0, 3}));
}

TEST(QueryRows, PlainTableTurnsEveryKindOfTextIntoUtf8) {
  arrow::StringDictionary32Builder coded;
  arrow::LargeStringBuilder large;
  arrow::StringViewBuilder view;
  for (const char* text : {"b", "a", "b"}) {
    expect_ok(coded.Append(text));
    expect_ok(large.Append(text));
    expect_ok(view.Append(text));
  }
  expect_ok(coded.AppendNull());
  expect_ok(large.AppendNull());
  expect_ok(view.AppendNull());
  const arrow::ArrayVector arrays{coded.Finish().ValueOrDie(), large.Finish().ValueOrDie(),
                                  view.Finish().ValueOrDie()};
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("coded", arrays[0]->type()),
                                                       arrow::field("large", arrays[1]->type()),
                                                       arrow::field("view", arrays[2]->type())}),
                                        arrays);
  const auto plain = plain_table(*table, "test", arrow::default_memory_pool());
  ASSERT_TRUE(plain.has_value());
  for (const char* column : {"coded", "large", "view"}) {
    EXPECT_EQ(texts_of(**plain, column), (Names{"b", "a", "b", "(null)"})) << column;
  }
}

TEST(SimilarTexts, PrefersTheSameInAnotherCaseThenWhatBeginsWithIt) {
  const std::vector<std::string> known{"2330", "2330A", "23", "2331", "9999", "00632R"};
  EXPECT_EQ(similar_texts("2330", known), (Names{"2330", "2330A", "23", "2331"}));
  EXPECT_EQ(similar_texts("00632r", known), (Names{"00632R"}));
  EXPECT_TRUE(similar_texts("abc", known).empty());
}

}  // namespace
}  // namespace tapeworks
