#include "storage/log_repair.h"

#include <gtest/gtest.h>

#include "storage/log_archive.h"
#include "storage/log_check.h"
#include "storage/log_test_support.h"

namespace tapeworks {
namespace {

class LogRepairTest : public LogTest {
 protected:
  void SetUp() override {
    auto writer = open({.segment_bytes = 128 * kKiB});
    while (segments().size() < 3) {
      append(writer, size_t{3000});
      ASSERT_TRUE(writer.flush());
    }
    ASSERT_TRUE(writer.close());
  }

  void flip(const std::string& name, size_t at) {
    std::string bytes = read_file(log() / name);
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    write_file(log() / name, bytes);
  }

  /// Repairs, and checks what holds of every repair. Returns what it did.
  LogRepair repair() {
    const std::vector<uint64_t> readable = lsns_of(read_log(log()));
    auto done = repair_log(log());
    EXPECT_TRUE(done) << done.error().message;
    const ReadLog read = read_log(log());
    EXPECT_EQ(lsns_of(read), readable);
    for (const OwnedRecord& owned : read.records) {
      EXPECT_EQ(std::ranges::count(appended_, owned), 1) << owned.record.lsn;
    }
    for (const LogHole& hole : read.holes) EXPECT_TRUE(hole.recorded);
    EXPECT_TRUE(check_log(log())->passed());
    const auto again = repair_log(log());
    EXPECT_TRUE(again->rewritten.empty());
    EXPECT_TRUE(again->added.empty());
    return std::move(done.value());
  }
};

TEST_F(LogRepairTest, AWholeLogIsLeftAlone) {
  const auto check = check_log(log()).value();
  EXPECT_TRUE(check.passed());
  EXPECT_FALSE(check.in_use);
  uint64_t record_count = 0;
  for (const LogSegmentSummary& segment : check.segments) {
    EXPECT_EQ(segment.state, LogSegmentState::kClosed);
    EXPECT_TRUE(segment.header);
    EXPECT_EQ(segment.used_bytes, segment.file_bytes);
    record_count += segment.record_count;
  }
  EXPECT_EQ(record_count, appended_.size() + 1);
  const LogRepair done = repair();
  EXPECT_TRUE(done.rewritten.empty());
  EXPECT_FALSE(std::filesystem::exists(log() / "damaged"));
}

TEST_F(LogRepairTest, AHoleIsWrittenDownAndTheOriginalKept) {
  flip(segments()[1], 40000);
  const std::string damaged = read_file(log() / segments()[1]);
  const auto check = check_log(log()).value();
  EXPECT_FALSE(check.passed());
  EXPECT_EQ(check.segments[1].state, LogSegmentState::kDamaged);
  ASSERT_EQ(check.segments[1].findings.size(), 1u);
  const LogFinding& hole = check.segments[1].findings[0];
  EXPECT_EQ(hole.kind, LogFinding::Kind::kHole);
  EXPECT_EQ(hole.lsn_after, hole.lsn_before + hole.missing_count + 1);
  const LogRepair done = repair();
  EXPECT_EQ(done.rewritten, std::vector<std::string>{segments()[1]});
  EXPECT_EQ(done.lost_record_count, hole.missing_count);
  EXPECT_EQ(read_file(log() / "damaged" / segments()[1]), damaged);
  const ReadLog read = read_log(log());
  ASSERT_EQ(read.holes.size(), 1u);
  EXPECT_EQ(read.holes[0].first_missing_lsn, hole.first_missing_lsn);
  EXPECT_EQ(read.holes[0].missing_count, hole.missing_count);
}

TEST_F(LogRepairTest, ATornTailOfTheNewestSegmentIsCut) {
  {
    auto writer = open();  // the new newest one
    append(writer, size_t{5000});
    append(writer, size_t{5000});
    ASSERT_TRUE(writer.close());
  }
  const auto newest = log() / segments()[3];
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 1000);
  EXPECT_EQ(check_log(log())->segments[3].state, LogSegmentState::kTorn);
  EXPECT_EQ(read_log(log()).end.torn_segment, segments()[3]);
  const LogRepair done = repair();
  EXPECT_EQ(done.rewritten, std::vector<std::string>{segments()[3]});
  EXPECT_EQ(done.lost_record_count, 0u);
  EXPECT_EQ(read_log(log()).end.torn_segment, "");
  EXPECT_EQ(names_in(log() / "damaged").size(), 1u);
}

TEST_F(LogRepairTest, ATornTailThatTheNextStartKnowsOfIsNoFailure) {
  const auto newest = log() / segments()[2];
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 1000);
  EXPECT_FALSE(check_log(log())->passed());
  ASSERT_TRUE(open().close());
  const auto check = check_log(log()).value();
  EXPECT_TRUE(check.passed());
  ASSERT_EQ(check.segments[2].findings.size(), 1u);
  EXPECT_EQ(check.segments[2].findings[0].kind, LogFinding::Kind::kTornTail);
  EXPECT_TRUE(check.segments[2].findings[0].accounted_for);
  EXPECT_TRUE(read_log(log()).holes.empty());
}

