#include "storage/parquet_file_writer.h"

#include <cerrno>

#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fcntl.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/arrow_status_internal.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

/// True when `path` still names the open file.
bool names_file(const std::filesystem::path& path, const FileDescriptor& file) {
  struct stat by_name{};
  struct stat by_descriptor{};
  return stat(path.c_str(), &by_name) == 0 && fstat(file.get(), &by_descriptor) == 0 &&
         by_name.st_dev == by_descriptor.st_dev && by_name.st_ino == by_descriptor.st_ino;
}

/// Opens the partial file empty and locked. The lock is what tells a living writer from a dead one;
/// it goes with the file, so after taking it the name must be looked at again: the former owner may
/// have published the file in between.
Result<FileDescriptor> open_locked(const std::filesystem::path& partial) {
  while (true) {
    TW_ASSIGN(FileDescriptor file, open_file(partial, O_WRONLY | O_CREAT));
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_error("lock", partial, errno);
      return io_error(
          "{}: another process is writing this file; wait for it or choose another place",
          partial.string());
    }
    if (!names_file(partial, file)) continue;
    if (ftruncate(file.get(), 0) != 0) return system_error("empty", partial, errno);
    return file;
  }
}

std::shared_ptr<parquet::WriterProperties> file_properties(const ParquetFileOptions& options,
                                                           arrow::MemoryPool* pool) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(pool)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->data_page_version(parquet::ParquetDataPageVersion::V1)
      ->compression(arrow::Compression::ZSTD)
      ->compression_level(options.zstd_level);
  return builder.build();
}

}  // namespace

struct ParquetFileWriter::State {
  std::filesystem::path path;
  std::filesystem::path partial;
  FileDescriptor file;
  std::shared_ptr<arrow::io::FileOutputStream> sink;
  std::unique_ptr<parquet::arrow::FileWriter> writer;
  bool published = false;

  ~State() {
    if (published || file.get() < 0) return;
    // Parquet's writer would still write its footer when destroyed; into a removed file it may.
    unlink(partial.c_str());
  }
};

ParquetFileWriter::ParquetFileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParquetFileWriter::ParquetFileWriter(ParquetFileWriter&&) noexcept = default;
ParquetFileWriter& ParquetFileWriter::operator=(ParquetFileWriter&&) noexcept = default;
ParquetFileWriter::~ParquetFileWriter() = default;

Result<ParquetFileWriter> ParquetFileWriter::open(const std::filesystem::path& path,
                                                  const std::shared_ptr<arrow::Schema>& schema,
                                                  const ParquetFileOptions& options,
                                                  arrow::MemoryPool* pool) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->partial = path.parent_path() / fmt::format(".{}.partial", path.filename().string());
  TW_ASSIGN(state->file, open_locked(state->partial));
  const int copy = dup(state->file.get());
  if (copy < 0) return system_error("open", state->partial, errno);
  const std::string where = path.string();
  const Status opened = catch_parquet(where, [&]() -> Status {
    TW_ASSIGN(state->sink, from_arrow(arrow::io::FileOutputStream::Open(copy), where));
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder()
                                      .set_use_threads(options.parallel_columns)
                                      ->build();
    TW_ASSIGN(state->writer, from_arrow(parquet::arrow::FileWriter::Open(
                                            *schema, pool, state->sink,
                                            file_properties(options, pool), arrow_properties),
                                        where));
    return {};
  });
  TW_TRY(opened);
  return ParquetFileWriter(std::move(state));
}

Status ParquetFileWriter::write(const arrow::RecordBatch& batch) {
  const std::string where = state_->path.string();
  return catch_parquet(where, [&]() -> Status {
    TW_TRY(from_arrow(state_->writer->NewBufferedRowGroup(), where));
    return from_arrow(state_->writer->WriteRecordBatch(batch), where);
  });
}

Result<uint64_t> ParquetFileWriter::close() {
  const std::string where = state_->path.string();
  int64_t byte_count = 0;
  const Status completed = catch_parquet(where, [&]() -> Status {
    TW_TRY(from_arrow(state_->writer->Close(), where));
    TW_ASSIGN(byte_count, from_arrow(state_->sink->Tell(), where));
    return from_arrow(state_->sink->Close(), where);
  });
  TW_TRY(completed);
  TW_TRY(sync_file(state_->file, state_->partial));
  if (rename(state_->partial.c_str(), state_->path.c_str()) != 0) {
    return system_error("replace", state_->path, errno);
  }
  state_->published = true;
  const auto folder = state_->path.parent_path();
  TW_TRY(sync_folder(folder.empty() ? "." : folder));
  return static_cast<uint64_t>(byte_count);
}

}  // namespace tapeworks
