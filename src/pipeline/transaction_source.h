#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/mode.h"
#include "pipeline/price.h"
#include "storage/parquet_input.h"

namespace tapeworks {

/// The names of the input's columns.
struct TransactionColumnNames {
  std::string symbol = "symbol_id";
  std::string date = "date";
  std::string broker = "broker";
  std::string broker_name = "broker_name";  ///< may be missing in the input
  std::string price = "price";
  std::string buy = "buy";
  std::string sell = "sell";
};

/// A time zone without daylight saving: "UTC", "Asia/Taipei", or an offset like "+08:00".
struct FixedZone {
  int64_t offset_seconds = 0;

  /// kInvalidArgument for any other text.
  static Result<FixedZone> parse(std::string_view text);
};

/// How an instant becomes a day.
struct DayRule {
  FixedZone day_zone;
  std::optional<FixedZone> naive_zone;  ///< none: timestamps without a zone are refused
};

/// Reads the bytes that stand in a date column.
class DateReader {
 public:
  /// kCorrupt, with `where` in the message, for a column that holds no dates.
  static Result<DateReader> make(const parquet::ColumnDescriptor& column, const DayRule& rule,
                                 const std::string& where);

  /// Nothing for a value that is no day of the years 1 to 9999.
  std::optional<Day> read(std::string_view bytes) const;
  /// The value as a person would write it, for messages.
  std::string show(std::string_view bytes) const;

 private:
  enum class Kind { kTicks, kDays, kText, kInt96 };
  Kind kind_ = Kind::kText;
  int64_t ticks_per_second_ = 1;
  int64_t offset_seconds_ = 0;
};

/// Reads the bytes that stand in a price column.
class PriceReader {
 public:
  static Result<PriceReader> make(const parquet::ColumnDescriptor& column, Mode mode,
                                  AmountWidth amounts, const std::string& where);

  Price read(std::string_view bytes) const;
  std::string wide_text(std::string_view bytes) const;
  std::string show(std::string_view bytes) const;
  AmountUnit unit() const { return parser_.unit(); }

 private:
  enum class Kind { kText, kFloat, kDouble, kInteger, kUnsigned, kDecimal };
  PriceReader(Kind kind, PriceParser parser) : kind_(kind), parser_(parser) {}
  /// `unscaled` is what stands in `bytes`.
  Price read_decimal(Int128 unscaled, std::string_view bytes) const;

  Kind kind_;
  PriceParser parser_;
  int decimal_scale_ = 0;               // digits behind the point
  bool decimal_is_big_endian_ = false;  // byte arrays are, integers are not
};

/// One input file with its columns found and their types checked.
struct TransactionFile {
  ParquetInput input;
  int symbol_column = 0;
  int date_column = 0;
  int broker_column = 0;
  std::optional<int> broker_name_column;
  int price_column = 0;
  int buy_column = 0;
  int sell_column = 0;
  DateReader date_reader;
  PriceReader price_reader;

  static Result<TransactionFile> open(const std::filesystem::path& path,
                                      const TransactionColumnNames& names, Mode mode,
                                      AmountWidth amounts, const DayRule& rule,
                                      MemoryBudget& budget);

  /// Every column that is read, for read-ahead.
  std::vector<int> columns() const;
};

}  // namespace tapeworks
