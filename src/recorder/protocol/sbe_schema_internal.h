#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tapeworks::recorder {

// Binance's schema of market data streams (id 1, version 0) as tables, in the words and the order
// of its XML file; a test compares the two.

inline constexpr uint16_t kSbeSchemaId = 1;
inline constexpr uint16_t kSbeSchemaVersion = 0;
inline constexpr size_t kSbeHeaderBytes = 8;  ///< blockLength, templateId, schemaId, version: u16

enum class SbeType : uint8_t {
  kUtcTimestampUs,
  kTradeId,
  kUpdateId,
  kMantissa64,
  kExponent8,
  kBoolEnum,
  kConstant,  ///< stands in the schema only
};

constexpr size_t bytes_of(SbeType type) {
  switch (type) {
    case SbeType::kUtcTimestampUs:
    case SbeType::kTradeId:
    case SbeType::kUpdateId:
    case SbeType::kMantissa64:
      return 8;
    case SbeType::kExponent8:
    case SbeType::kBoolEnum:
      return 1;
    case SbeType::kConstant:
      return 0;
  }
  return 0;
}

struct SbeField {
  std::string_view name;
  SbeType type;
};

/// The bytes of a block as this version knows it; a later version may have more behind them.
constexpr size_t block_bytes_of(std::span<const SbeField> fields) {
  size_t bytes = 0;
  for (const SbeField& field : fields) bytes += bytes_of(field.type);
  return bytes;
}

struct SbeGroup {
  std::string_view name;
  size_t count_bytes;  ///< of numInGroup, which follows a blockLength of two bytes
  std::span<const SbeField> fields;
};

/// A root block, groups, and last the symbol: one byte of length and UTF-8.
struct SbeMessage {
  std::string_view name;
  uint16_t template_id;
  std::span<const SbeField> fields;
  std::span<const SbeGroup> groups;
};

inline constexpr uint16_t kSbeTrades = 10000;
inline constexpr uint16_t kSbeBestBidAsk = 10001;
inline constexpr uint16_t kSbeDepthSnapshot = 10002;
inline constexpr uint16_t kSbeDepthDiff = 10003;

inline constexpr std::array kSbeTradesFields{
    SbeField{"eventTime", SbeType::kUtcTimestampUs},
    SbeField{"transactTime", SbeType::kUtcTimestampUs},
    SbeField{"priceExponent", SbeType::kExponent8},
    SbeField{"qtyExponent", SbeType::kExponent8},
};
inline constexpr std::array kSbeTradeFields{
    SbeField{"id", SbeType::kTradeId},           SbeField{"price", SbeType::kMantissa64},
    SbeField{"qty", SbeType::kMantissa64},       SbeField{"isBuyerMaker", SbeType::kBoolEnum},
    SbeField{"isBestMatch", SbeType::kConstant},
};
inline constexpr std::array kSbeTradesGroups{SbeGroup{"trades", 4, kSbeTradeFields}};

inline constexpr std::array kSbeBestBidAskFields{
    SbeField{"eventTime", SbeType::kUtcTimestampUs}, SbeField{"bookUpdateId", SbeType::kUpdateId},
    SbeField{"priceExponent", SbeType::kExponent8},  SbeField{"qtyExponent", SbeType::kExponent8},
    SbeField{"bidPrice", SbeType::kMantissa64},      SbeField{"bidQty", SbeType::kMantissa64},
    SbeField{"askPrice", SbeType::kMantissa64},      SbeField{"askQty", SbeType::kMantissa64},
};

inline constexpr std::array kSbeDepthSnapshotFields{
    SbeField{"eventTime", SbeType::kUtcTimestampUs},
    SbeField{"bookUpdateId", SbeType::kUpdateId},
    SbeField{"priceExponent", SbeType::kExponent8},
    SbeField{"qtyExponent", SbeType::kExponent8},
};
inline constexpr std::array kSbeDepthDiffFields{
    SbeField{"eventTime", SbeType::kUtcTimestampUs},
    SbeField{"firstBookUpdateId", SbeType::kUpdateId},
    SbeField{"lastBookUpdateId", SbeType::kUpdateId},
    SbeField{"priceExponent", SbeType::kExponent8},
    SbeField{"qtyExponent", SbeType::kExponent8},
};
inline constexpr std::array kSbeLevelFields{
    SbeField{"price", SbeType::kMantissa64},
    SbeField{"qty", SbeType::kMantissa64},
};
inline constexpr std::array kSbeDepthGroups{SbeGroup{"bids", 2, kSbeLevelFields},
                                            SbeGroup{"asks", 2, kSbeLevelFields}};

inline constexpr std::array kSbeMessages{
    SbeMessage{"TradesStreamEvent", kSbeTrades, kSbeTradesFields, kSbeTradesGroups},
    SbeMessage{"BestBidAskStreamEvent", kSbeBestBidAsk, kSbeBestBidAskFields, {}},
    SbeMessage{"DepthSnapshotStreamEvent", kSbeDepthSnapshot, kSbeDepthSnapshotFields,
               kSbeDepthGroups},
    SbeMessage{"DepthDiffStreamEvent", kSbeDepthDiff, kSbeDepthDiffFields, kSbeDepthGroups},
};

}  // namespace tapeworks::recorder
