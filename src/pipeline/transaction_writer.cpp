#include "pipeline/transaction_writer.h"

#include <algorithm>
#include <numeric>

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/interrupt.h"
#include "base/random.h"
#include "pipeline/price_ladder.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "making transactions";
/// The stream of the places of shuffled rows, below the seed.
constexpr uint64_t kPlacesStream = 1000;

/// Renumbers the column in place so that the numbers that occur become 0, 1, 2 ... in ascending
/// order, and returns them.
std::vector<uint32_t> compact_indices(std::span<int32_t> column, size_t number_count) {
  std::vector<int32_t> new_numbers(number_count, -1);
  for (const int32_t number : column) new_numbers[static_cast<size_t>(number)] = 0;
  std::vector<uint32_t> used;
  for (uint32_t number = 0; number < number_count; ++number) {
    if (new_numbers[number] < 0) continue;
    new_numbers[number] = static_cast<int32_t>(used.size());
    used.push_back(number);
  }
  for (int32_t& number : column) number = new_numbers[static_cast<size_t>(number)];
  return used;
}

template <typename TextOf>
Result<std::shared_ptr<arrow::Array>> text_array(const std::vector<uint32_t>& numbers,
                                                 arrow::MemoryPool* pool, TextOf text_of) {
  arrow::StringBuilder builder(pool);
  for (const uint32_t number : numbers) TW_TRY(from_arrow(builder.Append(text_of(number)), kWhere));
  return from_arrow(builder.Finish(), kWhere);
}

Result<std::shared_ptr<arrow::Array>> dictionary_array(const std::shared_ptr<arrow::Array>& indices,
                                                       std::shared_ptr<arrow::Array> dictionary) {
  return from_arrow(
      arrow::DictionaryArray::FromArrays(arrow::dictionary(arrow::int32(), arrow::utf8()), indices,
                                         std::move(dictionary)),
      kWhere);
}

}  // namespace

std::shared_ptr<arrow::Schema> transaction_schema() {
  const auto text = arrow::dictionary(arrow::int32(), arrow::utf8());
  return arrow::schema({arrow::field("symbol_id", text),
                        arrow::field("date", arrow::timestamp(arrow::TimeUnit::MILLI, "UTC")),
                        arrow::field("broker", text), arrow::field("broker_name", text),
                        arrow::field("price", text), arrow::field("buy", arrow::int64()),
                        arrow::field("sell", arrow::int64())});
}

Result<TransactionColumns> TransactionColumns::allocate(int64_t row_count_max,
                                                        arrow::MemoryPool* pool) {
  TransactionColumns columns;
  for (const int64_t value_bytes : {4, 4, 4, 8, 8, 8}) {
    TW_ASSIGN(std::shared_ptr<arrow::Buffer> buffer,
              from_arrow(arrow::AllocateBuffer(row_count_max * value_bytes, pool), kWhere));
    columns.buffers_.push_back(std::move(buffer));
  }
  const auto& buffers = columns.buffers_;
  columns.symbol_ = buffers[0]->mutable_data_as<int32_t>();
  columns.broker_ = buffers[1]->mutable_data_as<int32_t>();
  columns.price_ = buffers[2]->mutable_data_as<int32_t>();
  columns.stamp_ms_ = buffers[3]->mutable_data_as<int64_t>();
  columns.buy_ = buffers[4]->mutable_data_as<int64_t>();
  columns.sell_ = buffers[5]->mutable_data_as<int64_t>();
  return columns;
}

