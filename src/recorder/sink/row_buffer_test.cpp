#include "recorder/sink/row_buffer.h"

#include <optional>

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include "recorder/sink/row_checksum.h"
#include "recorder/sink/row_encoder.h"

namespace tapeworks::recorder {
namespace {

/// A row of `_quarantine/`, which has most types.
std::span<const std::byte> encode(RowEncoder& encoder, uint64_t lsn, std::string_view reason,
                                  std::string_view payload) {
  encoder.begin();
  encoder.put(lsn);
  encoder.put(int32_t{-1});
  encoder.put(int64_t{1'700'000'000'000'000'123});
  encoder.put(int64_t{4'000'000'000});
  encoder.put(int32_t{0});
  encoder.put(std::string_view("json"));
  encoder.put(reason);
  encoder.put(int32_t{1});
  encoder.put(payload);
  return encoder.finish();
}

/// A row of `_events/`, of which many columns may be null.
std::span<const std::byte> encode_event(RowEncoder& encoder, uint64_t lsn, std::string_view event,
                                        std::string_view cause, std::optional<int64_t> count) {
  encoder.begin();
  encoder.put(lsn);
  encoder.put(int32_t{-1});
  encoder.put(int64_t{4'000'000'000});
  encoder.put_or_null(event);
  encoder.put(int64_t{7});
  encoder.put(int32_t{0});
  encoder.put_or_null("");  // symbol
  encoder.put_or_null("");  // stream
  encoder.put_or_null(cause);
  encoder.put(count);
  encoder.put_or_null("");  // detail
  return encoder.finish();
}

TEST(RowBuffer, NullsAreWhereTheyWereAtEachEndAndOverManyChunks) {
  constexpr int64_t kRows = 1000;
  const auto has_cause = [](int64_t row) { return row == 5 || row == 6 || row / 50 == 8; };
  const auto has_count = [](int64_t row) { return row % 97 == 0 || row == kRows - 1; };
  ChunkPool chunks;
  RowBuffer buffer(TableKind::kEvents, chunks);
  RowEncoder encoder;
  for (int64_t row = 0; row < kRows; ++row) {
    const auto count = has_count(row) ? std::optional(-row) : std::nullopt;
    const auto lsn = static_cast<uint64_t>(row + 1);
    buffer.append(encode_event(encoder, lsn, "notice", has_cause(row) ? "why" : "", count), lsn, 0);
  }
  EXPECT_EQ(encoder.column_count(), columns_of(TableKind::kEvents).size());
  EXPECT_GT(buffer.byte_count(), 4 * ChunkPool::kChunkBytes);
  const auto table = buffer.to_table(arrow::default_memory_pool()).value();
  ASSERT_EQ(table->num_rows(), kRows);
  ASSERT_TRUE(table->ValidateFull().ok());
  const auto& causes = static_cast<const arrow::StringArray&>(*table->column(8)->chunk(0));
  const auto& counts = static_cast<const arrow::Int64Array&>(*table->column(9)->chunk(0));
  for (int64_t row = 0; row < kRows; ++row) {
    ASSERT_EQ(causes.IsValid(row), has_cause(row)) << row;
    ASSERT_EQ(counts.IsValid(row), has_count(row)) << row;
    EXPECT_EQ(has_cause(row) ? causes.GetView(row) : "why", "why");
    EXPECT_EQ(has_count(row) ? counts.Value(row) : -row, -row);
  }
  EXPECT_EQ(table->column(10)->null_count(), kRows);
}

TEST(RowBuffer, RefusesARowWithoutAValueThatMustBeThere) {
  ChunkPool chunks;
  RowBuffer buffer(TableKind::kEvents, chunks);
  RowEncoder encoder;
  buffer.append(encode_event(encoder, 1, "notice", "", std::nullopt), 1, 0);
  buffer.append(encode_event(encoder, 2, "", "", std::nullopt), 2, 0);
  const auto table = buffer.to_table(arrow::default_memory_pool());
  ASSERT_FALSE(table);
  EXPECT_TRUE(table.error().message.contains("event")) << table.error().message;
}

TEST(RowBuffer, GivesBackWhatWasPutIn) {
  ChunkPool chunks;
  RowBuffer buffer(TableKind::kQuarantine, chunks);
  RowEncoder encoder;
  // Larger than a chunk, empty, and enough small ones for several chunks.
  const std::string large(100'000, 'x');
  buffer.append(encode(encoder, 7, "bad", large), 7, 10);
  EXPECT_EQ(encoder.column_count(), columns_of(TableKind::kQuarantine).size());
  buffer.append(encode(encoder, 8, "", ""), 8, 11);
  for (uint64_t lsn = 9; lsn < 500; ++lsn) {
    buffer.append(encode(encoder, lsn, "bad", std::string(lsn % 60, 'y')), lsn, 12);
  }
  EXPECT_EQ(buffer.first_lsn(), 7U);
  EXPECT_EQ(buffer.last_lsn(), 499U);
  EXPECT_EQ(buffer.first_time_ns(), 10);
  EXPECT_EQ(buffer.last_time_ns(), 12);
  EXPECT_EQ(buffer.byte_count(), chunks.used_bytes());
  const auto table = buffer.to_table(arrow::default_memory_pool()).value();
  ASSERT_EQ(table->num_rows(), 493);
  ASSERT_TRUE(table->ValidateFull().ok());
  EXPECT_TRUE(table->schema()->Equals(*arrow_schema_of(TableKind::kQuarantine)));
  const auto& lsns = static_cast<const arrow::UInt64Array&>(*table->column(0)->chunk(0));
  const auto& reasons = static_cast<const arrow::StringArray&>(*table->column(6)->chunk(0));
  const auto& payloads = static_cast<const arrow::BinaryArray&>(*table->column(8)->chunk(0));
  EXPECT_EQ(payloads.GetView(0), large);
  EXPECT_EQ(reasons.GetView(1), "");
  EXPECT_EQ(payloads.GetView(1), "");
  EXPECT_EQ(lsns.Value(492), 499U);
  EXPECT_EQ(static_cast<const arrow::TimestampArray&>(*table->column(2)->chunk(0)).Value(492),
            1'700'000'000'000'000'123);
}

TEST(RowBuffer, GivesItsChunksBackToThePool) {
  ChunkPool chunks;
  RowEncoder encoder;
  {
    RowBuffer first(TableKind::kQuarantine, chunks);
    for (uint64_t lsn = 1; lsn < 400; ++lsn) first.append(encode(encoder, lsn, "a", "b"), lsn, 0);
    const uint64_t used = chunks.used_bytes();
    EXPECT_GT(used, ChunkPool::kChunkBytes);
    RowBuffer second(std::move(first));
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): it says so
    EXPECT_EQ(second.row_count(), 399U);
    EXPECT_EQ(chunks.used_bytes(), used);
    second.clear();
    EXPECT_EQ(chunks.used_bytes(), 0U);
  }
  EXPECT_EQ(chunks.used_bytes(), 0U);
}

TEST(RowChecksum, DependsOnTheValuesAndNotOnHowTheyAreCut) {
  ChunkPool chunks;
  RowEncoder encoder;
  RowBuffer buffer(TableKind::kQuarantine, chunks);
  for (uint64_t lsn = 1; lsn < 100; ++lsn) {
    buffer.append(encode(encoder, lsn, lsn % 3 == 0 ? "" : "r", "payload"), lsn, 0);
  }
  const auto table = buffer.to_table(arrow::default_memory_pool()).value();
  RowChecksum whole;
  ASSERT_TRUE(whole.add(*table));
  RowChecksum in_pieces;
  ASSERT_TRUE(in_pieces.add(*table->Slice(0, 40)));
  ASSERT_TRUE(in_pieces.add(*table->Slice(40)));
  EXPECT_EQ(whole.digest(), in_pieces.digest());
  RowChecksum other;
  ASSERT_TRUE(other.add(*table->Slice(1)));
  EXPECT_NE(whole.digest(), other.digest());
  EXPECT_EQ(checksum_text(0xabc), "0000000000000abc");
}

}  // namespace
}  // namespace tapeworks::recorder
