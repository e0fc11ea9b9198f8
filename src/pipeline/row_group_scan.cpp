#include "pipeline/row_group_scan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <xxhash.h>

#include "base/interrupt.h"
#include "base/run_stats.h"
#include "base/units.h"
#include "base/utf8.h"

namespace tapeworks {
namespace {

constexpr size_t kSymbolBytesMax = 200;
/// Counts from here on go the slow way, which can hold their amounts.
constexpr int64_t kFastCountBound = int64_t{1} << 31;
/// Sums of counts below this bound cannot leave 64 bits in any file that exists.
constexpr int64_t kCountBound = int64_t{1} << 52;

RowProblem symbol_problem(std::string_view text, Mode mode) {
  // The reference writes a symbol without text to ".parquet".
  if (text.empty()) return is_compat(mode) ? RowProblem::kNone : RowProblem::kNullSymbol;
  if (text.size() > kSymbolBytesMax || text == "." || text == ".." ||
      text.find('/') != std::string_view::npos || text.find('\0') != std::string_view::npos ||
      !is_utf8(text)) {
    return RowProblem::kUnsafeSymbol;
  }
  return RowProblem::kNone;
}

RowProblem price_problem(PriceKind kind) {
  switch (kind) {
    case PriceKind::kExact:
      return RowProblem::kNone;
    case PriceKind::kDash:
      return RowProblem::kDashPrice;
    case PriceKind::kBad:
      return RowProblem::kBadPrice;
    default:
      return RowProblem::kSpecialPrice;
  }
}

Int128 amount_of(int64_t shares, const Price& price) {
  return static_cast<Int128>(shares) * price.units << price.shift;
}

/// The bits that shares at a price which is no number leave in the group: 0 x inf is not a number.
uint8_t special_bits(PriceKind kind, int64_t shares, bool is_sell) {
  unsigned bits = 0;
  if (kind == PriceKind::kNotANumber || shares == 0) {
    bits = kBuyNotANumber;
  } else {
    const bool positive = (kind == PriceKind::kPlusInfinity) == (shares > 0);
    bits = positive ? kBuyPlusInfinity : kBuyMinusInfinity;
  }
  return static_cast<uint8_t>(is_sell ? bits << 3 : bits);
}

}  // namespace

uint32_t partition_of(std::string_view symbol, size_t partition_count) {
  return static_cast<uint32_t>(XXH3_64bits(symbol.data(), symbol.size()) % partition_count);
}

Status ScanShared::reserve_dictionaries() {
  // Once more beside them: the texts are copied when the scan ends.
  const uint64_t bytes =
      2 * (symbols.allocated_bytes() + brokers.allocated_bytes() + broker_names.allocated_bytes());
  const std::scoped_lock lock(memory_mutex);
  if (bytes <= memory.bytes() || memory.resize(bytes)) return {};
  return over_budget("the symbols, brokers and names of the input need {}; give more --memory",
                     format_byte_size(bytes));
}

struct RowGroupScanner::Readers {
  std::unique_ptr<CodedColumnReader> symbol, date, broker, price, name;  // name may be null
  std::unique_ptr<Int64ColumnReader> buy, sell;

  static Result<Readers> open(RowGroupInput& input, const TransactionFile& file) {
    Readers readers;
    TW_ASSIGN(readers.symbol, CodedColumnReader::open(input, file.symbol_column));
    TW_ASSIGN(readers.date, CodedColumnReader::open(input, file.date_column));
    TW_ASSIGN(readers.broker, CodedColumnReader::open(input, file.broker_column));
    // A price is read from its bytes in less time than it takes to look for it in a table.
    TW_ASSIGN(readers.price, CodedColumnReader::open(input, file.price_column, PlainCodes::kByRow));
    if (file.broker_name_column) {
      TW_ASSIGN(readers.name, CodedColumnReader::open(input, *file.broker_name_column));
    }
    TW_ASSIGN(readers.buy, Int64ColumnReader::open(input, file.buy_column));
    TW_ASSIGN(readers.sell, Int64ColumnReader::open(input, file.sell_column));
    return readers;
  }

