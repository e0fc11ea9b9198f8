#include "recorder/protocol/json_list.h"

namespace tapeworks::recorder {
namespace {

constexpr size_t kNone = std::string_view::npos;

size_t skip_space(std::string_view text, size_t at) {
  const size_t next = text.find_first_not_of(" \t\r\n", at);
  return next == kNone ? text.size() : next;
}

/// Behind the closing quote; kNone without one.
size_t skip_string(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return kNone;
}

/// Behind the value that begins at `at`; kNone when it does not end.
size_t skip_value(std::string_view text, size_t at) {
  if (at >= text.size()) return kNone;
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] != '[' && text[at] != '{') {
    const size_t end = text.find_first_of(",]} \t\r\n", at);
    return end == at ? kNone : end;
  }
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == kNone) return kNone;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    ++at;
    if ((c == ']' || c == '}') && --depth == 0) return at;
  }
  return kNone;
}

/// The beginning of the value of a member of the object; kNone without one.
size_t find_member(std::string_view text, std::string_view key) {
  size_t at = skip_space(text, 0);
  if (at >= text.size() || text[at] != '{') return kNone;
  while (true) {
    at = skip_space(text, at + 1);
    if (at >= text.size() || text[at] != '"') return kNone;
    const size_t end = skip_string(text, at);
    if (end == kNone) return kNone;
    const std::string_view name = text.substr(at + 1, end - at - 2);
    at = skip_space(text, end);
    if (at >= text.size() || text[at] != ':') return kNone;
    at = skip_space(text, at + 1);
    if (name == key) return at;
    at = skip_value(text, at);
    if (at == kNone) return kNone;
    at = skip_space(text, at);
    if (at >= text.size() || text[at] != ',') return kNone;
  }
}

/// The beginning of the list that the members lead to; kNone without one.
size_t find_list(std::string_view body, std::span<const std::string_view> members) {
  size_t at = skip_space(body, 0);
  for (const std::string_view member : members) {
    const size_t value = find_member(body.substr(at), member);
    if (value == kNone) return kNone;
    at += value;
  }
  return at < body.size() && body[at] == '[' ? at : kNone;
}

}  // namespace

Status for_each_list_entry(std::string_view body, std::span<const std::string_view> members,
                           std::string_view name,
                           const std::function<Status(std::string_view entry)>& visit) {
  size_t at = find_list(body, members);
  if (at == kNone) {
    return corrupt("the reply has no list of {}; it begins with '{}'", name,
                   body.substr(0, body.find_first_of("\r\n")).substr(0, 100));
  }
  at = skip_space(body, at + 1);
  if (at < body.size() && body[at] == ']') return {};
  for (size_t count = 0;; ++count) {
    const size_t end = skip_value(body, at);
    if (end == kNone) return corrupt("the list of {} ends in the middle", name);
    const std::string_view entry = body.substr(at, end - at);
    if (entry.size() > kListEntryBytesMax || count == kListEntriesMax) {
      return corrupt("the list of {} is longer than {} entries of {} bytes", name, kListEntriesMax,
                     kListEntryBytesMax);
    }
    TW_TRY(visit(entry));
    at = skip_space(body, end);
    if (at < body.size() && body[at] == ']') return {};
    if (at >= body.size() || body[at] != ',') {
      return corrupt("the list of {} ends in the middle", name);
    }
    at = skip_space(body, at + 1);
  }
}

}  // namespace tapeworks::recorder