Result<std::shared_ptr<arrow::RecordBatch>> TransactionColumns::make_batch(
    const MarketModel& model, size_t row_count, arrow::MemoryPool* pool) {
  const auto length = static_cast<int64_t>(row_count);
  const auto indices = [&](size_t column) {
    return std::make_shared<arrow::Int32Array>(length, buffers_[column]);
  };
  const auto numbers = [&](size_t column) {
    return std::make_shared<arrow::Int64Array>(length, buffers_[column]);
  };
  const auto symbols = compact_indices({symbol_, row_count}, model.symbols().size());
  const auto brokers = compact_indices({broker_, row_count}, model.brokers().size());
  const auto prices = compact_indices({price_, row_count}, kPriceLevelCount);

  TW_ASSIGN(auto symbol_text, text_array(symbols, pool, [&](uint32_t number) {
              return std::string_view(model.symbols()[number].code);
            }));
  TW_ASSIGN(auto broker_text, text_array(brokers, pool, [&](uint32_t number) {
              return std::string_view(model.brokers()[number].code);
            }));
  TW_ASSIGN(auto name_text, text_array(brokers, pool, [&](uint32_t number) {
              return std::string_view(model.brokers()[number].name);
            }));
  TW_ASSIGN(auto price_text, text_array(prices, pool, [](uint32_t level) {
              return level == 0 ? std::string("-") : text_of_level(level);
            }));
  TW_ASSIGN(auto symbol, dictionary_array(indices(0), std::move(symbol_text)));
  TW_ASSIGN(auto broker, dictionary_array(indices(1), std::move(broker_text)));
  TW_ASSIGN(auto name, dictionary_array(indices(1), std::move(name_text)));
  TW_ASSIGN(auto price, dictionary_array(indices(2), std::move(price_text)));
  const auto schema = transaction_schema();
  auto stamp =
      std::make_shared<arrow::TimestampArray>(schema->field(1)->type(), length, buffers_[3]);
  return arrow::RecordBatch::Make(schema, length,
                                  {symbol, stamp, broker, name, price, numbers(4), numbers(5)});
}

TransactionWriter::TransactionWriter(const MarketModel& model, const GenerateOptions& options,
                                     arrow::MemoryPool* pool)
    : model_(model), options_(options), pool_(pool) {}

Status TransactionWriter::open(const std::filesystem::path& path, uint64_t row_count) {
  const auto capacity = static_cast<int64_t>(kRowGroupRows);
  if (!columns_) {
    TW_ASSIGN(columns_, TransactionColumns::allocate(capacity, pool_));
    if (options_.thread_count > 1) {
      TW_ASSIGN(spare_columns_, TransactionColumns::allocate(capacity, pool_));
    }
  }
  const ParquetFileOptions file_options{.parallel_columns = options_.thread_count > 1};
  TW_ASSIGN(file_, ParquetFileWriter::open(path, transaction_schema(), file_options, pool_));
  rows_left_ = row_count;
  return begin_row_group();
}

Status TransactionWriter::begin_row_group() {
  TW_TRY(check_interrupt());
  filled_ = 0;
  group_rows_ = static_cast<size_t>(std::min<uint64_t>(rows_left_, kRowGroupRows));
  rows_left_ -= group_rows_;
  if (options_.order == RowOrder::kShuffled) {
    positions_.resize(group_rows_);
    std::iota(positions_.begin(), positions_.end(), 0U);
    shuffle_items(std::span(positions_),
                  derive_key(derive_key(options_.market.seed, kPlacesStream), row_groups_begun_));
  }
  ++row_groups_begun_;
  return {};
}

Status TransactionWriter::finish_row_group() {
  if (!spare_columns_) {
    TW_TRY(encode(*columns_, filled_));
  } else {
    TW_TRY(wait_for_encoder());
    std::swap(columns_, spare_columns_);
    encoder_ = std::async(std::launch::async, [this, row_count = filled_]() -> Status {
      return encode(*spare_columns_, row_count);
    });
  }
  return begin_row_group();
}

Status TransactionWriter::wait_for_encoder() {
  if (!encoder_.valid()) return {};
  return encoder_.get();
}

Status TransactionWriter::encode(TransactionColumns& columns, size_t row_count) {
  TW_ASSIGN(const auto batch, columns.make_batch(model_, row_count, pool_));
  return file_->write(*batch);
}

Result<uint64_t> TransactionWriter::close() {
  TW_TRY(wait_for_encoder());
  auto byte_count = file_->close();
  file_.reset();
  return byte_count;
}

}  // namespace tapeworks
