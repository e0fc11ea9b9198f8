#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <arrow/type_fwd.h>

namespace tapeworks::recorder {

/// The tables of a recording. docs/formats/recording.md describes their columns.
enum class TableKind : uint8_t {
  kRows,         ///< market data, a file an hour
  kGaps,         ///< `_gaps/`: what may be missing, a file a day
  kEvents,       ///< `_events/`: what happened to the recorder, a file a day
  kInstruments,  ///< `_instruments/`: replies about symbols, a file a day
  kQuarantine,   ///< `_quarantine/`: frames that do not decode, a file a day
};
inline constexpr std::array kTableKinds{TableKind::kRows, TableKind::kGaps, TableKind::kEvents,
                                        TableKind::kInstruments, TableKind::kQuarantine};

/// The folder of a table below {exchange}_{market}; empty for the rows.
constexpr std::string_view folder_of(TableKind table) {
  switch (table) {
    case TableKind::kRows:
      return "";
    case TableKind::kGaps:
      return "_gaps";
    case TableKind::kEvents:
      return "_events";
    case TableKind::kInstruments:
      return "_instruments";
    case TableKind::kQuarantine:
      return "_quarantine";
  }
  return {};
}

/// Where a row comes from, in the column `source`.
inline constexpr std::string_view kLiveSource = "live";
inline constexpr std::string_view kBackfillSource = "backfill";

enum class ColumnType : uint8_t {
  kUint64,
  kInt64,
  kInt32,
  kUint32,
  kTime,  ///< nanoseconds since 1970-01-01 UTC
  kFloat64,
  kText,  ///< UTF-8
  kBytes,
};

struct Column {
  std::string_view name;
  ColumnType type = ColumnType::kText;
  bool nullable = true;
};

/// At most 64, because one word says which values of a row are there.
std::span<const Column> columns_of(TableKind table);

/// One object a table, so that writers prepare it once.
const std::shared_ptr<arrow::Schema>& arrow_schema_of(TableKind table);

}  // namespace tapeworks::recorder
