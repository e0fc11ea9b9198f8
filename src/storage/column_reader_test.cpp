#include "storage/column_reader.h"

#include <cstring>
#include <fstream>
#include <optional>
#include <random>

#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <unistd.h>

#include "base/units.h"

namespace tapeworks {
namespace {

struct Rows {
  std::vector<std::optional<std::string>> text;
  std::vector<std::optional<int64_t>> number;
};

Rows random_rows(uint32_t seed, size_t count, unsigned distinct, bool with_nulls) {
  std::mt19937 random(seed);
  Rows rows;
  for (size_t i = 0; i < count; ++i) {
    const bool null = with_nulls && random() % 7 == 0;
    const auto value = static_cast<int64_t>(random() % distinct);
    rows.text.push_back(null ? std::nullopt : std::optional("value " + std::to_string(value)));
    rows.number.push_back(null ? std::nullopt : std::optional(value * 1'000'000'007 - 5));
  }
  return rows;
}

std::shared_ptr<arrow::Table> to_table(const Rows& rows) {
  arrow::StringBuilder text;
  arrow::Int64Builder wide;
  arrow::Int32Builder narrow;
  arrow::UInt32Builder unsigned_narrow;
  arrow::FloatBuilder single;
  arrow::DoubleBuilder real;
  for (size_t i = 0; i < rows.text.size(); ++i) {
    if (rows.text[i]) {
      EXPECT_TRUE(text.Append(*rows.text[i]).ok());
      EXPECT_TRUE(wide.Append(*rows.number[i]).ok());
      EXPECT_TRUE(narrow.Append(static_cast<int32_t>(*rows.number[i])).ok());
      EXPECT_TRUE(unsigned_narrow.Append(static_cast<uint32_t>(*rows.number[i])).ok());
      EXPECT_TRUE(single.Append(static_cast<float>(*rows.number[i])).ok());
      EXPECT_TRUE(real.Append(static_cast<double>(*rows.number[i])).ok());
    } else {
      EXPECT_TRUE(text.AppendNull().ok());
      EXPECT_TRUE(wide.AppendNull().ok());
      EXPECT_TRUE(narrow.AppendNull().ok());
      EXPECT_TRUE(unsigned_narrow.AppendNull().ok());
      EXPECT_TRUE(single.AppendNull().ok());
      EXPECT_TRUE(real.AppendNull().ok());
    }
  }
  return arrow::Table::Make(
      arrow::schema(
          {arrow::field("text", arrow::utf8()), arrow::field("wide", arrow::int64()),
           arrow::field("narrow", arrow::int32()), arrow::field("unsigned", arrow::uint32()),
           arrow::field("single", arrow::float32()), arrow::field("real", arrow::float64())}),
      {text.Finish().ValueOrDie(), wide.Finish().ValueOrDie(), narrow.Finish().ValueOrDie(),
       unsigned_narrow.Finish().ValueOrDie(), single.Finish().ValueOrDie(),
       real.Finish().ValueOrDie()});
}

class ColumnReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(testing::TempDir()) /
            ("columns-" + std::to_string(::getpid()) + ".parquet");
    budget_ = std::move(MemoryBudget::create(512 * kMiB).value());
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const Rows& rows, parquet::WriterProperties::Builder& properties,
             int64_t row_group_rows) {
    auto file = arrow::io::FileOutputStream::Open(path_.string()).ValueOrDie();
    ASSERT_TRUE(parquet::arrow::WriteTable(*to_table(rows), arrow::default_memory_pool(), file,
                                           row_group_rows, properties.build())
                    .ok());
    ASSERT_TRUE(file->Close().ok());
  }

  /// Reads everything back in pieces of random size and compares.
  void expect_rows(const Rows& expected) {
    const auto input = ParquetInput::open(path_, *budget_);
    ASSERT_TRUE(input) << input.error().message;
    size_t row = 0;
    for (int group = 0; group < input->row_group_count(); ++group) {
      const std::vector<int> columns{0, 1, 2, 3, 4, 5};
      const auto row_group = RowGroupInput::open(*input, group, columns);
      ASSERT_TRUE(row_group) << row_group.error().message;
      expect_numbers<parquet::Int32Type>(**row_group, 2, std::span(expected.number).subspan(row));
      expect_numbers<parquet::FloatType>(**row_group, 4, std::span(expected.number).subspan(row));
      expect_numbers<parquet::DoubleType>(**row_group, 5, std::span(expected.number).subspan(row));
      auto text = CodedColumnReader::open(**row_group, 0);
      auto coded_number = CodedColumnReader::open(**row_group, 1);
      auto row_number = CodedColumnReader::open(**row_group, 1, PlainCodes::kByRow);
      auto wide = Int64ColumnReader::open(**row_group, 1);
      auto narrow = Int64ColumnReader::open(**row_group, 2);
      auto unsigned_narrow = Int64ColumnReader::open(**row_group, 3);
      ASSERT_TRUE(text && coded_number && row_number && wide && narrow && unsigned_narrow);
      std::mt19937 random(3);
      for (size_t left = static_cast<size_t>((*row_group)->row_count()); left > 0;) {
        const size_t count = std::min<size_t>(1 + random() % 700, left);
        std::vector<int32_t> codes(count), number_codes(count), row_codes(count);
        std::vector<int64_t> values(count), narrow_values(count), unsigned_values(count);
        std::vector<uint8_t> nulls(count, 2);
        ASSERT_TRUE((*text)->read(codes));
        ASSERT_TRUE((*coded_number)->read(number_codes));
        const size_t lasting = (*row_number)->lasting_value_count();
        ASSERT_TRUE((*row_number)->read(row_codes));
        ASSERT_LE(lasting, (*row_number)->lasting_value_count());
        ASSERT_LE((*row_number)->values().size(), (*row_number)->lasting_value_count() + count);
        const auto any_null = (*wide)->read(values, nulls);
        ASSERT_TRUE(any_null) << any_null.error().message;
        std::vector<uint8_t> other_nulls(count);
        ASSERT_TRUE((*narrow)->read(narrow_values, other_nulls));
        ASSERT_TRUE((*unsigned_narrow)->read(unsigned_values, other_nulls));
        for (size_t i = 0; i < count; ++i, ++row) {
          ASSERT_EQ(codes[i] >= 0, expected.text[row].has_value()) << "row " << row;
          ASSERT_EQ(row_codes[i] >= 0, expected.text[row].has_value()) << "row " << row;
          ASSERT_EQ(*any_null && nulls[i] == 1, !expected.text[row].has_value());
          if (!expected.text[row]) {
            ASSERT_EQ(values[i], 0);
            continue;
          }
          ASSERT_EQ((*text)->values()[static_cast<size_t>(codes[i])], *expected.text[row]);
          ASSERT_EQ(values[i], *expected.number[row]);
          ASSERT_EQ(narrow_values[i], static_cast<int32_t>(*expected.number[row]));
          ASSERT_EQ(unsigned_values[i], static_cast<uint32_t>(*expected.number[row]));
          int64_t decoded = 0;
          const auto bytes = (*coded_number)->values()[static_cast<size_t>(number_codes[i])];
          ASSERT_EQ(bytes.size(), sizeof decoded);
          ASSERT_EQ((*row_number)->values()[static_cast<size_t>(row_codes[i])], bytes);
          std::memcpy(&decoded, bytes.data(), sizeof decoded);
          ASSERT_EQ(decoded, *expected.number[row]);
        }
        left -= count;
      }
      EXPECT_TRUE((*text)->expect_end());
      EXPECT_TRUE((*row_number)->expect_end());
      EXPECT_TRUE((*wide)->expect_end());
    }
    EXPECT_EQ(row, expected.text.size());
  }

  /// The column as it is, of one row group whose rows come first in `expected`.
  template <typename DType>
  static void expect_numbers(RowGroupInput& row_group, int column,
                             std::span<const std::optional<int64_t>> expected) {
    using Value = typename DType::c_type;
    const auto reader = NumberColumnReader<DType>::open(row_group, column);
    ASSERT_TRUE(reader) << reader.error().message;
    std::vector<Value> values(static_cast<size_t>(row_group.row_count()));
    std::vector<uint8_t> nulls(values.size(), 2);
    const auto any_null = (*reader)->read(values, nulls);
    ASSERT_TRUE(any_null) << any_null.error().message;
    const auto rows = expected.first(values.size());
    ASSERT_EQ(*any_null,
              !std::ranges::all_of(rows, [](const auto& number) { return number.has_value(); }));
    for (size_t row = 0; row < rows.size(); ++row) {
      ASSERT_EQ(values[row], static_cast<Value>(rows[row].value_or(0))) << "row " << row;
      ASSERT_EQ(*any_null && nulls[row] == 1, !rows[row].has_value()) << "row " << row;
    }
    EXPECT_TRUE((*reader)->expect_end());
  }

  std::filesystem::path path_;
  std::unique_ptr<MemoryBudget> budget_;
};

TEST_F(ColumnReaderTest, SkippedRowsAreThoseThatWouldHaveBeenRead) {
  for (const bool with_nulls : {false, true}) {
    const Rows rows = random_rows(2, 20'000, 5'000, with_nulls);
    parquet::WriterProperties::Builder properties;
    // Small pages, and a dictionary that is given up in the middle.
    properties.data_pagesize(2'000)->write_batch_size(100)->dictionary_pagesize_limit(20'000);
    write(rows, properties, 20'000);
    const auto input = ParquetInput::open(path_, *budget_).value();
    for (const int64_t skipped : {0, 1, 99, 5'000, 12'345, 19'999, 20'000}) {
      SCOPED_TRACE(skipped);
      const std::vector<int> columns{0, 1};
      const auto row_group = RowGroupInput::open(input, 0, columns).value();
      const auto text = CodedColumnReader::open(*row_group, 0).value();
      const auto number = Int64ColumnReader::open(*row_group, 1).value();
      ASSERT_TRUE(text->skip(skipped));
      ASSERT_TRUE(number->skip(skipped));
      const auto left = static_cast<size_t>(20'000 - skipped);
      std::vector<int32_t> codes(left);
      std::vector<int64_t> values(left);
      std::vector<uint8_t> nulls(left);
      ASSERT_TRUE(text->read(codes));
      ASSERT_TRUE(number->read(values, nulls));
      for (size_t i = 0; i < left; ++i) {
        const auto& expected = rows.text[static_cast<size_t>(skipped) + i];
        ASSERT_EQ(codes[i] >= 0, expected.has_value());
        if (!expected) continue;
        ASSERT_EQ(text->values()[static_cast<size_t>(codes[i])], *expected);
        ASSERT_EQ(values[i], *rows.number[static_cast<size_t>(skipped) + i]);
      }
      EXPECT_TRUE(text->expect_end());
      EXPECT_TRUE(number->expect_end());
    }
    const std::vector<int> columns{0};
    const auto row_group = RowGroupInput::open(input, 0, columns).value();
    EXPECT_FALSE(CodedColumnReader::open(*row_group, 0).value()->skip(20'001));
  }
}

TEST_F(ColumnReaderTest, EveryMixtureOfEncodingsGivesTheSameRows) {
  for (const bool with_nulls : {false, true}) {
    const Rows rows = random_rows(1, 20'000, 900, with_nulls);
    for (const auto version :
         {parquet::ParquetDataPageVersion::V1, parquet::ParquetDataPageVersion::V2}) {
      for (const auto compression : {parquet::Compression::UNCOMPRESSED, parquet::Compression::ZSTD,
                                     parquet::Compression::SNAPPY, parquet::Compression::LZ4}) {
        // No dictionary, one that is given up in the middle of the chunk, and one for all.
        for (const int64_t dictionary_bytes : {0, 4000, 1 << 20}) {
          SCOPED_TRACE(fmt::format("nulls {} version {} compression {} dictionary {}", with_nulls,
                                   static_cast<int>(version), static_cast<int>(compression),
                                   dictionary_bytes));
          parquet::WriterProperties::Builder properties;
          properties.data_page_version(version)->compression(compression)->data_pagesize(3000);
          properties.write_batch_size(100)->dictionary_pagesize_limit(dictionary_bytes);
          if (dictionary_bytes == 0) properties.disable_dictionary();
          write(rows, properties, 7'000);
          expect_rows(rows);
        }
      }
    }
  }
}

TEST_F(ColumnReaderTest, ReadsTheDeltaAndSplitEncodings) {
  const Rows rows = random_rows(2, 5'000, 3'000, true);
  parquet::WriterProperties::Builder properties;
  properties.disable_dictionary()
      ->encoding("text", parquet::Encoding::DELTA_BYTE_ARRAY)
      ->encoding("wide", parquet::Encoding::DELTA_BINARY_PACKED)
      ->encoding("narrow", parquet::Encoding::DELTA_BINARY_PACKED)
      ->encoding("unsigned", parquet::Encoding::BYTE_STREAM_SPLIT)
      ->encoding("single", parquet::Encoding::BYTE_STREAM_SPLIT)
      ->encoding("real", parquet::Encoding::BYTE_STREAM_SPLIT);
  write(rows, properties, 2'000);
  expect_rows(rows);
}

/// The beginning of a zstd frame of one raw block: a claim of how long the content is, in eight
/// bytes, and how long the block is.
std::string zstd_frame_head(uint64_t claimed_bytes, size_t block_bytes) {
  std::string head("\x28\xb5\x2f\xfd\xe0", 5);
  head.append(reinterpret_cast<const char*>(&claimed_bytes), sizeof claimed_bytes);
  const auto block = static_cast<uint32_t>(block_bytes << 3U | 1U);
  return head.append(reinterpret_cast<const char*>(&block), 3);
}

/// A file whose dictionary of `text` is one value of random bytes, which zstd stores as it is; its
/// frame can be replaced by others of the same length.
class ZstdDictionaryTest : public ColumnReaderTest {
 protected:
  static constexpr size_t kValueBytes = 5'000;
  static constexpr size_t kFrameBytes = 10 + sizeof(uint32_t) + kValueBytes;

  void write_with_dictionary(const std::string& frames) {
    std::mt19937 random(11);
    for (char& byte : value_) byte = static_cast<char>(random());
    Rows rows;
    rows.text.assign(10, value_);
    rows.number.assign(10, 7);
    parquet::WriterProperties::Builder properties;
    properties.compression(parquet::Compression::ZSTD)->disable_statistics();
    write(rows, properties, 10);
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    const size_t frame = content.find("\x28\xb5\x2f\xfd");
    ASSERT_EQ(content.find(value_), frame + 10 + sizeof(uint32_t));
    ASSERT_LE(frames.size(), kFrameBytes);
    file.seekp(static_cast<std::streamoff>(frame));
    file << frames;
  }

  Result<std::string> first_value() {
    TW_ASSIGN(const ParquetInput input, ParquetInput::open(path_, *budget_));
    const std::vector<int> columns{0};
    TW_ASSIGN(const auto row_group, RowGroupInput::open(input, 0, columns));
    TW_ASSIGN(const auto text, CodedColumnReader::open(*row_group, 0));
    std::vector<int32_t> codes(10);
    TW_TRY(text->read(codes));
    return std::string(text->values()[static_cast<size_t>(codes[0])]);
  }

  std::string value_ = std::string(kValueBytes, ' ');
};

TEST_F(ZstdDictionaryTest, ADictionaryThatClaimsMoreThanItsColumnChunkIsRefused) {
  for (const uint64_t claimed : {uint64_t{1} << 20, uint64_t{1} << 62, (uint64_t{1} << 63) + 100}) {
    SCOPED_TRACE(claimed);
    write_with_dictionary(zstd_frame_head(claimed, kValueBytes - 6));
    const auto value = first_value();
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(value.error().message.find("larger than its column chunk"), std::string::npos)
        << value.error().message;
  }
}

TEST_F(ZstdDictionaryTest, ADictionaryMayConsistOfSeveralFrames) {
  const std::string head = zstd_frame_head(0, 0);
  const auto length = static_cast<uint32_t>(kFrameBytes - 2 * head.size() - sizeof(uint32_t));
  std::string content(reinterpret_cast<const char*>(&length), sizeof length);
  for (size_t i = 0; i < length; ++i) content.push_back(static_cast<char>('a' + i % 23));
  const std::string first = content.substr(0, 1'234);
  const std::string second = content.substr(first.size());
  write_with_dictionary(zstd_frame_head(first.size(), first.size()) + first +
                        zstd_frame_head(second.size(), second.size()) + second);
  const auto value = first_value();
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(*value, content.substr(sizeof length));
}

TEST_F(ColumnReaderTest, ReadsColumnsOfNullsOnly) {
  Rows rows;
  rows.text.resize(1000);
  rows.number.resize(1000);
  parquet::WriterProperties::Builder properties;
  write(rows, properties, 300);
  expect_rows(rows);
}

TEST_F(ColumnReaderTest, NamesTheColumnsWhenOneIsMissing) {
  parquet::WriterProperties::Builder properties;
  write(random_rows(4, 10, 3, false), properties, 10);
  const auto input = ParquetInput::open(path_, *budget_);
  ASSERT_TRUE(input);
  const auto column = input->find_column("price");
  ASSERT_FALSE(column);
  EXPECT_EQ(column.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(column.error().message.find("text, wide, narrow, unsigned"), std::string::npos);
}

TEST_F(ColumnReaderTest, AFileThatIsNoParquetFileIsCorruptAndAMissingOneIsNot) {
  std::ofstream(path_) << "this is not Parquet, but long enough to look for a footer";
  const auto input = ParquetInput::open(path_, *budget_);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().kind, ErrorKind::kCorrupt);
  std::filesystem::remove(path_);
  const auto missing = ParquetInput::open(path_, *budget_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kIo);
}

template <typename Reader, typename Value>
void read_numbers_that_are_there(RowGroupInput& row_group, int column) {
  std::vector<Value> values(512);
  std::vector<uint8_t> nulls(512);
  if (auto reader = Reader::open(row_group, column)) {
    for (int i = 0; i < 100 && (*reader)->read(values, nulls); ++i) {
    }
  }
}

/// Reads all columns to the end; every failure must be an Error with a message.
void read_whatever_is_there(const std::filesystem::path& path, MemoryBudget& budget) {
  const auto input = ParquetInput::open(path, budget);
  if (!input) return;
  for (int group = 0; group < input->row_group_count(); ++group) {
    const std::vector<int> columns{0, 1, 2, 3, 4, 5};
    const auto row_group = RowGroupInput::open(*input, group, columns);
    if (!row_group) continue;
    for (const int column : columns) {
      std::vector<int32_t> codes(512);
      if (auto reader = CodedColumnReader::open(**row_group, column)) {
        for (int i = 0; i < 100; ++i) {
          const Status status = (*reader)->read(codes);
          if (!status) {
            EXPECT_FALSE(status.error().message.empty());
            break;
          }
          for (const int32_t code : codes) {
            ASSERT_LT(code, static_cast<int32_t>((*reader)->values().size()));
          }
        }
      }
      read_numbers_that_are_there<Int64ColumnReader, int64_t>(**row_group, column);
      read_numbers_that_are_there<NumberColumnReader<parquet::Int32Type>, int32_t>(**row_group,
                                                                                   column);
      read_numbers_that_are_there<NumberColumnReader<parquet::FloatType>, float>(**row_group,
                                                                                 column);
      read_numbers_that_are_there<NumberColumnReader<parquet::DoubleType>, double>(**row_group,
                                                                                   column);
    }
  }
}

TEST_F(ColumnReaderTest, EveryFlippedByteOfASmallFileEndsInDataOrAnError) {
  for (const int64_t dictionary_bytes : {0, 200, 1 << 20}) {
    parquet::WriterProperties::Builder properties;
    properties.compression(parquet::Compression::UNCOMPRESSED)->data_pagesize(400);
    properties.write_batch_size(50)->dictionary_pagesize_limit(dictionary_bytes);
    if (dictionary_bytes == 0) properties.disable_dictionary();
    write(random_rows(5, 300, 20, true), properties, 200);
    std::ifstream stream(path_, std::ios::binary);
    const std::string original{std::istreambuf_iterator<char>(stream), {}};
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    const auto put = [&](size_t at, char byte) {
      file.seekp(static_cast<std::streamoff>(at)).put(byte).flush();
    };
    for (size_t at = 0; at < original.size(); ++at) {
      put(at, static_cast<char>(original[at] ^ (1 << (at % 8))));
      SCOPED_TRACE(fmt::format("byte {} of {}", at, original.size()));
      read_whatever_is_there(path_, *budget_);
      put(at, original[at]);
    }
  }
}

}  // namespace
}  // namespace tapeworks
