#include "bigquery/rest_answer.h"

#include <algorithm>
#include <utility>

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

namespace tapeworks::bigquery {
namespace {

constexpr unsigned kParseFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag |
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

/// Of {"v":1} and the comma or bracket behind it.
constexpr size_t kCellTextBytesMin = 8;

/// Each cell is an object. The texts of an answer may be full of braces, so its length counts too.
size_t cell_count_max(std::string_view json) {
  const auto brace_count = static_cast<size_t>(std::ranges::count(json, '{'));
  return std::min(brace_count, json.size() / kCellTextBytesMin);
}

}  // namespace

/// Takes the events of the parser. Every member returns whether to go on.
class AnswerReader {
 public:
  explicit AnswerReader(RestAnswer& answer) : answer_(answer) {}

  const std::string& reason() const { return reason_; }

  bool Null() { return scalar({nullptr, 0, CellKind::kNull}); }
  bool Bool(bool truth) {
    const std::string_view text = truth ? "true" : "false";
    return scalar({text.data(), static_cast<uint32_t>(text.size()), CellKind::kText});
  }
  bool RawNumber(const char* text, uint32_t size, bool) {
    return scalar({text, size, CellKind::kText});
  }
  bool String(const char* text, uint32_t size, bool) {
    return scalar({text, size, CellKind::kText});
  }
  bool StartObject() { return open(false); }
  bool StartArray() { return open(true); }
  bool EndObject(uint32_t) { return close(); }
  bool EndArray(uint32_t) { return close(); }

  bool Key(const char* text, uint32_t size, bool) {
    const std::string_view key(text, size);
    if (row_depth_ > 0) return key_in_row(key);
    path_.resize(levels_.back().path_bytes);
    if (path_.size() + key.size() + 1 > RestAnswer::kPathBytesMax) {
      return stop("a name in it is too long");
    }
    if (!path_.empty()) path_.push_back('/');
    path_.append(key);
    return true;
  }

  // Numbers come as they are written.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  static constexpr size_t kLevelsMax = 64;

  struct Level {
    bool is_array = false;
    size_t path_bytes = 0;  // of path_, up to this level
    size_t next_index = 0;
  };

  /// Where the parser is inside "rows": [{"f": [{"v": ...}]}].
  enum RowDepth : uint32_t { kOutside, kRows, kRow, kCells, kCell, kNestedValue };

  bool stop(std::string_view reason) {
    reason_ = reason;
    return false;
  }
  bool stop_in_row() { return stop("its rows are not of the form f, v"); }

  /// Names the element that begins in an array.
  bool begin_value() {
    if (levels_.empty() || !levels_.back().is_array) return true;
    Level& level = levels_.back();
    path_.resize(level.path_bytes);
    path_ += fmt::format("{}{}", path_.empty() ? "" : "/", level.next_index++);
    return path_.size() <= RestAnswer::kPathBytesMax || stop("a name in it is too long");
  }

  bool open(bool is_array) {
    if (row_depth_ > kOutside) return open_in_row(is_array);
    if (levels_.empty() && is_array) return stop("it is no object");
    if (!begin_value()) return false;
    if (levels_.size() == kLevelsMax) return stop("it is nested too deeply");
    if (is_array && levels_.size() == 1 && path_ == "rows") {
      row_depth_ = kRows;
      return true;
    }
    levels_.push_back({is_array, path_.size(), 0});
    return true;
  }

  bool close() {
    if (row_depth_ > kOutside) return close_in_row();
    levels_.pop_back();
    return true;
  }

  bool scalar(const Cell& value) {
    if (row_depth_ > kOutside) return scalar_in_row(value);
    if (levels_.empty()) return stop("it is no object");
    if (!begin_value()) return false;
    if (value.kind == CellKind::kNull) return true;
    if (answer_.facts_.size() == RestAnswer::kFactsMax) return stop("it has too many members");
    answer_.facts_.insert_or_assign(path_, std::string(value.view()));
    return true;
  }

  bool key_in_row(std::string_view key) {
    if (row_depth_ == kRow && key != "f") return stop_in_row();
    if (row_depth_ == kCell && key != "v") return stop_in_row();
    return true;
  }

  bool open_in_row(bool is_array) {
    const bool wants_array = row_depth_ == kRow;
    if (row_depth_ < kCell && is_array != wants_array) return stop_in_row();
    if (row_depth_ == kCells) has_value_ = false;
    if (row_depth_ == kCell && has_value_) return stop_in_row();
    if (row_depth_ == kRows) cells_before_row_ = answer_.cells_.size();
    ++row_depth_;
    return true;
  }

  bool close_in_row() {
    --row_depth_;
    if (row_depth_ == kCell) return add_cell({nullptr, 0, CellKind::kNested});
    if (row_depth_ == kCells) return has_value_ || stop_in_row();
    return row_depth_ != kRows || end_row();
  }

  bool end_row() {
    const size_t count = answer_.cells_.size() - cells_before_row_;
    if (answer_.row_count_ == 0) answer_.column_count_ = count;
    if (count == 0 || count != answer_.column_count_) return stop("its rows are of unequal length");
    ++answer_.row_count_;
    return true;
  }

  bool scalar_in_row(const Cell& value) {
    if (row_depth_ >= kNestedValue) return true;
    if (row_depth_ != kCell || has_value_) return stop_in_row();
    return add_cell(value);
  }

  bool add_cell(const Cell& cell) {
    answer_.cells_.push_back(cell);
    has_value_ = true;
    return true;
  }

  RestAnswer& answer_;
  std::string reason_;
  std::string path_;
  std::vector<Level> levels_;
  uint32_t row_depth_ = kOutside;
  bool has_value_ = false;  // of the cell that is open
  size_t cells_before_row_ = 0;
};

uint64_t RestAnswer::cell_bytes_max(std::string_view json) {
  return cell_count_max(json) * sizeof(Cell);
}

Result<RestAnswer> RestAnswer::parse(std::string json) {
  RestAnswer answer;
  answer.json_ = std::make_unique<std::string>(std::move(json));
  // Growing would take three times as much while it doubles.
  answer.cells_.reserve(cell_count_max(*answer.json_));
  AnswerReader reader(answer);
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>> parser;
  rapidjson::GenericInsituStringStream<rapidjson::UTF8<>> stream(answer.json_->data());
  const rapidjson::ParseResult parsed = parser.Parse<kParseFlags>(stream, reader);
  if (!parsed) {
    const std::string reason =
        reader.reason().empty() ? rapidjson::GetParseError_En(parsed.Code()) : reader.reason();
    return io_error("the answer cannot be read at byte {}: {}", parsed.Offset(), reason);
  }
  return answer;
}

std::string_view RestAnswer::fact(std::string_view path) const {
  const auto found = facts_.find(path);
  return found == facts_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace tapeworks::bigquery
