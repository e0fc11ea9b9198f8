#include "recorder/sink/row_checksum.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks::recorder {
namespace {

template <typename Value>
std::string bytes_of(Value value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

struct Row {
  uint64_t lsn = 0;
  std::optional<int64_t> time;
  std::optional<int32_t> leg;
  std::optional<uint32_t> flags;
  std::optional<double> price;
  std::optional<std::string> raw;
};

/// As docs/formats/recording.md says it.
std::string canonical(const Row& row) {
  const bool has[] = {true,
                      row.time.has_value(),
                      row.leg.has_value(),
                      row.flags.has_value(),
                      row.price.has_value(),
                      row.raw.has_value()};
  uint64_t present = 0;
  for (unsigned i = 0; i < std::size(has); ++i) present |= uint64_t{has[i]} << i;
  std::string text = bytes_of(present) + bytes_of(row.lsn);
  if (row.time) text += bytes_of(*row.time);
  if (row.leg) text += bytes_of(int64_t{*row.leg});
  if (row.flags) text += bytes_of(uint64_t{*row.flags});
  if (row.price) text += bytes_of(*row.price);
  if (row.raw) text += bytes_of(static_cast<uint32_t>(row.raw->size())) + *row.raw;
  return text;
}

template <typename Builder, typename Value>
void append(Builder& builder, const std::optional<Value>& value) {
  EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
}

std::shared_ptr<arrow::Table> table_of(const std::vector<Row>& rows) {
  arrow::UInt64Builder lsns;
  const auto time = arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
  arrow::TimestampBuilder times(time, arrow::default_memory_pool());
  arrow::Int32Builder legs;
  arrow::UInt32Builder flags;
  arrow::DoubleBuilder prices;
  arrow::BinaryBuilder texts;
  for (const Row& row : rows) {
    append(lsns, std::optional(row.lsn));
    append(times, row.time);
    append(legs, row.leg);
    append(flags, row.flags);
    append(prices, row.price);
    append(texts, row.raw);
  }
  const auto schema = arrow::schema(
      {arrow::field("lsn", arrow::uint64(), false), arrow::field("time", time),
       arrow::field("leg", arrow::int32()), arrow::field("flags", arrow::uint32()),
       arrow::field("price", arrow::float64()), arrow::field("raw", arrow::binary())});
  return arrow::Table::Make(schema, {lsns.Finish().ValueOrDie(), times.Finish().ValueOrDie(),
                                     legs.Finish().ValueOrDie(), flags.Finish().ValueOrDie(),
                                     prices.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
}

std::vector<Row> some_rows() {
  std::vector<Row> rows;
  for (int i = 0; i < 1'000; ++i) {
    Row& row = rows.emplace_back(Row{static_cast<uint64_t>(i) << 40, {}, {}, {}, {}, {}});
    if (i % 4 != 1) row.time = i * -1'000;
    if (i % 2 == 0) row.leg = -i;
    if (i % 3 == 0) row.flags = ~uint32_t{0} - static_cast<uint32_t>(i);
    if (i % 5 != 0) row.price = -0.1 * i;
    if (i % 7 != 0) row.raw = std::string(static_cast<size_t>(i % 50), 'x');
  }
  // Around what is hashed at once.
  for (const size_t size : {16'380, 16'384, 16'385, 100'000}) {
    rows[500 + size % 100].raw = std::string(size, 'y');
  }
  return rows;
}

TEST(RowChecksum, ItRunsOverTheCanonicalValues) {
  const auto rows = some_rows();
  const auto table = table_of(rows);
  // Where rows begin within their arrays does not count, nor in how many arrays they are.
  for (const size_t first : {0, 3, 8}) {
    std::string canonical_rows;
    for (size_t i = first; i < rows.size(); ++i) canonical_rows += canonical(rows[i]);
    const auto from = static_cast<int64_t>(first);
    const auto chunks =
        arrow::ConcatenateTables({table->Slice(from, 101), table->Slice(from + 101)});
    for (const auto& same : {table->Slice(from), chunks.ValueOrDie()}) {
      RowChecksum checksum;
      ASSERT_TRUE(checksum.add(*same));
      EXPECT_EQ(checksum.digest(), XXH3_64bits(canonical_rows.data(), canonical_rows.size()));
    }
  }
  EXPECT_EQ(RowChecksum().digest(), XXH3_64bits("", 0));
}

TEST(RowChecksum, AColumnThatNoTableHasIsRefused) {
  arrow::BooleanBuilder flags;
  ASSERT_TRUE(flags.Append(true).ok());
  const auto schema = arrow::schema({arrow::field("flag", arrow::boolean())});
  const auto table = arrow::Table::Make(schema, {flags.Finish().ValueOrDie()});
  const auto added = RowChecksum().add(*table);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace tapeworks::recorder
