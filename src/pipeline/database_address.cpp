#include "pipeline/database_address.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "base/lower_case.h"
#include "base/percent_code.h"
#include "bigquery/bigquery_address.h"

namespace tapeworks {
namespace {

constexpr std::string_view kScheme = "adbc:";
constexpr std::string_view kConnectionPrefix = "connection.";
constexpr std::string_view kStatementPrefix = "statement.";
/// A piece of a password that is shorter would hide half of every message.
constexpr size_t kSecretPieceBytesMin = 4;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool names_a_credential(std::string_view key) {
  constexpr std::array<std::string_view, 12> kWords{
      "password", "passwd",  "passphrase", "pwd",        "secret",      "token",
      "apikey",   "api_key", "access_key", "credential", "private_key", "account_key"};
  const std::string lower = lower_case(key);
  return std::ranges::any_of(
      kWords, [&lower](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// "${NAME}" and nothing else.
bool is_one_variable(std::string_view text) {
  return text.size() > 3 && text.starts_with("${") && text.find('}') == text.size() - 1;
}

/// What stands before the last @ of a URL's beginning and after the first colon there.
std::string_view password_of_url(std::string_view url) {
  const size_t begin = url.find("://");
  if (begin == std::string_view::npos) return {};
  std::string_view rest = url.substr(begin + 3);
  const size_t at = rest.rfind('@');
  if (at == std::string_view::npos) return {};
  rest = rest.substr(0, at);
  const size_t colon = rest.find(':');
  return colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
}

/// A URL or a list of settings ("host=x password=y") has a credential that is written out.
bool holds_a_credential(std::string_view text) {
  const std::string_view password = password_of_url(text);
  if (!password.empty() && !is_one_variable(password)) return true;
  while (!text.empty()) {
    const size_t end = text.find_first_of("?&; \t\n");
    const std::string_view setting = text.substr(0, end);
    const size_t equals = setting.find('=');
    if (equals != std::string_view::npos && names_a_credential(setting.substr(0, equals)) &&
        !is_one_variable(setting.substr(equals + 1))) {
      return true;
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return false;
}

void add_secret(std::vector<std::string>& secrets, const std::string& value) {
  secrets.push_back(value);
  secrets.push_back(percent_encoded(value));
  if (auto decoded = percent_decoded(value)) secrets.push_back(*std::move(decoded));
}

/// A library that splits a URL at another place than its author thought tells pieces of it.
void add_password_pieces(std::vector<std::string>& secrets, std::string_view password) {
  if (password.empty()) return;
  add_secret(secrets, std::string(password));
  while (!password.empty()) {
    const size_t end = password.find_first_of("@/:?#&=");
    const std::string_view piece = password.substr(0, end);
    if (piece.size() >= kSecretPieceBytesMin) secrets.emplace_back(piece);
    if (end == std::string_view::npos) break;
    password.remove_prefix(end + 1);
  }
}

Result<std::string> variable(std::string_view name, std::string_view key) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') {
    return invalid_argument("SOURCE: option '{}' needs the environment variable {}; set it", key,
                            name);
  }
  return std::string(value);
}

/// Puts variables in. A value that is one variable is taken as it is; a variable inside a URL is
/// encoded, so that a password may have any character.
Result<std::string> expanded(std::string_view text, std::string_view key,
                             std::vector<std::string>& secrets) {
  if (text.find("${") == std::string_view::npos) return std::string(text);
  const bool alone = is_one_variable(text);
  if (!alone && text.find("://") == std::string_view::npos) {
    return invalid_argument(
        "SOURCE: option '{}' mixes a variable with other text; a variable stands alone or in a URL "
        "with ://",
        key);
  }
  std::string result;
  while (true) {
    const size_t begin = text.find("${");
    if (begin == std::string_view::npos) return result.append(text);
    const size_t end = text.find('}', begin);
    if (end == std::string_view::npos) {
      return invalid_argument("SOURCE: option '{}' has a ${{ without its }}; write ${{NAME}}", key);
    }
    TW_ASSIGN(const std::string value, variable(text.substr(begin + 2, end - begin - 2), key));
    add_secret(secrets, value);
    add_password_pieces(secrets, password_of_url(value));
    result.append(text.substr(0, begin)).append(alone ? value : percent_encoded(value));
    text.remove_prefix(end + 1);
  }
}

/// One name at the beginning of `text`, plain or quoted; its length, or 0.
size_t name_length(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == '"' || text[0] == '`') {
    const size_t end = text.find(text[0], 1);
    return end == std::string_view::npos || end == 1 ? 0 : end + 1;
  }
  if (!is_letter(text[0])) return 0;
  const auto plain = [](char c) { return is_letter(c) || is_digit(c) || c == '$'; };
  return static_cast<size_t>(std::ranges::find_if_not(text, plain) - text.begin());
}

bool is_table_name(std::string_view text) {
  while (true) {
    const size_t length = name_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
    if (text.empty()) return true;
    if (text[0] != '.') return false;
    text.remove_prefix(1);
  }
}

struct Parts {
  std::string_view driver;
  std::string_view settings;
};

Parts split(std::string_view source) {
  source.remove_prefix(kScheme.size());
  const size_t question = source.find('?');
  if (question == std::string_view::npos) return {source, {}};
  return {source.substr(0, question), source.substr(question + 1)};
}

Status add_driver_option(DatabaseOptions& options, std::string_view key, const std::string& text) {
  const bool one_variable = is_one_variable(text);
  if (!one_variable && (names_a_credential(key) || holds_a_credential(text))) {
    return invalid_argument(
        "SOURCE: option '{}' holds a credential that every user of this machine could read; put it "
        "in an environment variable and write ${{NAME}} in its place",
        key);
  }
  TW_ASSIGN(std::string value, expanded(text, key, options.secrets));
  auto* list = &options.database;
  if (key.starts_with(kConnectionPrefix)) {
    key.remove_prefix(kConnectionPrefix.size());
    list = &options.connection;
  } else if (key.starts_with(kStatementPrefix)) {
    key.remove_prefix(kStatementPrefix.size());
    list = &options.statement;
  }
  list->emplace_back(std::string(key), std::move(value));
  return {};
}

/// SQLite makes an empty database of a path that does not exist, so it is opened for reading.
void open_sqlite_read_only(DatabaseOptions& options) {
  if (lower_case(options.driver).find("sqlite") == std::string::npos) return;
  for (auto& [key, value] : options.database) {
    if (key != "uri" || value.starts_with("file:") || value.starts_with(":memory:")) continue;
    std::string path;
    for (const char c : value) {
      if (c == '%' || c == '?' || c == '#') {
        path += fmt::format("%{:02X}", static_cast<unsigned char>(c));
      } else {
        path.push_back(c);
      }
    }
    value = "file:" + path + "?mode=ro";
  }
}

Status add_setting(DatabaseAddress& address, std::string_view setting) {
  const size_t equals = setting.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return invalid_argument(
        "SOURCE: an option of a database is KEY=VALUE; write an & in a value as %26");
  }
  const std::string_view key = setting.substr(0, equals);
  const auto value = percent_decoded(setting.substr(equals + 1));
  if (!value) {
    return invalid_argument("SOURCE: option '{}' has a % that begins no code; write it as %25",
                            key);
  }
  if (value->find('\0') != std::string::npos) {
    return invalid_argument("SOURCE: option '{}' contains a NUL; remove the %00", key);
  }
  if (key == "table" || key == "query" || key == "entrypoint") {
    std::string& target = key == "table"   ? address.table
                          : key == "query" ? address.query
                                           : address.options.entrypoint;
    if (!target.empty())
      return invalid_argument("SOURCE: option '{}' is given twice; give it once", key);
    target = *value;
    return {};
  }
  return add_driver_option(address.options, key, *value);
}

}  // namespace

bool is_database_address(std::string_view source) {
  return source.starts_with(kScheme) || bigquery::is_address(source);
}

Result<bool> names_a_table(const std::string& source) {
  if (bigquery::is_address(source)) {
    TW_ASSIGN(const auto address, bigquery::Address::parse(source));
    return address.reads_a_table();
  }
  TW_ASSIGN(const auto address, DatabaseAddress::parse(source));
  return !address.table.empty();
}

std::string database_name(const std::string& source) {
  if (bigquery::is_address(source)) {
    const auto address = bigquery::Address::parse(source);
    return address ? address->text() : "a bigquery: address that cannot be read";
  }
  const Parts parts = split(source);
  std::string name = fmt::format("{}{}", kScheme, parts.driver);
  std::string_view settings = parts.settings;
  while (!settings.empty()) {
    const size_t end = settings.find('&');
    const std::string_view setting = settings.substr(0, end);
    const std::string_view kTable = "table=";
    if (setting.starts_with(kTable)) {
      const auto table = percent_decoded(setting.substr(kTable.size()));
      if (table && is_table_name(*table)) return fmt::format("{} (table {})", name, *table);
    }
    if (end == std::string_view::npos) break;
    settings.remove_prefix(end + 1);
  }
  return name;
}

char DatabaseAddress::quote() const {
  const std::string driver = lower_case(options.driver);
  const bool backtick = table.find('`') != std::string::npos ||
                        driver.find("bigquery") != std::string::npos ||
                        driver.find("mysql") != std::string::npos;
  return backtick ? '`' : '"';
}

std::string quoted_name(std::string_view name, char mark) {
  std::string result(1, mark);
  for (const char c : name) {
    if (c == mark) result.push_back(mark);
    result.push_back(c);
  }
  result.push_back(mark);
  return result;
}

Result<DatabaseAddress> DatabaseAddress::parse(const std::string& source) {
  const Parts parts = split(source);
  DatabaseAddress address;
  address.options.driver = parts.driver;
  address.options.where = database_name(source);
  if (parts.driver.empty()) {
    return invalid_argument(
        "SOURCE: no driver stands after adbc:; write adbc:DRIVER?uri=...&table=...");
  }
  std::string_view settings = parts.settings;
  while (!settings.empty()) {
    const size_t end = settings.find('&');
    TW_TRY(add_setting(address, settings.substr(0, end)));
    if (end == std::string_view::npos) break;
    settings.remove_prefix(end + 1);
  }
  if (address.table.empty() == address.query.empty()) {
    return invalid_argument("{}: give what to read, either table=NAME or query=SQL",
                            address.options.where);
  }
  if (!address.table.empty() && !is_table_name(address.table)) {
    return invalid_argument(
        "{}: table= is no name of a table; quote an unusual name in \", or give query=SQL",
        address.options.where);
  }
  open_sqlite_read_only(address.options);
  return address;
}

}  // namespace tapeworks