  Status skip(int64_t row_count) const {
    const StageTimer timer(Stage::kDecode);
    TW_TRY(symbol->skip(row_count));
    TW_TRY(date->skip(row_count));
    TW_TRY(broker->skip(row_count));
    TW_TRY(price->skip(row_count));
    if (name != nullptr) TW_TRY(name->skip(row_count));
    TW_TRY(buy->skip(row_count));
    return sell->skip(row_count);
  }

  Status expect_end() const {
    TW_TRY(symbol->expect_end());
    TW_TRY(date->expect_end());
    TW_TRY(broker->expect_end());
    TW_TRY(price->expect_end());
    if (name != nullptr) TW_TRY(name->expect_end());
    TW_TRY(buy->expect_end());
    return sell->expect_end();
  }
};

RowGroupScanner::RowGroupScanner(ScanShared& shared, RunStore& runs, MemoryBudget& budget)
    : shared_(shared),
      collector_(runs),
      table_memory_(budget),
      symbol_codes_(kBatchRows),
      broker_codes_(kBatchRows),
      day_codes_(kBatchRows),
      price_codes_(kBatchRows),
      name_codes_(kBatchRows, -1),
      buys_(kBatchRows),
      sells_(kBatchRows),
      buy_nulls_(kBatchRows),
      sell_nulls_(kBatchRows) {}

Status RowGroupScanner::scan(const TransactionFile& file, const RowRange& range) {
  const std::vector<int> columns = file.columns();
  TW_ASSIGN(const auto input, RowGroupInput::open(file.input, range.row_group, columns));
  TW_ASSIGN(Readers readers, Readers::open(*input, file));
  if (range.begin > 0) TW_TRY(readers.skip(range.begin));
  TW_TRY(start_chunk(readers, file));
  for (int64_t row = range.begin; row < range.end;) {
    const auto count = static_cast<size_t>(std::min<int64_t>(kBatchRows, range.end - row));
    TW_ASSIGN(const bool have_nulls, read_batch(readers, count));
    const StageTimer timer(Stage::kAggregate);
    TW_TRY(extend_tables(readers, file));
    const RowPlace place{range.file_index, range.row_group, row};
    if (file.price_reader.unit() == AmountUnit::kBinary60) {
      scan_batch<true>(count, place, readers, file, have_nulls);
    } else {
      scan_batch<false>(count, place, readers, file, have_nulls);
    }
    TW_TRY(collector_.status());
    TW_TRY(check_interrupt());
    row += static_cast<int64_t>(count);
  }
  flush_run(run_);
  run_ = Run{};
  return range.end == input->row_count() ? readers.expect_end() : Status{};
}

RowGroupFacts RowGroupScanner::take_facts() {
  RowGroupFacts facts;
  facts.problems = std::exchange(problems_, ProblemCounts{});
  for (size_t i = 1; i < day_counts_.size(); ++i) {
    if (day_counts_[i] != 0) facts.days.push_back(days_.value[i]);
  }
  std::ranges::sort(facts.days);
  const auto repeated = std::ranges::unique(facts.days);
  facts.days.erase(repeated.begin(), repeated.end());
  facts.days.shrink_to_fit();
  for (uint32_t broker = 0; broker < names_.size(); ++broker) {
    const NameSeen& seen = names_[broker];
    if (seen.name != kNoName) facts.names.push_back({broker, seen.day, seen.name});
  }
  facts.names.shrink_to_fit();
  names_.clear();
  return facts;
}

/// Whether counts are null somewhere.
Result<bool> RowGroupScanner::read_batch(Readers& readers, size_t count) {
  const StageTimer timer(Stage::kDecode);
  TW_TRY(readers.symbol->read(std::span(symbol_codes_).first(count)));
  TW_TRY(readers.date->read(std::span(day_codes_).first(count)));
  TW_TRY(readers.broker->read(std::span(broker_codes_).first(count)));
  TW_TRY(readers.price->read(std::span(price_codes_).first(count)));
  if (readers.name != nullptr) TW_TRY(readers.name->read(std::span(name_codes_).first(count)));
  TW_ASSIGN(const bool buy_nulls,
            readers.buy->read(std::span(buys_).first(count), std::span(buy_nulls_).first(count)));
  TW_ASSIGN(const bool sell_nulls, readers.sell->read(std::span(sells_).first(count),
                                                      std::span(sell_nulls_).first(count)));
  if (!buy_nulls) std::fill_n(buy_nulls_.begin(), sell_nulls ? count : 0, uint8_t{0});
  if (!sell_nulls) std::fill_n(sell_nulls_.begin(), buy_nulls ? count : 0, uint8_t{0});
  return buy_nulls || sell_nulls;
}

Status RowGroupScanner::start_chunk(Readers& readers, const TransactionFile& file) {
  const bool compat = is_compat(shared_.mode);
  symbols_.value.assign(1, 0);
  symbols_.problem.assign(1, compat ? RowProblem::kNullSymbolDropped : RowProblem::kNullSymbol);
  brokers_.value.assign(1, 0);
  brokers_.problem.assign(1, compat ? RowProblem::kNone : RowProblem::kNullBroker);
  days_.value.assign(1, kNullDay);
  days_.problem.assign(1, compat ? RowProblem::kNone : RowProblem::kNullDate);
  day_counts_.assign(1, 0);
  prices_.value.assign(1, Price{});
  prices_.problem.assign(1, RowProblem::kNullPrice);
  price_units_.assign(1, kNoUnits);
  price_shifts_.assign(1, 0);
  name_ids_.assign(1, kNoName);
  if (readers.name == nullptr) std::ranges::fill(name_codes_, -1);
  table_values_ = 0;
  return extend_tables(readers, file);
}

void RowGroupScanner::add_symbol(std::string_view text) {
  const RowProblem problem = symbol_problem(text, shared_.mode);
  uint32_t number = 0;
  if (problem == RowProblem::kNone) {
    number = shared_.symbols.intern(text);
    collector_.set_partition(number, partition_of(text, shared_.partition_count));
  }
  symbols_.value.push_back(number);
  symbols_.problem.push_back(problem);
}

void RowGroupScanner::add_broker(std::string_view text) {
  const bool good = is_utf8(text);
  // Number 0 is the null broker.
  brokers_.value.push_back(good ? shared_.brokers.intern(text) + 1 : 0);
  brokers_.problem.push_back(good ? RowProblem::kNone : RowProblem::kBadBroker);
}

Status RowGroupScanner::extend_tables(Readers& readers, const TransactionFile& file) {
  const auto for_new_values = [](const CodedColumnReader& reader, size_t known, auto&& add) {
    const auto& values = reader.values();
    for (size_t i = known - 1; i < values.size(); ++i) add(values[i]);
  };
  for_new_values(*readers.symbol, symbols_.value.size(),
                 [&](std::string_view text) { add_symbol(text); });
  for_new_values(*readers.broker, brokers_.value.size(),
                 [&](std::string_view text) { add_broker(text); });
  for_new_values(*readers.date, days_.value.size(), [&](std::string_view bytes) {
    const auto day = file.date_reader.read(bytes);
    days_.value.push_back(day.value_or(kNullDay));
    const bool is_wanted =
        !day || shared_.wanted_days == nullptr || shared_.wanted_days->contains(*day);
    days_.problem.push_back(!is_wanted ? RowProblem::kOtherDay
                            : day      ? RowProblem::kNone
                                       : RowProblem::kBadDate);
    day_counts_.push_back(0);
  });
  if (const size_t lasting = readers.price->lasting_value_count() + 1;
      lasting < prices_.value.size()) {
    prices_.value.resize(lasting);
    prices_.problem.resize(lasting);
    price_units_.resize(lasting);
    price_shifts_.resize(lasting);
  }
  for_new_values(*readers.price, prices_.value.size(), [&](std::string_view bytes) {
    prices_.value.push_back(file.price_reader.read(bytes));
    const Price& price = prices_.value.back();
    prices_.problem.push_back(price_problem(price.kind));
    price_units_.push_back(price.kind == PriceKind::kExact ? price.units : kNoUnits);
    price_shifts_.push_back(price.shift);
  });
  if (readers.name != nullptr) {
    for_new_values(*readers.name, name_ids_.size(), [&](std::string_view text) {
      name_ids_.push_back(is_utf8(text) ? shared_.broker_names.intern(text) : kNoName);
    });
  }
  const size_t value_count = symbols_.value.size() + brokers_.value.size() + days_.value.size() +
                             prices_.value.size() + name_ids_.size();
  if (value_count == table_values_) return {};
  table_values_ = value_count;
  return reserve_tables(file);
}

Status RowGroupScanner::reserve_tables(const TransactionFile& file) {
  const auto bytes_of = [](const auto& table) {
    return table.value.capacity() * sizeof(table.value[0]) + table.problem.capacity();
  };
  const uint64_t bytes = bytes_of(symbols_) + bytes_of(brokers_) + bytes_of(days_) +
                         bytes_of(prices_) + price_units_.capacity() * (sizeof(int64_t) + 1) +
                         day_counts_.capacity() + name_ids_.capacity() * sizeof(uint32_t);
  if (!table_memory_.resize(bytes)) {
    return over_budget("{}: the distinct values of a row group need {}; give more --memory",
                       file.input.path().string(), format_byte_size(bytes));
  }
  return shared_.reserve_dictionaries();
}

template <bool kShifted>
void RowGroupScanner::scan_batch(size_t row_count, const RowPlace& place, const Readers& readers,
                                 const TransactionFile& file, bool counts_have_nulls) {
  // Code -1 is null and stands in front.
  const RowProblem* const symbol_problem_of = symbols_.problem.data() + 1;
  const RowProblem* const broker_problem_of = brokers_.problem.data() + 1;
  const RowProblem* const day_problem_of = days_.problem.data() + 1;
  const int64_t* const units_of = price_units_.data() + 1;
  const uint8_t* const shift_of = price_shifts_.data() + 1;
  // A copy, so that it can stay in registers.
  Run run = run_;
  for (size_t row = 0; row < row_count; ++row) {
    const int32_t symbol = symbol_codes_[row];
    const int32_t broker = broker_codes_[row];
    const int32_t day = day_codes_[row];
    const int32_t name = name_codes_[row];
    const int64_t buy = buys_[row];
    const int64_t sell = sells_[row];
    const int32_t price = price_codes_[row];
    const int64_t units = units_of[price];
    // Negative counts have their high bits set as well.
    bool slow = units == kNoUnits ||
                ((static_cast<uint64_t>(buy) | static_cast<uint64_t>(sell)) >> 31) != 0;
    const bool same_group = symbol == run.symbol_code && broker == run.broker_code &&
                            day == run.day_code && name == run.name_code;
    if (!same_group || slow) {
      flush_run(run);
      run = Run{};
      slow = slow || (static_cast<unsigned>(symbol_problem_of[symbol]) |
                      static_cast<unsigned>(broker_problem_of[broker]) |
                      static_cast<unsigned>(day_problem_of[day])) != 0;
      if (slow) [[unlikely]] {
        scan_slow_row(row, place, readers, file, counts_have_nulls);
        continue;
      }
      run.symbol_code = symbol;
      run.broker_code = broker;
      run.day_code = day;
      run.name_code = name;
    }
    run.buy_shares += buy;
    run.sell_shares += sell;
    const unsigned shift = kShifted ? shift_of[price] : 0;
    run.buy_units += static_cast<Int128>(buy) * units << shift;
    run.sell_units += static_cast<Int128>(sell) * units << shift;
  }
  run_ = run;
}

void RowGroupScanner::flush_run(const Run& run) {
  if (run.symbol_code == kNoCode) return;
  GroupRecord record;
  record.symbol = symbols_.value[static_cast<size_t>(run.symbol_code + 1)];
  record.broker = brokers_.value[static_cast<size_t>(run.broker_code + 1)];
  record.day = days_.value[static_cast<size_t>(run.day_code + 1)];
  record.buy_shares = run.buy_shares;
  record.sell_shares = run.sell_shares;
  record.buy_units = run.buy_units;
  record.sell_units = run.sell_units;
  collector_.add(record);
  note_name(record.broker, static_cast<size_t>(run.day_code + 1),
            name_ids_[static_cast<size_t>(run.name_code + 1)]);
}

void RowGroupScanner::note_name(uint32_t broker, size_t day_index, uint32_t name) {
  day_counts_[day_index] = 1;
  const Day day = days_.value[day_index];
  if (broker >= names_.size()) names_.resize(broker + size_t{1});
  NameSeen& seen = names_[broker];
  if (name == kNoName || day < seen.day || (day == seen.day && name == seen.name)) return;
  if (day > seen.day || seen.name == kNoName || shared_.broker_names.less(name, seen.name)) {
    seen = {day, name};
  }
}

void RowGroupScanner::scan_slow_row(size_t row, const RowPlace& place, const Readers& readers,
                                    const TransactionFile& file, bool counts_have_nulls) {
  const size_t symbol = static_cast<size_t>(symbol_codes_[row] + 1);
  const size_t broker = static_cast<size_t>(broker_codes_[row] + 1);
  const size_t day = static_cast<size_t>(day_codes_[row] + 1);
  if (days_.problem[day] == RowProblem::kOtherDay) return;
  const size_t price_index = static_cast<size_t>(price_codes_[row] + 1);
  const int64_t buy = buys_[row];
  const int64_t sell = sells_[row];
  const auto text_of = [](const CodedColumnReader& reader, size_t index) {
    return index == 0 ? std::string_view{} : reader.values()[index - 1];
  };
  const std::string_view price_bytes = text_of(*readers.price, price_index);

  // The order in which the reference looks at a row: a dropped price hides everything else.
  const auto report = [&](RowProblem problem, std::string_view value) {
    ++problems_[static_cast<size_t>(problem)];
    if (!is_bad(problem)) return;
    shared_.bad_rows.add(
        RowPlace{place.file, place.row_group, place.row + static_cast<int64_t>(row)}, problem,
        value);
  };
  const RowProblem price_state = prices_.problem[price_index];
  if (price_state == RowProblem::kDashPrice || price_state == RowProblem::kNullPrice) {
    return report(price_state, {});
  }
  if (price_state == RowProblem::kBadPrice) {
    return report(price_state, file.price_reader.show(price_bytes));
  }
  if (const auto state = symbols_.problem[symbol]; state != RowProblem::kNone) {
    return report(state, text_of(*readers.symbol, symbol));
  }
  if (const auto state = brokers_.problem[broker]; state != RowProblem::kNone) {
    return report(state, text_of(*readers.broker, broker));
  }
  if (const auto state = days_.problem[day]; state != RowProblem::kNone) {
    const std::string_view bytes = text_of(*readers.date, day);
    return report(state, bytes.empty() ? std::string{} : file.date_reader.show(bytes));
  }
  for (const int64_t count : {buy, sell}) {
    if (count < 0 && !is_compat(shared_.mode)) {
      return report(RowProblem::kNegativeCount, std::to_string(count));
    }
    if (count >= kCountBound || count <= -kCountBound) {
      return report(RowProblem::kCountTooLarge, std::to_string(count));
    }
  }

  GroupRecord record;
  record.symbol = symbols_.value[symbol];
  record.broker = brokers_.value[broker];
  record.day = days_.value[day];
  record.buy_shares = buy;
  record.sell_shares = sell;
  note_name(record.broker, day, name_ids_[static_cast<size_t>(name_codes_[row] + 1)]);
  const Price& price = prices_.value[price_index];
  const bool buy_null = counts_have_nulls && buy_nulls_[row] != 0;
  const bool sell_null = counts_have_nulls && sell_nulls_[row] != 0;
  const bool large = buy >= kFastCountBound || buy <= -kFastCountBound || sell >= kFastCountBound ||
                     sell <= -kFastCountBound;
  if (price.kind == PriceKind::kNotANumber || price.kind == PriceKind::kPlusInfinity ||
      price.kind == PriceKind::kMinusInfinity) {
    if (!buy_null) record.specials |= special_bits(price.kind, buy, false);
    if (!sell_null) record.specials |= special_bits(price.kind, sell, true);
    return large ? collector_.add_apart(record) : collector_.add(record);
  }
  if (price.kind == PriceKind::kWide || large) {
    return collector_.add_wide(record,
                               WideRow{buy, sell, file.price_reader.wide_text(price_bytes)});
  }
  record.buy_units = amount_of(buy, price);
  record.sell_units = amount_of(sell, price);
  collector_.add(record);
}

}  // namespace tapeworks
