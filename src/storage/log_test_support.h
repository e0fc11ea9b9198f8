#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/data_directory_test_support.h"
#include "storage/log_reader.h"
#include "storage/log_segment_writer.h"
#include "storage/log_writer.h"

namespace tapeworks {

/// A record with a payload of its own.
struct OwnedRecord {
  LogRecord record;
  std::vector<std::byte> payload;

  bool operator==(const OwnedRecord& other) const {
    return encode_record_header(record) == encode_record_header(other.record) &&
           payload == other.payload;
  }
};

inline OwnedRecord own(const LogRecord& record) {
  OwnedRecord owned{record, {record.payload.begin(), record.payload.end()}};
  owned.record.payload = {};
  return owned;
}

inline LogEntry entry_of(const OwnedRecord& owned) {
  LogEntry entry = owned.record;
  entry.payload = owned.payload;
  return entry;
}

/// A record that is a function of the key, with a payload of that size.
inline OwnedRecord random_record(uint64_t key, size_t payload_bytes) {
  OwnedRecord owned;
  owned.record.kind = static_cast<uint8_t>(kLogKindCallerMin + random_bits(key, 0) % 200);
  owned.record.flags = static_cast<uint8_t>(random_bits(key, 1));
  owned.record.source = static_cast<uint16_t>(random_bits(key, 2));
  owned.record.connection = static_cast<uint32_t>(random_bits(key, 3));
  owned.record.wall_time_ns = static_cast<int64_t>(random_bits(key, 4));
  owned.record.monotonic_time_ns = static_cast<int64_t>(random_bits(key, 5));
  owned.payload.resize(payload_bytes);
  for (size_t i = 0; i < payload_bytes; i += 8) {
    const uint64_t bits = random_bits(key, 6 + i);
    for (size_t k = i; k < std::min(i + 8, payload_bytes); ++k) {
      owned.payload[k] = static_cast<std::byte>(bits >> (8 * (k - i)));
    }
  }
  return owned;
}

/// Everything that a reader says until its end.
struct ReadLog {
  std::vector<OwnedRecord> records;  ///< of callers; start records are counted apart
  std::vector<LogHole> holes;
  LogReadEnd end;
  size_t start_count = 0;
  std::optional<Error> error;
};

inline ReadLog read_log(LogReader& reader, uint64_t limit_lsn = LogReader::kNoLimit) {
  ReadLog read;
  while (true) {
    auto step = reader.next(limit_lsn);
    if (!step) {
      read.error = step.error();
      return read;
    }
    if (const auto* record = std::get_if<LogRecord>(&*step)) {
      if (record->kind >= kLogKindCallerMin) {
        read.records.push_back(own(*record));
      } else {
        ++read.start_count;
      }
    } else if (const auto* hole = std::get_if<LogHole>(&*step)) {
      read.holes.push_back(*hole);
    } else {
      read.end = std::get<LogReadEnd>(*step);
      return read;
    }
  }
}

inline ReadLog read_log(const std::filesystem::path& folder, uint64_t from_lsn = 0) {
  auto reader = LogReader::open(folder, from_lsn);
  if (!reader) return {{}, {}, {}, 0, reader.error()};
  return read_log(*reader);
}

inline std::vector<uint64_t> lsns_of(const ReadLog& read) {
  std::vector<uint64_t> lsns;
  for (const OwnedRecord& owned : read.records) lsns.push_back(owned.record.lsn);
  return lsns;
}

/// One log folder, and what was appended to it.
class LogTest : public testing::Test {
 protected:
  std::filesystem::path log() const { return folder_ / "log"; }

  LogWriter open(LogWriterOptions options = {}) {
    auto writer = LogWriter::open(log(), std::move(options));
    EXPECT_TRUE(writer) << writer.error().message;
    return std::move(writer.value());
  }

  /// Appends one record, waiting for room as long as it takes, and remembers it.
  uint64_t append(LogWriter& writer, OwnedRecord owned) {
    const auto lsn = writer.append(entry_of(owned), std::chrono::minutes(1));
    EXPECT_TRUE(lsn) << lsn.error().message;
    EXPECT_TRUE(lsn->has_value()) << "the buffer stayed full";
    owned.record.lsn = lsn->value_or(0);
    appended_.push_back(std::move(owned));
    return appended_.back().record.lsn;
  }
  uint64_t append(LogWriter& writer, size_t payload_bytes) {
    return append(writer, random_record(derive_key(seed_, appended_.size()), payload_bytes));
  }

  std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const std::string& name : names_in(log())) {
      if (parse_segment_name(name)) names.push_back(name);
    }
    return names;
  }

  TestFolder folder_;
  uint64_t seed_ = 1;
  std::vector<OwnedRecord> appended_;
};

}  // namespace tapeworks
