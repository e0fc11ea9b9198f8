#include "pipeline/broker_report_name.h"

#include <algorithm>

#include <fmt/format.h>

namespace tapeworks {
namespace {

constexpr size_t kCompactDayBytes = 8;
constexpr size_t kSymbolDigitsMin = 4;
constexpr size_t kSymbolDigitsMax = 6;
constexpr size_t kSymbolLettersMax = 2;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::optional<Day> plausible_day(std::string_view year, std::string_view month,
                                 std::string_view day) {
  if (year < "1990" || year > "2199") return std::nullopt;
  return parse_day(fmt::format("{}-{}-{}", year, month, day));
}

bool looks_like_symbol(std::string_view word) {
  const auto digits = static_cast<size_t>(std::ranges::find_if_not(word, is_digit) - word.begin());
  const std::string_view rest = word.substr(digits);
  return digits >= kSymbolDigitsMin && digits <= kSymbolDigitsMax &&
         rest.size() <= kSymbolLettersMax && std::ranges::all_of(rest, is_letter);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const auto is_word = [](char c) { return is_digit(c) || is_letter(c); };
    const auto begin = std::ranges::find_if(text.substr(at), is_word);
    at = static_cast<size_t>(begin - text.begin());
    const auto end = std::ranges::find_if_not(text.substr(at), is_word);
    const auto bytes = static_cast<size_t>(end - text.begin()) - at;
    if (bytes > 0) words.push_back(text.substr(at, bytes));
    at += bytes;
  }
  return words;
}

}  // namespace

bool BrokerReportName::allows(std::string_view symbol) const {
  return symbols.empty() || std::ranges::find(symbols, upper_case(symbol)) != symbols.end();
}

BrokerReportName parse_report_name(std::string_view file_name) {
  const std::string_view stem = file_name.substr(0, file_name.rfind('.'));
  const std::vector<std::string_view> words = words_of(stem);
  BrokerReportName name;
  for (size_t i = 0; i < words.size(); ++i) {
    std::optional<Day> day;
    if (words[i].size() == kCompactDayBytes) {
      day = plausible_day(words[i].substr(0, 4), words[i].substr(4, 2), words[i].substr(6, 2));
    } else if (i + 2 < words.size() && words[i].size() == 4) {
      day = plausible_day(words[i], words[i + 1], words[i + 2]);
      if (day) i += 2;
    }
    if (day) {
      name.days.push_back(*day);
    } else if (looks_like_symbol(words[i])) {
      name.symbols.push_back(upper_case(words[i]));
    }
  }
  std::ranges::sort(name.days);
  const auto repeated = std::ranges::unique(name.days);
  name.days.erase(repeated.begin(), repeated.end());
  return name;
}

}  // namespace tapeworks
