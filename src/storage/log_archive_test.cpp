#include "storage/log_archive.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include "storage/log_archive_file.h"
#include "storage/log_test_support.h"

namespace tapeworks {
namespace {

class LogArchiveTest : public LogTest {
 protected:
  /// Three closed segments of up to 3 MiB and the newest one.
  void write_segments() {
    auto writer = open({.segment_bytes = 3 * kMiB});
    while (segments().size() < 4) {
      append(writer, size_t{200000});
      ASSERT_TRUE(writer.flush());
    }
    ASSERT_TRUE(writer.close());
  }

  void damage(const std::string& name, size_t at, size_t count) {
    std::string bytes = read_file(log() / name);
    for (size_t i = at; i < at + count; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
    write_file(log() / name, bytes);
  }
};

/// What any zstd program makes of an archive: all its frames, one after the other.
std::string decompress(const std::string& archive) {
  std::string content;
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                        ZSTD_freeDStream);
  ZSTD_inBuffer in{archive.data(), archive.size(), 0};
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    EXPECT_EQ(ZSTD_isError(ZSTD_decompressStream(stream.get(), &out, &in)), 0u);
    content.append(piece, 0, out.pos);
  }
  return content;
}

TEST_F(LogArchiveTest, ArchivesAllButTheNewestWithTheSameContent) {
  write_segments();
  const auto names = segments();
  std::vector<std::string> contents;
  for (const std::string& name : names) contents.push_back(read_file(log() / name));
  const auto result = archive_closed_segments(log()).value();
  EXPECT_EQ(result.done, (std::vector<std::string>{names[0], names[1], names[2]}));
  EXPECT_EQ(segments(), (std::vector<std::string>{names[0] + ".zst", names[1] + ".zst",
                                                  names[2] + ".zst", names[3]}));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(decompress(read_file(log() / (names[i] + ".zst"))), contents[i]);
  }
  const ReadLog read = read_log(log());
  EXPECT_EQ(read.records, appended_);
  EXPECT_TRUE(read.holes.empty());
  EXPECT_TRUE(archive_closed_segments(log()).value().done.empty());
  // In the middle of an archived segment.
  EXPECT_EQ(read_log(log(), 20).records.front(), appended_[18]);
}

TEST_F(LogArchiveTest, AReaderGoesOnWhileSegmentsAreArchived) {
  write_segments();
  auto reader = LogReader::open(log()).value();
  std::vector<OwnedRecord> seen = read_log(reader, 5).records;
  ASSERT_TRUE(archive_closed_segments(log()));
  for (OwnedRecord& owned : read_log(reader).records) seen.push_back(std::move(owned));
  EXPECT_EQ(seen, appended_);
}

TEST_F(LogArchiveTest, TheNextStartContinuesBehindAnArchive) {
  write_segments();
  std::filesystem::remove(log() / segments().back());
  ASSERT_TRUE(open().close());  // makes a newest one, so that all others are archived
  ASSERT_TRUE(archive_closed_segments(log()));
  std::filesystem::remove(log() / segments().back());
  const uint64_t last = read_log(log()).records.back().record.lsn;
  EXPECT_EQ(open().start_lsn(), last + 1);
}

TEST_F(LogArchiveTest, ACrashAtAnyStepIsFinishedByTheNextPass) {
  write_segments();
  const auto names = segments();
  const std::string plain = read_file(log() / names[0]);
  // A partial file from a crash while writing; both forms from a crash before the removal.
  write_file(log() / (names[1] + ".zst.partial"), "half");
  ASSERT_TRUE(archive_closed_segments(log()));
  write_file(log() / names[0], plain);
  EXPECT_EQ(read_log(log()).records, appended_);
  ASSERT_TRUE(archive_closed_segments(log()));
  EXPECT_EQ(read_log(log()).records, appended_);
  EXPECT_EQ(segments().size(), 4u);
  for (const std::string& name : names_in(log())) EXPECT_FALSE(name.ends_with(".partial")) << name;
}

TEST_F(LogArchiveTest, ADamagedSegmentIsNotArchived) {
  write_segments();
  const auto names = segments();
  damage(names[1], 1500000, 1);
  const auto result = archive_closed_segments(log()).value();
  EXPECT_EQ(result.damaged, std::vector<std::string>{names[1]});
  EXPECT_EQ(segments()[1], names[1]);
}

