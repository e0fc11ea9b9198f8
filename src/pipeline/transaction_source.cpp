#include "pipeline/transaction_source.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <set>
#include <string_view>

#include <parquet/schema.h>
#include <parquet/types.h>

namespace tapeworks {
namespace {

constexpr int64_t kSecondsPerDay = 86400;
constexpr int64_t kJulianDayOfEpoch = 2440588;
constexpr Day kFirstDay{-719'162};  // 0001-01-01

int64_t floor_divide(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

std::optional<Day> checked_day(int64_t days) {
  if (days < kFirstDay.days_since_epoch || days > kLastDayOfYear9999.days_since_epoch) {
    return std::nullopt;
  }
  return Day{static_cast<int32_t>(days)};
}

template <typename T>
T load(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little, "Parquet numbers are little-endian");
  T value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof value, bytes.size()));
  return value;
}

std::string type_name(const parquet::ColumnDescriptor& column) {
  const auto& logical = column.logical_type();
  std::string name = parquet::TypeToString(column.physical_type());
  if (logical != nullptr && !logical->is_none()) name += " " + logical->ToString();
  return name;
}

bool is_text(const parquet::ColumnDescriptor& column) {
  const auto& logical = column.logical_type();
  return column.physical_type() == parquet::Type::BYTE_ARRAY &&
         (logical == nullptr || !logical->is_decimal());
}

bool is_unsigned(const parquet::ColumnDescriptor& column) {
  const auto& logical = column.logical_type();
  return logical != nullptr && logical->is_int() &&
         !static_cast<const parquet::IntLogicalType&>(*logical).is_signed();
}

int64_t load_integer(std::string_view bytes) {
  return bytes.size() == sizeof(int32_t) ? load<int32_t>(bytes) : load<int64_t>(bytes);
}

/// A decimal's unscaled value: big-endian two's complement in byte arrays, little-endian in
/// integers.
Int128 unscaled_decimal(std::string_view bytes, bool big_endian) {
  if (bytes.empty()) return 0;
  if (!big_endian) return load_integer(bytes);
  if (bytes.size() <= sizeof(uint64_t)) {
    const auto value = static_cast<int64_t>(__builtin_bswap64(load<uint64_t>(bytes)));
    return value >> (8 * (sizeof value - bytes.size()));
  }
  Uint128 value = (static_cast<uint8_t>(bytes[0]) & 0x80) != 0 ? ~Uint128{0} : 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return static_cast<Int128>(value);
}

std::string decimal_text(Int128 value, int scale) {
  const bool negative = value < 0;
  Uint128 magnitude = negative ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  } while (magnitude != 0);
  while (static_cast<int>(digits.size()) <= scale) digits.push_back('0');
  if (scale > 0) digits.insert(static_cast<size_t>(scale), 1, '.');
  if (negative) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

Result<int> find_text_column(const ParquetInput& input, const std::string& name) {
  TW_ASSIGN(const int index, input.find_column(name));
  if (is_text(input.column(index))) return index;
  return corrupt("{}: column '{}' is {}, text is needed", input.path().string(), name,
                 type_name(input.column(index)));
}

Result<int> find_count_column(const ParquetInput& input, const std::string& name) {
  TW_ASSIGN(const int index, input.find_column(name));
  const auto& column = input.column(index);
  const auto& logical = column.logical_type();
  const bool plain = logical == nullptr || logical->is_none() || logical->is_int();
  const auto type = column.physical_type();
  if (plain && (type == parquet::Type::INT32 || type == parquet::Type::INT64)) return index;
  return corrupt("{}: column '{}' is {}, 32- or 64-bit integers are needed", input.path().string(),
                 name, type_name(column));
}

Status check_names_differ(const TransactionColumnNames& names) {
  std::set<std::string_view> seen;
  for (const std::string& name :
       {names.symbol, names.date, names.broker, names.price, names.buy, names.sell}) {
    if (seen.insert(name).second) continue;
    return invalid_argument("column '{}' is named twice; name another one with --column-...", name);
  }
  return {};
}

}  // namespace

Result<FixedZone> FixedZone::parse(std::string_view text) {
  if (text == "UTC" || text == "Z") return FixedZone{0};
  if (text == "Asia/Taipei") return FixedZone{8 * 3600};
  const auto two_digits = [&](size_t at, int limit) -> std::optional<int> {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, value);
    if (error != std::errc{} || end != text.data() + at + 2 || value > limit) return std::nullopt;
    return value;
  };
  if (text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':') {
    const auto hours = two_digits(1, 14);
    const auto minutes = two_digits(4, 59);
    if (hours && minutes) {
      const int64_t seconds = *hours * 3600 + *minutes * 60;
      return FixedZone{text[0] == '-' ? -seconds : seconds};
    }
  }
  return invalid_argument(
      "'{}' is no time zone that is known here; write UTC, Asia/Taipei or an offset like +08:00",
      text);
}

