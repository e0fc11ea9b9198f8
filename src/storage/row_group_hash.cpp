#include "storage/row_group_hash.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <string_view>
#include <vector>

#include <parquet/metadata.h>
#include <parquet/schema.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/interrupt.h"
#include "storage/column_pages.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace {

constexpr size_t kReadChunkBytes = size_t{256} * 1024;

class ContentHash {
 public:
  ContentHash() { XXH3_64bits_reset(&state_); }

  void add(int64_t number) { XXH3_64bits_update(&state_, &number, sizeof number); }
  void add(std::string_view text) {
    add(static_cast<int64_t>(text.size()));
    XXH3_64bits_update(&state_, text.data(), text.size());
  }
  /// False when the file has no such bytes.
  bool add_bytes(const InputFile& file, int64_t offset, int64_t byte_count) {
    if (offset < 0 || byte_count < 0) return false;
    while (byte_count > 0) {
      const auto wanted = std::min<int64_t>(byte_count, kReadChunkBytes);
      const auto count = file.read_at(offset, wanted, buffer_.data());
      if (!count.ok() || *count == 0 || !check_interrupt()) return false;
      XXH3_64bits_update(&state_, buffer_.data(), static_cast<size_t>(*count));
      offset += *count;
      byte_count -= *count;
    }
    return true;
  }
  uint64_t digest() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kReadChunkBytes);
};

}  // namespace

std::optional<uint64_t> row_group_hash(const ParquetInput& file, int row_group) {
  try {
    auto source = file.bytes();
    if (!source) return std::nullopt;
    const auto metadata = file.metadata().RowGroup(row_group);
    ContentHash hash;
    hash.add(file.metadata().schema()->ToString());
    hash.add(metadata->num_rows());
    for (int column = 0; column < metadata->num_columns(); ++column) {
      const auto chunk = metadata->ColumnChunk(column);
      const int64_t start = first_page_offset(*chunk);
      hash.add(static_cast<int64_t>(chunk->compression()));
      hash.add(chunk->num_values());
      hash.add(chunk->total_compressed_size());
      source->announce(start, chunk->total_compressed_size(), file.budget());
      if (!hash.add_bytes(*source, start, chunk->total_compressed_size())) return std::nullopt;
    }
    return hash.digest();
  } catch (const std::exception&) {
    // A footer whose numbers make no sense; reading the rows will say what is wrong.
    return std::nullopt;
  }
}

std::optional<uint64_t> footer_hash(const ParquetInput& file) {
  // Its bytes as they lie in the file: the library cannot write every footer again that it reads.
  constexpr int64_t kLengthAndMagicBytes = 8;
  const auto source = file.bytes();
  if (!source) return std::nullopt;
  const auto file_bytes = source->size();
  if (!file_bytes.ok()) return std::nullopt;
  const auto byte_count = static_cast<int64_t>(file.metadata().size());
  ContentHash hash;
  if (!hash.add_bytes(*source, *file_bytes - kLengthAndMagicBytes - byte_count, byte_count)) {
    return std::nullopt;
  }
  return hash.digest();
}

}  // namespace tapeworks
