#include "pipeline/daily_summary_file.h"

#include <algorithm>
#include <utility>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "base/hot_loop.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "daily summary";

/// The values as they lie in the summary, without a copy.
template <typename ArrowType, typename Value>
std::shared_ptr<arrow::Array> view_of(const std::vector<Value>& values) {
  static_assert(sizeof(Value) == sizeof(typename ArrowType::c_type));
  const auto length = static_cast<int64_t>(values.size());
  auto bytes = arrow::Buffer::Wrap(values);
  return arrow::MakeArray(arrow::ArrayData::Make(arrow::TypeTraits<ArrowType>::type_singleton(),
                                                 length, {nullptr, std::move(bytes)}, 0));
}

arrow::Result<std::shared_ptr<arrow::Array>> make_broker_indices(const DailySummary& summary,
                                                                 arrow::MemoryPool* pool) {
  if (!summary.has_null_broker) return view_of<arrow::Int32Type>(summary.broker_index);
  // A null broker is a null index and has no entry of its own.
  arrow::Int32Builder indices(pool);
  ARROW_RETURN_NOT_OK(indices.Reserve(static_cast<int64_t>(summary.row_count())));
  for (const uint32_t index : summary.broker_index) {
    if (index == 0) {
      indices.UnsafeAppendNull();
    } else {
      indices.UnsafeAppend(static_cast<int32_t>(index - 1));
    }
  }
  return indices.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> make_broker_array(const DailySummary& summary,
                                                               arrow::MemoryPool* pool) {
  arrow::StringBuilder texts(pool);
  for (size_t i = summary.has_null_broker ? 1 : 0; i < summary.brokers.size(); ++i) {
    ARROW_RETURN_NOT_OK(texts.Append(summary.brokers[i]));
  }
  ARROW_ASSIGN_OR_RAISE(auto dictionary, texts.Finish());
  ARROW_ASSIGN_OR_RAISE(auto indices, make_broker_indices(summary, pool));
  return std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::int32(), arrow::utf8()),
                                                  indices, dictionary);
}

arrow::Result<std::shared_ptr<arrow::Array>> make_date_array(const std::vector<Day>& days,
                                                             arrow::MemoryPool* pool) {
  if (std::ranges::find(days, kNullDay) == days.end()) return view_of<arrow::Date32Type>(days);
  arrow::Date32Builder builder(pool);
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(days.size())));
  for (const Day day : days) {
    if (day == kNullDay) {
      builder.UnsafeAppendNull();
    } else {
      builder.UnsafeAppend(day.days_since_epoch);
    }
  }
  return builder.Finish();
}

TW_HOT_LOOP void narrow(const double* values, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(values[i]);
}

arrow::Result<std::shared_ptr<arrow::Array>> make_amount_array(const std::vector<double>& amounts,
                                                               AmountWidth width,
                                                               arrow::MemoryPool* pool) {
  if (width == AmountWidth::kFloat64) return view_of<arrow::DoubleType>(amounts);
  const auto length = static_cast<int64_t>(amounts.size());
  ARROW_ASSIGN_OR_RAISE(auto bytes,
                        arrow::AllocateBuffer(length * static_cast<int64_t>(sizeof(float)), pool));
  narrow(amounts.data(), amounts.size(), reinterpret_cast<float*>(bytes->mutable_data()));
  return std::make_shared<arrow::FloatArray>(length, std::move(bytes));
}

/// One object for all files, so that an encoder prepares it once.
std::shared_ptr<arrow::Schema> daily_summary_schema(AmountWidth width) {
  const auto make = [](const std::shared_ptr<arrow::DataType>& amount_type) {
    return arrow::schema({
        arrow::field("broker", arrow::dictionary(arrow::int32(), arrow::utf8())),
        arrow::field("date", arrow::date32()),
        arrow::field("buy_shares", arrow::int32()),
        arrow::field("sell_shares", arrow::int32()),
        arrow::field("buy_amount", amount_type),
        arrow::field("sell_amount", amount_type),
    });
  };
  static const auto narrow_schema = make(arrow::float32());
  static const auto wide_schema = make(arrow::float64());
  return width == AmountWidth::kFloat64 ? wide_schema : narrow_schema;
}

arrow::Result<std::shared_ptr<arrow::Table>> make_table(const DailySummary& summary,
                                                        AmountWidth width,
                                                        arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(auto broker, make_broker_array(summary, pool));
  ARROW_ASSIGN_OR_RAISE(auto date, make_date_array(summary.date, pool));
  ARROW_ASSIGN_OR_RAISE(auto buy_amount, make_amount_array(summary.buy_amount, width, pool));
  ARROW_ASSIGN_OR_RAISE(auto sell_amount, make_amount_array(summary.sell_amount, width, pool));
  return arrow::Table::Make(
      daily_summary_schema(width),
      {broker, date, view_of<arrow::Int32Type>(summary.buy_shares),
       view_of<arrow::Int32Type>(summary.sell_shares), buy_amount, sell_amount});
}

/// Reads columns back; every row group is a chunk, with a dictionary of its own.
class SummaryReader {
 public:
  SummaryReader(DailySummary& summary, const arrow::Table& table, std::string where)
      : summary_(summary), table_(table), where_(std::move(where)) {}

