#include "recorder/protocol/json_document.h"

#include <array>
#include <string>
#include <utility>

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace tapeworks::recorder {
namespace {

using Reader = rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>>;

constexpr unsigned kParseFlags =
    rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag;

/// Most names have one letter or differ in the first.
bool is_name(std::string_view name, std::string_view wanted) {
  if (name.size() != wanted.size()) return false;
  return name.empty() || (name.front() == wanted.front() && name == wanted);
}

/// Writes the events of the parser down flat. Every member returns whether to go on.
class NodeWriter {
 public:
  NodeWriter(std::vector<JsonNode>& nodes, std::string& texts) : nodes_(nodes), texts_(texts) {}

  bool Null() { return add_scalar(JsonType::kNull, {}); }
  bool Bool(bool truth) { return add_scalar(truth ? JsonType::kTrue : JsonType::kFalse, {}); }
  bool RawNumber(const char* text, uint32_t length, bool) {
    return add_scalar(JsonType::kNumber, keep({text, length}));
  }
  bool String(const char* text, uint32_t length, bool) {
    return add_scalar(JsonType::kString, keep({text, length}));
  }
  bool StartObject() { return open(JsonType::kObject); }
  bool StartArray() { return open(JsonType::kArray); }
  bool EndObject(uint32_t) { return close(); }
  bool EndArray(uint32_t) { return close(); }

  bool Key(const char* text, uint32_t length, bool) {
    const uint32_t object = open_.back();
    const std::string_view name(text, length);
    if (may_be_there(name) && JsonValue(nodes_.data(), object)[name].type() != JsonType::kMissing) {
      return stop("the frame has two members of the same name in one object");
    }
    if (nodes_[object].size == JsonDocument::kMembersMax) {
      return stop(fmt::format("the frame has an object of more than {} members",
                              JsonDocument::kMembersMax));
    }
    return add_node({JsonType::kString, 0, 0, keep(name)});
  }

  // Numbers come as they are written.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  /// Why a member returned false.
  const std::string& reason() const { return reason_; }

 private:
  /// False when the innermost object certainly has no member `name` yet; notes it.
  bool may_be_there(std::string_view name) {
    uint64_t& seen = seen_[open_.size() - 1];
    const size_t letters = name.empty()
                               ? 0
                               : size_t{static_cast<unsigned char>(name.front())} * 5 +
                                     static_cast<unsigned char>(name.back()) + name.size() * 11;
    const uint64_t bit = uint64_t{1} << (letters % 64);
    return (std::exchange(seen, seen | bit) & bit) != 0;
  }

  /// A copy that stays: all texts of a frame are not longer than the frame.
  std::string_view keep(std::string_view text) {
    const size_t begin = texts_.size();
    texts_.append(text);
    return std::string_view(texts_).substr(begin);
  }

  bool stop(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  bool add_node(const JsonNode& node) {
    if (nodes_.size() >= JsonDocument::kNodesMax) {
      return stop(fmt::format("the frame has more than {} JSON values", JsonDocument::kNodesMax));
    }
    nodes_.push_back(node);
    nodes_.back().next = static_cast<uint32_t>(nodes_.size());
    return true;
  }

  bool add_scalar(JsonType type, std::string_view text) {
    if (open_.empty()) return stop("the frame is no JSON object or array");
    ++nodes_[open_.back()].size;
    return add_node({type, 0, 0, text});
  }

  bool open(JsonType type) {
    if (open_.size() == JsonDocument::kDepthMax) {
      return stop(fmt::format("the frame nests deeper than {} levels", JsonDocument::kDepthMax));
    }
    if (!open_.empty()) ++nodes_[open_.back()].size;
    open_.push_back(static_cast<uint32_t>(nodes_.size()));
    seen_[open_.size() - 1] = 0;
    return add_node({type, 0, 0, {}});
  }

  bool close() {
    nodes_[open_.back()].next = static_cast<uint32_t>(nodes_.size());
    open_.pop_back();
    return true;
  }

  std::vector<JsonNode>& nodes_;
  std::string& texts_;
  std::vector<uint32_t> open_;                            // arrays and objects that have not ended
  std::array<uint64_t, JsonDocument::kDepthMax> seen_{};  // of each, which names it may have
  std::string reason_;
};

}  // namespace

struct JsonDocument::Parser {
  Reader reader;
  std::string texts;  // what the nodes point into
};

JsonDocument::JsonDocument() : parser_(std::make_unique<Parser>()) {}
JsonDocument::~JsonDocument() = default;
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;

Status JsonDocument::parse(std::string_view text) {
  nodes_.clear();
  if (text.size() > kTextBytesMax) {
    return corrupt("the frame has {} bytes, {} are the most", text.size(), kTextBytesMax);
  }
  parser_->texts.clear();
  parser_->texts.reserve(text.size());
  NodeWriter writer(nodes_, parser_->texts);
  rapidjson::MemoryStream stream(text.data(), text.size());
  const rapidjson::ParseResult parsed = parser_->reader.Parse<kParseFlags>(stream, writer);
  if (!parsed.IsError()) {
    // The parser takes a zero byte for the end.
    if (stream.Tell() == text.size()) return {};
    nodes_.clear();
    return corrupt("the frame is not valid JSON: a zero byte at {}", stream.Tell());
  }
  nodes_.clear();
  if (!writer.reason().empty()) return corrupt("{}", writer.reason());
  return corrupt("the frame is not valid JSON at byte {}: {}", parsed.Offset(),
                 rapidjson::GetParseError_En(parsed.Code()));
}

JsonValue JsonValue::operator[](std::string_view key) const {
  if (!is_object()) return {};
  uint32_t at = at_ + 1;
  for (uint32_t member = 0; member < nodes_[at_].size; ++member) {
    const uint32_t value = at + 1;
    if (is_name(nodes_[at].text, key)) return {nodes_, value};
    at = nodes_[value].next;
  }
  return {};
}

}  // namespace tapeworks::recorder
