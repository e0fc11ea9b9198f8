#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/io/type_fwd.h>
#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "base/result.h"
#include "storage/memory_budget.h"
#include "storage/posix_file.h"
#include "storage/read_ahead.h"

namespace tapeworks {

/// A file of the disk or an object of a store, read at any place. `path` may be an address that was
/// passed through use_object_address().
///
/// Threads: one; share() gives another one of the same file to each thread.
class InputFile {
 public:
  InputFile() = default;
  /// kIo when it cannot be opened.
  static Result<InputFile> open(const std::filesystem::path& path);

  /// The same file for another thread. A file of the disk is opened again, an object is not.
  Result<InputFile> share(const std::filesystem::path& path) const;

  arrow::Result<int64_t> size() const;
  /// Some of the bytes at `offset`, at most `byte_count`; 0 at the end.
  arrow::Result<int64_t> read_at(int64_t offset, int64_t byte_count, void* out) const;

  /// Says that these bytes will be read from front to back, beside other announced ones: the system
  /// or read-ahead in memory of `budget` fetches them early; without a budget a little of it.
  void announce(int64_t offset, int64_t byte_count, MemoryBudget* budget);

 private:
  FileDescriptor descriptor_;
  std::shared_ptr<arrow::io::RandomAccessFile> object_;  ///< null for a file of the disk
  std::vector<std::unique_ptr<ReadAhead>> announced_;    ///< of an object
};

/// How many threads should open such files at once: opening an object is waiting for answers.
size_t opening_thread_count(const std::vector<std::filesystem::path>& paths);

/// What stands at a path or an address.
enum class InputType { kNothing, kFile, kFolder, kOther };
struct InputStatus {
  InputType type = InputType::kNothing;
  uint64_t byte_count = 0;  ///< of a file
};
Result<InputStatus> status_of_input(const std::filesystem::path& path);

/// For Arrow's readers. An object is fetched in blocks of 1 MiB, of which a few are kept in memory
/// of `pool`, because those readers ask for small pieces.
Result<std::shared_ptr<arrow::io::RandomAccessFile>> open_arrow_file(
    const std::filesystem::path& path, arrow::MemoryPool* pool);

/// The whole content.
Result<std::string> read_input_text(const std::filesystem::path& path);

/// XXH3-64 and size of the whole content.
Result<StreamedContent> hash_input(const std::filesystem::path& path);

/// The files below a folder, or objects below a prefix, by their paths below it, sorted. A link to
/// a folder counts as a file.
Result<std::vector<std::string>> list_files_below(const std::filesystem::path& folder);

/// The path as records name it: absolute, or the address as it is.
std::string absolute_name(const std::filesystem::path& path);

}  // namespace tapeworks
