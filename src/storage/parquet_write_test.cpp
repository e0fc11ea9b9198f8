#include "storage/parquet_write.h"

#include <limits>
#include <random>

#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

namespace tapeworks {
namespace {

std::shared_ptr<arrow::Buffer> encode(const arrow::Table& table,
                                      const ParquetWriteOptions& options = {}) {
  auto bytes = encode_parquet(table, options, arrow::default_memory_pool());
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  return bytes ? *bytes : nullptr;
}

/// The library's own reader judges what was written.
std::shared_ptr<arrow::Table> read(const std::shared_ptr<arrow::Buffer>& bytes) {
  auto reader = parquet::arrow::OpenFile(std::make_shared<arrow::io::BufferReader>(bytes),
                                         arrow::default_memory_pool())
                    .ValueOrDie();
  return reader->ReadTable().ValueOrDie();
}

template <typename Builder, typename Make>
std::shared_ptr<arrow::Array> make_column(int64_t row_count, std::mt19937& random,
                                          unsigned nulls_in_100, Make&& make,
                                          Builder builder = Builder()) {
  for (int64_t row = 0; row < row_count; ++row) {
    const auto status =
        random() % 100 < nulls_in_100 ? builder.AppendNull() : builder.Append(make(row));
    EXPECT_TRUE(status.ok());
  }
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Table> random_table(uint32_t seed, int64_t row_count,
                                           unsigned nulls_in_100) {
  std::mt19937 random(seed);
  const auto text = [&](int64_t row) { return "T" + std::to_string(row / 37 % 500); };
  const auto number = [&](int64_t) { return static_cast<int32_t>(random()); };
  const auto real = [&](int64_t) { return static_cast<double>(random()) / 7.0; };
  const auto column = [&]<typename Builder>(Builder, auto&& make) {
    return make_column<Builder>(row_count, random, nulls_in_100, make);
  };
  const auto texts = column(arrow::StringBuilder(), text);
  auto codes = make_column<arrow::Int32Builder>(
      row_count, random, nulls_in_100, [&](int64_t) { return static_cast<int32_t>(random() % 5); });
  arrow::StringBuilder values;
  EXPECT_TRUE(values.AppendValues({"e", "a", "unused", "c", "b"}).ok());
  const auto coded = arrow::DictionaryArray::FromArrays(codes, values.Finish().ValueOrDie());
  const auto schema = arrow::schema(
      {arrow::field("text", arrow::utf8()),
       arrow::field("coded", arrow::dictionary(arrow::int32(), arrow::utf8())),
       arrow::field("day", arrow::date32()), arrow::field("i32", arrow::int32()),
       arrow::field("u32", arrow::uint32()), arrow::field("i64", arrow::int64()),
       arrow::field("u64", arrow::uint64()),
       arrow::field("time", arrow::timestamp(arrow::TimeUnit::NANO, "UTC")),
       arrow::field("bytes", arrow::binary()), arrow::field("f32", arrow::float32()),
       arrow::field("f64", arrow::float64()), arrow::field("flag", arrow::boolean())});
  return arrow::Table::Make(
      schema,
      {texts, coded.ValueOrDie(),
       column(arrow::Date32Builder(), [&](int64_t row) { return static_cast<int32_t>(row % 900); }),
       column(arrow::Int32Builder(), number),
       column(arrow::UInt32Builder(), [&](int64_t) { return static_cast<uint32_t>(random()); }),
       column(arrow::Int64Builder(),
              [&](int64_t) { return static_cast<int64_t>(random()) << (random() % 32); }),
       column(arrow::UInt64Builder(),
              [&](int64_t) { return static_cast<uint64_t>(random()) << (random() % 33); }),
       make_column<arrow::TimestampBuilder>(
           row_count, random, nulls_in_100,
           [&](int64_t row) { return 1'700'000'000'000'000'000 + row * 1'001; },
           arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"),
                                   arrow::default_memory_pool())),
       column(arrow::BinaryBuilder(),
              [&](int64_t row) { return std::string(3, static_cast<char>(row)); }),
       column(arrow::FloatBuilder(), [&](int64_t row) { return static_cast<float>(real(row)); }),
       column(arrow::DoubleBuilder(), real),
       column(arrow::BooleanBuilder(), [&](int64_t) { return random() % 2 == 0; })},
      row_count);
}

/// Values and types, whatever the dictionaries look like.
void expect_equal(const arrow::Table& got, const arrow::Table& expected) {
  ASSERT_EQ(got.schema()->ToString(), expected.schema()->ToString());
  ASSERT_EQ(got.num_rows(), expected.num_rows());
  for (int column = 0; column < expected.num_columns(); ++column) {
    SCOPED_TRACE(expected.field(column)->name());
    const auto left = got.column(column);
    const auto right = expected.column(column);
    for (int64_t row = 0; row < expected.num_rows(); ++row) {
      const auto a = left->GetScalar(row).ValueOrDie();
      const auto b = right->GetScalar(row).ValueOrDie();
      if (a->type->id() == arrow::Type::DICTIONARY) {
        ASSERT_EQ(a->is_valid, b->is_valid);
        if (!a->is_valid) continue;
        ASSERT_EQ(static_cast<const arrow::DictionaryScalar&>(*a)
                      .GetEncodedValue()
                      .ValueOrDie()
                      ->ToString(),
                  static_cast<const arrow::DictionaryScalar&>(*b)
                      .GetEncodedValue()
                      .ValueOrDie()
                      ->ToString());
        continue;
      }
      ASSERT_TRUE(a->Equals(*b)) << row << ": " << a->ToString() << " and " << b->ToString();
    }
  }
}

TEST(ParquetEncoder, TheLibraryReadsBackEveryTypeWithAndWithoutNulls) {
  uint32_t seed = 1;
  for (const int64_t row_count : {0, 1, 7, 8, 129, 5'000}) {
    for (const unsigned nulls : {0U, 30U, 100U}) {
      SCOPED_TRACE(testing::Message() << row_count << " rows, " << nulls << " % nulls");
      const auto table = random_table(seed++, row_count, nulls);
      expect_equal(*read(encode(*table)), *table);
    }
  }
}

TEST(ParquetEncoder, SeveralPagesAndRowGroupsAndChunksHoldTheSameRows) {
  const auto large = random_table(5, 150'000, 3)->SelectColumns({0, 1, 2, 3}).ValueOrDie();
  const auto from_large = read(encode(*large));
  EXPECT_TRUE(from_large->column(2)->Equals(large->column(2)));
  EXPECT_TRUE(from_large->column(3)->Equals(large->column(3)));
  EXPECT_TRUE(from_large->column(0)->Equals(large->column(0)));

  const auto table = random_table(6, 3'000, 10);
  const auto pieces =
      arrow::ConcatenateTables({table->Slice(0, 1'000), table->Slice(1'000)}).ValueOrDie();
  ParquetWriteOptions options;
  options.row_group_rows_max = 700;
  const auto bytes = encode(*pieces, options);
  expect_equal(*read(bytes), *table);
  EXPECT_EQ(parquet::ParquetFileReader::Open(std::make_shared<arrow::io::BufferReader>(bytes))
                ->metadata()
                ->num_row_groups(),
            5);
  // The bytes depend on the rows, not on how the table is cut or on threads.
  EXPECT_TRUE(bytes->Equals(*encode(*table, options)));
}

TEST(ParquetEncoder, RowsMadeAsTheyAreNeededGiveTheSameBytes) {
  const auto table = random_table(6, 3'000, 10);
  ParquetWriteOptions options;
  options.row_group_rows_max = 70;
  const auto expected = encode(*table, options)->ToString();
  ParquetEncoder encoder(arrow::default_memory_pool());
  for (const size_t threads : {1U, 2U, 5U}) {
    options.thread_count = threads;
    std::string bytes;
    const auto take = [&](std::span<const std::byte> part) -> Status {
      bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
      return {};
    };
    const auto rows = [&](size_t index) -> Result<std::shared_ptr<arrow::Table>> {
      return table->Slice(static_cast<int64_t>(index) * 70, 70);
    };
    ASSERT_TRUE(encoder.encode_to(take, table->schema(), 43, rows, options));
    EXPECT_TRUE(bytes == expected) << threads;
  }
}

TEST(ParquetEncoder, AFailingSourceOrSinkEndsTheFile) {
  const auto table = random_table(6, 3'000, 10);
  ParquetEncoder encoder(arrow::default_memory_pool());
  ParquetWriteOptions options;
  options.thread_count = 3;
  for (const size_t bad : {0U, 20U, 42U}) {
    const auto all = [](std::span<const std::byte>) -> Status { return {}; };
    const auto rows_but_one = [&](size_t index) -> Result<std::shared_ptr<arrow::Table>> {
      if (index == bad) return io_error("row group {} is not there", index);
      return table->Slice(static_cast<int64_t>(index) * 70, 70);
    };
    const auto no_rows = encoder.encode_to(all, table->schema(), 43, rows_but_one, options);
    ASSERT_FALSE(no_rows);
    EXPECT_EQ(no_rows.error().message, "row group " + std::to_string(bad) + " is not there");

    size_t parts = 0;
    const auto some = [&](std::span<const std::byte>) -> Status {
      if (parts++ == bad) return io_error("full");
      return {};
    };
    const auto rows = [&](size_t index) -> Result<std::shared_ptr<arrow::Table>> {
      return table->Slice(static_cast<int64_t>(index) * 70, 70);
    };
    const auto no_room = encoder.encode_to(some, table->schema(), 43, rows, options);
    ASSERT_FALSE(no_room);
    EXPECT_EQ(no_room.error().message, "full");
    EXPECT_EQ(parts, bad + 1);
  }
}

TEST(ParquetEncoder, DictionariesCanComeBackAsTexts) {
  const auto table = random_table(10, 300, 20)->SelectColumns({0, 1}).ValueOrDie();
  ParquetWriteOptions options;
  options.store_dictionary_types = false;
  const auto back = read(encode(*table, options));
  EXPECT_EQ(back->field(1)->type()->id(), arrow::Type::STRING);
  const auto coded = read(encode(*table));
  EXPECT_EQ(coded->field(1)->type()->id(), arrow::Type::DICTIONARY);
  for (int64_t row = 0; row < 300; ++row) {
    const auto text = back->column(1)->GetScalar(row).ValueOrDie();
    const auto code = coded->column(1)->GetScalar(row).ValueOrDie();
    ASSERT_EQ(text->is_valid, code->is_valid);
    if (!text->is_valid) continue;
    EXPECT_EQ(text->ToString(), static_cast<const arrow::DictionaryScalar&>(*code)
                                    .GetEncodedValue()
                                    .ValueOrDie()
                                    ->ToString());
  }
}

TEST(ParquetEncoder, OneEncoderMakesTheSameBytesAgain) {
  ParquetEncoder encoder(arrow::default_memory_pool());
  const auto small = random_table(7, 10, 0);
  const auto large = random_table(8, 20'000, 5);
  for (const auto& table : {small, large, small, large}) {
    const auto bytes = encoder.encode(*table, {});
    ASSERT_TRUE(bytes);
    const auto alone = encode(*table);
    ASSERT_EQ(bytes->size(), static_cast<size_t>(alone->size()));
    EXPECT_EQ(std::memcmp(bytes->data(), alone->data(), bytes->size()), 0);
  }
}

TEST(ParquetEncoder, TheOrderOfADictionaryInMemoryDoesNotShow) {
  const auto bytes_of = [](const std::vector<std::string>& values,
                           const std::vector<int32_t>& codes) {
    arrow::StringBuilder texts;
    arrow::Int32Builder indices;
    EXPECT_TRUE(texts.AppendValues(values).ok());
    EXPECT_TRUE(indices.AppendValues(codes).ok());
    const auto column = arrow::DictionaryArray::FromArrays(indices.Finish().ValueOrDie(),
                                                           texts.Finish().ValueOrDie());
    const auto schema =
        arrow::schema({arrow::field("t", arrow::dictionary(arrow::int32(), arrow::utf8()))});
    return encode(*arrow::Table::Make(schema, {column.ValueOrDie()}))->ToString();
  };
  const std::string bytes = bytes_of({"9600", "9A00"}, {0, 1, 0});
  EXPECT_EQ(bytes_of({"9A00", "9600"}, {1, 0, 1}), bytes);
  EXPECT_EQ(bytes_of({"9A00", "unused", "9600"}, {2, 0, 2}), bytes);
}

TEST(ParquetEncoder, ManyDistinctLongTextsAreStoredOneByOne) {
  std::mt19937 random(9);
  const auto texts = make_column<arrow::StringBuilder>(
      40'000, random, 5, [&](int64_t row) { return std::to_string(row) + std::string(40, 'x'); });
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("t", arrow::utf8())}), {texts});
  EXPECT_TRUE(read(encode(*table))->column(0)->Equals(table->column(0)));
}

TEST(ParquetEncoder, StatisticsHaveTheRangeWithoutNaN) {
  arrow::DoubleBuilder reals;
  EXPECT_TRUE(reals.AppendValues({0.0, std::numeric_limits<double>::quiet_NaN(), 7.5}).ok());
  arrow::StringBuilder texts;
  EXPECT_TRUE(texts.AppendValues({"b", "a\xff", "ab"}).ok());
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("x", arrow::float64()), arrow::field("t", arrow::utf8())}),
      {reals.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
  const auto reader =
      parquet::ParquetFileReader::Open(std::make_shared<arrow::io::BufferReader>(encode(*table)));
  const auto file_metadata = reader->metadata();
  const auto metadata = file_metadata->RowGroup(0);
  const auto range =
      std::static_pointer_cast<parquet::DoubleStatistics>(metadata->ColumnChunk(0)->statistics());
  EXPECT_TRUE(std::signbit(range->min()));
  EXPECT_EQ(range->min(), 0.0);
  EXPECT_EQ(range->max(), 7.5);
  const auto words = metadata->ColumnChunk(1)->statistics();
  EXPECT_EQ(words->EncodeMin(), "ab");
  EXPECT_EQ(words->EncodeMax(), "b");
}

TEST(ParquetEncoder, ATypeThatNoTableHasIsRefused) {
  arrow::Int16Builder shorts;
  EXPECT_TRUE(shorts.Append(1).ok());
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("s", arrow::int16())}),
                                        {shorts.Finish().ValueOrDie()});
  const auto bytes = encode_parquet(*table, {}, arrow::default_memory_pool());
  ASSERT_FALSE(bytes);
  EXPECT_NE(bytes.error().message.find("int16"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks
