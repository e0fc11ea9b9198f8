#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>

#include "base/calendar_day.h"
#include "pipeline/query.h"
#include "storage/data_directory_test_support.h"
#include "storage/generation_store.h"
#include "storage/parquet_write.h"

// Small data directories for the tests of queries.

namespace tapeworks::test {

inline void expect_ok(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

inline void expect_ok(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

using Texts = std::vector<std::optional<std::string>>;
using Doubles = std::vector<double>;
using Ranks = std::vector<uint32_t>;
using Counts = std::vector<int64_t>;
using Days = std::vector<Day>;

inline std::shared_ptr<arrow::Array> make_column(const Texts& values) {
  arrow::StringBuilder builder;
  for (const auto& value : values) {
    expect_ok((value ? builder.Append(*value) : builder.AppendNull()));
  }
  return builder.Finish().ValueOrDie();
}
inline std::shared_ptr<arrow::Array> make_column(const Doubles& values) {
  arrow::DoubleBuilder builder;
  expect_ok(builder.AppendValues(values));
  return builder.Finish().ValueOrDie();
}
inline std::shared_ptr<arrow::Array> make_column(const Ranks& values) {
  arrow::UInt32Builder builder;
  expect_ok(builder.AppendValues(values));
  return builder.Finish().ValueOrDie();
}
inline std::shared_ptr<arrow::Array> make_column(const Counts& values) {
  arrow::Int64Builder builder;
  expect_ok(builder.AppendValues(values));
  return builder.Finish().ValueOrDie();
}
inline std::shared_ptr<arrow::Array> make_column(const Days& values) {
  arrow::Date32Builder builder;
  for (const Day day : values) expect_ok(builder.Append(day.days_since_epoch));
  return builder.Finish().ValueOrDie();
}

using Column = std::pair<std::string, std::variant<Texts, Doubles, Ranks, Counts, Days>>;

inline std::shared_ptr<arrow::Table> make_table(const std::vector<Column>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, values] : columns) {
    arrays.push_back(std::visit([](const auto& v) { return make_column(v); }, values));
    fields.push_back(arrow::field(name, arrays.back()->type()));
  }
  return arrow::Table::Make(arrow::schema(fields), arrays);
}

/// A data directory with one generation, made file by file.
class TestDirectory {
 public:
  TestDirectory()
      : writer_(std::make_unique<GenerationWriter>(
            value(GenerationWriter::begin(path(), GenerationWriterOptions{})))) {}

  std::filesystem::path path() const { return folder_ / "data"; }

  TestDirectory& add(const std::string& table, const std::string& file, const arrow::Table& content,
                     int64_t row_group_rows_max = 1024) {
    ParquetWriteOptions options;
    options.row_group_rows_max = row_group_rows_max;
    const auto bytes = value(encode_parquet(content, options, arrow::default_memory_pool()));
    return add_bytes(table, file, bytes->ToString(), static_cast<uint64_t>(content.num_rows()));
  }

  TestDirectory& add_bytes(const std::string& table, const std::string& file,
                           const std::string& bytes, uint64_t row_count) {
    expect_ok(writer_->add_file(table, file, std::as_bytes(std::span(bytes)), row_count));
    return *this;
  }

  TestDirectory& describe(const std::string& table, std::map<std::string, std::string> made_from,
                          std::map<std::string, uint64_t> counts = {},
                          std::map<std::string, std::string> options = {}) {
    expect_ok(writer_->describe_table(table, std::move(options), std::move(made_from),
                                      std::move(counts)));
    return *this;
  }

  const Manifest& manifest() const { return writer_->manifest(); }

  /// After this, queries can be asked.
  TestDirectory& publish() {
    expect_ok(writer_->publish("default", nlohmann::ordered_json::object()));
    writer_.reset();
    reader_ = std::make_unique<GenerationReader>(value(GenerationReader::open(path())));
    return *this;
  }

  QueryContext context(bool allow_stale = false) const {
    return {*reader_, path(), allow_stale, arrow::default_memory_pool()};
  }

 private:
  template <typename T>
  static T value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }

  TestFolder folder_;
  std::unique_ptr<GenerationWriter> writer_;
  std::unique_ptr<GenerationReader> reader_;
};

using Names = std::vector<std::string>;

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// What went wrong; a made-up error when nothing did.
template <typename T>
Error error_of(const Result<T>& result) {
  return result ? Error{ErrorKind::kInternal, "no error"} : result.error();
}

/// The texts of a column; "(null)" for null.
inline Names texts_of(const arrow::Table& table, const std::string& column) {
  Names texts;
  const auto chunked = table.GetColumnByName(column);
  for (const auto& chunk : chunked->chunks()) {
    const auto& array = dynamic_cast<const arrow::StringArray&>(*chunk);
    for (int64_t row = 0; row < array.length(); ++row) {
      texts.push_back(array.IsNull(row) ? "(null)" : array.GetString(row));
    }
  }
  return texts;
}

inline std::vector<double> doubles_of(const arrow::Table& table, const std::string& column) {
  std::vector<double> values;
  for (const auto& chunk : table.GetColumnByName(column)->chunks()) {
    const auto& array = dynamic_cast<const arrow::DoubleArray&>(*chunk);
    for (int64_t row = 0; row < array.length(); ++row) values.push_back(array.Value(row));
  }
  return values;
}

}  // namespace tapeworks::test
