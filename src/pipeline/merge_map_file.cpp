#include "pipeline/merge_map_file.h"

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>

#include <nlohmann/json.hpp>

#include "base/printable_text.h"
#include "base/utf8.h"
#include "pipeline/query_rows.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

constexpr size_t kShownTextBytesMax = 64;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kHeading = "old\tnew\tdate";

std::string shown(std::string_view text) { return printable_text(text, kShownTextBytesMax); }

// ---- Lines

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

Result<std::vector<BrokerMerger>> parse_lines(std::string_view text, const std::string& where) {
  std::vector<BrokerMerger> mergers;
  uint64_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line == kHeading)) continue;
    const auto fields = fields_of(line);
    if (fields.size() != 3) {
      return corrupt(
          "{}: line {}: {} instead of 3 fields; write old code, new code and day with tabs between",
          where, number, fields.size());
    }
    const auto day = parse_day(fields[2]);
    if (!day) {
      return corrupt("{}: line {}: '{}' is no day; write it like 2023-05-31", where, number,
                     shown(fields[2]));
    }
    mergers.push_back({std::string(fields[0]), std::string(fields[1]), *day, number});
  }
  return mergers;
}

// ---- JSON

/// Walks over a text and counts its lines, because the parser does not say where a value stands.
class LineCountingIterator {
 public:
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  using iterator_category = std::input_iterator_tag;

  LineCountingIterator(const char* at, uint64_t* line) : at_(at), line_(line) {}

  reference operator*() const { return *at_; }
  LineCountingIterator& operator++() {
    if (*at_ == '\n') ++*line_;
    ++at_;
    return *this;
  }
  LineCountingIterator operator++(int) {
    const LineCountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const LineCountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  uint64_t* line_;
};

/// Takes one object of texts and nothing else. Not DOM parsing, which forgets lines and keeps only
/// the last of two equal keys.
class MapReader : public nlohmann::json::json_sax_t {
 public:
  MapReader(const uint64_t& line, const std::string& where) : line_(line), where_(where) {}

  bool start_object(std::size_t) override {
    if (++depth_ > 1) return refuse("an object");
    return true;
  }
  bool key(string_t& text) override {
    if (!keys_.insert(text).second) {
      return stop(fmt::format("broker {} stands there twice; keep one of them", shown(text)));
    }
    key_ = std::move(text);
    return true;
  }
  bool string(string_t& text) override {
    if (depth_ == 0) return refuse("a text");
    mergers_.push_back({std::move(key_), std::move(text), std::nullopt, line_});
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return refuse("an array"); }
  bool end_array() override { return true; }
  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true or false"); }
  bool number_integer(number_integer_t) override { return refuse("a number"); }
  bool number_unsigned(number_unsigned_t) override { return refuse("a number"); }
  bool number_float(number_float_t, const string_t&) override { return refuse("a number"); }
  bool binary(binary_t&) override { return refuse("bytes"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return stop("this is no valid JSON; write one object of old code to new code");
  }

  const std::optional<Error>& error() const { return error_; }
  std::vector<BrokerMerger> take() { return std::move(mergers_); }

 private:
  bool refuse(std::string_view found) {
    return stop(fmt::format("{} stands where a broker code must, as a text in quotes", found));
  }
  bool stop(const std::string& problem) {
    error_ = Error{ErrorKind::kCorrupt, fmt::format("{}: line {}: {}", where_, line_, problem)};
    return false;
  }

  const uint64_t& line_;
  const std::string& where_;
  int depth_ = 0;
  std::string key_;
  std::set<std::string> keys_;
  std::vector<BrokerMerger> mergers_;
  std::optional<Error> error_;
};

Result<std::vector<BrokerMerger>> parse_object(std::string_view text, const std::string& where) {
  uint64_t line = 1;
  MapReader reader(line, where);
  const LineCountingIterator begin(text.data(), &line);
  const LineCountingIterator end(text.data() + text.size(), &line);
  if (!nlohmann::json::sax_parse(begin, end, &reader)) {
    if (reader.error()) return std::unexpected(*reader.error());
    return corrupt("{}: line {}: this is no valid JSON", where, line);
  }
  return reader.take();
}

// ---- The table

arrow::Result<std::shared_ptr<arrow::Table>> make_table(const BrokerMergers& mergers,
                                                        arrow::MemoryPool* pool) {
  arrow::StringBuilder old_codes(pool);
  arrow::StringBuilder new_codes(pool);
  arrow::Date32Builder days(pool);
  for (const BrokerMerger& merger : mergers.mergers()) {
    ARROW_RETURN_NOT_OK(old_codes.Append(merger.old_code));
    ARROW_RETURN_NOT_OK(new_codes.Append(merger.new_code));
    ARROW_RETURN_NOT_OK(merger.last_day ? days.Append(merger.last_day->days_since_epoch)
                                        : days.AppendNull());
  }
  arrow::ArrayVector arrays(3);
  ARROW_ASSIGN_OR_RAISE(arrays[0], old_codes.Finish());
  ARROW_ASSIGN_OR_RAISE(arrays[1], new_codes.Finish());
  ARROW_ASSIGN_OR_RAISE(arrays[2], days.Finish());
  const auto schema = arrow::schema({arrow::field("old_broker", arrow::utf8()),
                                     arrow::field("new_broker", arrow::utf8()),
                                     arrow::field("last_date", arrow::date32())});
  return arrow::Table::Make(schema, std::move(arrays));
}

}  // namespace

Result<BrokerMergers> parse_merge_map(std::string_view text, const std::string& where) {
  if (!is_utf8(text)) return corrupt("{}: the map of mergers is not in UTF-8; convert it", where);
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return corrupt("{}: the map of mergers is empty; leave --merge-map away", where);
  }
  const bool is_json = text[first] == '{' || text[first] == '[';
  TW_ASSIGN(auto mergers, is_json ? parse_object(text, where) : parse_lines(text, where));
  return BrokerMergers::make(std::move(mergers), where);
}

