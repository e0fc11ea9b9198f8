#include "recorder/sink/page_rows.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

namespace tapeworks::recorder {

int64_t text_bytes(const arrow::RecordBatch& rows, int64_t begin, int64_t count) {
  int64_t bytes = 0;
  for (const auto& column : rows.columns()) {
    const auto type = column->type_id();
    if (type != arrow::Type::STRING && type != arrow::Type::BINARY) continue;
    const auto& texts = static_cast<const arrow::BinaryArray&>(*column);
    bytes += texts.value_offset(begin + count) - texts.value_offset(begin);
  }
  return bytes;
}

int64_t rows_that_fill(const arrow::RecordBatch& rows, int64_t begin, int64_t most,
                       int64_t text_room_bytes) {
  if (text_bytes(rows, begin, most) < text_room_bytes) return most;
  int64_t least = 1;
  while (least < most) {
    const int64_t middle = least + (most - least) / 2;
    if (text_bytes(rows, begin, middle) >= text_room_bytes) {
      most = middle;
    } else {
      least = middle + 1;
    }
  }
  return least;
}

}  // namespace tapeworks::recorder
