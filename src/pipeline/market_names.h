#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapeworks {

/// How many different codes can be made.
inline constexpr uint32_t kSymbolCountMax = 20'000;
inline constexpr uint32_t kBrokerCountMax = 5'000;

/// The symbol and the broker that every generated market has, as its most active ones; no real
/// broker has this code.
inline constexpr std::string_view kBusiestSymbol = "2330";
inline constexpr std::string_view kBusiestBroker = "9999";

/// A branch of a securities firm, or its proprietary desk, whose code ends in 'T'.
struct BrokerName {
  std::string code;
  std::string name;
  bool is_desk = false;
};

/// `count` distinct stock codes, sorted bytewise: mostly four digits, some like funds ("00632R").
std::vector<std::string> make_symbol_codes(uint32_t count, uint64_t key);

/// `count` brokers with distinct codes and names, sorted bytewise by code; about 2 % are desks
/// (none if there are fewer than three brokers).
std::vector<BrokerName> make_brokers(uint32_t count, uint64_t key);

}  // namespace tapeworks
