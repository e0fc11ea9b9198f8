#include "storage/read_ahead.h"

#include <algorithm>
#include <atomic>
#include <string>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>

namespace tapeworks {
namespace {

constexpr int64_t kBlock = ReadAhead::kBlockBytes;

/// A file that counts what it is asked for, and fails from a place on.
class CountingFile final : public arrow::io::BufferReader {
 public:
  explicit CountingFile(const std::string& content)
      : BufferReader(arrow::Buffer::FromString(content)) {}

  arrow::Future<std::shared_ptr<arrow::Buffer>> ReadAsync(const arrow::io::IOContext& context,
                                                          int64_t offset, int64_t count) override {
    return ReadAsync(context, offset, count, /*allow_short_read=*/true);
  }
  arrow::Future<std::shared_ptr<arrow::Buffer>> ReadAsync(const arrow::io::IOContext&,
                                                          int64_t offset, int64_t count,
                                                          bool /*allow_short_read*/) override {
    asked_to = std::max(asked_to, offset + count);
    if (offset >= fails_from) return arrow::Status::IOError("the line is cut");
    return ReadAt(offset, count);
  }

  int64_t asked_to = 0;
  int64_t fails_from = INT64_MAX;
};

std::string numbered_text(int64_t byte_count) {
  std::string text;
  for (int64_t i = 0; static_cast<int64_t>(text.size()) < byte_count; ++i) {
    text += std::to_string(i) + ' ';
  }
  text.resize(static_cast<size_t>(byte_count));
  return text;
}

arrow::Result<std::string> read_all(ReadAhead& range, int64_t begin, int64_t end, int64_t step) {
  std::string result(static_cast<size_t>(end - begin), '\0');
  for (int64_t at = begin; at < end;) {
    ARROW_ASSIGN_OR_RAISE(const int64_t count,
                          range.read(at, std::min(step, end - at), result.data() + (at - begin)));
    if (count == 0) return arrow::Status::Invalid("ends early");
    at += count;
  }
  return result;
}

TEST(ReadAhead, GivesTheBytesOfItsRange) {
  const std::string text = numbered_text(6 * kBlock + 77);
  const auto budget = MemoryBudget::create(uint64_t{512} << 20).value();
  const int64_t begin = 1000;
  const int64_t end = 5 * kBlock + 500;
  for (const int64_t step : {int64_t{100'003}, kBlock, 3 * kBlock}) {
    ReadAhead range(std::make_shared<CountingFile>(text), begin, end - begin, budget.get());
    const auto read = read_all(range, begin, end, step);
    ASSERT_TRUE(read.ok());
    EXPECT_TRUE(*read == text.substr(begin, end - begin)) << step;
  }
}

TEST(ReadAhead, AsksForBlocksBeforeTheyAreWantedAndForNothingBeyondItsRange) {
  const auto file = std::make_shared<CountingFile>(numbered_text(9 * kBlock));
  const auto budget = MemoryBudget::create(uint64_t{512} << 20).value();
  const uint64_t used_before = budget->used_bytes();
  ReadAhead range(file, 0, 6 * kBlock, budget.get());
  EXPECT_EQ(file->asked_to, 4 * kBlock);
  EXPECT_EQ(budget->used_bytes() - used_before, static_cast<uint64_t>(4 * kBlock));
  ASSERT_TRUE(read_all(range, 0, kBlock + 1, kBlock).ok());
  EXPECT_EQ(file->asked_to, 5 * kBlock);
  ASSERT_TRUE(read_all(range, kBlock + 1, 6 * kBlock, kBlock).ok());
  EXPECT_EQ(file->asked_to, 6 * kBlock);
}

TEST(ReadAhead, WorksWithoutMemoryForIt) {
  const std::string text = numbered_text(3 * kBlock);
  const auto file = std::make_shared<CountingFile>(text);
  const auto budget = MemoryBudget::create(uint64_t{512} << 20).value();
  Reservation everything;
  ASSERT_TRUE(budget->try_reserve(budget->available_bytes(), everything));
  ReadAhead range(file, 0, 3 * kBlock, budget.get());
  EXPECT_EQ(file->asked_to, 0);
  const auto read = read_all(range, 0, 3 * kBlock, 5000);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(*read == text);
}

TEST(ReadAhead, ReportsAFailureWhereItsBytesAreWanted) {
  const auto file = std::make_shared<CountingFile>(numbered_text(3 * kBlock));
  file->fails_from = kBlock;
  const auto budget = MemoryBudget::create(uint64_t{512} << 20).value();
  ReadAhead range(file, 0, 3 * kBlock, budget.get());
  EXPECT_TRUE(read_all(range, 0, kBlock, 4096).ok());
  const auto read = read_all(range, kBlock, kBlock + 1, 1);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().message(), "the line is cut");
}

}  // namespace
}  // namespace tapeworks
