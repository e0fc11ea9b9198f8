// One segment of 64 KiB, damaged in every way at every byte, with a segment of a later start behind
// it: what is read is exactly what was appended, and what is missing is named.

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "storage/log_reader.h"
#include "storage/log_segment_cursor.h"
#include "storage/log_test_support.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

class LogDamageTest : public LogTest {
 protected:
  static constexpr uint64_t kSegmentBytes = 64 * kKiB;

  void SetUp() override {
    RecordProperty("seed", static_cast<int>(seed_));
    auto writer = open({.segment_bytes = kSegmentBytes});
    // Small ones, empty ones, and some that cross the border of the two blocks.
    for (uint64_t bytes = 64; segments().size() == 1;) {
      const uint64_t key = derive_key(seed_, appended_.size());
      const size_t size = appended_.size() % 16 == 7 ? 3000 + random_bits(key, 0) % 3000
                                                     : random_bits(key, 1) % 300;
      bytes += size + kLogRecordInFileBytesMin;
      if (bytes > kSegmentBytes - 200) break;
      append(writer, size);
    }
    ASSERT_TRUE(writer.close());
    first_count_ = appended_.size();
    path_ = log() / segments()[0];
    auto next_writer = open();
    for (int i = 0; i < 3; ++i) append(next_writer, size_t{50});
    ASSERT_TRUE(next_writer.close());
    ASSERT_EQ(segments().size(), 2u);
    whole_ = read_file(path_);
    ASSERT_GT(whole_.size(), kSegmentBytes - 1000);
    for (const OwnedRecord& owned : appended_) by_lsn_[owned.record.lsn] = &owned;
    file_ = open_file(path_, O_RDWR).value();
  }

