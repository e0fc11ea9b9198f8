#pragma once

#include <cstdint>

#include <arrow/type_fwd.h>

namespace tapeworks::recorder {

/// Bytes of the texts and binary values of the rows [begin, begin + count).
int64_t text_bytes(const arrow::RecordBatch& rows, int64_t begin, int64_t count);

/// How many of the rows [begin, begin + most), at least one, go into a page that has room for so
/// many bytes of texts: up to the row that fills it, and no further, so that pages of the same rows
/// end at the same rows however they come. `most` and `text_room_bytes` are positive.
int64_t rows_that_fill(const arrow::RecordBatch& rows, int64_t begin, int64_t most,
                       int64_t text_room_bytes);

}  // namespace tapeworks::recorder