TEST_F(LogArchiveTest, DamageInAnArchiveCostsItsChunkOnly) {
  write_segments();
  ASSERT_TRUE(archive_closed_segments(log()));
  const std::string name = segments()[1];
  const size_t size = read_file(log() / name).size();
  const size_t records_in_chunk = kArchiveChunkBytes / 200000 + 2;
  for (size_t at = 0; at < size; at += size / 40) {
    damage(name, at, 30);  // long enough to hit a whole header
    const ReadLog read = read_log(log());
    EXPECT_EQ(read.holes.size(), 1u) << at;
    EXPECT_GE(read.records.size(), appended_.size() - records_in_chunk) << at;
    size_t i = 0;
    for (const OwnedRecord& owned : read.records) {
      while (appended_[i].record.lsn < owned.record.lsn) ++i;
      ASSERT_EQ(owned, appended_[i]) << at;
    }
    damage(name, at, 30);  // back again
  }
  EXPECT_TRUE(read_log(log()).holes.empty());
}

TEST_F(LogArchiveTest, ACutArchiveGivesAPrefix) {
  write_segments();
  ASSERT_TRUE(archive_closed_segments(log()));
  const std::string name = segments()[0];
  const std::string whole = read_file(log() / name);
  for (size_t size = 0; size < whole.size(); size += whole.size() / 25) {
    write_file(log() / name, whole.substr(0, size));
    const ReadLog read = read_log(log());
    ASSERT_EQ(read.holes.size(), 1u) << size;
    for (const OwnedRecord& owned : read.records) ASSERT_EQ(owned, appended_[owned.record.lsn - 2]);
  }
}

TEST_F(LogArchiveTest, AnEmptySegmentOfAKilledWriterHindersNothing) {
  write_segments();
  const std::string empty = segment_name(appended_.back().record.lsn + 1);
  write_file(log() / empty, "");
  {
    auto writer = open();
    append(writer, size_t{100});
    ASSERT_TRUE(writer.close());
  }
  const auto archived = archive_closed_segments(log());
  ASSERT_TRUE(archived) << archived.error().message;
  EXPECT_EQ(archived->done.size(), 4u);
  EXPECT_EQ(segments()[4], empty);
  const ReadLog read = read_log(log());
  EXPECT_EQ(read.records, appended_);
  EXPECT_TRUE(read.holes.empty());
  EXPECT_TRUE(archive_closed_segments(log()));
  EXPECT_EQ(remove_segments_before(log(), 1000000).value().done.size(), 5u);
}

TEST_F(LogArchiveTest, RemovesWholeSegmentsBelowTheNumberAndNeverTheNewest) {
  write_segments();
  const auto names = segments();
  const uint64_t second = parse_segment_name(names[1])->first_lsn;
  EXPECT_TRUE(remove_segments_before(log(), second - 1).value().done.empty());
  EXPECT_EQ(remove_segments_before(log(), second).value().done, std::vector<std::string>{names[0]});
  EXPECT_EQ(read_log(log()).records.front().record.lsn, second);
  ASSERT_TRUE(archive_closed_segments(log()));
  EXPECT_EQ(remove_segments_before(log(), 1000000).value().done.size(), 2u);
  EXPECT_EQ(segments(), std::vector<std::string>{names[3]});
}

TEST_F(LogArchiveTest, ADamagedSegmentIsSetAsideInsteadOfRemoved) {
  write_segments();
  const auto names = segments();
  damage(names[0], 700000, 1);
  const std::string bytes = read_file(log() / names[0]);
  const auto result = remove_segments_before(log(), 1000000).value();
  EXPECT_EQ(result.damaged, std::vector<std::string>{names[0]});
  EXPECT_EQ(result.done, (std::vector<std::string>{names[1], names[2]}));
  EXPECT_EQ(names_in(log() / "damaged"), std::vector<std::string>{names[0]});
  EXPECT_EQ(read_file(log() / "damaged" / names[0]), bytes);
}

}  // namespace
}  // namespace tapeworks