  Status read() {
    TW_TRY(read_brokers());
    TW_TRY(read_dates());
    TW_TRY(read_numbers<arrow::Int32Array>("buy_shares", summary_.buy_shares));
    TW_TRY(read_numbers<arrow::Int32Array>("sell_shares", summary_.sell_shares));
    TW_TRY(read_amounts("buy_amount", summary_.buy_amount));
    TW_TRY(read_amounts("sell_amount", summary_.sell_amount));
    return check_order();
  }

 private:
  const arrow::ChunkedArray& column(const char* name) const {
    return *table_.GetColumnByName(name);
  }

  Status wrong_type(const char* name) const {
    return corrupt("{}: column '{}' has the type {}, which no daily summary has", where_, name,
                   column(name).type()->ToString());
  }

  Status read_brokers() {
    if (column("broker").type()->id() != arrow::Type::DICTIONARY) return wrong_type("broker");
    summary_.broker_index.reserve(static_cast<size_t>(table_.num_rows()));
    for (const auto& chunk : column("broker").chunks()) {
      const auto& array = static_cast<const arrow::DictionaryArray&>(*chunk);
      if (array.dictionary()->type_id() != arrow::Type::STRING) return wrong_type("broker");
      const auto& texts = static_cast<const arrow::StringArray&>(*array.dictionary());
      for (int64_t row = 0; row < array.length(); ++row) {
        TW_TRY(add_broker(array.IsNull(row)
                              ? std::nullopt
                              : std::optional(texts.GetView(array.GetValueIndex(row)))));
      }
    }
    return {};
  }

  Status add_broker(std::optional<std::string_view> text) {
    auto& brokers = summary_.brokers;
    if (brokers.empty()) {
      summary_.has_null_broker = !text;
      brokers.emplace_back(text.value_or(""));
    } else if (const bool last_is_null = brokers.size() == 1 && summary_.has_null_broker;
               last_is_null ? text.has_value() : text != std::string_view(brokers.back())) {
      if (!text || (!last_is_null && *text < brokers.back())) {
        return corrupt("{}: the rows are not ordered by broker", where_);
      }
      brokers.emplace_back(*text);
    }
    summary_.broker_index.push_back(static_cast<uint32_t>(brokers.size() - 1));
    return {};
  }

  Status read_dates() {
    if (column("date").type()->id() != arrow::Type::DATE32) return wrong_type("date");
    summary_.date.reserve(static_cast<size_t>(table_.num_rows()));
    for (const auto& chunk : column("date").chunks()) {
      const auto& array = static_cast<const arrow::Date32Array&>(*chunk);
      for (int64_t row = 0; row < array.length(); ++row) {
        summary_.date.push_back(array.IsNull(row) ? kNullDay : Day{array.Value(row)});
      }
    }
    return {};
  }

  template <typename Array, typename Value>
  Status read_numbers(const char* name, std::vector<Value>& values) {
    values.reserve(static_cast<size_t>(table_.num_rows()));
    for (const auto& chunk : column(name).chunks()) {
      if (chunk->type_id() != Array::TypeClass::type_id) return wrong_type(name);
      if (chunk->null_count() != 0) return corrupt("{}: column '{}' has nulls", where_, name);
      const auto* first = static_cast<const Array&>(*chunk).raw_values();
      values.insert(values.end(), first, first + chunk->length());
    }
    return {};
  }

  Status read_amounts(const char* name, std::vector<double>& values) {
    if (column(name).type()->id() == arrow::Type::FLOAT) {
      return read_numbers<arrow::FloatArray>(name, values);
    }
    return read_numbers<arrow::DoubleArray>(name, values);
  }

  Status check_order() const {
    for (size_t row = 1; row < summary_.row_count(); ++row) {
      if (summary_.broker_index[row] == summary_.broker_index[row - 1] &&
          summary_.date[row] <= summary_.date[row - 1]) {
        return corrupt("{}: row {} is not behind the one before it", where_, row);
      }
    }
    return {};
  }

  DailySummary& summary_;
  const arrow::Table& table_;
  std::string where_;
};

}  // namespace

Result<std::shared_ptr<arrow::Table>> daily_summary_table(const DailySummary& summary,
                                                          AmountWidth amounts,
                                                          arrow::MemoryPool* pool) {
  return from_arrow(make_table(summary, amounts, pool), kWhere);
}

AmountWidth amounts_of(const Table& table) {
  const auto found = table.options.find("amounts");
  const bool wide = found != table.options.end() && found->second == "float64";
  return wide ? AmountWidth::kFloat64 : AmountWidth::kFloat32;
}

std::string symbol_of_file(const std::filesystem::path& path) {
  // Not stem(): ".parquet", a symbol without text, has no extension in its eyes.
  const std::string file_name = path.filename().string();
  return file_name.substr(0, file_name.size() - std::string_view(".parquet").size());
}

Result<DailySummary> read_daily_summary(const std::filesystem::path& path,
                                        arrow::MemoryPool* pool) {
  static const std::vector<std::string> kColumns{"broker",      "date",       "buy_shares",
                                                 "sell_shares", "buy_amount", "sell_amount"};
  TW_ASSIGN(const auto table, read_parquet(path, kColumns, pool));
  DailySummary summary;
  summary.symbol = symbol_of_file(path);
  TW_TRY(SummaryReader(summary, *table, path.string()).read());
  return summary;
}

}  // namespace tapeworks