Result<DateReader> DateReader::make(const parquet::ColumnDescriptor& column, const DayRule& rule,
                                    const std::string& where) {
  DateReader reader;
  reader.offset_seconds_ = rule.day_zone.offset_seconds;
  if (is_text(column)) return reader;
  const auto& logical = column.logical_type();
  if (logical != nullptr && logical->is_date()) {
    reader.kind_ = Kind::kDays;
    return reader;
  }
  if (column.physical_type() == parquet::Type::INT96) {
    // Spark's old timestamps: instants, though the type cannot say so.
    reader.kind_ = Kind::kInt96;
    return reader;
  }
  if (logical == nullptr || !logical->is_timestamp()) {
    return corrupt("{}: the type is {}, a timestamp, a date or ISO text is needed", where,
                   type_name(column));
  }
  const auto& timestamp = static_cast<const parquet::TimestampLogicalType&>(*logical);
  reader.kind_ = Kind::kTicks;
  switch (timestamp.time_unit()) {
    case parquet::LogicalType::TimeUnit::MILLIS:
      reader.ticks_per_second_ = 1'000;
      break;
    case parquet::LogicalType::TimeUnit::MICROS:
      reader.ticks_per_second_ = 1'000'000;
      break;
    default:
      reader.ticks_per_second_ = 1'000'000'000;
  }
  if (!timestamp.is_adjusted_to_utc()) {
    if (!rule.naive_zone) {
      return corrupt("{}: the timestamps have no time zone; say which one with --naive-zone",
                     where);
    }
    reader.offset_seconds_ -= rule.naive_zone->offset_seconds;
  }
  return reader;
}