  void put(size_t offset, std::string_view bytes) {
    ASSERT_EQ(::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }

  /// Reads the whole log; every record of a caller must be as appended, in order, and every one
  /// that is not read must lie in a hole. Returns how many are missing, start records included.
  uint64_t missing_count(const std::string& what) {
    auto reader = LogReader::open(log()).value();
    uint64_t next_lsn = 1;
    uint64_t missing = 0;
    const auto fail = [&](const std::string& why) {
      ADD_FAILURE() << what << ": " << why << ", seed " << seed_;
      return missing;
    };
    while (true) {
      const auto step = reader.next();
      if (!step) return fail(step.error().message);
      if (const auto* hole = std::get_if<LogHole>(&*step)) {
        if (hole->first_missing_lsn != next_lsn)
          return fail("a hole does not begin where reading stopped");
        if (hole->segment != path_.filename()) return fail("a hole names " + hole->segment);
        if (hole->byte_offset > whole_.size()) return fail("a hole has an impossible offset");
        missing += hole->missing_count;
        next_lsn += hole->missing_count;
      } else if (const auto* record = std::get_if<LogRecord>(&*step)) {
        if (record->lsn != next_lsn++) return fail("a record is out of order");
        if (record->kind == kLogKindStart) continue;
        const auto expected = by_lsn_.find(record->lsn);
        if (expected == by_lsn_.end()) return fail("a record was never appended");
        if (encode_record_header(*record) != encode_record_header(expected->second->record) ||
            !std::ranges::equal(record->payload, expected->second->payload)) {
          return fail("a record is wrong");
        }
      } else {
        if (next_lsn != by_lsn_.rbegin()->first + 1)
          return fail("the last records are missing unnamed");
        return missing;
      }
    }
  }

  bool names_damage() {
    auto cursor = LogSegmentCursor::open({path_, 1, false}).value();
    while (true) {
      const auto step = cursor.next().value();
      if (std::holds_alternative<LogDamage>(step)) return true;
      if (const auto* end = std::get_if<LogSegmentEnd>(&step)) return !end->has_end_mark;
    }
  }

  size_t first_count_ = 0;  ///< records in the segment that gets damaged
  std::filesystem::path path_;
  std::string whole_;
  std::map<uint64_t, const OwnedRecord*> by_lsn_;
  FileDescriptor file_;
};

TEST_F(LogDamageTest, NothingIsMissingInAWholeLog) {
  EXPECT_EQ(missing_count("whole"), 0u);
  EXPECT_FALSE(names_damage());
}

TEST_F(LogDamageTest, CutAtEveryByteItIsAnExactPrefix) {
  uint64_t last_missing = 0;
  for (size_t size = whole_.size(); size-- > 0;) {
    ASSERT_EQ(::ftruncate(file_.get(), static_cast<off_t>(size)), 0);
    const uint64_t missing = missing_count("cut at " + std::to_string(size));
    ASSERT_GE(missing, last_missing) << size;
    ASSERT_LE(missing, last_missing + 1) << size;        // one byte less costs one record at most
    ASSERT_TRUE(missing > 0 || names_damage()) << size;  // at least the end mark is gone
    last_missing = missing;
    if (HasFailure()) return;
  }
  EXPECT_EQ(last_missing, first_count_ + 1);
}

TEST_F(LogDamageTest, WithEveryByteFlippedItIsThePrefixAndLaterRecordsWithTheHoleNamed) {
  size_t flips_with_holes = 0;
  for (size_t at = 0; at < whole_.size(); ++at) {
    const char flipped = static_cast<char>(whole_[at] ^ (1 << (at % 8)));
    put(at, {&flipped, 1});
    const uint64_t missing = missing_count("flipped byte " + std::to_string(at));
    ASSERT_TRUE(missing > 0 || names_damage()) << at;
    // Whatever happens in one block, the records of the other one stay.
    ASSERT_LT(missing, first_count_) << at;
    flips_with_holes += missing > 0 ? 1 : 0;
    put(at, {&whole_[at], 1});
    if (HasFailure()) return;
  }
  // All but the header and the end mark cost records.
  EXPECT_GT(flips_with_holes, whole_.size() - 200);
  EXPECT_EQ(missing_count("restored"), 0u);
}

TEST_F(LogDamageTest, WithEverySectorLostOrOverwrittenTheHoleIsNamed) {
  constexpr size_t kSectorBytes = 512;
  for (size_t at = 0; at + kSectorBytes <= whole_.size(); at += kSectorBytes) {
    for (const char filler : {'\0', '\xff', '\x01'}) {
      put(at, std::string(kSectorBytes, filler));
      EXPECT_GT(missing_count("sector at " + std::to_string(at)), 0u) << at;
      EXPECT_TRUE(names_damage());
      // A sector of another place of the same segment.
      put(at, std::string_view(whole_).substr(
                  (at + kSectorBytes * 5) % (whole_.size() - kSectorBytes), kSectorBytes));
      missing_count("foreign sector at " + std::to_string(at));
      put(at, std::string_view(whole_).substr(at, kSectorBytes));
    }
  }
}

TEST_F(LogDamageTest, AsTheNewestSegmentItsTornTailIsNamed) {
  std::filesystem::remove(log() / segments()[1]);
  for (size_t at = 70; at < whole_.size(); at += 61) {
    const char flipped = static_cast<char>(whole_[at] ^ 0x10);
    put(at, {&flipped, 1});
    const ReadLog read = read_log(log());
    const bool all = read.records.size() == first_count_;
    ASSERT_TRUE(all || !read.holes.empty() || read.end.torn_segment == path_.filename()) << at;
    size_t i = 0;
    for (const OwnedRecord& owned : read.records)
      ASSERT_EQ(owned, *by_lsn_[owned.record.lsn]) << i++;
    put(at, {&whole_[at], 1});
  }
}

/// /proc/self/mem answers each read at its beginning with EIO, as a disk that fails does; its size
/// is 0.
TEST(LogSegmentBytes, AFileThatCannotBeReadEndsAtItsSize) {
  const LogSegmentFile unreadable{"/proc/self/mem", 1, false};
  std::vector<std::byte> block(kLogBlockBytes);
  const auto got = open_segment_bytes(unreadable).value()->read_block(0, block);
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(*got, 0U);
  auto cursor = LogSegmentCursor::open(unreadable).value();
  const auto step = cursor.next();
  ASSERT_TRUE(step) << step.error().message;
  EXPECT_TRUE(std::holds_alternative<LogSegmentEnd>(*step));
}

/// Records of many blocks, where a reader could join pieces that do not belong together.
TEST_F(LogTest, BlocksThatAreSwappedOrRepeatedMakeNoWrongRecord) {
  auto writer = open({.segment_bytes = 4 * kMiB});
  for (const size_t size : {300000, 10, 500000, 400000}) append(writer, size);
  ASSERT_TRUE(writer.close());
  const auto path = log() / segments()[0];
  const std::string whole = read_file(path);
  const size_t block_count = whole.size() / kLogBlockBytes;
  const auto block = [&](size_t i) { return whole.substr(i * kLogBlockBytes, kLogBlockBytes); };
  for (uint64_t round = 0; round < 60; ++round) {
    const size_t one = random_bits(seed_, 2 * round) % block_count;
    const size_t other = random_bits(seed_, 2 * round + 1) % block_count;
    if (one == other) continue;
    std::string damaged = whole;
    damaged.replace(one * kLogBlockBytes, kLogBlockBytes, block(other));
    if (round % 2 == 0) damaged.replace(other * kLogBlockBytes, kLogBlockBytes, block(one));
    write_file(path, damaged);
    const ReadLog read = read_log(log());
    EXPECT_LT(read.records.size(), appended_.size()) << one << " " << other;
    for (const OwnedRecord& owned : read.records) {
      EXPECT_EQ(owned, appended_[owned.record.lsn - 2]) << one << " " << other;
    }
  }
}

}  // namespace
}  // namespace tapeworks
