#define TOML_EXCEPTIONS 0
// The library asserts what it then reports as an error, e.g. that a name follows "[[": a wrong
// configuration must end in a sentence in every build.
#define TOML_ASSERT(expression) static_assert(true)
#include <algorithm>
#include <optional>

#include <toml++/toml.h>

#include "recorder/config/config_value_internal.h"

namespace tapeworks::recorder {
namespace {

class DocumentReader {
 public:
  explicit DocumentReader(const std::string& file_name) : file_name_(file_name) {}

  Result<TomlDocument> read(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const std::string section(name.str());
      if (section == "feed") {
        TW_TRY(read_feeds(node));
      } else if (const auto* table = node.as_table()) {
        TW_TRY(read_table(*table, section, 0));
      } else {
        return invalid_argument("{}: the key {} stands in no section; write [output], [wal], ...",
                                where(node), section);
      }
    }
    return std::move(document_);
  }

 private:
  std::string where(const toml::node& node) const {
    return fmt::format("{}:{}", file_name_, node.source().begin.line);
  }

  Status read_feeds(const toml::node& node) {
    const auto* const feeds = node.as_array();
    if (feeds == nullptr || !feeds->is_homogeneous<toml::table>()) {
      return invalid_argument("{}: feeds are written as blocks that begin with [[feed]]",
                              where(node));
    }
    for (const toml::node& feed : *feeds) {
      const size_t index = document_.feed_lines.size();
      document_.feed_lines.push_back(feed.source().begin.line);
      TW_TRY(read_table(*feed.as_table(), "feed", index));
    }
    return {};
  }

  Status read_table(const toml::table& table, const std::string& section, size_t feed) {
    for (const auto& [name, node] : table) {
      ConfigEntry entry{section, feed, std::string(name.str()), {{}, where(node)}};
      if (!read_node(node, entry.value)) {
        return invalid_argument(
            "{}: {}.{} must be text, a whole number, a truth value or a list "
            "of texts",
            where(node), section, entry.key);
      }
      document_.entries.push_back(std::move(entry));
    }
    return {};
  }

  static bool read_node(const toml::node& node, ConfigValue& value) {
    if (const auto* text = node.as_string()) {
      value.content = text->get();
    } else if (const auto* number = node.as_integer()) {
      value.content = number->get();
    } else if (const auto* truth = node.as_boolean()) {
      value.content = truth->get();
    } else if (const auto* array = node.as_array()) {
      std::vector<std::string> texts;
      for (const toml::node& element : *array) {
        const auto* const element_text = element.as_string();
        if (element_text == nullptr) return false;
        texts.push_back(element_text->get());
      }
      value.content = std::move(texts);
    } else {
      return false;
    }
    return true;
  }

  const std::string& file_name_;
  TomlDocument document_;
};

/// Where the text that begins with a quote at `begin` ends: behind its last quote, or at the end of
/// the line or file where that is missing.
size_t end_of_quoted(std::string_view text, size_t begin) {
  const char quote = text[begin];
  const bool has_lines = text.substr(begin).starts_with(std::string(3, quote));
  const std::string closing(has_lines ? 3 : 1, quote);
  size_t at = begin + closing.size();
  while (at < text.size() && !text.substr(at).starts_with(closing)) {
    if (text[at] == '\n' && !has_lines) return at;
    at += quote == '"' && text[at] == '\\' ? 2 : 1;
  }
  at = std::min(at + closing.size(), text.size());
  // Of five quotes the first two belong to the text.
  for (int i = 0; has_lines && i < 2 && at < text.size() && text[at] == quote; ++i) ++at;
  return at;
}

/// TOML has no characters but those of ASCII outside of texts and comments. The library (3.3) looks
/// for them in a table that is too short for some, so they are looked for before it.
std::optional<size_t> first_stray_character(std::string_view text) {
  size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < text.size()) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) >= 0x80) return at;
    if (c == '"' || c == '\'') {
      at = end_of_quoted(text, at);
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else {
      ++at;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<TomlDocument> parse_toml(std::string_view text, const std::string& file_name) {
  if (const auto stray = first_stray_character(text)) {
    const std::string_view before = text.substr(0, *stray);
    const size_t line_begin = before.rfind('\n') + 1;  // 0 in the first line
    return invalid_argument(
        "{}:{}:{}: a character that is not ASCII stands outside of quotes; put the name into "
        "quotes",
        file_name, std::ranges::count(before, '\n') + 1, *stray - line_begin + 1);
  }
  const toml::parse_result parsed = toml::parse(text, file_name);
  if (!parsed) {
    const auto& error = parsed.error();
    return invalid_argument("{}:{}:{}: {}", file_name, error.source().begin.line,
                            error.source().begin.column, error.description());
  }
  return DocumentReader(file_name).read(parsed.table());
}

}  // namespace tapeworks::recorder
