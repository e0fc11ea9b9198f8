#include "bigquery/service_error.h"

#include <nlohmann/json.hpp>

namespace tapeworks::bigquery {
namespace {

/// Replaces `text` by a member that is a string.
void take_text(const nlohmann::json& object, const char* name, std::string& text) {
  if (!object.is_object()) return;
  const auto found = object.find(name);
  if (found != object.end() && found->is_string()) text = found->get<std::string>();
}

}  // namespace

ServiceError ServiceError::parse(const std::string& content) {
  ServiceError result;
  const auto answer = nlohmann::json::parse(content, nullptr, false);
  // Servers of tokens say only a word.
  take_text(answer, "error", result.message);
  if (!answer.is_object() || !answer.contains("error")) return result;
  const auto& error = answer["error"];
  take_text(error, "message", result.message);
  if (!error.is_object() || !error.contains("errors")) return result;
  const auto& errors = error["errors"];
  if (errors.is_array() && !errors.empty()) take_text(errors[0], "reason", result.reason);
  return result;
}

}  // namespace tapeworks::bigquery