TEST_F(LogRepairTest, AMissingFileGetsASegmentThatSaysSo) {
  const std::string gone = segments()[1];
  std::filesystem::remove(log() / gone);
  const LogRepair done = repair();
  EXPECT_TRUE(done.rewritten.empty());
  EXPECT_EQ(done.added, std::vector<std::string>{gone});
  EXPECT_GT(done.lost_record_count, 10u);
}

TEST_F(LogRepairTest, ASegmentWithoutAnythingIntactIsReplacedByWhatIsLost) {
  const std::string name = segments()[1];
  write_file(log() / name, std::string(100000, '\x77'));
  const LogRepair done = repair();
  EXPECT_EQ(done.rewritten, std::vector<std::string>{name});
  EXPECT_EQ(done.kept_record_count, 0u);
  EXPECT_EQ(read_log(log()).holes.size(), 1u);
}

TEST_F(LogRepairTest, SeveralSegmentsAndAnArchiveAreMendedAtOnce) {
  ASSERT_TRUE(archive_closed_segments(log()));
  flip(segments()[0], read_file(log() / segments()[0]).size() / 2);
  const auto last = log() / segments()[2];
  flip(segments()[2], std::filesystem::file_size(last) / 2);
  const LogRepair done = repair();
  EXPECT_EQ(done.rewritten.size(), 2u);
  EXPECT_EQ(names_in(log() / "damaged").size(), 2u);
}

TEST_F(LogRepairTest, ADamagedHeaderIsMendedWithoutLosingARecord) {
  for (const std::string& name : segments()) flip(name, 35);
  EXPECT_TRUE(read_log(log()).holes.empty());
  EXPECT_FALSE(check_log(log())->passed());
  EXPECT_EQ(repair().lost_record_count, 0u);
  EXPECT_EQ(read_log(log()).records, appended_);
}

TEST_F(LogRepairTest, EveryDamageOfRandomBytesIsMendedToWhatIsReadable) {
  const auto names = segments();
  std::vector<std::string> whole;
  for (const std::string& name : names) whole.push_back(read_file(log() / name));
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::filesystem::remove_all(log() / "damaged");
    for (const std::string& name : segments()) std::filesystem::remove(log() / name);
    for (size_t i = 0; i < names.size(); ++i) write_file(log() / names[i], whole[i]);
    for (uint64_t k = 0; k <= seed % 5; ++k) {
      const size_t i = random_bits(seed, 3 * k) % names.size();
      flip(names[i], random_bits(seed, 3 * k + 1) % whole[i].size());
    }
    repair();
    if (HasFailure()) return;
  }
}

TEST_F(LogRepairTest, IsRefusedWhileAWriterIsAtWork) {
  const auto writer = open();
  EXPECT_TRUE(check_log(log())->in_use);
  const auto refused = repair_log(log());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kIo);
}

TEST_F(LogRepairTest, NumbersStayAboveThoseOfSegmentsSetAside) {
  const std::string last = segments()[2];
  write_file(log() / last, std::string(1000, '\x77'));
  ASSERT_TRUE(repair_log(log()));
  EXPECT_GT(open().start_lsn(), parse_segment_name(last)->first_lsn + 100);
}

}  // namespace
}  // namespace tapeworks
