#include "recorder/protocol/json_document.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"

namespace tapeworks::recorder {
namespace {

JsonValue parsed(JsonDocument& document, std::string_view text) {
  const auto status = document.parse(text);
  EXPECT_TRUE(status) << text << ": " << status.error().message;
  return document.root();
}

TEST(JsonDocument, KeepsNumbersAsWritten) {
  JsonDocument document;
  const JsonValue root = parsed(document, R"( {"a":159.6900000000000000000000000 ,"b":[-0,1E+300,
    1625894028299209614],"c":{"d":null}} )");
  EXPECT_EQ(root["a"].text(), "159.6900000000000000000000000");
  EXPECT_EQ(root["b"].size(), 3u);
  const JsonValue first = root["b"].first();
  EXPECT_EQ(first.text(), "-0");
  EXPECT_EQ(first.after().text(), "1E+300");
  EXPECT_EQ(first.after().after().text(), "1625894028299209614");
  EXPECT_EQ(root["c"]["d"].type(), JsonType::kNull);
}

TEST(JsonDocument, WhatIsNotThereIsMissing) {
  JsonDocument document;
  const JsonValue root = parsed(document, R"({"a":{"b":[]},"s":"t"})");
  EXPECT_EQ(root["x"]["y"]["z"].type(), JsonType::kMissing);
  EXPECT_EQ(root["s"]["t"].type(), JsonType::kMissing);
  EXPECT_EQ(root["a"]["b"].first().type(), JsonType::kMissing);
  EXPECT_EQ(root["x"].text(), "");
  EXPECT_EQ(root["x"].size(), 0u);
}

TEST(JsonDocument, StringsLoseQuotesAndEscapes) {
  JsonDocument document;
  const JsonValue root = parsed(document, R"({"s\u0041":"\u5e01安\n\"\\","e":"","n":"\u0000x"})");
  EXPECT_EQ(root["sA"].text(), "币安\n\"\\");
  EXPECT_EQ(root["e"].text(), "");
  EXPECT_TRUE(root["e"].is_string());
  EXPECT_EQ(root["n"].text(), std::string_view("\0x", 2));
}

TEST(JsonDocument, AcceptsNothingThatAnotherParserRefuses) {
  JsonDocument document;
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "{]",
                           "[1 2]",
                           "[1,]",
                           "[,1]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "{a:1}",
                           "{'a':1}",
                           "[01]",
                           "[-]",
                           "[1.]",
                           "[.5]",
                           "[1e]",
                           "[+1]",
                           "[0x1]",
                           "[1E+400]",  // beyond float64: no venue means that
                           "[NaN]",
                           "[tru]",
                           "[truex]",
                           "[nul]",
                           "[nullx]",
                           "[\"a]",
                           "[\"\\x\"]",
                           "[\"\\u12\"]",
                           "[\"\t\"]",
                           "[\"\xff\"]",
                           "[\"\\ud800\"]",
                           "{} {}",
                           "{}x",
                           "[1]]",
                           "{\"a\":1}}",
                           "[1}",
                           "{\"a\":[1}]",
                           "\xef\xbb\xbf[",
                           "[1]\x01",
                           "[\"a\" \"b\"]",
                           "[1\"a\"]",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\":\"b\":1}",
                           "{1:2}",
                           "[1,\n\n",
                           "[-01]",
                           "[1e5.5]",
                           "[--1]"}) {
    EXPECT_FALSE(nlohmann::json::accept(text)) << text;
    EXPECT_FALSE(document.parse(text)) << text;
    EXPECT_EQ(document.root().type(), JsonType::kMissing) << text;
  }
}

TEST(JsonDocument, ARootThatIsNoContainerIsRefused) {
  JsonDocument document;
  for (const char* text : {"1", "\"a\"", "null", "true"})
    EXPECT_FALSE(document.parse(text)) << text;
}

TEST(JsonDocument, TwoMembersOfOneNameAreRefused) {
  JsonDocument document;
  EXPECT_FALSE(document.parse(R"({"p":"1","q":"2","p":"3"})"));
  EXPECT_FALSE(document.parse(R"({"p":"1","\u0070":"3"})"));
  EXPECT_TRUE(document.parse(R"({"p":{"p":"1"},"P":"3"})"));
}

TEST(JsonDocument, ARepeatedNameIsFoundAmongAllOthers) {
  // Of one length, of the same first and last letter, and nested.
  JsonDocument document;
  for (uint64_t seed = 0; seed < 2'000; ++seed) {
    std::set<std::string> names;
    bool is_repeated = false;
    std::string text = "{";
    const uint64_t count = 2 + random_bits(seed, 0) % 20;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t bits = random_bits(seed, i + 1);
      const std::string name = fmt::format("a{}b", bits % 64);
      is_repeated = !names.insert(name).second || is_repeated;
      text += fmt::format(R"({}"{}":{})", i == 0 ? "" : ",", name,
                          bits & 1024 ? R"({"a1b":[{"a1b":0}]})" : "0");
    }
    EXPECT_EQ(document.parse(text + "}").has_value(), !is_repeated) << text;
  }
}

TEST(JsonDocument, EveryLimitHolds) {
  JsonDocument document;
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(document.parse(nested(JsonDocument::kDepthMax)));
  EXPECT_FALSE(document.parse(nested(JsonDocument::kDepthMax + 1)));
  EXPECT_FALSE(document.parse(nested(100'000)));

  const auto object = [](uint32_t members) {
    std::string text = "{";
    for (uint32_t i = 0; i < members; ++i) text += fmt::format("{}\"{}\":0", i == 0 ? "" : ",", i);
    return text + "}";
  };
  EXPECT_TRUE(document.parse(object(JsonDocument::kMembersMax)));
  EXPECT_FALSE(document.parse(object(JsonDocument::kMembersMax + 1)));

  const auto array = [](size_t elements) {
    std::string text = "[0";
    for (size_t i = 1; i < elements; ++i) text += ",0";
    return text + "]";
  };
  EXPECT_TRUE(document.parse(array(JsonDocument::kNodesMax - 1)));
  EXPECT_FALSE(document.parse(array(JsonDocument::kNodesMax)));

  EXPECT_TRUE(document.parse("[]" + std::string(JsonDocument::kTextBytesMax - 2, ' ')));
  EXPECT_FALSE(document.parse("[]" + std::string(JsonDocument::kTextBytesMax - 1, ' ')));
  EXPECT_TRUE(document.parse("[1]"));  // and a small one after all that
}

}  // namespace
}  // namespace tapeworks::recorder
