#include "storage/log_segment_file.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "storage/log_archive_file.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

class PlainSegmentBytes : public LogSegmentBytes {
 public:
  PlainSegmentBytes(FileDescriptor file, fs::path path)
      : file_(std::move(file)), path_(std::move(path)) {}

  Result<size_t> read_block(uint64_t index, std::span<std::byte> block) override {
    size_t filled = 0;
    while (filled < block.size()) {
      const ssize_t got = ::pread(file_.get(), block.data() + filled, block.size() - filled,
                                  static_cast<off_t>(index * kLogBlockBytes + filled));
      if (got == 0) break;
      if (got < 0 && errno == EINTR) continue;
      // One sector that cannot be read must not hide what lies behind it.
      if (got < 0 && errno == EIO) return give_up(index, block);
      if (got < 0) return system_error("read", path_, errno);
      filled += static_cast<size_t>(got);
    }
    return filled;
  }

 private:
  /// The block as one that the disk does not give; the size says where that ends.
  Result<size_t> give_up(uint64_t index, std::span<std::byte> block) const {
    // A disk may try for seconds before each refusal.
    TW_TRY(check_interrupt());
    struct stat facts{};
    if (::fstat(file_.get(), &facts) != 0) return system_error("read", path_, errno);
    const uint64_t begin = index * kLogBlockBytes;
    const uint64_t end = std::max(begin, static_cast<uint64_t>(facts.st_size));
    const auto lost = block.first(std::min<uint64_t>(block.size(), end - begin));
    std::ranges::fill(lost, std::byte{0xff});
    return lost.size();
  }

  FileDescriptor file_;
  fs::path path_;
};

}  // namespace

Result<std::vector<LogSegmentFile>> list_log_segments(const fs::path& folder) {
  std::vector<LogSegmentFile> segments;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return invalid_argument("{} is no folder; name the folder of a write-ahead log",
                            folder.string());
  }
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const auto parsed = parse_segment_name(entries->path().filename().string());
    if (parsed) segments.push_back({entries->path(), parsed->first_lsn, parsed->archived});
  }
  if (error) return system_error("list", folder, error.value());
  std::ranges::sort(segments, {}, [](const LogSegmentFile& file) {
    return std::pair(file.first_lsn, file.archived);
  });
  const auto twins = std::ranges::unique(segments, {}, &LogSegmentFile::first_lsn);
  segments.erase(twins.begin(), twins.end());
  return segments;
}

Result<std::optional<uint64_t>> first_lsn_of_log(const fs::path& folder) {
  TW_ASSIGN(const auto segments, list_log_segments(folder));
  if (segments.empty()) return std::nullopt;
  return segments.front().first_lsn;
}

Result<std::unique_ptr<LogSegmentBytes>> open_segment_bytes(const LogSegmentFile& file) {
  std::error_code error;
  if (!fs::exists(file.path, error)) return not_found("{} is gone", file.path.string());
  TW_ASSIGN(FileDescriptor descriptor, open_file(file.path, O_RDONLY));
  if (file.archived) return open_archived_segment(std::move(descriptor), file);
  return std::make_unique<PlainSegmentBytes>(std::move(descriptor), file.path);
}

}  // namespace tapeworks
