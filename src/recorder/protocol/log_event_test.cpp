#include "recorder/protocol/log_event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tapeworks::recorder {
namespace {

TEST(LogEvent, ReadsBackAsWrittenWhateverTheTextsHold) {
  LogEvent event;
  event.cause = "signal";
  event.detail = "a \"quoted\" \\ line\n\x01 and 币安";
  event.url = "wss://host:9443/ws";
  event.version = "0.1.0";
  event.stream = Stream::kL5;
  event.symbols = {"BTCUSDT", "币安人生USDT", "a/b"};
  event.count = -3;
  event.from_time_ns = 1'700'000'000'123'456'789;
  event.to_time_ns = 0;
  event.from_sequence = int64_t{1} << 60;
  event.to_sequence = -1;
  event.layout = "market";
  event.rules =
      RowRules{.grace_ns = 0, .row_group_rows = 1, .max_time_skew_ns = 2, .dedupe_window_rows = 3};
  const std::string text = encode_log_event(event);
  // Somebody else's parser reads the same.
  EXPECT_EQ(nlohmann::json::parse(text)["detail"], event.detail);
  JsonDocument document;
  const auto back = decode_log_event(text, document);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, event);
}

TEST(LogEvent, MembersWithoutAValueAreLeftOut) {
  EXPECT_EQ(encode_log_event({}), "{}");
  JsonDocument document;
  EXPECT_EQ(*decode_log_event("", document), LogEvent());
  EXPECT_EQ(*decode_log_event(R"({"later":[1],"count":"x","symbols":7})", document), LogEvent());
  EXPECT_FALSE(decode_log_event("[1]", document));
  EXPECT_FALSE(decode_log_event("{", document));
}

TEST(LogEvent, RulesAreThereWholeAndPossibleOrNotAtAll) {
  JsonDocument document;
  const auto rules_in = [&](std::string_view text) {
    return decode_log_event(text, document).value().rules;
  };
  constexpr std::string_view kRules =
      R"({"grace_ns":1,"row_group_rows":2,"max_time_skew_ns":3,"dedupe_window_rows":4})";
  EXPECT_EQ(rules_in(kRules), (RowRules{1, 2, 3, 4}));
  EXPECT_EQ(rules_in(R"({"grace_ns":1,"row_group_rows":2,"max_time_skew_ns":3})"), std::nullopt);
  for (const std::string_view impossible :
       {R"({"grace_ns":-1,"row_group_rows":2,"max_time_skew_ns":3,"dedupe_window_rows":4})",
        R"({"grace_ns":1,"row_group_rows":0,"max_time_skew_ns":3,"dedupe_window_rows":4})",
        R"({"grace_ns":1,"row_group_rows":2,"max_time_skew_ns":3,"dedupe_window_rows":1000001})"}) {
    EXPECT_EQ(rules_in(impossible), std::nullopt) << impossible;
  }
}

TEST(LogEvent, BytesThatAreNoUtf8AreKeptReadable) {
  LogEvent event;
  event.detail = "\xff\xe9";
  JsonDocument document;
  EXPECT_EQ(decode_log_event(encode_log_event(event), document)->detail, "ÿé");
}

TEST(LogSource, EveryVenueAndLegHasANumberOfItsOwn) {
  for (const Venue venue : kVenues) {
    for (const uint8_t leg : {uint8_t{0}, uint8_t{1}}) {
      const LogSource source{venue, leg};
      EXPECT_EQ(decode_source(encode_source(source)), source);
    }
  }
  EXPECT_FALSE(decode_source(kNoSource));
  EXPECT_FALSE(decode_source(static_cast<uint16_t>(kVenues.size())));
  EXPECT_FALSE(decode_source(0x0200));
}

TEST(LogKind, EveryKindHasANameAndIsFoundByItsNumber) {
  for (const LogKind kind : kLogKinds) {
    EXPECT_FALSE(name_of(kind).empty());
    EXPECT_EQ(find_log_kind(static_cast<uint8_t>(kind)), kind);
  }
  EXPECT_FALSE(find_log_kind(0));
}

}  // namespace
}  // namespace tapeworks::recorder
