#include "pipeline/daily_summary_file.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/schema.h>
#include <parquet/types.h>

#include "base/hot_loop.h"
#include "storage/arrow_status_internal.h"
#include "storage/column_reader.h"
#include "storage/parquet_input.h"

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
  static const auto kNarrowSchema = make(arrow::float32());
  static const auto kWideSchema = make(arrow::float64());
  return width == AmountWidth::kFloat64 ? kWideSchema : kNarrowSchema;
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

/// Reads the columns of a file back, row group by row group, page by page into the arrays of the
/// summary.
class DailySummaryReader::File {
 public:
  File(const ParquetInput& file, DailySummary& summary, ScratchValues& scratch)
      : summary_(summary), file_(file), where_(file.path().string()), scratch_(scratch) {}

  Status read() {
    for (size_t i = 0; i < kColumns.size(); ++i) {
      TW_ASSIGN(columns_[i], file_.find_column(kColumns[i]));
    }
    TW_TRY(check_types());
    make_room();
    for (int row_group = 0; row_group < file_.row_group_count(); ++row_group) {
      TW_TRY(read_row_group(row_group));
    }
    return check_order();
  }

 private:
  enum Column { kBroker, kDate, kBuyShares, kSellShares, kBuyAmount, kSellAmount };
  static constexpr std::array kColumns{"broker",      "date",       "buy_shares",
                                       "sell_shares", "buy_amount", "sell_amount"};

  const parquet::ColumnDescriptor& descriptor(Column column) const {
    return file_.column(columns_[column]);
  }

  Status check_types() const {
    using parquet::Type;
    const auto expect = [&](Column column, bool is_as_expected) -> Status {
      if (is_as_expected) return {};
      return corrupt("{}: column '{}' has the type {}, which no daily summary has", where_,
                     kColumns[column], parquet::TypeToString(descriptor(column).physical_type()));
    };
    const auto has = [&](Column column, Type::type type) {
      return descriptor(column).physical_type() == type;
    };
    const auto logical = [&](Column column) { return descriptor(column).logical_type(); };
    const auto is_count = [&](Column column) {
      const auto meaning = logical(column);
      const bool plain = meaning == nullptr || meaning->is_none();
      return has(column, Type::INT32) &&
             (plain || (meaning->is_int() &&
                        static_cast<const parquet::IntLogicalType&>(*meaning).is_signed()));
    };
    TW_TRY(expect(kBroker, has(kBroker, Type::BYTE_ARRAY) && logical(kBroker) != nullptr &&
                               logical(kBroker)->is_string()));
    TW_TRY(expect(
        kDate, has(kDate, Type::INT32) && logical(kDate) != nullptr && logical(kDate)->is_date()));
    for (const Column column : {kBuyShares, kSellShares}) TW_TRY(expect(column, is_count(column)));
    for (const Column column : {kBuyAmount, kSellAmount}) {
      TW_TRY(expect(column, has(column, Type::FLOAT) || has(column, Type::DOUBLE)));
    }
    return {};
  }

  void make_room() {
    summary_.brokers.clear();
    summary_.has_null_broker = false;
    const auto rows = static_cast<size_t>(file_.row_count());
    summary_.broker_index.resize(rows);
    summary_.date.resize(rows);
    summary_.buy_shares.resize(rows);
    summary_.sell_shares.resize(rows);
    summary_.buy_amount.resize(rows);
    summary_.sell_amount.resize(rows);
  }

  Status read_row_group(int row_group) {
    TW_ASSIGN(const auto input, RowGroupInput::open(file_, row_group, columns_));
    const auto rows = static_cast<size_t>(input->row_count());
    scratch_.nulls.resize(rows);
    TW_TRY(read_brokers(*input, part_of(summary_.broker_index, rows)));
    TW_TRY(read_dates(*input, part_of(summary_.date, rows)));
    TW_TRY(
        read_numbers<parquet::Int32Type>(*input, kBuyShares, part_of(summary_.buy_shares, rows)));
    TW_TRY(
        read_numbers<parquet::Int32Type>(*input, kSellShares, part_of(summary_.sell_shares, rows)));
    TW_TRY(read_amounts(*input, kBuyAmount, part_of(summary_.buy_amount, rows)));
    TW_TRY(read_amounts(*input, kSellAmount, part_of(summary_.sell_amount, rows)));
    next_row_ += rows;
    return {};
  }

