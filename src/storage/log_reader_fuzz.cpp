// Feeds arbitrary bytes to the reader of the log, in front of an intact segment: as a plain
// segment, as one whose checksums are right (no fuzzer guesses those), and as an archive. Whatever
// they say, reading ends, in bounded memory and without a crash, no record is returned twice or out
// of order, and the intact segment behind is read.
//
//   build/clang/src/storage/log_reader_fuzz -max_total_time=600 -max_len=200000 CORPUS

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include "storage/log_check.h"
#include "storage/log_reader.h"
#include "storage/log_segment_writer.h"

namespace {

using namespace tapeworks;

constexpr uint64_t kFuzzedLsn = 5;
constexpr uint64_t kIntactLsn = 1'000'000'000;

void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// The same bytes with a whole header, and right checksums wherever a fragment could stand.
std::vector<std::byte> with_right_checksums(std::span<const std::byte> fuzzed) {
  std::vector<std::byte> bytes(fuzzed.begin(), fuzzed.end());
  bytes.resize(std::max<size_t>(bytes.size(), kLogSegmentHeaderBytes));
  std::ranges::copy(encode_segment_header({kFuzzedLsn, 0, {}}), bytes.begin());
  uint64_t offset = kLogSegmentHeaderBytes;
  while ((offset = next_fragment_offset(offset)) + kLogFragmentHeaderBytes <= bytes.size()) {
    const uint64_t room =
        std::min(kLogBlockBytes - offset % kLogBlockBytes, bytes.size() - offset) -
        kLogFragmentHeaderBytes;
    const uint64_t length = load_little_endian<uint16_t>(&bytes[offset + 4]) % (room + 1);
    const auto type = static_cast<LogFragmentType>(static_cast<uint8_t>(bytes[offset + 6]) % 7);
    const auto data =
        std::span<const std::byte>(bytes).subspan(offset + kLogFragmentHeaderBytes, length);
    store_little_endian(&bytes[offset + 4], static_cast<uint16_t>(length));
    store_little_endian(&bytes[offset + 6], static_cast<uint8_t>(type));
    store_little_endian(&bytes[offset], fragment_checksum(kFuzzedLsn, offset, type, data));
    offset += kLogFragmentHeaderBytes + length;
  }
  return bytes;
}

std::filesystem::path make_folder() {
  const auto folder =
      std::filesystem::temp_directory_path() / ("log_reader_fuzz-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  auto segment = LogSegmentWriter::create(folder / segment_name(kIntactLsn), {kIntactLsn, 0, {}}, 0,
                                          LogFileOperations::system())
                     .value();
  LogRecord record;
  record.lsn = kIntactLsn;
  record.kind = kLogKindCallerMin;
  if (!segment.append(encode_record_header(record), {}) || !segment.close(kIntactLsn)) std::abort();
  return folder;
}

void read_all(const std::filesystem::path& folder) {
  auto reader = LogReader::open(folder);
  if (!reader) return;  // another format version
  uint64_t next_lsn = 0;
  bool overtaken = false;
  bool found_intact = false;
  while (true) {
    const auto step = reader->next();
    if (!step) return;
    if (std::holds_alternative<LogReadEnd>(*step)) break;
    const auto* record = std::get_if<LogRecord>(&*step);
    const auto* hole = std::get_if<LogHole>(&*step);
    const uint64_t lsn = record != nullptr ? record->lsn : hole->first_missing_lsn;
    if (lsn < next_lsn) std::abort();
    next_lsn = record != nullptr ? lsn + 1 : lsn + hole->missing_count;
    if (record != nullptr && lsn == kIntactLsn) found_intact = true;
    // Fuzzed records may carry numbers beyond those of the intact segment.
    if (next_lsn > kIntactLsn && !found_intact) overtaken = true;
  }
  if (!found_intact && !overtaken) std::abort();
}

void read_segment(const std::filesystem::path& folder, const std::string& name,
                  std::span<const std::byte> bytes) {
  write_bytes(folder / name, bytes);
  read_all(folder);
  (void)check_log(folder);
  std::filesystem::remove(folder / name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path kFolder = make_folder();
  const auto bytes = std::as_bytes(std::span(data, size));
  read_segment(kFolder, segment_name(kFuzzedLsn), bytes);
  read_segment(kFolder, segment_name(kFuzzedLsn), with_right_checksums(bytes));
  read_segment(kFolder, segment_name(kFuzzedLsn) + ".zst", bytes);
  return 0;
}