Result<BrokerMergers> read_merge_map(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return invalid_argument("--merge-map: {} does not exist; check the path", path.string());
  }
  if (!std::filesystem::is_regular_file(status)) {
    return invalid_argument("--merge-map: {} is no file; name a JSON or TSV file", path.string());
  }
  const uint64_t byte_count = std::filesystem::file_size(path, error);
  if (!error && byte_count > kMergeMapBytesMax) {
    return corrupt("{}: a map of mergers has at most {} bytes and this file has {}; is it one?",
                   path.string(), kMergeMapBytesMax, byte_count);
  }
  TW_ASSIGN(const std::string text, read_text_file(path));
  return parse_merge_map(text, path.string());
}

Result<std::shared_ptr<arrow::Table>> merge_map_table(const BrokerMergers& mergers,
                                                      arrow::MemoryPool* pool) {
  return from_arrow(make_table(mergers, pool), kMergeMapTable);
}

Result<BrokerMergers> load_merge_map(const std::filesystem::path& path, arrow::MemoryPool* pool) {
  TW_ASSIGN(const auto stored, read_parquet(path, {"old_broker", "new_broker", "last_date"}, pool));
  TW_ASSIGN(const auto table, plain_table(*stored, path.string(), pool));
  TW_ASSIGN(const auto old_codes, text_column(*table, "old_broker"));
  TW_ASSIGN(const auto new_codes, text_column(*table, "new_broker"));
  const auto dates = table->GetColumnByName("last_date");
  if (dates->type()->id() != arrow::Type::DATE32 || old_codes->null_count() != 0 ||
      new_codes->null_count() != 0) {
    return corrupt("{}: this is no map of mergers; run tapeworks pnl --merge-map again",
                   path.string());
  }
  const auto& days = static_cast<const arrow::Date32Array&>(*dates->chunk(0));
  std::vector<BrokerMerger> mergers;
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    mergers.push_back({old_codes->GetString(row), new_codes->GetString(row),
                       days.IsNull(row) ? std::nullopt : std::optional(Day{days.Value(row)}),
                       static_cast<uint64_t>(row) + 1});
  }
  return BrokerMergers::make(std::move(mergers), path.string());
}

}  // namespace tapeworks
