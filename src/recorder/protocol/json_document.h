#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tapeworks::recorder {

enum class JsonType : uint8_t { kMissing, kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

/// One token of a document: a scalar, or an array or object followed by what is in it.
struct JsonNode {
  JsonType type = JsonType::kMissing;
  uint32_t size = 0;      ///< elements or members
  uint32_t next = 0;      ///< index of the first node after this one and all that is in it
  std::string_view text;  ///< a number as it was written; a string without quotes and escapes
};

/// A value of a JsonDocument, or the absence of one, which has no members and no elements. So a
/// path can be followed without asking at each step. Valid as long as its document is not parsed
/// again.
class JsonValue {
 public:
  JsonValue() = default;
  JsonValue(const JsonNode* nodes, uint32_t at) : nodes_(nodes), at_(at) {}

  JsonType type() const { return nodes_ == nullptr ? JsonType::kMissing : nodes_[at_].type; }
  bool is_array() const { return type() == JsonType::kArray; }
  bool is_object() const { return type() == JsonType::kObject; }
  bool is_string() const { return type() == JsonType::kString; }
  bool is_number() const { return type() == JsonType::kNumber; }
  /// Neither missing nor null.
  bool has_value() const { return type() > JsonType::kNull; }

  /// The text of a string or number, else nothing.
  std::string_view text() const {
    return nodes_ == nullptr ? std::string_view() : nodes_[at_].text;
  }

  /// Elements or members.
  size_t size() const { return nodes_ == nullptr ? 0 : nodes_[at_].size; }

  /// The member `key` of an object.
  JsonValue operator[](std::string_view key) const;

  /// The first element of an array, and the one after `element`; use with size().
  JsonValue first() const {
    return is_array() && size() > 0 ? JsonValue(nodes_, at_ + 1) : JsonValue();
  }
  JsonValue after() const { return {nodes_, nodes_[at_].next}; }

 private:
  const JsonNode* nodes_ = nullptr;
  uint32_t at_ = 0;
};

/// A JSON text, checked from the first byte to the last before any of it is used (RFC 8259), with
/// its numbers kept as written: prices must not pass through float64, and identifiers exceed 2^53.
/// A number too large for float64 is refused all the same, as no venue can mean it.
/// An object with two members of one name is refused, because readers differ in which one counts.
///
/// Memory: at most about 20 MiB, for a text of kTextBytesMax; kept for the next text.
/// Threads: one at a time.
class JsonDocument {
 public:
  static constexpr size_t kTextBytesMax = size_t{2} * 1024 * 1024;
  static constexpr size_t kNodesMax = size_t{1} << 17;
  static constexpr uint32_t kMembersMax = 256;  ///< of one object
  static constexpr int kDepthMax = 16;

  JsonDocument();
  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;

  /// Takes over an array or an object. kCorrupt says what is wrong with the text.
  Status parse(std::string_view text);

  /// What the last parse() took over; missing after a failed one.
  JsonValue root() const { return nodes_.empty() ? JsonValue() : JsonValue(nodes_.data(), 0); }

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::vector<JsonNode> nodes_;
};

}  // namespace tapeworks::recorder
