#include "recorder/sink/recording_path.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/calendar_day.h"

namespace tapeworks::recorder {
namespace {

constexpr size_t kNameBytesMax = 200;
constexpr size_t kCutBytes = 180;  // leaves room for "~" and 16 digits

struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

/// Letters beyond ASCII that stay readable in a path, by block. A letter that is missing here is
/// escaped, which is longer and as reversible.
constexpr CodePointRange kLetters[] = {
    {0xc0, 0xd6},     {0xd8, 0xf6},     {0xf8, 0x24f},      {0x370, 0x373},     {0x386, 0x386},
    {0x388, 0x3ff},   {0x400, 0x481},   {0x48a, 0x52f},     {0x531, 0x556},     {0x561, 0x587},
    {0x5d0, 0x5ea},   {0x620, 0x64a},   {0x904, 0x939},     {0xe01, 0xe30},     {0x10a0, 0x10ff},
    {0x1e00, 0x1fbc}, {0x3041, 0x3096}, {0x30a1, 0x30fa},   {0x3105, 0x312f},   {0x3131, 0x318e},
    {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3},   {0xf900, 0xfad9},   {0xff21, 0xff3a},
    {0xff41, 0xff5a}, {0xff66, 0xffdc}, {0x20000, 0x2fa1d}, {0x30000, 0x323af},
};

bool is_letter(uint32_t code_point) {
  return std::ranges::any_of(kLetters, [&](const CodePointRange& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

bool is_plain(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == '.';
}

/// The bytes at the beginning of `text` that stay as they are: a plain byte or a letter, else 0.
size_t plain_length(std::string_view text) {
  if (is_plain(text[0])) return 1;
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  uint32_t code_point = lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    code_point = code_point << 6 | (byte & 0x3fU);
  }
  // An overlong form has a smaller code point than its length can have.
  constexpr std::array<uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  return code_point >= kLeast[length] && is_letter(code_point) ? length : 0;
}

void append_escaped(std::string& name, char byte) {
  fmt::format_to(std::back_inserter(name), "%{:02X}", static_cast<uint8_t>(byte));
}

/// At most `bytes_max` bytes that end neither inside a letter nor inside an escape.
size_t cut_position(std::string_view name, size_t bytes_max) {
  size_t at = 0;
  while (at < name.size()) {
    const size_t length = name[at] == '%' ? 3 : plain_length(name.substr(at));
    if (at + length > bytes_max) return at;
    at += length;
  }
  return at;
}

template <typename Number>
bool parse_digits(std::string_view text, size_t digits, Number& number) {
  if (text.size() != digits) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string_view name_of(Layout layout) {
  switch (layout) {
    case Layout::kSymbol:
      return "symbol";
    case Layout::kMarket:
      return "market";
    case Layout::kExchange:
      return "exchange";
  }
  return {};
}

std::optional<Layout> parse_layout(std::string_view name) {
  for (const Layout layout : {Layout::kSymbol, Layout::kMarket, Layout::kExchange}) {
    if (name_of(layout) == name) return layout;
  }
  return std::nullopt;
}

std::string escape_path(std::string_view symbol) {
  std::string name;
  if (symbol == "." || symbol == "..") {
    for (const char byte : symbol) append_escaped(name, byte);
    return name;
  }
  // A name that began with "_" would be taken for one of our own tables, an empty one for none.
  if (symbol.empty()) return "%";
  size_t at = 0;
  if (symbol[0] == '_' || symbol[0] == '.') append_escaped(name, symbol[at++]);
  while (at < symbol.size()) {
    const size_t length = plain_length(symbol.substr(at));
    if (length == 0) {
      append_escaped(name, symbol[at++]);
    } else {
      name += symbol.substr(at, length);
      at += length;
    }
  }
  if (name.size() <= kNameBytesMax) return name;
  name.resize(cut_position(name, kCutBytes));
  name += fmt::format("~{:016x}", XXH3_64bits(symbol.data(), symbol.size()));
  return name;
}

std::optional<std::string> unescape_path(std::string_view name) {
  if (name == "%") return "";
  std::string symbol;
  for (size_t at = 0; at < name.size();) {
    if (name[at] != '%') {
      symbol += name[at++];
      continue;
    }
    uint8_t byte = 0;
    const std::string_view digits = name.substr(at + 1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    symbol += static_cast<char>(byte);
    at += 3;
  }
  if (escape_path(symbol) != name) return std::nullopt;
  return symbol;
}

std::string date_text(int64_t time_ns) {
  return to_string(Day{static_cast<int32_t>(floor_time(time_ns, kDayNs) / kDayNs)});
}

std::string hour_text(int64_t time_ns) {
  return fmt::format("{:02}", (time_ns - floor_time(time_ns, kDayNs)) / kHourNs);
}

std::string partition_path(Layout layout, TableKind table, const PartitionName& name,
                           int64_t time_ns) {
  const std::string date = date_text(time_ns);
  if (table != TableKind::kRows && name.exchange.empty()) {
    return fmt::format("{}/{}", folder_of(table), date);
  }
  if (table != TableKind::kRows) {
    return fmt::format("{}_{}/{}/{}", name.exchange, name.market, folder_of(table), date);
  }
  const std::string hour = hour_text(time_ns);
  switch (layout) {
    case Layout::kSymbol:
      return fmt::format("{}_{}/{}/{}/{}", name.exchange, name.market, escape_path(name.symbol),
                         date, hour);
    case Layout::kMarket:
      return fmt::format("{}_{}/{}/{}", name.exchange, name.market, date, hour);
    case Layout::kExchange:
      return fmt::format("{}/{}/{}", name.exchange, date, hour);
  }
  return {};
}

std::optional<PartitionTime> parse_partition_time(std::string_view path) {
  const size_t last = path.rfind('/');
  if (last == std::string_view::npos) return std::nullopt;
  const std::string_view folder = path.substr(0, last);
  const std::string_view file = path.substr(last + 1);
  const std::string_view parent = folder.substr(folder.rfind('/') + 1);
  PartitionTime time;
  if (file.size() == 2) {
    const auto day = parse_day(parent);
    int64_t hour = 0;
    if (!day || !parse_digits(file, 2, hour) || hour > 23) return std::nullopt;
    time.begin_ns = int64_t{day->days_since_epoch} * kDayNs + hour * kHourNs;
    time.end_ns = time.begin_ns + kHourNs;
    return time;
  }
  const auto day = parse_day(file);
  if (!day) return std::nullopt;
  for (const TableKind table : kTableKinds) {
    if (table == TableKind::kRows || folder_of(table) != parent) continue;
    time.table = table;
    time.begin_ns = int64_t{day->days_since_epoch} * kDayNs;
    time.end_ns = time.begin_ns + kDayNs;
    return time;
  }
  return std::nullopt;
}

}  // namespace tapeworks::recorder
