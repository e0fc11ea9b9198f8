#include "storage/row_group_hash.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <exception>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/interrupt.h"
#include "storage/posix_file.h"

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
  bool add_bytes(const FileDescriptor& file, int64_t offset, int64_t byte_count) {
    if (offset < 0 || byte_count < 0) return false;
    while (byte_count > 0) {
      const auto wanted = std::min<int64_t>(byte_count, kReadChunkBytes);
      const ssize_t count =
          ::pread(file.get(), buffer_.data(), static_cast<size_t>(wanted), offset);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0 || !check_interrupt()) return false;
      XXH3_64bits_update(&state_, buffer_.data(), static_cast<size_t>(count));
      offset += count;
      byte_count -= count;
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
    const auto descriptor = open_file(file.path(), O_RDONLY);
    if (!descriptor) return std::nullopt;
    const auto metadata = file.metadata().RowGroup(row_group);
    ContentHash hash;
    hash.add(file.metadata().schema()->ToString());
    hash.add(metadata->num_rows());
    for (int column = 0; column < metadata->num_columns(); ++column) {
      const auto chunk = metadata->ColumnChunk(column);
      const int64_t start = chunk->has_dictionary_page() && chunk->dictionary_page_offset() > 0
                                ? chunk->dictionary_page_offset()
                                : chunk->data_page_offset();
      hash.add(static_cast<int64_t>(chunk->compression()));
      hash.add(chunk->num_values());
      hash.add(chunk->total_compressed_size());
      if (!hash.add_bytes(*descriptor, start, chunk->total_compressed_size())) return std::nullopt;
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
  const auto descriptor = open_file(file.path(), O_RDONLY);
  struct stat info{};
  if (!descriptor || ::fstat(descriptor->get(), &info) != 0) return std::nullopt;
  const auto byte_count = static_cast<int64_t>(file.metadata().size());
  ContentHash hash;
  if (!hash.add_bytes(*descriptor, info.st_size - kLengthAndMagicBytes - byte_count, byte_count)) {
    return std::nullopt;
  }
  return hash.digest();
}

}  // namespace tapeworks
