#include <algorithm>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <parquet/column_page.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include "storage/arrow_status_internal.h"
#include "storage/column_reader.h"

namespace tapeworks {

ColumnChunkReader::ColumnChunkReader(RowGroupInput& row_group, int column)
    : descriptor_(row_group.file().column(column)),
      row_group_(row_group),
      column_(column),
      pages_({row_group.source_, row_group.file().metadata(), row_group.row_group(), column,
              row_group.pool_.get(), &row_group.decompressor_}) {}

ColumnChunkReader::~ColumnChunkReader() = default;

std::string ColumnChunkReader::place_of(const RowGroupInput& row_group, int column) {
  return fmt::format("{}: row group {}, column '{}'", row_group.file().path().string(),
                     row_group.row_group(), row_group.file().column(column).name());
}

Status ColumnChunkReader::provide_page() {
  auto status = catch_parquet(where(), [&] { return load_page(); });
  if (status) return {};
  if (budget() == nullptr) return status;
  const auto row_group = row_group_.file().metadata().RowGroup(row_group_.row_group());
  return std::unexpected(explain_page_budget(
      std::move(status).error(), *budget(),
      static_cast<uint64_t>(std::max<int64_t>(row_group->total_byte_size(), 0))));
}

std::unexpected<Error> ColumnChunkReader::ends_early() const {
  return corrupt("{}: the column ends before the {} rows of its row group", where(),
                 row_group_.row_count());
}

Result<ColumnChunkReader::PageSlice> ColumnChunkReader::next_slice(size_t row_count) {
  while (page_cursor_ == page_rows_) {
    TW_TRY(provide_page());
    if (page_ == nullptr) return ends_early();
  }
  PageSlice slice;
  slice.row_count = std::min(row_count, page_rows_ - page_cursor_);
  slice.value_count = slice.row_count;
  if (!page_levels_.empty()) {
    slice.levels = std::span(page_levels_).subspan(page_cursor_, slice.row_count);
    slice.value_count = static_cast<size_t>(std::ranges::count(slice.levels, 1));
  }
  page_cursor_ += slice.row_count;
  return slice;
}

Status ColumnChunkReader::skip(int64_t row_count) {
  constexpr int64_t kRowsPerRead = 4096;
  skippable_rows_ = row_count;
  while (skippable_rows_ > 0) {
    if (page_cursor_ == page_rows_) {
      // Whole pages are skipped while the next one is looked for.
      TW_TRY(provide_page());
      if (page_ == nullptr && skippable_rows_ > 0) return ends_early();
      if (page_ == nullptr) return {};
      continue;
    }
    const int64_t in_page = std::min<int64_t>(static_cast<int64_t>(page_rows_ - page_cursor_),
                                              std::exchange(skippable_rows_, 0));
    for (int64_t left = in_page; left > 0;) {
      const int64_t count = std::min(left, kRowsPerRead);
      TW_TRY(discard(static_cast<size_t>(count)));
      left -= count;
    }
  }
  return {};
}

Status ColumnChunkReader::expect_end() {
  while (page_cursor_ == page_rows_) {
    TW_TRY(catch_parquet(where(), [&] { return load_page(); }));
    if (page_ == nullptr) return {};
  }
  return corrupt("{}: the column has more values than the {} rows of its row group", where(),
                 row_group_.row_count());
}

Status ColumnChunkReader::load_page() {
  page_rows_ = 0;
  page_cursor_ = 0;
  auto next = pages_.next(skippable_rows_);
  page_ = std::move(next.header);
  if (page_ == nullptr) return {};
  const std::span<const uint8_t> bytes = next.bytes;
  switch (page_->type()) {
    case parquet::PageType::DICTIONARY_PAGE: {
      const auto& page = static_cast<const parquet::DictionaryPage&>(*page_);
      if (pages_seen_) return corrupt("{}: a dictionary page stands behind other pages", where());
      pages_seen_ = true;
      if (page.encoding() != parquet::Encoding::PLAIN &&
          page.encoding() != parquet::Encoding::PLAIN_DICTIONARY) {
        return corrupt("{}: a dictionary page has an unknown encoding", where());
      }
      if (page.num_values() < 0) return corrupt("{}: a dictionary has a negative size", where());
      // The library reuses the page's memory for the next one, and the values point into it.
      TW_ASSIGN(dictionary_bytes_,
                from_arrow(arrow::AllocateBuffer(static_cast<int64_t>(bytes.size()),
                                                 row_group_.pool_.get()),
                           where()));
      std::ranges::copy(bytes, dictionary_bytes_->mutable_data());
      return set_dictionary(std::span(dictionary_bytes_->data(), bytes.size()), page.num_values());
    }
    case parquet::PageType::DATA_PAGE: {
      const auto& page = static_cast<const parquet::DataPageV1&>(*page_);
      pages_seen_ = true;
      size_t level_bytes = 0;
      if (descriptor_.max_definition_level() > 0) {
        if (bytes.size() < 4) return corrupt("{}: a page is too short for its levels", where());
        uint32_t length = 0;
        for (size_t i = 0; i < 4; ++i) length |= static_cast<uint32_t>(bytes[i]) << (8 * i);
        if (length > bytes.size() - 4) {
          return corrupt("{}: the levels of a page run past its end", where());
        }
        level_bytes = length + size_t{4};
      }
      const auto levels = level_bytes == 0 ? bytes.first(0) : bytes.subspan(4, level_bytes - 4);
      return start_data_page(levels, bytes.subspan(level_bytes), page.num_values(), page.encoding(),
                             page.definition_level_encoding());
    }
    case parquet::PageType::DATA_PAGE_V2: {
      const auto& page = static_cast<const parquet::DataPageV2&>(*page_);
      pages_seen_ = true;
      const int64_t repetition_bytes = page.repetition_levels_byte_length();
      const int64_t definition_bytes = page.definition_levels_byte_length();
      if (repetition_bytes < 0 || definition_bytes < 0 ||
          repetition_bytes + definition_bytes > static_cast<int64_t>(bytes.size())) {
        return corrupt("{}: the levels of a page run past its end", where());
      }
      const auto levels = bytes.subspan(static_cast<size_t>(repetition_bytes),
                                        static_cast<size_t>(definition_bytes));
      return start_data_page(
          levels, bytes.subspan(static_cast<size_t>(repetition_bytes + definition_bytes)),
          page.num_values(), page.encoding(), parquet::Encoding::RLE);
    }
    default:
      // Index pages and what later versions of the format may bring carry no rows.
      return {};
  }
}

Status ColumnChunkReader::start_data_page(std::span<const uint8_t> levels,
                                          std::span<const uint8_t> values, int32_t value_count,
                                          parquet::Encoding::type encoding,
                                          parquet::Encoding::type level_encoding) {
  if (value_count < 0) return corrupt("{}: a page claims a negative number of values", where());
  if (value_count > row_group_.row_count()) {
    return corrupt("{}: a page claims more values than its row group has rows", where());
  }
  TW_TRY(read_levels(levels, value_count, level_encoding));
  page_rows_ = static_cast<size_t>(value_count);
  dictionary_encoded_ = encoding == parquet::Encoding::RLE_DICTIONARY ||
                        encoding == parquet::Encoding::PLAIN_DICTIONARY;
  if (!dictionary_encoded_) return set_values(values, value_count, encoding);
  if (dictionary_bytes_ == nullptr) {
    return corrupt("{}: a page refers to a dictionary that is not there", where());
  }
  // A page of nulls only may have no bytes at all.
  const int bit_width = values.empty() ? 0 : values[0];
  if (bit_width > 32) return corrupt("{}: a page has indices of {} bits", where(), bit_width);
  index_decoder_ = IndexDecoder(values.empty() ? values : values.subspan(1), bit_width);
  return {};
}

Status ColumnChunkReader::read_levels(std::span<const uint8_t> encoded, int32_t value_count,
                                      parquet::Encoding::type level_encoding) {
  page_levels_.clear();
  if (descriptor_.max_definition_level() == 0 || value_count == 0) return {};
  if (level_encoding != parquet::Encoding::RLE) {
    return corrupt("{}: its levels are in an encoding that no writer has used since 2013", where());
  }
  IndexDecoder decoder(encoded, 1);
  if (decoder.starts_with_run(1, static_cast<uint64_t>(value_count))) return {};
  page_levels_.resize(static_cast<size_t>(value_count));
  if (!decoder.decode(page_levels_)) {
    return corrupt("{}: the levels of a page end before its values", where());
  }
  if (std::ranges::any_of(page_levels_, [](int32_t level) { return level < 0 || level > 1; })) {
    return corrupt("{}: the levels of a page are out of range", where());
  }
  // Few rows may come as bits although none of them is null.
  if (std::ranges::find(page_levels_, 0) == page_levels_.end()) page_levels_.clear();
  return {};
}

Status ColumnChunkReader::decode_indices(std::span<int32_t> indices, size_t dictionary_size) {
  uint32_t largest = 0;
  if (!index_decoder_.decode(indices, largest)) {
    return corrupt("{}: the indices of a page end before its values", where());
  }
  if (!indices.empty() && largest >= dictionary_size) {
    return corrupt("{}: a page has the index {} in a dictionary of {} values", where(), largest,
                   dictionary_size);
  }
  return {};
}

}  // namespace tapeworks
