#include "pipeline/broker_report.h"

#include <optional>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

struct Row {
  std::string broker;
  std::string name;
  std::string price;
  int64_t buy = 0;
  int64_t sell = 0;

  bool operator==(const Row&) const = default;
};

struct Parsed {
  std::string symbol;
  std::vector<Row> rows;
  BrokerReportTotals totals;
};

Result<Parsed> parse(std::string_view text) {
  BrokerReportParser parser("report.csv");
  Parsed parsed;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    TW_TRY(parser.add_line(text.substr(0, end), end != std::string_view::npos));
    for (const BrokerRecord& record : parser.records()) {
      parsed.rows.push_back({std::string(record.broker), std::string(record.broker_name),
                             std::string(record.price), record.buy_shares, record.sell_shares});
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  parsed.symbol = parser.symbol();
  TW_ASSIGN(parsed.totals, parser.finish());
  return parsed;
}

const std::string kMark = "\xEF\xBB\xBF";
const std::string kHead = kMark +
                          "券商買賣股票成交價量資訊\r\n股票代碼,=\"2330\"\r\n"
                          "序號,券商,價格,買進股數,賣出股數,,序號,券商,價格,買進股數,賣出股數\r\n";

/// The error of a report with these lines behind a good head.
std::string error_of(std::string_view lines) {
  const auto parsed = parse(kHead + std::string(lines));
  return parsed ? "" : parsed.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(BrokerReport, ReadsTwoRecordsALine) {
  const auto parsed = parse(kHead +
                            "1,1020合　　庫,500.00,1000,0,,2,9A00永豐金,500.50,0,1500\r\n"
                            "3,102A,501,500,0,,,,,,  \r\n");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->symbol, "2330");
  const std::vector<Row> rows{{"1020", "合　　庫", "500.00", 1000, 0},
                              {"9A00", "永豐金", "500.50", 0, 1500},
                              {"102A", "", "501", 500, 0}};
  EXPECT_EQ(parsed->rows, rows);
  EXPECT_EQ(parsed->totals.record_count, 3U);
  EXPECT_EQ(parsed->totals.buy_shares, parsed->totals.sell_shares);
}

TEST(BrokerReport, ReadsQuotedFieldsWithThousands) {
  const auto parsed = parse(kMark +
                            "\"券商買賣證券成交價量資訊\"\n\"證券代碼\",\"6488\"\n\n"
                            "\"序號\",\"券商\",\"價格\",\"買進股數\",\"賣出股數\"\n"
                            "\"1\",\"8450 康和  　\",\"1,105.00\",\"1,234,000\",\"0\"\n"
                            "\"2\",\"1020\",\"-\",\"0\",\"1,234,000\" \n");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->symbol, "6488");
  const std::vector<Row> rows{{"8450", "康和", "1,105.00", 1'234'000, 0},
                              {"1020", "", "-", 0, 1'234'000}};
  EXPECT_EQ(parsed->rows, rows);
}

TEST(BrokerReport, ReadsBig5) {
  // 證券代碼 and 台北, and 許功蓋, whose second bytes look like backslashes and bars.
  const auto parsed = parse(
      "title\n\xC3\xD2\xA8\xE9\xA5\x4E\xBD\x58,=\"0050\"\n"
      "n,b,p,b,s\n1,1020\xA5\x78\xA5\x5F\xB3\x5C\xA5\x5C\xBB\x5C,1,5,5\n");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->symbol, "0050");
  EXPECT_EQ(parsed->rows[0].name, "台北許功蓋");
}