std::optional<Day> DateReader::read(std::string_view bytes) const {
  switch (kind_) {
    case Kind::kText:
      return parse_day(bytes);
    case Kind::kDays:
      return checked_day(load<int32_t>(bytes));
    case Kind::kTicks: {
      // Seconds first: the offset in ticks could overflow near the ends of the range.
      const int64_t seconds = floor_divide(load<int64_t>(bytes), ticks_per_second_);
      return checked_day(floor_divide(seconds + offset_seconds_, kSecondsPerDay));
    }
    case Kind::kInt96: {
      const auto nanoseconds = load<int64_t>(bytes);
      const int64_t day = int64_t{load<int32_t>(bytes.substr(8))} - kJulianDayOfEpoch;
      const int64_t seconds = floor_divide(nanoseconds, 1'000'000'000) + offset_seconds_;
      return checked_day(day + floor_divide(seconds, kSecondsPerDay));
    }
  }
  return std::nullopt;
}

std::string DateReader::show(std::string_view bytes) const {
  if (kind_ == Kind::kText) return std::string(bytes);
  if (kind_ == Kind::kDays) return fmt::format("day {}", load<int32_t>(bytes));
  return fmt::format("timestamp {}", load<int64_t>(bytes));
}

Result<PriceReader> PriceReader::make(const parquet::ColumnDescriptor& column, Mode mode,
                                      AmountWidth amounts, const std::string& where) {
  const auto& logical = column.logical_type();
  const bool is_decimal = logical != nullptr && logical->is_decimal();
  const auto with = [&](Kind kind, AmountUnit exact_unit) {
    const AmountUnit unit = amounts == AmountWidth::kFloat32 ? AmountUnit::kBinary40 : exact_unit;
    return PriceReader(kind, PriceParser(mode, unit));
  };
  if (is_decimal) {
    const auto& decimal = static_cast<const parquet::DecimalLogicalType&>(*logical);
    if (decimal.scale() < 0 || decimal.precision() > 38) {
      return corrupt("{}: decimals of more than 38 digits are not understood", where);
    }
    PriceReader reader = with(Kind::kDecimal, AmountUnit::kDecimal12);
    reader.decimal_scale_ = decimal.scale();
    reader.decimal_is_big_endian_ = column.physical_type() == parquet::Type::BYTE_ARRAY ||
                                    column.physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY;
    return reader;
  }
  switch (column.physical_type()) {
    case parquet::Type::BYTE_ARRAY:
      return with(Kind::kText, AmountUnit::kDecimal12);
    case parquet::Type::FLOAT:
      return with(Kind::kFloat, AmountUnit::kBinary60);
    case parquet::Type::DOUBLE:
      return with(Kind::kDouble, AmountUnit::kBinary60);
    case parquet::Type::INT32:
    case parquet::Type::INT64:
      if (logical == nullptr || logical->is_none() || logical->is_int()) {
        return with(is_unsigned(column) ? Kind::kUnsigned : Kind::kInteger, AmountUnit::kDecimal12);
      }
      [[fallthrough]];
    default:
      return corrupt("{}: the type is {}, text or numbers are needed", where, type_name(column));
  }
}

std::string PriceReader::show(std::string_view bytes) const {
  switch (kind_) {
    case Kind::kText:
      return std::string(bytes);
    case Kind::kFloat:
      return fmt::format("{}", load<float>(bytes));
    case Kind::kDouble:
      return fmt::format("{}", load<double>(bytes));
    case Kind::kInteger:
      return fmt::format("{}", load_integer(bytes));
    case Kind::kUnsigned:
      return fmt::format("{}", load<uint64_t>(bytes));
    case Kind::kDecimal:
      return decimal_text(unscaled_decimal(bytes, decimal_is_big_endian_), decimal_scale_);
  }
  return {};
}

Price PriceReader::read(std::string_view bytes) const {
  switch (kind_) {
    case Kind::kText:
      return parser_.from_text(bytes);
    case Kind::kFloat:
      return parser_.from_double(static_cast<double>(load<float>(bytes)));
    case Kind::kDouble:
      return parser_.from_double(load<double>(bytes));
    case Kind::kInteger:
      return read_decimal(load_integer(bytes), bytes);
    case Kind::kUnsigned:
      return read_decimal(load<uint64_t>(bytes), bytes);
    case Kind::kDecimal:
      return read_decimal(unscaled_decimal(bytes, decimal_is_big_endian_), bytes);
  }
  return {};
}

Price PriceReader::read_decimal(Int128 unscaled, std::string_view bytes) const {
  if (const auto digits = static_cast<int64_t>(unscaled); digits == unscaled) {
    if (const auto price = parser_.from_short_decimal(digits, decimal_scale_)) return *price;
  }
  return parser_.from_text(show(bytes));
}

std::string PriceReader::wide_text(std::string_view bytes) const {
  if (kind_ == Kind::kFloat) return wide_price_text(static_cast<double>(load<float>(bytes)));
  if (kind_ == Kind::kDouble && unit() == AmountUnit::kBinary60) {
    return wide_price_text(load<double>(bytes));
  }
  if (kind_ == Kind::kDouble) {
    return wide_price_text(static_cast<double>(static_cast<float>(load<double>(bytes))));
  }
  return wide_price_text(show(bytes), unit());
}

Result<TransactionFile> TransactionFile::open(const std::filesystem::path& path,
                                              const TransactionColumnNames& names, Mode mode,
                                              AmountWidth amounts, const DayRule& rule,
                                              MemoryBudget& budget) {
  TW_TRY(check_names_differ(names));
  TW_ASSIGN(ParquetInput input, ParquetInput::open(path, budget));
  TW_ASSIGN(const int symbol, find_text_column(input, names.symbol));
  TW_ASSIGN(const int date, input.find_column(names.date));
  TW_ASSIGN(const int broker, find_text_column(input, names.broker));
  std::optional<int> broker_name;
  if (input.has_column(names.broker_name)) {
    TW_ASSIGN(broker_name, find_text_column(input, names.broker_name));
  }
  TW_ASSIGN(const int price, input.find_column(names.price));
  TW_ASSIGN(const int buy, find_count_column(input, names.buy));
  TW_ASSIGN(const int sell, find_count_column(input, names.sell));
  const auto place = [&](const std::string& name) {
    return fmt::format("{}: column '{}'", path.string(), name);
  };
  TW_ASSIGN(const DateReader dates, DateReader::make(input.column(date), rule, place(names.date)));
  TW_ASSIGN(const PriceReader prices,
            PriceReader::make(input.column(price), mode, amounts, place(names.price)));
  return TransactionFile{
      std::move(input), symbol, date, broker, broker_name, price, buy, sell, dates, prices};
}

std::vector<int> TransactionFile::columns() const {
  std::vector<int> columns{symbol_column, date_column, broker_column,
                           price_column,  buy_column,  sell_column};
  if (broker_name_column) columns.push_back(*broker_name_column);
  return columns;
}

}  // namespace tapeworks
