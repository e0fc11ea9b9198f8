#include "recorder/sink/row_checksum.h"

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks::recorder {
namespace {

class ByteString {
 public:
  void clear() { bytes_.clear(); }
  size_t size() const { return bytes_.size(); }
  const std::byte* data() const { return bytes_.data(); }
  template <typename Value>
  void append(Value value) {
    append_bytes(&value, sizeof value);
  }
  void append_bytes(const void* from, size_t count) {
    const size_t at = bytes_.size();
    bytes_.resize(at + count);
    if (count != 0) std::memcpy(bytes_.data() + at, from, count);
  }

 private:
  std::vector<std::byte> bytes_;
};

template <typename Array>
auto value_at(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}

/// False for a type that no table has.
bool append_value(const arrow::Array& array, int64_t row, ByteString& out) {
  switch (array.type_id()) {
    case arrow::Type::UINT64:
      out.append(value_at<arrow::UInt64Array>(array, row));
      return true;
    case arrow::Type::INT64:
      out.append(value_at<arrow::Int64Array>(array, row));
      return true;
    case arrow::Type::TIMESTAMP:
      out.append(value_at<arrow::TimestampArray>(array, row));
      return true;
    case arrow::Type::INT32:
      out.append(int64_t{value_at<arrow::Int32Array>(array, row)});
      return true;
    case arrow::Type::UINT32:
      out.append(uint64_t{value_at<arrow::UInt32Array>(array, row)});
      return true;
    case arrow::Type::DOUBLE:
      out.append(value_at<arrow::DoubleArray>(array, row));
      return true;
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const std::string_view text = static_cast<const arrow::BinaryArray&>(array).GetView(row);
      out.append(static_cast<uint32_t>(text.size()));
      out.append_bytes(text.data(), text.size());
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

struct RowChecksum::State {
  XXH3_state_t hash;
  ByteString row;
};

RowChecksum::RowChecksum() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->hash); }
RowChecksum::~RowChecksum() = default;
RowChecksum::RowChecksum(RowChecksum&&) noexcept = default;
RowChecksum& RowChecksum::operator=(RowChecksum&&) noexcept = default;

Status RowChecksum::add(const arrow::Table& rows) {
  arrow::TableBatchReader batches(rows);
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    const auto read = batches.ReadNext(&batch);
    if (!read.ok()) return internal_error("checksum of rows: {}", read.message());
    if (batch == nullptr) return {};
    const auto& columns = batch->columns();
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      uint64_t present = 0;
      for (size_t i = 0; i < columns.size(); ++i) {
        if (columns[i]->IsValid(row)) present |= uint64_t{1} << i;
      }
      state_->row.clear();
      state_->row.append(present);
      for (size_t i = 0; i < columns.size(); ++i) {
        if ((present >> i & 1) == 0) continue;
        if (!append_value(*columns[i], row, state_->row)) {
          return corrupt("a recording has no column '{}' of the type {}",
                         batch->schema()->field(static_cast<int>(i))->name(),
                         columns[i]->type()->ToString());
        }
      }
      XXH3_64bits_update(&state_->hash, state_->row.data(), state_->row.size());
    }
  }
}

uint64_t RowChecksum::digest() const { return XXH3_64bits_digest(&state_->hash); }

std::string checksum_text(uint64_t checksum) { return fmt::format("{:016x}", checksum); }

}  // namespace tapeworks::recorder