TEST(BrokerReport, RefusesAnotherEncoding) {
  const std::string unmarked = kHead.substr(kMark.size()) + "1,1020合庫,1,5,5\n";
  const auto utf8 = parse(unmarked);
  ASSERT_FALSE(utf8);
  EXPECT_EQ(utf8.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(contains(utf8.error().message, "UTF-8 with a byte order mark"));
  EXPECT_TRUE(contains(error_of("1,1020\xA5\x78,1,5,5\n"), "line 4: it is no UTF-8"));
  const auto utf16 = parse(std::string_view("\xFF\xFE\x08\x52\0\n", 6));
  ASSERT_FALSE(utf16);
  EXPECT_TRUE(contains(utf16.error().message, "line 1"));
}

TEST(BrokerReport, NamesWhatIsDamaged) {
  EXPECT_TRUE(contains(error_of("1,1020合庫,1,5\n"), "4 of its 5 fields"));
  EXPECT_TRUE(contains(error_of("1,1020,1,5,5,,2,1021\n"), "2 of its 5 fields"));
  EXPECT_TRUE(contains(error_of("1,1020,1,105.00,5,0\n"), "'105.00' is no number of shares"));
  EXPECT_TRUE(contains(error_of("1,1020,1,5,5,7,2,1020,1,5,5\n"), "empty column"));
  EXPECT_TRUE(contains(error_of("1,合庫,1,5,5\n"), "code of a broker"));
  EXPECT_TRUE(contains(error_of("1,1020,1.,5,5\n"), "no price"));
  EXPECT_TRUE(contains(error_of("1,1020,-1,5,5\n"), "no price"));
  EXPECT_TRUE(contains(error_of("1,1020,1,-5,5\n"), "no number of shares"));
  EXPECT_TRUE(contains(error_of("1,1020,1,\"5,00\",5\n"), "no number of shares"));
  EXPECT_TRUE(contains(error_of("1,1020,1,99999999999999999999,5\n"), "no number of shares"));
  EXPECT_TRUE(contains(error_of("0,1020,1,5,5\n"), "sequence number"));
  EXPECT_TRUE(contains(error_of("99999999,1020,1,5,5\n"), "damaged"));
  EXPECT_TRUE(contains(error_of("1,1020,1,5,5\n1,1021,1,5,5\n"), "line 5: sequence number 1"));
  EXPECT_TRUE(contains(error_of("1,\"1020,1,5,5\n"), "not closed"));
  EXPECT_TRUE(contains(error_of("1,\"1020\"x,1,5,5\n"), "behind a closed quote"));
  EXPECT_TRUE(contains(error_of(std::string(70'000, 'x')), "is this a broker report"));
}

TEST(BrokerReport, RefusesWhatHasNoRecords) {
  for (const std::string& text : {std::string(), std::string("\r\n , \r\n"), kMark}) {
    const auto parsed = parse(text);
    ASSERT_FALSE(parsed);
    EXPECT_TRUE(contains(parsed.error().message, "report.csv: the report is empty"));
  }
  EXPECT_TRUE(contains(error_of(""), "before its first record"));
  EXPECT_FALSE(parse(kMark + "title\n"));
  EXPECT_FALSE(parse(kMark + "title\n股票代碼,=\"23/30\"\nn,b,p,b,s\n1,1020,1,5,5\n"));
  EXPECT_FALSE(parse(kMark + "title\n股票代碼,2330\n1,1020,1,5,5\n2,1020,1,5,5\n"));
}

TEST(BrokerReport, AnUnfinishedLastLineMustBalance) {
  EXPECT_EQ(error_of("1,1020,1,1000,0\n2,1021,1,0,1000"), "");
  EXPECT_TRUE(contains(error_of("1,1020,1,1000,0\n2,1021,1,0,100"), "the report is cut"));
  EXPECT_EQ(error_of("1,1020,1,1000,0\n2,1021,1,0,100\n"), "");
}

TEST(BrokerReport, CountsMissingSequenceNumbers) {
  const auto parsed = parse(kHead + "2,1020,1,5,0,,5,1021,1,0,5\n");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->totals.missing_count, 3U);
}

TEST(BrokerReport, ACutWithinALineIsNoticedAtEveryByte) {
  const std::string last = "3,1020合庫,500.00,1000,0,,4,1021台銀,500.00,0,1300\r\n";
  const std::string whole = kHead + "1,1020合庫,500.00,3000,0,,2,1021台銀,500.00,0,2700\r\n" + last;
  ASSERT_TRUE(parse(whole));
  for (size_t cut = 3; cut < last.size(); ++cut) {
    // What is left is refused, or says just what the whole says.
    const auto parsed = parse(std::string_view(whole).substr(0, whole.size() - cut));
    EXPECT_FALSE(parsed) << cut;
  }
}

}  // namespace
}  // namespace tapeworks
