#include "recorder/protocol/json_document.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <simdjson.h>

namespace tapeworks::recorder {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The number grammar of RFC 8259: the parser hands over the token unchecked.
bool is_json_number(std::string_view token) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < token.size() && is_digit(token[at])) ++at;
    return at - begin;
  };
  if (token.starts_with('-')) ++at;
  const bool leading_zero = at < token.size() && token[at] == '0';
  const size_t whole_digits = digits();
  if (whole_digits == 0 || (leading_zero && whole_digits > 1)) return false;
  if (at < token.size() && token[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    ++at;
    if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == token.size();
}

std::string_view without_trailing_space(std::string_view token) {
  const size_t last = token.find_last_not_of(" \t\r\n");
  return token.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// Walks a whole document, because On-Demand checks only what is asked for, and writes it down
/// flat.
class Walk {
 public:
  explicit Walk(std::vector<JsonNode>& nodes) : nodes_(nodes) {}

  Status document(ondemand::document& document) {
    ondemand::json_type type{};
    TW_TRY(checked(document.type().get(type)));
    if (type == ondemand::json_type::array) {
      ondemand::array array;
      TW_TRY(checked(document.get_array().get(array)));
      TW_TRY(add_array(array, 1));
    } else if (type == ondemand::json_type::object) {
      ondemand::object object;
      TW_TRY(checked(document.get_object().get(object)));
      TW_TRY(add_object(object, 1));
    } else {
      return corrupt("the frame is no JSON object or array");
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      return corrupt("the frame goes on after its JSON value");
    }
    return {};
  }

 private:
  static Status checked(error_code code) {
    if (code == simdjson::SUCCESS) return {};
    return corrupt("the frame is not valid JSON: {}", simdjson::error_message(code));
  }

  Status add_value(ondemand::value value, int depth) {
    ondemand::json_type type{};
    TW_TRY(checked(value.type().get(type)));
    switch (type) {
      case ondemand::json_type::array: {
        ondemand::array array;
        TW_TRY(checked(value.get_array().get(array)));
        return add_array(array, depth + 1);
      }
      case ondemand::json_type::object: {
        ondemand::object object;
        TW_TRY(checked(value.get_object().get(object)));
        return add_object(object, depth + 1);
      }
      case ondemand::json_type::number: {
        const std::string_view token = without_trailing_space(value.raw_json_token());
        if (!is_json_number(token)) return corrupt("the frame is not valid JSON: a bad number");
        return add_scalar(JsonType::kNumber, token);
      }
      case ondemand::json_type::string: {
        std::string_view text;
        TW_TRY(checked(value.get_string().get(text)));
        return add_scalar(JsonType::kString, text);
      }
      case ondemand::json_type::boolean: {
        bool truth = false;
        TW_TRY(checked(value.get_bool().get(truth)));
        return add_scalar(truth ? JsonType::kTrue : JsonType::kFalse, {});
      }
      case ondemand::json_type::null: {
        bool null = false;
        TW_TRY(checked(value.is_null().get(null)));
        if (!null) return corrupt("the frame is not valid JSON: a bad literal");
        return add_scalar(JsonType::kNull, {});
      }
    }
    return corrupt("the frame is not valid JSON: an unknown kind of value");
  }

  Status add_array(ondemand::array array, int depth) {
    TW_ASSIGN(const size_t at, open(JsonType::kArray, depth));
    for (auto element : array) {
      ondemand::value value;
      TW_TRY(checked(element.get(value)));
      TW_TRY(add_value(value, depth));
      ++nodes_[at].size;
    }
    nodes_[at].next = static_cast<uint32_t>(nodes_.size());
    return {};
  }

  Status add_object(ondemand::object object, int depth) {
    TW_ASSIGN(const size_t at, open(JsonType::kObject, depth));
    for (auto member : object) {
      ondemand::field field;
      TW_TRY(checked(std::move(member).get(field)));
      std::string_view key;
      TW_TRY(checked(field.unescaped_key().get(key)));
      if (JsonValue(nodes_.data(), static_cast<uint32_t>(at))[key].type() != JsonType::kMissing) {
        return corrupt("the frame has two members of the same name in one object");
      }
      TW_TRY(add_scalar(JsonType::kString, key));
      TW_TRY(add_value(field.value(), depth));
      if (++nodes_[at].size > JsonDocument::kMembersMax) {
        return corrupt("the frame has an object of more than {} members",
                       JsonDocument::kMembersMax);
      }
    }
    nodes_[at].next = static_cast<uint32_t>(nodes_.size());
    return {};
  }

  Result<size_t> open(JsonType type, int depth) {
    if (depth > JsonDocument::kDepthMax) {
      return corrupt("the frame nests deeper than {} levels", JsonDocument::kDepthMax);
    }
    TW_TRY(add_scalar(type, {}));
    return nodes_.size() - 1;
  }

  Status add_scalar(JsonType type, std::string_view text) {
    if (nodes_.size() >= JsonDocument::kNodesMax) {
      return corrupt("the frame has more than {} JSON values", JsonDocument::kNodesMax);
    }
    nodes_.push_back({type, 0, static_cast<uint32_t>(nodes_.size() + 1), text});
    return {};
  }

  std::vector<JsonNode>& nodes_;
};

}  // namespace

struct JsonDocument::Parser {
  ondemand::parser parser;
  // The frame with the bytes behind it that the parser may read; number tokens point into it.
  std::vector<char> padded;
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
  auto& padded = parser_->padded;
  if (padded.size() < text.size() + simdjson::SIMDJSON_PADDING) {
    padded.resize(text.size() + simdjson::SIMDJSON_PADDING);
  }
  std::ranges::copy(text, padded.begin());
  std::memset(padded.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  ondemand::document document;
  if (const error_code code =
          parser_->parser
              .iterate(simdjson::padded_string_view(padded.data(), text.size(), padded.size()))
              .get(document)) {
    return corrupt("the frame is not valid JSON: {}", simdjson::error_message(code));
  }
  Status walked = Walk(nodes_).document(document);
  if (!walked) nodes_.clear();
  return walked;
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

JsonValue JsonValue::operator[](std::string_view key) const {
  if (!is_object()) return {};
  uint32_t at = at_ + 1;
  for (uint32_t member = 0; member < nodes_[at_].size; ++member) {
    const uint32_t value = at + 1;
    if (nodes_[at].text == key) return {nodes_, value};
    at = nodes_[value].next;
  }
  return {};
}

}  // namespace tapeworks::recorder
