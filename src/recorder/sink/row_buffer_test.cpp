#include "recorder/sink/row_buffer.h"

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include "recorder/sink/row_checksum.h"
#include "recorder/sink/row_encoder.h"

namespace tapeworks::recorder {
namespace {

/// A row of `_quarantine/`, which has most types; the reason may be null here.
std::span<const std::byte> encode(RowEncoder& encoder, uint64_t lsn, std::string_view reason,
                                  std::string_view payload) {
  encoder.begin();
  encoder.put(lsn);
  encoder.put(int32_t{-1});
  encoder.put(int64_t{1'700'000'000'000'000'123});
  encoder.put(int64_t{4'000'000'000});
  encoder.put(int32_t{0});
  encoder.put(std::string_view("json"));
  encoder.put_or_null(reason);
  encoder.put(int32_t{1});
  encoder.put(payload);
  return encoder.finish();
}

TEST(RowBuffer, GivesBackWhatWasPutInNullsIncluded) {
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
  EXPECT_TRUE(reasons.IsNull(1));
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
