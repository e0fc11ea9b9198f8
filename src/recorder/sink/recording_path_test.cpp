#include "recorder/sink/recording_path.h"

#include <set>

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

TEST(EscapePath, LettersOfAnyScriptStayAndSymbolsReadBack) {
  EXPECT_EQ(escape_path("BTC_USDT-1.5"), "BTC_USDT-1.5");
  EXPECT_EQ(escape_path("币安人生USDT"), "币安人生USDT");
  EXPECT_EQ(escape_path("a/b"), "a%2Fb");
  EXPECT_EQ(escape_path("."), "%2E");
  EXPECT_EQ(escape_path(".."), "%2E%2E");
  EXPECT_EQ(escape_path("100%"), "100%25");
  EXPECT_EQ(escape_path("a b\n"), "a%20b%0A");
  EXPECT_EQ(escape_path("\xff\xfe"), "%FF%FE");
  EXPECT_EQ(escape_path("\xc0\xaf"), "%C0%AF") << "an overlong form of /";
  EXPECT_EQ(escape_path("😀"), "%F0%9F%98%80") << "no letter";
}

TEST(EscapePath, NoSymbolTakesTheNameOfOurTablesOrHidesItself) {
  EXPECT_EQ(escape_path("_gaps"), "%5Fgaps");
  EXPECT_EQ(escape_path(".BXBT"), "%2EBXBT");
  EXPECT_EQ(escape_path(""), "%");
}

TEST(EscapePath, DifferentSymbolsHaveDifferentNamesAndReadBack) {
  const std::vector<std::string> symbols{
      "",        ".",    "..",       "a",     "A",
      "%",       "%41",  "a/b",      "a%2Fb", "_gaps",
      "%5Fgaps", "币安", "\xe5\xb8", "a~b",   std::string("\0", 1)};
  std::set<std::string> names;
  for (const std::string& symbol : symbols) {
    const std::string name = escape_path(symbol);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(unescape_path(name), symbol);
    EXPECT_EQ(name.find('/'), std::string::npos);
    EXPECT_NE(name, ".");
    EXPECT_NE(name, "..");
  }
}

TEST(EscapePath, LongNamesAreCutBetweenLettersAndStayDistinct) {
  const std::string letters = [] {
    std::string text;
    while (text.size() < 300) text += "币";
    return text;
  }();
  std::set<std::string> names;
  for (const std::string& symbol : {letters, letters + "x", std::string(300, 'a'),
                                    std::string(300, '/'), std::string(301, '/')}) {
    const std::string name = escape_path(symbol);
    EXPECT_LE(name.size(), 200U);
    EXPECT_TRUE(names.insert(name).second);
    EXPECT_FALSE(unescape_path(name)) << "what was cut cannot be read back";
    EXPECT_EQ((name.find('~') - name.find('~') / 3 * 3) * (symbol[0] != 'a'), 0U)
        << "letters and escapes of three bytes are cut whole";
  }
  EXPECT_EQ(escape_path(std::string(200, 'a')), std::string(200, 'a'));
}

TEST(PartitionPath, EachLayoutHasItsFilesAndTheirTimes) {
  constexpr int64_t kTimeNs = 1'700'000'000 * kSecondNs;  // 2023-11-14 22:13:20
  const PartitionName name{"gate", "usdt_futures", "BTC/USDT"};
  const auto rows = [&](Layout layout) {
    return partition_path(layout, TableKind::kRows, name, kTimeNs);
  };
  EXPECT_EQ(rows(Layout::kSymbol), "gate_usdt_futures/BTC%2FUSDT/2023-11-14/22");
  EXPECT_EQ(rows(Layout::kMarket), "gate_usdt_futures/2023-11-14/22");
  EXPECT_EQ(rows(Layout::kExchange), "gate/2023-11-14/22");
  EXPECT_EQ(partition_path(Layout::kExchange, TableKind::kGaps, name, kTimeNs),
            "gate_usdt_futures/_gaps/2023-11-14");
  EXPECT_EQ(partition_path(Layout::kSymbol, TableKind::kEvents, {}, kTimeNs), "_events/2023-11-14");
  for (const Layout layout : {Layout::kSymbol, Layout::kMarket, Layout::kExchange}) {
    const auto time = parse_partition_time(rows(layout));
    ASSERT_TRUE(time);
    EXPECT_EQ(time->table, TableKind::kRows);
    EXPECT_LE(time->begin_ns, kTimeNs);
    EXPECT_EQ(time->end_ns - time->begin_ns, kHourNs);
    EXPECT_GT(time->end_ns, kTimeNs);
    EXPECT_EQ(parse_layout(name_of(layout)), layout);
  }
  const auto day = parse_partition_time("gate_usdt_futures/_gaps/2023-11-14");
  ASSERT_TRUE(day);
  EXPECT_EQ(day->table, TableKind::kGaps);
  EXPECT_EQ(day->end_ns - day->begin_ns, kDayNs);
  for (const char* const wrong :
       {"", "a", "a/b", "a/2023-11-14/24", "a/2023-11-14", "a/2023-13-01/02"}) {
    EXPECT_FALSE(parse_partition_time(wrong)) << wrong;
  }
}

TEST(FloorTime, GoesDownBefore1970Too) {
  EXPECT_EQ(floor_time(0, kHourNs), 0);
  EXPECT_EQ(floor_time(kHourNs - 1, kHourNs), 0);
  EXPECT_EQ(floor_time(-1, kHourNs), -kHourNs);
  EXPECT_EQ(floor_time(-kHourNs, kHourNs), -kHourNs);
}

}  // namespace
}  // namespace tapeworks::recorder
