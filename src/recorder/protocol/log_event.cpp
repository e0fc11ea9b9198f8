#include "recorder/protocol/log_event.h"

#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/utf8.h"

namespace tapeworks::recorder {
namespace {

class ObjectWriter {
 public:
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    begin(key);
    quote(value);
  }
  void number(std::string_view key, const std::optional<int64_t>& value) {
    if (!value) return;
    begin(key);
    json_ += fmt::format("{}", *value);
  }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    if (values.empty()) return;
    begin(key);
    json_ += '[';
    for (const std::string& value : values) {
      if (json_.back() != '[') json_ += ',';
      quote(value);
    }
    json_ += ']';
  }
  std::string finish() && { return std::move(json_) + "}"; }

 private:
  void begin(std::string_view key) {
    if (json_.size() > 1) json_ += ',';
    quote(key);
    json_ += ':';
  }
  void quote(std::string_view text) {
    json_ += '"';
    // Bytes that are no UTF-8 would make the whole event unreadable: they are taken for Latin-1.
    const bool is_valid = is_utf8(text);
    for (const char byte : text) {
      if (byte == '"' || byte == '\\') {
        json_ += '\\';
        json_ += byte;
      } else if (static_cast<unsigned char>(byte) < 0x20 || (byte < 0 && !is_valid)) {
        json_ += fmt::format("\\u{:04x}", static_cast<unsigned char>(byte));
      } else {
        json_ += byte;
      }
    }
    json_ += '"';
  }

  std::string json_ = "{";
};

std::optional<int64_t> number_of(JsonValue value) {
  const std::string_view text = value.is_number() ? value.text() : std::string_view();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::string text_of(JsonValue value) {
  return value.is_string() ? std::string(value.text()) : std::string();
}

constexpr std::array<std::pair<std::string_view, int64_t RowRules::*>, 4> kRuleKeys{
    {{"grace_ns", &RowRules::grace_ns},
     {"row_group_rows", &RowRules::row_group_rows},
     {"max_time_skew_ns", &RowRules::max_time_skew_ns},
     {"dedupe_window_rows", &RowRules::dedupe_window_rows}}};

/// All of them or none: a part would be no recorder's rules.
std::optional<RowRules> rules_of(JsonValue root) {
  RowRules rules;
  for (const auto& [key, field] : kRuleKeys) {
    const auto number = number_of(root[key]);
    if (!number || *number < 0) return std::nullopt;
    rules.*field = *number;
  }
  const bool is_possible = rules.row_group_rows > 0 && rules.dedupe_window_rows > 0 &&
                           rules.dedupe_window_rows <= RowRules::kDedupeWindowRowsMax;
  return is_possible ? std::optional(rules) : std::nullopt;
}

}  // namespace

std::string_view name_of(LogKind kind) {
  switch (kind) {
    case LogKind::kFrame:
      return "frame";
    case LogKind::kHeartbeat:
      return "heartbeat";
    case LogKind::kStart:
      return "start";
    case LogKind::kStop:
      return "stop";
    case LogKind::kConnect:
      return "connect";
    case LogKind::kDisconnect:
      return "disconnect";
    case LogKind::kSubscription:
      return "subscription";
    case LogKind::kConfiguration:
      return "configuration";
    case LogKind::kClockStep:
      return "clock_step";
    case LogKind::kRestReply:
      return "rest_reply";
    case LogKind::kLegSwitch:
      return "leg_switch";
    case LogKind::kDrop:
      return "drop";
    case LogKind::kNotice:
      return "notice";
    case LogKind::kSymbol:
      return "symbol";
    case LogKind::kBackfill:
      return "backfill";
  }
  return {};
}

std::optional<LogKind> find_log_kind(uint8_t number) {
  for (const LogKind kind : kLogKinds) {
    if (static_cast<uint8_t>(kind) == number) return kind;
  }
  return std::nullopt;
}

std::optional<LogSource> decode_source(uint16_t number) {
  const auto venue = static_cast<size_t>(number & 0xffU);
  const auto leg = static_cast<uint8_t>(number >> 8U);
  if (venue >= kVenues.size() || leg > 1) return std::nullopt;
  return LogSource{kVenues[venue], leg};
}

std::string encode_log_event(const LogEvent& event) {
  ObjectWriter object;
  object.text("cause", event.cause);
  object.text("detail", event.detail);
  object.text("url", event.url);
  object.text("version", event.version);
  if (event.stream) object.text("stream", name_of(*event.stream));
  object.texts("symbols", event.symbols);
  object.number("count", event.count);
  object.number("from_time_ns", event.from_time_ns);
  object.number("to_time_ns", event.to_time_ns);
  object.number("from_sequence", event.from_sequence);
  object.number("to_sequence", event.to_sequence);
  object.text("layout", event.layout);
  if (event.rules) {
    for (const auto& [key, field] : kRuleKeys) object.number(key, (*event.rules).*field);
  }
  return std::move(object).finish();
}

Result<LogEvent> decode_log_event(std::string_view payload, JsonDocument& document) {
  LogEvent event;
  if (payload.empty()) return event;
  TW_TRY(document.parse(payload));
  const JsonValue root = document.root();
  if (!root.is_object()) return corrupt("an event of the recorder must be a JSON object");
  event.cause = text_of(root["cause"]);
  event.detail = text_of(root["detail"]);
  event.url = text_of(root["url"]);
  event.version = text_of(root["version"]);
  for (const Stream stream : kStreams) {
    if (name_of(stream) == root["stream"].text()) event.stream = stream;
  }
  const JsonValue symbols = root["symbols"];
  JsonValue symbol = symbols.first();
  for (size_t i = 0; symbols.is_array() && i < symbols.size(); ++i, symbol = symbol.after()) {
    if (symbol.is_string()) event.symbols.emplace_back(symbol.text());
  }
  event.count = number_of(root["count"]);
  event.from_time_ns = number_of(root["from_time_ns"]);
  event.to_time_ns = number_of(root["to_time_ns"]);
  event.from_sequence = number_of(root["from_sequence"]);
  event.to_sequence = number_of(root["to_sequence"]);
  event.layout = text_of(root["layout"]);
  event.rules = rules_of(root);
  return event;
}

}  // namespace tapeworks::recorder
