#include "storage/manifest.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/utf8.h"

namespace tapeworks {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kFormatVersion = 1;

/// Hashes a sequence of texts and numbers in such a way that two sequences never look the same:
/// each text after its length, each number in eight little-endian bytes.
class SequenceHash {
 public:
  SequenceHash() { XXH3_64bits_reset(&state_); }

  void add(uint64_t number) {
    unsigned char bytes[8];
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(number >> (8 * i));
    XXH3_64bits_update(&state_, bytes, sizeof bytes);
  }
  void add(std::string_view text) {
    add(uint64_t{text.size()});
    XXH3_64bits_update(&state_, text.data(), text.size());
  }
  uint64_t digest() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

std::string hex16(uint64_t value) { return fmt::format("{:016x}", value); }

std::optional<uint64_t> parse_hex16(const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (text.size() != 16 || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// JSON text is UTF-8, file names are any bytes: a name that is no UTF-8 is written in hex.
void write_path(const std::string& path, ordered_json& file) {
  if (is_utf8(path)) {
    file["path"] = path;
    return;
  }
  std::string hex;
  for (const char c : path) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  file["path_hex"] = hex;
}

std::optional<std::string> read_path(const json& file) {
  if (file.contains("path")) return file.at("path").get<std::string>();
  const auto hex = file.at("path_hex").get<std::string>();
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string path;
  for (size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    if (error != std::errc() || stop != hex.data() + i + 2) return std::nullopt;
    path += static_cast<char>(value);
  }
  return path;
}

ordered_json table_to_json(const Table& table) {
  ordered_json files = ordered_json::array();
  for (const TableFile& file : table.files) {
    ordered_json entry;
    write_path(file.path, entry);
    entry["rows"] = file.row_count;
    entry["bytes"] = file.byte_count;
    entry["xxh3"] = hex16(file.xxh3);
    files.push_back(std::move(entry));
  }
  ordered_json result;
  result["fingerprint"] = table.fingerprint();
  result["options"] = table.options;
  result["made_from"] = table.made_from;
  result["counts"] = table.counts;
  result["files"] = std::move(files);
  return result;
}

Result<TableFile> parse_file(const json& entry, const std::string& where) {
  const auto path = read_path(entry);
  if (!path || !is_safe_relative_path(*path)) {
    return corrupt("{}: a file has no path below the generation", where);
  }
  const auto xxh3 = parse_hex16(entry.at("xxh3").get<std::string>());
  if (!xxh3) return corrupt("{}: the xxh3 of {} is not 16 hex digits", where, *path);
  return TableFile{*path, entry.at("rows").get<uint64_t>(), entry.at("bytes").get<uint64_t>(),
                   *xxh3};
}

Result<Table> parse_table(const json& entry, const std::string& where) {
  Table table;
  table.options = entry.at("options").get<std::map<std::string, std::string>>();
  table.made_from = entry.at("made_from").get<std::map<std::string, std::string>>();
  table.counts = entry.at("counts").get<std::map<std::string, uint64_t>>();
  for (const json& file_entry : entry.at("files")) {
    TW_ASSIGN(TableFile file, parse_file(file_entry, where));
    table.files.push_back(std::move(file));
  }
  const auto out_of_order = std::ranges::adjacent_find(
      table.files, [](const auto& a, const auto& b) { return a.path >= b.path; });
  if (out_of_order != table.files.end()) {
    return corrupt("{}: the files after {} are out of order", where, out_of_order->path);
  }
  if (entry.at("fingerprint").get<std::string>() != table.fingerprint()) {
    return corrupt("{}: a fingerprint does not fit its table, so the manifest was changed", where);
  }
  return table;
}

Result<Manifest> parse_document(const json& document, const std::string& where) {
  const int version = document.at("format").get<int>();
  if (version != kFormatVersion) {
    return corrupt("{}: its format is {}, and this tapeworks knows {}; use a matching version",
                   where, version, kFormatVersion);
  }
  Manifest manifest;
  manifest.mode = document.at("mode").get<std::string>();
  for (const auto& [name, entry] : document.at("tables").items()) {
    TW_ASSIGN(manifest.tables[name], parse_table(entry, where));
  }
  return manifest;
}

/// Adds to `changed` the sources of `table`, and theirs, whose fingerprint no longer fits.
void add_stale_sources(const Manifest& manifest, const std::string& table,
                       std::set<std::string>& visited, std::set<std::string>& changed) {
  const Table* const found = manifest.find(table);
  if (found == nullptr || !visited.insert(table).second) return;
  for (const auto& [source, fingerprint] : found->made_from) {
    const Table* const now = manifest.find(source);
    if (now == nullptr || now->fingerprint() != fingerprint) changed.insert(source);
    add_stale_sources(manifest, source, visited, changed);
  }
}

}  // namespace

bool is_safe_relative_path(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = std::string_view(path).substr(begin, end - begin);
    if (name.empty() || name == "." || name == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::string Table::fingerprint() const {
  SequenceHash hash;
  hash.add(uint64_t{options.size()});
  for (const auto& [name, text] : options) {
    hash.add(name);
    hash.add(text);
  }
  hash.add(uint64_t{files.size()});
  for (const TableFile& file : files) {
    hash.add(file.path);
    hash.add(file.row_count);
    hash.add(file.xxh3);
  }
  return hex16(hash.digest());
}

std::optional<TableFile> Table::file(const std::string& path) const {
  const auto found = std::ranges::lower_bound(files, path, {}, &TableFile::path);
  if (found == files.end() || found->path != path) return std::nullopt;
  return *found;
}

uint64_t Table::row_count() const {
  uint64_t sum = 0;
  for (const TableFile& file : files) sum += file.row_count;
  return sum;
}

const Table* Manifest::find(const std::string& table) const {
  const auto found = tables.find(table);
  return found == tables.end() ? nullptr : &found->second;
}

std::vector<std::string> Manifest::stale_sources(const std::string& table) const {
  std::set<std::string> visited;
  std::set<std::string> changed;
  add_stale_sources(*this, table, visited, changed);
  return {changed.begin(), changed.end()};
}

bool Manifest::consistent() const {
  return std::ranges::all_of(tables,
                             [&](const auto& entry) { return stale_sources(entry.first).empty(); });
}

uint64_t Manifest::byte_count() const {
  uint64_t sum = 0;
  for (const auto& [name, table] : tables) {
    for (const TableFile& file : table.files) sum += file.byte_count;
  }
  return sum;
}

ordered_json Manifest::to_json() const {
  ordered_json result;
  result["format"] = kFormatVersion;
  result["mode"] = mode;
  result["tables"] = ordered_json::object();
  for (const auto& [name, table] : tables) result["tables"][name] = table_to_json(table);
  return result;
}

std::string Manifest::to_text() const { return to_json().dump(2) + "\n"; }

Result<Manifest> Manifest::parse(const std::string& text, const std::string& where) {
  try {
    return parse_document(json::parse(text), where);
  } catch (const json::exception& exception) {
    return corrupt("{}: this is no manifest of a data directory ({})", where, exception.what());
  }
}

}  // namespace tapeworks
