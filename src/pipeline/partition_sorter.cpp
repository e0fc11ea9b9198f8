#include "pipeline/partition_sorter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/interrupt.h"

namespace tapeworks {
namespace {

constexpr uint32_t kNoPosition = ~uint32_t{0};
/// How many records ahead of the one being summed are fetched into the cache.
constexpr size_t kPrefetchDistance = 24;
/// The texts of so many brokers stay in the second-level cache by themselves.
constexpr size_t kBrokersInCacheMax = 8192;

/// A sum that left 64 bits must not come back into 32 bits by wrapping around.
int64_t add_saturated(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

/// The position of each text in bytewise order.
std::vector<uint32_t> ranks_of(std::span<const std::string> texts) {
  std::vector<uint32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return texts[a] < texts[b]; });
  std::vector<uint32_t> ranks(texts.size());
  for (uint32_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
  return ranks;
}

/// What one unit << zeros is worth, for every number of zeros that 128 bits can have.
std::vector<double> binary_scales(AmountUnit unit) {
  if (unit == AmountUnit::kDecimal12) return {};
  std::vector<double> scales(128);
  for (unsigned zeros = 0; zeros < scales.size(); ++zeros) {
    scales[zeros] = amount_to_double(static_cast<Int128>(Uint128{1} << zeros), unit);
  }
  // The highest bit is the sign.
  scales[127] = -scales[127];
  return scales;
}

}  // namespace

RecordOrder::RecordOrder(const TransactionRuns& transaction_runs, Mode run_mode,
                         AmountWidth amount_width)
    : runs(transaction_runs), mode(run_mode), amounts(amount_width), first_day(runs.first_day) {
  // The null broker's text is empty, and so may be a real one's: rank the real ones alone.
  const std::vector<uint32_t> real_ranks = ranks_of(std::span(runs.brokers).subspan(1));
  broker_rank.assign(runs.brokers.size(), 0);
  broker_by_rank.assign(runs.brokers.size(), 0);
  for (uint32_t i = 0; i < real_ranks.size(); ++i) {
    broker_rank[i + 1] = real_ranks[i] + 1;
    broker_by_rank[real_ranks[i] + 1] = i + 1;
  }
  broker_bits = static_cast<unsigned>(std::bit_width(runs.brokers.size()));
  const int64_t day_count =
      int64_t{runs.last_day.days_since_epoch} - runs.first_day.days_since_epoch;
  day_bits = runs.last_day == kNullDay
                 ? 1U
                 : static_cast<unsigned>(std::bit_width(static_cast<uint64_t>(day_count) + 2));
}

PartitionSorter::PartitionSorter(const RecordOrder& order)
    : order_(order),
      position_of_symbol_(order.runs.symbols.size(), kNoPosition),
      scale_(binary_scales(order.runs.unit)) {}

void PartitionSorter::make_room(uint64_t record_count) {
  records_.make_room(record_count);
  key_room_.make_room(record_count);
  sort_scratch_.make_room(record_count);
  keys_ = {};
  aside_.clear();
  wide_rows_.clear();
  record_count_ = 0;
  next_key_ = 0;
  fetched_ = 0;
}

void PartitionSorter::release_memory() {
  records_ = {};
  key_room_ = {};
  sort_scratch_ = {};
  keys_ = {};
}

Status PartitionSorter::load(size_t partition, const SortPass& pass) {
  const unsigned symbol_bits = static_cast<unsigned>(std::bit_width(pass.symbols.size()));
  const unsigned key_bits = symbol_bits + order_.broker_bits + order_.day_bits;
  if (key_bits > 64) {
    return corrupt("there are more symbols, brokers and days than can be told apart");
  }
  make_room(pass.record_count);
  symbols_ = pass.symbols;
  for (uint32_t position = 0; position < symbols_.size(); ++position) {
    position_of_symbol_[symbols_[position]] = position;
  }
  const uint32_t rank_count = pass.end_rank - pass.first_rank;
  DecodedRecord record;
  const Status read =
      order_.runs.runs->for_each_chunk(partition, [&](std::span<const std::byte> chunk) -> Status {
        for (RecordUnpacker unpacker(chunk); !unpacker.at_end();) {
          unpacker.next(record);
          const uint64_t position = position_of_symbol_[record.symbol];
          const uint32_t rank = order_.broker_rank[record.broker];
          if (position == kNoPosition || rank - pass.first_rank >= rank_count) continue;
          const uint64_t account = position << order_.broker_bits | rank;
          add(record, account << order_.day_bits | order_.day_key(record.day));
        }
        return check_interrupt();
      });
  for (const uint32_t symbol : symbols_) position_of_symbol_[symbol] = kNoPosition;
  TW_TRY(read);
  keys_ = radix_sort({key_room_.data(), record_count_}, {sort_scratch_.data(), record_count_},
                     key_bits);
  return {};
}

void PartitionSorter::add(const DecodedRecord& decoded, uint64_t key) {
  const auto index = static_cast<uint32_t>(record_count_++);
  key_room_[index] = {key, index};
  const auto buy_shares = static_cast<int32_t>(decoded.buy.shares);
  const auto sell_shares = static_cast<int32_t>(decoded.sell.shares);
  const bool fits = buy_shares == decoded.buy.shares && sell_shares == decoded.sell.shares &&
                    !decoded.buy.is_large && !decoded.sell.is_large;
  if (fits) [[likely]] {
    records_[index] = {decoded.buy.odd,   decoded.sell.odd,   buy_shares,       sell_shares,
                       decoded.buy.zeros, decoded.sell.zeros, decoded.specials, false};
  } else {
    records_[index] = {static_cast<int64_t>(aside_.size()), 0, 0, 0, 0, 0, decoded.specials, true};
    aside_.push_back({decoded.buy.shares, decoded.sell.shares, decoded.buy.units(),
                      decoded.sell.units(), decoded.specials});
  }
  if (decoded.has_wide_row) [[unlikely]]
    wide_rows_[index] = decoded.wide;
}

PartitionSorter::Sums PartitionSorter::sums_of(const Record& record) const {
  if (record.is_aside) return aside_[static_cast<size_t>(record.buy_odd)];
  const auto units = [](int64_t odd, unsigned zeros) {
    return static_cast<Int128>(static_cast<Uint128>(Int128{odd}) << zeros);
  };
  return {record.buy_shares, record.sell_shares, units(record.buy_odd, record.buy_zeros),
          units(record.sell_odd, record.sell_zeros), record.specials};
}

/// Fetches each record into the cache once, before it is looked at, and the text of its broker
/// where there are many: they are numbered as they came, so that of the next account is anywhere.
void PartitionSorter::fetch_ahead_of(size_t key) {
  const uint64_t broker_mask = (uint64_t{1} << order_.broker_bits) - 1;
  const bool fetch_brokers = order_.runs.brokers.size() > kBrokersInCacheMax;
  const size_t end = std::min(key + kPrefetchDistance, keys_.size());
  for (fetched_ = std::max(fetched_, key); fetched_ < end; ++fetched_) {
    __builtin_prefetch(&records_[keys_[fetched_].index]);
    if (!fetch_brokers) continue;
    const uint64_t rank = (keys_[fetched_].key >> order_.day_bits) & broker_mask;
    __builtin_prefetch(&order_.runs.brokers[order_.broker_by_rank[rank]]);
  }
}

/// The sum of the records [begin, end), which are of one group.
PartitionSorter::Sums PartitionSorter::total(size_t begin, size_t end) {
  Sums total = sums_of(records_[keys_[begin].index]);
  for (size_t i = begin + 1; i < end; ++i) {
    fetch_ahead_of(i);
    const Sums part = sums_of(records_[keys_[i].index]);
    total.buy_shares = add_saturated(total.buy_shares, part.buy_shares);
    total.sell_shares = add_saturated(total.sell_shares, part.sell_shares);
    total.buy_units += part.buy_units;
    total.sell_units += part.sell_units;
    total.specials |= part.specials;
  }
  return total;
}

std::vector<WideTerm> PartitionSorter::wide_terms(size_t begin, size_t end, bool is_sell) const {
  std::vector<WideTerm> terms;
  if (wide_rows_.empty()) return terms;
  for (size_t i = begin; i < end; ++i) {
    const auto wide = wide_rows_.find(keys_[i].index);
    if (wide == wide_rows_.end()) continue;
    terms.push_back(
        {is_sell ? wide->second.sell_shares : wide->second.buy_shares, wide->second.price_text});
  }
  return terms;
}

double PartitionSorter::rounded(double exact) const {
  if (order_.amounts == AmountWidth::kFloat64) return exact;
  return static_cast<double>(static_cast<float>(exact));
}

double PartitionSorter::amount(Int128 units, unsigned specials,
                               const std::vector<WideTerm>& wide) const {
  const bool plus = (specials & kBuyPlusInfinity) != 0;
  const bool minus = (specials & kBuyMinusInfinity) != 0;
  if ((specials & kBuyNotANumber) != 0 || (plus && minus)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (plus || minus) return plus ? HUGE_VAL : -HUGE_VAL;
  return rounded(wide.empty() ? amount_to_double(units, order_.runs.unit)
                              : wide_amount_to_double(units, order_.runs.unit, wide));
}

Status PartitionSorter::append_rows(size_t position, DailySummary& summary) {
  const uint64_t day_mask = (uint64_t{1} << order_.day_bits) - 1;
  const uint64_t broker_mask = (uint64_t{1} << order_.broker_bits) - 1;
  uint64_t last_account = ~uint64_t{0};
  while (next_key_ < keys_.size()) {
    const uint64_t key = keys_[next_key_].key;
    const uint64_t account = key >> order_.day_bits;
    if (account >> order_.broker_bits != position) break;
    fetch_ahead_of(next_key_);
    if (account != last_account) {
      const uint32_t broker = order_.broker_by_rank[account & broker_mask];
      if (broker == 0) summary.has_null_broker = true;
      summary.brokers.push_back(order_.runs.brokers[broker]);
      last_account = account;
    }
    const Day day = order_.day_of_key(key & day_mask);
    size_t end = next_key_ + 1;
    while (end < keys_.size() && keys_[end].key == key) ++end;
    if (end > next_key_ + 1 ||
        !append_plain_group(summary, day, records_[keys_[next_key_].index])) {
      TW_TRY(append_group(summary, day, next_key_, end));
    }
    next_key_ = end;
  }
  return {};
}

void PartitionSorter::append_row(DailySummary& summary, Day day, int64_t buy_shares,
                                 int64_t sell_shares, double buy_amount, double sell_amount) const {
  summary.broker_index.push_back(static_cast<uint32_t>(summary.brokers.size() - 1));
  summary.date.push_back(day);
  summary.buy_shares.push_back(static_cast<int32_t>(buy_shares));
  summary.sell_shares.push_back(static_cast<int32_t>(sell_shares));
  summary.buy_amount.push_back(buy_amount);
  summary.sell_amount.push_back(sell_amount);
}

bool PartitionSorter::append_plain_group(DailySummary& summary, Day day,
                                         const Record& record) const {
  if (record.is_aside || record.specials != 0 || scale_.empty() || !wide_rows_.empty()) {
    return false;
  }
  // The conversion rounds once; the power of two only moves the exponent.
  const double buy = rounded(static_cast<double>(record.buy_odd) * scale_[record.buy_zeros]);
  const double sell = rounded(static_cast<double>(record.sell_odd) * scale_[record.sell_zeros]);
  if (!std::isfinite(buy) || !std::isfinite(sell)) return false;
  append_row(summary, day, record.buy_shares, record.sell_shares, buy, sell);
  return true;
}

Status PartitionSorter::append_group(DailySummary& summary, Day day, size_t begin, size_t end) {
  const Sums sums = total(begin, end);
  const auto place = [&] {
    return fmt::format("symbol {}, broker {}, {}", summary.symbol, summary.brokers.back(),
                       to_string(day));
  };
  for (const auto& [side, shares] :
       {std::pair{"bought", sums.buy_shares}, std::pair{"sold", sums.sell_shares}}) {
    if (shares != static_cast<int32_t>(shares)) {
      return corrupt("{}: the {} shares of the day, {}, do not fit in 32 bits", place(), side,
                     shares);
    }
  }
  const double buy_amount = amount(sums.buy_units, sums.specials, wide_terms(begin, end, false));
  const double sell_amount =
      amount(sums.sell_units, sums.specials >> 3U, wide_terms(begin, end, true));
  if (!is_compat(order_.mode) && (!std::isfinite(buy_amount) || !std::isfinite(sell_amount))) {
    return corrupt("{}: the amount of the day is too large for {}", place(),
                   to_string(order_.amounts));
  }
  append_row(summary, day, sums.buy_shares, sums.sell_shares, buy_amount, sell_amount);
  return {};
}

}  // namespace tapeworks
