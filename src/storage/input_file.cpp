#include "storage/input_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <system_error>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <arrow/util/io_util.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/interrupt.h"
#include "storage/object_store.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// Keeps the blocks of an object that were read last.
class BlockFile final : public arrow::io::RandomAccessFile {
 public:
  BlockFile(std::shared_ptr<arrow::io::RandomAccessFile> object, int64_t byte_count,
            arrow::MemoryPool* pool)
      : object_(std::move(object)), byte_count_(byte_count), pool_(pool) {}

  arrow::Result<int64_t> GetSize() override { return byte_count_; }

  arrow::Result<int64_t> ReadAt(int64_t offset, int64_t wanted, void* out) override {
    if (offset < 0 || wanted < 0) return arrow::Status::Invalid("a read before the beginning");
    const std::scoped_lock lock(mutex_);
    int64_t done = 0;
    wanted = std::min(wanted, std::max<int64_t>(byte_count_ - offset, 0));
    while (done < wanted) {
      const int64_t at = offset + done;
      ARROW_ASSIGN_OR_RAISE(const arrow::Buffer* const block, block_at(at / kBlockBytes));
      const int64_t skipped = at % kBlockBytes;
      const int64_t count = std::min(wanted - done, block->size() - skipped);
      if (count <= 0) return arrow::Status::Invalid("the object ends early");
      std::memcpy(static_cast<uint8_t*>(out) + done, block->data() + skipped,
                  static_cast<size_t>(count));
      done += count;
    }
    return done;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t offset, int64_t wanted) override {
    ARROW_ASSIGN_OR_RAISE(
        auto buffer,
        arrow::AllocateResizableBuffer(std::max<int64_t>(std::min(wanted, byte_count_), 0), pool_));
    ARROW_ASSIGN_OR_RAISE(const int64_t count,
                          ReadAt(offset, buffer->size(), buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(count));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }

  arrow::Result<int64_t> Read(int64_t wanted, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t count, ReadAt(position_, wanted, out));
    position_ += count;
    return count;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t wanted) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, wanted));
    position_ += buffer->size();
    return buffer;
  }
  arrow::Status Seek(int64_t offset) override {
    if (offset < 0) return arrow::Status::Invalid("a place before the beginning");
    position_ = offset;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }

 private:
  static constexpr int64_t kBlockBytes = int64_t{1024} * 1024;
  static constexpr size_t kBlocksKeptMax = 8;

  struct Block {
    int64_t number = 0;
    std::unique_ptr<arrow::Buffer> content;
  };

  /// Stays until the next call.
  arrow::Result<const arrow::Buffer*> block_at(int64_t number) {
    const auto kept = std::ranges::find(blocks_, number, &Block::number);
    if (kept != blocks_.end()) {
      blocks_.splice(blocks_.begin(), blocks_, kept);
      return blocks_.front().content.get();
    }
    if (blocks_.size() == kBlocksKeptMax) blocks_.pop_back();
    const int64_t offset = number * kBlockBytes;
    const int64_t byte_count = std::min(kBlockBytes, byte_count_ - offset);
    ARROW_ASSIGN_OR_RAISE(auto content, arrow::AllocateBuffer(byte_count, pool_));
    ARROW_ASSIGN_OR_RAISE(const int64_t count,
                          object_->ReadAt(offset, byte_count, content->mutable_data()));
    if (count != byte_count) return arrow::Status::Invalid("the object ends early");
    blocks_.push_front({number, std::move(content)});
    return blocks_.front().content.get();
  }

  std::shared_ptr<arrow::io::RandomAccessFile> object_;
  int64_t byte_count_;
  arrow::MemoryPool* pool_;
  int64_t position_ = 0;
  std::mutex mutex_;
  std::list<Block> blocks_;  // guarded by mutex_; the one used last stands first
};

}  // namespace

Result<InputFile> InputFile::open(const fs::path& path) {
  InputFile file;
  if (is_object_address(path.native())) {
    TW_ASSIGN(file.object_, open_object(path.string()));
  } else {
    TW_ASSIGN(file.descriptor_, open_file(path, O_RDONLY));
  }
  return file;
}

Result<InputFile> InputFile::share(const fs::path& path) const {
  if (object_ == nullptr) return open(path);
  InputFile file;
  file.object_ = object_;
  return file;
}

arrow::Result<int64_t> InputFile::size() const {
  if (object_ != nullptr) return object_->GetSize();
  struct stat info{};
  if (::fstat(descriptor_.get(), &info) == 0) return info.st_size;
  return arrow::internal::IOErrorFromErrno(errno, "cannot find out the size");
}