  template <typename Value>
  std::span<Value> part_of(std::vector<Value>& values, size_t rows) const {
    return std::span(values).subspan(next_row_, rows);
  }

  Status read_brokers(RowGroupInput& input, std::span<uint32_t> indices) {
    TW_ASSIGN(const auto reader, CodedColumnReader::open(input, columns_[kBroker]));
    scratch_.codes.resize(indices.size());
    TW_TRY(reader->read(scratch_.codes));
    // A broker's rows stand together, so that most codes are those of the row before.
    int32_t code = 0;
    bool has_code = false;
    for (size_t row = 0; row < indices.size(); ++row) {
      if (!has_code || scratch_.codes[row] != code) {
        code = scratch_.codes[row];
        has_code = true;
        TW_TRY(add_broker(code < 0 ? std::nullopt
                                   : std::optional(reader->values()[static_cast<size_t>(code)])));
      }
      indices[row] = static_cast<uint32_t>(summary_.brokers.size() - 1);
    }
    return reader->expect_end();
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
    return {};
  }

  Status read_dates(RowGroupInput& input, std::span<Day> days) {
    TW_ASSIGN(const auto reader,
              NumberColumnReader<parquet::Int32Type>::open(input, columns_[kDate]));
    scratch_.numbers.resize(days.size());
    TW_ASSIGN(const bool any_null, reader->read(scratch_.numbers, scratch_.nulls));
    std::ranges::transform(scratch_.numbers, days.begin(),
                           [](int32_t number) { return Day{number}; });
    for (size_t row = 0; any_null && row < days.size(); ++row) {
      if (scratch_.nulls[row] != 0) days[row] = kNullDay;
    }
    return reader->expect_end();
  }

  template <typename DType>
  Status read_numbers(RowGroupInput& input, Column column,
                      std::span<typename DType::c_type> values) {
    TW_ASSIGN(const auto reader, NumberColumnReader<DType>::open(input, columns_[column]));
    TW_ASSIGN(const bool any_null, reader->read(values, scratch_.nulls));
    if (any_null) return corrupt("{}: column '{}' has nulls", where_, kColumns[column]);
    return reader->expect_end();
  }

  Status read_amounts(RowGroupInput& input, Column column, std::span<double> values) {
    if (descriptor(column).physical_type() == parquet::Type::DOUBLE) {
      return read_numbers<parquet::DoubleType>(input, column, values);
    }
    scratch_.narrow.resize(values.size());
    TW_TRY(read_numbers<parquet::FloatType>(input, column, scratch_.narrow));
    std::ranges::copy(scratch_.narrow, values.begin());
    return {};
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
  const ParquetInput& file_;
  std::string where_;
  std::array<int, kColumns.size()> columns_{};
  size_t next_row_ = 0;  // where the row group begins
  ScratchValues& scratch_;
};

Result<const DailySummary*> DailySummaryReader::read(const std::filesystem::path& path) {
  TW_ASSIGN(const ParquetInput file, ParquetInput::open(path, pool_));
  summary_.symbol = symbol_of_file(path);
  TW_TRY(catch_parquet(path.string(), [&] { return File(file, summary_, scratch_).read(); }));
  return &summary_;
}

Result<DailySummary> read_daily_summary(const std::filesystem::path& path,
                                        arrow::MemoryPool* pool) {
  DailySummaryReader reader(pool);
  TW_TRY(reader.read(path));
  return std::move(reader.summary_);
}

}  // namespace tapeworks
