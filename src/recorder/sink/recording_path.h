#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {

/// How rows are divided into files.
enum class Layout : uint8_t {
  kSymbol,    ///< {exchange}_{market}/{symbol}/{date}/{HH}.parquet
  kMarket,    ///< {exchange}_{market}/{date}/{HH}.parquet
  kExchange,  ///< {exchange}/{date}/{HH}.parquet
};

std::string_view name_of(Layout layout);
std::optional<Layout> parse_layout(std::string_view name);

/// Of a published file; paths of partitions are without it.
inline constexpr std::string_view kPublishedSuffix = ".parquet";

inline constexpr int64_t kSecondNs = 1'000'000'000;
inline constexpr int64_t kHourNs = 3600 * kSecondNs;
inline constexpr int64_t kDayNs = 24 * kHourNs;

/// The beginning of the hour or day (UTC) of an instant, also before 1970.
constexpr int64_t floor_time(int64_t time_ns, int64_t unit_ns) {
  const int64_t rest = time_ns % unit_ns;
  return time_ns - (rest < 0 ? rest + unit_ns : rest);
}

/// A symbol as a folder name, which names no other folder and no other symbol: bytes other than
/// letters, digits and `_ - .` become %XX, as do "." and ".."; valid UTF-8 letters stay. Names
/// above 200 bytes are cut, and end in "~" and the XXH3-64 of the symbol. Case is kept, so the file
/// system must distinguish it.
std::string escape_path(std::string_view symbol);

/// The symbol of an escaped name; nothing for one that was cut or that escape_path() never makes.
std::optional<std::string> unescape_path(std::string_view name);

/// The file of a row, relative to the recording's folder and without ".parquet". `time_ns` decides
/// hour and day; `symbol` counts for rows in the layout kSymbol only. What concerns no exchange has
/// an empty one, and its tables lie in the recording's folder itself.
struct PartitionName {
  std::string_view exchange;
  std::string_view market;
  std::string_view symbol;
};
std::string partition_path(Layout layout, TableKind table, const PartitionName& name,
                           int64_t time_ns);

/// What a path of partition_path() says of its time.
struct PartitionTime {
  TableKind table = TableKind::kRows;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;  ///< exclusive
};
std::optional<PartitionTime> parse_partition_time(std::string_view path);

/// "binance" of "binance_spot/BTCUSDT/2023-11-14/22" and of "binance/2023-11-14/22".
constexpr std::string_view exchange_of(std::string_view path) {
  return path.substr(0, path.find_first_of("_/"));
}

/// "2026-11-21" of the day that contains the instant.
std::string date_text(int64_t time_ns);
/// "07", the hour of the day.
std::string hour_text(int64_t time_ns);

}  // namespace tapeworks::recorder
