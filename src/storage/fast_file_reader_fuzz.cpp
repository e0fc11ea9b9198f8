// Damages a file of PagePacking::kFast at up to as many places as the input names, and reads it: as
// the library reads it, or not at all.
//
//   build/clang/src/storage/fast_file_reader_fuzz -max_total_time=600 -max_len=60 CORPUS

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <arrow/builder.h>
#include <arrow/table.h>
#include <unistd.h>

#include "storage/fast_file_reader.h"
#include "storage/parquet_read.h"
#include "storage/parquet_stream_writer.h"
#include "storage/posix_file.h"

namespace {

std::shared_ptr<arrow::Table> make_rows() {
  arrow::UInt64Builder numbers;
  arrow::DoubleBuilder prices;
  arrow::StringBuilder texts;
  arrow::BinaryBuilder frames;
  bool is_good = true;
  for (uint64_t row = 0; row < 60; ++row) {
    is_good = is_good && numbers.Append(row).ok() &&
              (row % 3 == 0 ? prices.AppendNull() : prices.Append(0.5)).ok() &&
              texts.Append(std::to_string(row % 5)).ok() &&
              (row % 7 == 0 ? frames.AppendNull() : frames.Append(std::string(row, 'x'))).ok();
  }
  if (!is_good) std::abort();
  const auto schema = arrow::schema(
      {arrow::field("lsn", arrow::uint64(), false), arrow::field("price", arrow::float64()),
       arrow::field("stream", arrow::utf8(), false), arrow::field("frame", arrow::binary())});
  return arrow::Table::Make(schema, {numbers.Finish().ValueOrDie(), prices.Finish().ValueOrDie(),
                                     texts.Finish().ValueOrDie(), frames.Finish().ValueOrDie()});
}

std::string make_file(const arrow::Table& rows, const std::filesystem::path& path) {
  std::filesystem::remove(path);
  tapeworks::ParquetStreamWriter writer(arrow::default_memory_pool(),
                                        tapeworks::PagePacking::kFast);
  const bool is_good = writer.open(path, rows.schema()) && writer.append_page(*rows.Slice(0, 41)) &&
                       writer.append_page(*rows.Slice(41)) && writer.end_row_group() &&
                       writer.finish({});
  if (!is_good) std::abort();
  return tapeworks::read_text_file(path).value();
}

}  // namespace

/// Each three bytes are a place, from the end, and what is put there.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path kPath =
      std::filesystem::temp_directory_path() /
      ("fast_file_reader_fuzz-" + std::to_string(::getpid()));
  static const auto kRows = make_rows();
  static const std::string kWhole = make_file(*kRows, kPath);
  static tapeworks::FastFileReader reader(arrow::default_memory_pool());
  std::string damaged = kWhole;
  for (size_t at = 0; at + 3 <= size; at += 3) {
    const size_t place = (data[at] | static_cast<size_t>(data[at + 1]) << 8) % damaged.size();
    damaged[damaged.size() - 1 - place] = static_cast<char>(data[at + 2]);
  }
  std::ofstream(kPath, std::ios::binary | std::ios::trunc) << damaged;
  const auto fast = reader.read(kPath, kRows->schema());
  if (fast == nullptr) return 0;
  const auto slow = tapeworks::read_parquet(kPath, {}, arrow::default_memory_pool());
  if (!slow || !fast->Validate().ok()) std::abort();
  // In full, because Equals() trusts offsets of texts. Not every text is UTF-8, for the library
  // neither.
  if (fast->ValidateFull().ok() != (*slow)->ValidateFull().ok()) std::abort();
  if (!fast->Equals(**slow)) std::abort();
  return 0;
}
