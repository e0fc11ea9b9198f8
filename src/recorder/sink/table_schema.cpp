#include "recorder/sink/table_schema.h"

#include <string>

#include <arrow/type.h>

namespace tapeworks::recorder {
namespace {

using enum ColumnType;

// The order of columns is part of the format: row checksums run over it.

constexpr Column kRowColumns[] = {
    {"lsn", kUint64, false},
    {"frame_index", kInt32, false},
    {"receive_time", kTime, false},
    {"event_time", kTime},
    {"exchange_time", kTime},
    {"exchange", kText, false},
    {"market", kText, false},
    {"symbol", kText, false},
    {"stream", kText, false},
    {"transport", kText, false},
    {"leg", kInt32, false},
    {"source", kText, false},
    {"sequence", kInt64},
    {"trade_id", kText},
    {"side", kText},
    {"price", kFloat64},
    {"quantity", kFloat64},
    {"quantity_unit", kText},
    {"bid_price_1", kFloat64},
    {"bid_quantity_1", kFloat64},
    {"bid_price_2", kFloat64},
    {"bid_quantity_2", kFloat64},
    {"bid_price_3", kFloat64},
    {"bid_quantity_3", kFloat64},
    {"bid_price_4", kFloat64},
    {"bid_quantity_4", kFloat64},
    {"bid_price_5", kFloat64},
    {"bid_quantity_5", kFloat64},
    {"ask_price_1", kFloat64},
    {"ask_quantity_1", kFloat64},
    {"ask_price_2", kFloat64},
    {"ask_quantity_2", kFloat64},
    {"ask_price_3", kFloat64},
    {"ask_quantity_3", kFloat64},
    {"ask_price_4", kFloat64},
    {"ask_quantity_4", kFloat64},
    {"ask_price_5", kFloat64},
    {"ask_quantity_5", kFloat64},
    {"flags", kUint32, false},
    {"raw", kText},
};

constexpr Column kGapColumns[] = {
    {"lsn", kUint64, false}, {"frame_index", kInt32, false},
    {"from_time", kTime},    {"to_time", kTime, false},
    {"cause", kText, false}, {"connection", kInt64, false},
    {"symbol", kText},       {"stream", kText},
    {"class", kText},        {"from_sequence", kInt64},
    {"to_sequence", kInt64}, {"missing_count", kInt64},
    {"filled_by", kText},    {"detail", kText},
};

constexpr Column kEventColumns[] = {
    {"lsn", kUint64, false},
    {"frame_index", kInt32, false},
    {"receive_time", kTime, false},
    {"event", kText, false},
    {"connection", kInt64, false},
    {"leg", kInt32, false},
    {"symbol", kText},
    {"stream", kText},
    {"cause", kText},
    {"count", kInt64},
    {"detail", kText},
};

constexpr Column kInstrumentColumns[] = {
    {"lsn", kUint64, false},
    {"frame_index", kInt32, false},
    {"receive_time", kTime, false},
    {"symbol", kText},
    {"status", kText},
    {"multiplier", kFloat64},
    {"price_tick", kFloat64},
    {"quantity_step", kFloat64},
    {"detail", kText},
};

constexpr Column kQuarantineColumns[] = {
    {"lsn", kUint64, false},       {"frame_index", kInt32, false}, {"receive_time", kTime, false},
    {"connection", kInt64, false}, {"leg", kInt32, false},         {"transport", kText, false},
    {"reason", kText, false},      {"is_binary", kInt32, false},   {"payload", kBytes, false},
};

static_assert(std::size(kRowColumns) <= 64);

std::shared_ptr<arrow::DataType> arrow_type(ColumnType type) {
  switch (type) {
    case kUint64:
      return arrow::uint64();
    case kInt64:
      return arrow::int64();
    case kInt32:
      return arrow::int32();
    case kUint32:
      return arrow::uint32();
    case kTime:
      return arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    case kFloat64:
      return arrow::float64();
    case kText:
      return arrow::utf8();
    case kBytes:
      return arrow::binary();
  }
  return nullptr;
}

std::shared_ptr<arrow::Schema> make_schema(TableKind table) {
  arrow::FieldVector fields;
  for (const Column& column : columns_of(table)) {
    fields.push_back(
        arrow::field(std::string(column.name), arrow_type(column.type), column.nullable));
  }
  return arrow::schema(std::move(fields));
}

}  // namespace

std::span<const Column> columns_of(TableKind table) {
  switch (table) {
    case TableKind::kRows:
      return kRowColumns;
    case TableKind::kGaps:
      return kGapColumns;
    case TableKind::kEvents:
      return kEventColumns;
    case TableKind::kInstruments:
      return kInstrumentColumns;
    case TableKind::kQuarantine:
      return kQuarantineColumns;
  }
  return {};
}

const std::shared_ptr<arrow::Schema>& arrow_schema_of(TableKind table) {
  static const auto kSchemas = [] {
    std::array<std::shared_ptr<arrow::Schema>, kTableKinds.size()> made;
    for (const TableKind kind : kTableKinds) made[static_cast<size_t>(kind)] = make_schema(kind);
    return made;
  }();
  return kSchemas[static_cast<size_t>(table)];
}

}  // namespace tapeworks::recorder
