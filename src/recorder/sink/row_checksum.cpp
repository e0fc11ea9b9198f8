#include "recorder/sink/row_checksum.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/bit_util.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks::recorder {
namespace {

static_assert(std::endian::native == std::endian::little, "canonical values are little-endian");

/// How a column's values are written.
enum class Form : uint8_t { kAsIs, kSigned32, kUnsigned32, kText };

/// A column of a batch, as its bytes lie in memory.
struct ColumnView {
  Form form = Form::kAsIs;
  const uint8_t* values = nullptr;  ///< of the first row; of texts, of the first row of all
  const int32_t* offsets = nullptr;
  const uint8_t* bitmap = nullptr;  ///< null: no row is
  int64_t bitmap_offset = 0;

  bool has_value(int64_t row) const {
    return bitmap == nullptr || arrow::bit_util::GetBit(bitmap, bitmap_offset + row);
  }
  template <typename Value>
  Value value(int64_t row) const {
    Value value{};
    std::memcpy(&value, values + static_cast<size_t>(row) * sizeof value, sizeof value);
    return value;
  }
  std::span<const uint8_t> text(int64_t row) const {
    return {values + offsets[row], static_cast<size_t>(offsets[row + 1] - offsets[row])};
  }
};

/// False for a type that no table has.
bool view_column(const arrow::Array& array, ColumnView& view) {
  if (array.null_count() != 0) view.bitmap = array.null_bitmap_data();
  view.bitmap_offset = array.offset();
  const auto view_values = [&](Form form, size_t value_bytes) {
    view.form = form;
    const auto& values = static_cast<const arrow::PrimitiveArray&>(array).values();
    const auto begin = static_cast<size_t>(array.offset()) * value_bytes;
    if (values != nullptr) view.values = values->data() + begin;
    return true;
  };
  switch (array.type_id()) {
    case arrow::Type::UINT64:
    case arrow::Type::INT64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DOUBLE:
      return view_values(Form::kAsIs, sizeof(uint64_t));
    case arrow::Type::INT32:
      return view_values(Form::kSigned32, sizeof(int32_t));
    case arrow::Type::UINT32:
      return view_values(Form::kUnsigned32, sizeof(uint32_t));
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const auto& texts = static_cast<const arrow::BinaryArray&>(array);
      view.form = Form::kText;
      view.values = texts.raw_data();
      view.offsets = texts.raw_value_offsets();
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

struct RowChecksum::State {
  /// Hashed together: a row is a few hundred bytes, mostly.
  static constexpr size_t kBufferBytes = 16 * 1024;

  void put(uint64_t value) {
    std::memcpy(room(sizeof value), &value, sizeof value);
    used += sizeof value;
  }
  void put_text(std::span<const uint8_t> text) {
    const auto length = static_cast<uint32_t>(text.size());
    std::memcpy(room(sizeof length), &length, sizeof length);
    used += sizeof length;
    if (text.size() > buffer.size()) {
      flush();
      XXH3_64bits_update(&hash, text.data(), text.size());
    } else if (!text.empty()) {
      std::memcpy(room(text.size()), text.data(), text.size());
      used += text.size();
    }
  }
  std::byte* room(size_t count) {
    if (buffer.size() - used < count) flush();
    return buffer.data() + used;
  }
  void flush() {
    if (used != 0) XXH3_64bits_update(&hash, buffer.data(), used);
    used = 0;
  }
  void add_row(int64_t row);

  XXH3_state_t hash;
  std::array<std::byte, kBufferBytes> buffer;
  size_t used = 0;
  std::vector<ColumnView> columns;  // of the batch
};

void RowChecksum::State::add_row(int64_t row) {
  uint64_t present = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    present |= static_cast<uint64_t>(columns[i].has_value(row)) << i;
  }
  put(present);
  for (size_t i = 0; i < columns.size(); ++i) {
    if ((present >> i & 1) == 0) continue;
    const ColumnView& column = columns[i];
    switch (column.form) {
      case Form::kAsIs:
        put(column.value<uint64_t>(row));
        break;
      case Form::kSigned32:
        put(static_cast<uint64_t>(int64_t{column.value<int32_t>(row)}));
        break;
      case Form::kUnsigned32:
        put(column.value<uint32_t>(row));
        break;
      case Form::kText:
        put_text(column.text(row));
        break;
    }
  }
}

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
    if (batch == nullptr) break;
    state_->columns.assign(static_cast<size_t>(batch->num_columns()), {});
    for (int i = 0; i < batch->num_columns(); ++i) {
      const auto& column = *batch->column(i);
      if (view_column(column, state_->columns[static_cast<size_t>(i)])) continue;
      return corrupt("a recording has no column '{}' of the type {}",
                     batch->schema()->field(i)->name(), column.type()->ToString());
    }
    for (int64_t row = 0; row < batch->num_rows(); ++row) state_->add_row(row);
  }
  state_->flush();
  return {};
}

uint64_t RowChecksum::digest() const { return XXH3_64bits_digest(&state_->hash); }

std::string checksum_text(uint64_t checksum) { return fmt::format("{:016x}", checksum); }

}  // namespace tapeworks::recorder
