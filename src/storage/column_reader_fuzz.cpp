// Feeds arbitrary bytes to the page reader as a Parquet file. Whatever the bytes say, reading ends
// in data or in an Error: no crash, no memory beyond the budget, no read outside a page.
//
//   build/clang/src/storage/column_reader_fuzz -max_total_time=600 CORPUS tests/data/bad_parquet

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

#include "base/units.h"
#include "storage/column_reader.h"

namespace {

constexpr int kColumnsMax = 8;
constexpr size_t kBatchRows = 256;
constexpr int kBatchesMax = 64;

void read_column(tapeworks::RowGroupInput& row_group, int column) {
  for (const auto plain_codes : {tapeworks::PlainCodes::kByValue, tapeworks::PlainCodes::kByRow}) {
    auto reader = tapeworks::CodedColumnReader::open(row_group, column, plain_codes);
    if (!reader) continue;
    std::vector<int32_t> codes(kBatchRows);
    for (int batch = 0; batch < kBatchesMax && (*reader)->read(codes); ++batch) {
      for (const int32_t code : codes) {
        if (code >= static_cast<int32_t>((*reader)->values().size())) std::abort();
      }
    }
  }
  if (auto reader = tapeworks::Int64ColumnReader::open(row_group, column)) {
    std::vector<int64_t> values(kBatchRows);
    std::vector<uint8_t> nulls(kBatchRows);
    for (int batch = 0; batch < kBatchesMax && (*reader)->read(values, nulls); ++batch) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string kPath = "/tmp/column_reader_fuzz-" + std::to_string(::getpid());
  static const auto kBudget = tapeworks::MemoryBudget::create(256 * tapeworks::kMiB).value();
  std::ofstream(kPath, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto input = tapeworks::ParquetInput::open(kPath, *kBudget);
  if (!input) return 0;
  std::vector<int> columns;
  for (int column = 0; column < std::min(input->column_count(), kColumnsMax); ++column) {
    columns.push_back(column);
  }
  for (int group = 0; group < std::min(input->row_group_count(), 4); ++group) {
    const auto row_group = tapeworks::RowGroupInput::open(*input, group, columns);
    if (!row_group) continue;
    for (const int column : columns) read_column(**row_group, column);
  }
  return 0;
}
