#include "bigquery/bigquery_address.h"

#include <algorithm>

#include "base/percent_code.h"
#include "base/utf8.h"

namespace tapeworks::bigquery {
namespace {

constexpr std::string_view kScheme = "bigquery:";
constexpr const char* kForms =
    "write bigquery://PROJECT/DATASET.TABLE or bigquery://PROJECT?query=SQL";

/// What may stand in a name without ending its quotes or its place in a URL.
bool is_name(std::string_view text) {
  return !text.empty() && is_utf8(text) && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || std::string_view("`/\\?#\"'").contains(c);
  });
}

bool is_project(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

Status add_option(Address& address, std::string_view option) {
  const size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals);
  const bool is_query = key == "query";
  if (!is_query && key != "location") {
    return invalid_argument("{}: there is no option '{}'; an address takes query and location",
                            address.text(), key);
  }
  const auto value =
      equals == std::string_view::npos ? std::nullopt : percent_decoded(option.substr(equals + 1));
  if (!value || value->empty()) {
    return invalid_argument(
        "{}: option '{}' has no value that can be read; write & as %26 and % as %25",
        address.text(), key);
  }
  std::string& target = is_query ? address.query : address.location;
  if (!is_utf8(*value)) {
    return invalid_argument("{}: option '{}' is no UTF-8 text; write it in UTF-8", address.text(),
                            key);
  }
  if (!target.empty()) {
    return invalid_argument("{}: option '{}' is given twice; give it once", address.text(), key);
  }
  target = *value;
  return {};
}

}  // namespace

bool is_address(std::string_view text) { return text.starts_with(kScheme); }

std::string TableName::sql() const { return fmt::format("`{}.{}.{}`", project, dataset, table); }

TableName TableName::parse(std::string_view text) {
  while (text.starts_with('`')) text.remove_prefix(1);
  while (text.ends_with('`')) text.remove_suffix(1);
  TableName name;
  // From the end: a project may have dots.
  for (std::string* const part : {&name.table, &name.dataset}) {
    const size_t dot = text.rfind('.');
    *part = dot == std::string_view::npos ? text : text.substr(dot + 1);
    text = dot == std::string_view::npos ? std::string_view() : text.substr(0, dot);
  }
  name.project = text;
  return name;
}

std::string Address::text() const {
  std::string begin = fmt::format("bigquery://{}", project);
  if (!reads_a_table()) return begin;
  const std::string table_project = table.project == project ? "" : table.project + ".";
  return fmt::format("{}/{}{}.{}", begin, table_project, table.dataset, table.table);
}

Result<Address> Address::parse(std::string_view text) {
  Address address;
  text.remove_prefix(kScheme.size());
  if (!text.starts_with("//")) return invalid_argument("SOURCE: {}", kForms);
  text.remove_prefix(2);
  const size_t question = text.find('?');
  const std::string_view path = text.substr(0, question);
  const size_t slash = path.find('/');
  address.project = path.substr(0, slash);
  if (!is_project(address.project)) {
    return invalid_argument("SOURCE: no project stands after bigquery://; {}", kForms);
  }
  if (slash != std::string_view::npos && slash + 1 < path.size()) {
    address.table = TableName::parse(path.substr(slash + 1));
    if (address.table.project.empty()) address.table.project = address.project;
    if (!is_project(address.table.project) || !is_name(address.table.dataset) ||
        !is_name(address.table.table)) {
      return invalid_argument("SOURCE: no DATASET.TABLE stands after bigquery://{}/; {}",
                              address.project, kForms);
    }
  }
  std::string_view options =
      question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  while (!options.empty()) {
    const size_t end = options.find('&');
    TW_TRY(add_option(address, options.substr(0, end)));
    options = end == std::string_view::npos ? std::string_view() : options.substr(end + 1);
  }
  if (address.reads_a_table() == !address.query.empty()) {
    return invalid_argument("{}: give what to read, either DATASET.TABLE or query=SQL",
                            address.text());
  }
  return address;
}

}  // namespace tapeworks::bigquery
