#include <algorithm>
#include <charconv>
#include <utility>

#include "recorder/config/config_value_internal.h"

namespace tapeworks::recorder {
namespace {

constexpr std::array kLayouts{EnumName{OutputLayout::kSymbol, "symbol"},
                              EnumName{OutputLayout::kMarket, "market"},
                              EnumName{OutputLayout::kExchange, "exchange"}};
constexpr std::array kSyncModes{EnumName{WalSyncMode::kEvery, "every"},
                                EnumName{WalSyncMode::kGroup, "group"},
                                EnumName{WalSyncMode::kNone, "none"}};
constexpr std::array kArchives{EnumName{WalArchive::kZstd, "zstd"},
                               EnumName{WalArchive::kNone, "none"}};
constexpr std::array kLossPolicies{
    EnumName{LossPolicy::kWal, "wal"}, EnumName{LossPolicy::kBlock, "block"},
    EnumName{LossPolicy::kExit, "exit"}, EnumName{LossPolicy::kDrop, "drop"}};
constexpr std::array kBlockTimeoutActions{EnumName{BlockTimeoutAction::kReconnect, "reconnect"},
                                          EnumName{BlockTimeoutAction::kExit, "exit"}};
constexpr std::array kDiskFullActions{EnumName{DiskFullAction::kWait, "wait"},
                                      EnumName{DiskFullAction::kExit, "exit"}};
constexpr std::array kStatusFormats{EnumName{StatusFormat::kText, "text"},
                                    EnumName{StatusFormat::kJson, "json"}};

/// What a value is, for "must be text, not a number".
const char* kind_of(const ConfigValue& value) {
  static constexpr std::array kKinds{"text", "a number", "a truth value", "a list"};
  return kKinds[value.content.index()];
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::span<const EnumName<OutputLayout>> names_of(OutputLayout) { return kLayouts; }
std::span<const EnumName<WalSyncMode>> names_of(WalSyncMode) { return kSyncModes; }
std::span<const EnumName<WalArchive>> names_of(WalArchive) { return kArchives; }
std::span<const EnumName<LossPolicy>> names_of(LossPolicy) { return kLossPolicies; }
std::span<const EnumName<BlockTimeoutAction>> names_of(BlockTimeoutAction) {
  return kBlockTimeoutActions;
}
std::span<const EnumName<DiskFullAction>> names_of(DiskFullAction) { return kDiskFullActions; }
std::span<const EnumName<StatusFormat>> names_of(StatusFormat) { return kStatusFormats; }

Result<std::string> text_of(const ConfigValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.content)) return *text;
  return invalid_argument("must be text in quotes, not {}", kind_of(value));
}

Status read_value(const ConfigValue& value, std::string& field) {
  TW_ASSIGN(field, text_of(value));
  return {};
}

Status read_value(const ConfigValue& value, std::filesystem::path& field) {
  TW_ASSIGN(const std::string text, text_of(value));
  if (text.empty()) return invalid_argument("must not be empty");
  field = text;
  return {};
}

Status read_value(const ConfigValue& value, ByteSize& field) {
  if (!std::holds_alternative<std::string>(value.content)) {
    return invalid_argument("must be a size with its unit, like \"64MiB\"");
  }
  TW_ASSIGN(field.bytes, parse_byte_size(std::get<std::string>(value.content)));
  return {};
}

Status read_value(const ConfigValue& value, Duration& field) {
  if (!std::holds_alternative<std::string>(value.content)) {
    return invalid_argument("must be a duration with its unit, like \"10ms\" or \"5m\"");
  }
  const auto& text = std::get<std::string>(value.content);
  TW_ASSIGN(const Duration duration, parse_duration(text));
  if (duration > kDurationMax) {
    return invalid_argument("must be at most {}h (100 years), not '{}'", kDurationMax.count(),
                            text);
  }
  field = duration;
  return {};
}

Status read_value(const ConfigValue& value, uint64_t& field) {
  if (const auto* number = std::get_if<int64_t>(&value.content); number && *number >= 0) {
    field = static_cast<uint64_t>(*number);
    return {};
  }
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    const char* const end = text->data() + text->size();
    if (const auto [rest, error] = std::from_chars(text->data(), end, field);
        error == std::errc{} && rest == end) {
      return {};
    }
  }
  return invalid_argument("must be a number that is not negative");
}

Status read_value(const ConfigValue& value, bool& field) {
  if (const auto* truth = std::get_if<bool>(&value.content)) {
    field = *truth;
    return {};
  }
  if (const auto* text = std::get_if<std::string>(&value.content);
      text && (*text == "true" || *text == "false")) {
    field = *text == "true";
    return {};
  }
  return invalid_argument("must be true or false");
}

Status read_value(const ConfigValue& value, std::vector<std::string>& field) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&value.content)) {
    field = *list;
    return {};
  }
  if (const auto* text = std::get_if<std::string>(&value.content)) {
    field = split_list(*text);
    return {};
  }
  return invalid_argument("must be a list of texts, like [\"BTCUSDT\", \"ETHUSDT\"]");
}

Status read_value(const ConfigValue& value, std::vector<Stream>& field) {
  std::vector<std::string> texts;
  TW_TRY(read_value(value, texts));
  field.clear();
  for (const std::string& text : texts) {
    const auto* const known =
        std::ranges::find(kStreams, text, [](Stream s) { return name_of(s); });
    if (known == kStreams.end()) {
      return invalid_argument("has the stream '{}', which is not one of book, l5, trade", text);
    }
    if (std::ranges::find(field, *known) != field.end()) {
      return invalid_argument("names the stream {} twice", text);
    }
    field.push_back(*known);
  }
  return {};
}

std::string show_value(const std::string& field) { return "\"" + field + "\""; }
std::string show_value(const std::filesystem::path& field) { return show_value(field.string()); }

std::string show_value(const ByteSize& field) {
  static constexpr std::array<std::pair<uint64_t, const char*>, 3> kUnits{
      {{kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}}};
  for (const auto& [unit, name] : kUnits) {
    if (field.bytes != 0 && field.bytes % unit == 0) {
      return fmt::format("\"{}{}\"", field.bytes / unit, name);
    }
  }
  return fmt::format("\"{}B\"", field.bytes);
}

std::string show_value(const Duration& field) {
  static constexpr std::array<std::pair<int64_t, const char*>, 3> kUnits{
      {{3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}}};
  for (const auto& [unit, name] : kUnits) {
    if (field.count() != 0 && field.count() % unit == 0) {
      return fmt::format("\"{}{}\"", field.count() / unit, name);
    }
  }
  return fmt::format("\"{}ms\"", field.count());
}

std::string show_value(uint64_t field) { return std::to_string(field); }
std::string show_value(bool field) { return field ? "true" : "false"; }

std::string show_value(const std::vector<std::string>& field) {
  std::string shown;
  for (const std::string& text : field) shown += (shown.empty() ? "" : ", ") + show_value(text);
  return "[" + shown + "]";
}

std::string show_value(const std::vector<Stream>& field) {
  std::vector<std::string> texts;
  for (const Stream stream : field) texts.emplace_back(name_of(stream));
  return show_value(texts);
}

}  // namespace tapeworks::recorder
