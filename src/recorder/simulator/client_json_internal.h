#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tapeworks::simulator {

using Json = nlohmann::json;

/// What a client sent, if it is JSON. Nesting is limited, because printing it back recurses.
inline std::optional<Json> parse_client_json(std::string_view text) {
  constexpr int kDepthMax = 32;
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDepthMax) return std::nullopt;
  }
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

/// On one line; bytes that are no UTF-8 are replaced.
inline std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tapeworks::simulator