arrow::Result<int64_t> InputFile::read_at(int64_t offset, int64_t byte_count, void* out) const {
  if (object_ != nullptr) {
    for (const auto& range : announced_) {
      if (range->covers(offset)) return range->read(offset, byte_count, out);
    }
    return object_->ReadAt(offset, byte_count, out);
  }
  while (true) {
    const ssize_t count = ::pread(descriptor_.get(), out, static_cast<size_t>(byte_count), offset);
    if (count >= 0) return count;
    if (errno != EINTR) return arrow::internal::IOErrorFromErrno(errno, "cannot read");
  }
}

void InputFile::announce(int64_t offset, int64_t byte_count, MemoryBudget* budget) {
  if (offset < 0 || byte_count <= 0) return;
  if (object_ != nullptr) {
    const auto object_bytes = object_->GetSize();
    if (!object_bytes.ok() || offset >= *object_bytes) return;
    announced_.push_back(std::make_unique<ReadAhead>(
        object_, offset, std::min(byte_count, *object_bytes - offset), budget));
    return;
  }
#ifdef POSIX_FADV_WILLNEED
  // A hint only: where it fails, reading will say why.
  (void)::posix_fadvise(descriptor_.get(), offset, byte_count, POSIX_FADV_WILLNEED);
#endif
}

size_t opening_thread_count(const std::vector<fs::path>& paths) {
  constexpr size_t kOpenedAtOnce = 16;
  const bool is_remote = std::ranges::any_of(
      paths, [](const fs::path& path) { return is_object_address(path.native()); });
  return is_remote ? std::min(kOpenedAtOnce, paths.size()) : 1;
}

Result<InputStatus> status_of_input(const fs::path& path) {
  if (is_object_address(path.native())) {
    TW_ASSIGN(const auto object, find_object(path.string()));
    if (!object) return InputStatus{};
    return InputStatus{object->is_folder ? InputType::kFolder : InputType::kFile,
                       object->byte_count};
  }
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return InputStatus{};
  if (error) return io_error("{} cannot be read: {}", path.string(), error.message());
  if (fs::is_directory(status)) return InputStatus{InputType::kFolder};
  if (!fs::is_regular_file(status)) return InputStatus{InputType::kOther};
  const uint64_t byte_count = fs::file_size(path, error);
  if (error) return io_error("{} cannot be read: {}", path.string(), error.message());
  return InputStatus{InputType::kFile, byte_count};
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> open_arrow_file(const fs::path& path,
                                                                     arrow::MemoryPool* pool) {
  if (is_object_address(path.native())) {
    TW_ASSIGN(auto object, open_object(path.string()));
    const auto byte_count = object->GetSize();
    if (!byte_count.ok()) return io_error("{}: {}", path.string(), byte_count.status().message());
    return std::make_shared<BlockFile>(std::move(object), *byte_count, pool);
  }
  auto file = arrow::io::ReadableFile::Open(path.string(), pool);
  if (!file.ok()) return io_error("{}", file.status().message());
  return *std::move(file);
}

Result<std::string> read_input_text(const fs::path& path) {
  if (is_object_address(path.native())) return read_object(path.string());
  return read_text_file(path);
}

Result<StreamedContent> hash_input(const fs::path& path) {
  if (!is_object_address(path.native())) {
    TW_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
    return hash_content(file, path, nullptr, {});
  }
  constexpr int64_t kPieceBytes = int64_t{4} * 1024 * 1024;
  TW_ASSIGN(const auto object, open_object(path.string()));
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state{XXH3_createState(),
                                                                        XXH3_freeState};
  XXH3_64bits_reset(state.get());
  StreamedContent content;
  while (true) {
    TW_TRY(check_interrupt());
    const auto piece = object->ReadAt(static_cast<int64_t>(content.byte_count), kPieceBytes);
    if (!piece.ok()) return io_error("{}: {}", path.string(), piece.status().ToString());
    if ((*piece)->size() == 0) break;
    XXH3_64bits_update(state.get(), (*piece)->data(), static_cast<size_t>((*piece)->size()));
    content.byte_count += static_cast<uint64_t>((*piece)->size());
  }
  content.xxh3 = XXH3_64bits_digest(state.get());
  return content;
}

Result<std::vector<std::string>> list_files_below(const fs::path& folder) {
  std::vector<std::string> names;
  if (is_object_address(folder.native())) {
    TW_ASSIGN(const auto objects, list_objects(folder.string(), ListDepth::kAllObjects));
    for (const ObjectInfo& object : objects) {
      names.push_back(object.address.substr(folder.string().size() + 1));
    }
    return names;
  }
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_directory(error) && !entry->is_symlink(error)) continue;
    names.push_back(entry->path().lexically_relative(folder).generic_string());
  }
  if (error) return io_error("the folder cannot be read: {}", error.message());
  std::ranges::sort(names);
  return names;
}

std::string absolute_name(const fs::path& path) {
  if (is_object_address(path.native())) return path.string();
  std::error_code error;
  return fs::absolute(path, error).string();
}

}  // namespace tapeworks
