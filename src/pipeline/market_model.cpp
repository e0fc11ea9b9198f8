#include "pipeline/market_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/portable_math.h"
#include "base/random.h"
#include "pipeline/price_ladder.h"

namespace tapeworks {
namespace {

/// What random numbers are used for; each purpose has a stream of its own, so that changing one
/// does not change the others.
enum Purpose : uint64_t {
  kHolidays,
  kSymbolCodes,
  kSymbolRanks,
  kSymbolTraits,
  kBrokerNames,
  kBrokerRanks,
  kBrokerTraits,
  kDayVolume,
  kDayRange,
  kPricePath,
  kCells,
};

// The exponents of the laws by which activity falls with the rank.
constexpr double kSymbolExponent = 0.72;
constexpr double kBranchExponent = 0.62;
// How much of it shows in the rows of a group rather than in the number of groups.
constexpr double kSymbolRowsExponent = 0.28;
constexpr double kBranchRowsExponent = 0.25;

constexpr double kPriceMin = 1.5;
constexpr double kPriceMax = 7000;
constexpr uint32_t kDayLevelsMin = 2;
/// The busiest symbol starts here, so that there are prices with a thousands separator.
constexpr double kBusiestStartPrice = 1250;

/// rank^-exponent for random ranks 1 to count; `top` has rank 1.
std::vector<double> rank_weights(size_t count, size_t top, double exponent, uint64_t key) {
  std::vector<uint32_t> ranks(count);
  std::iota(ranks.begin(), ranks.end(), 1U);
  shuffle_items(std::span(ranks).subspan(1), key);
  std::swap(ranks[0], ranks[top]);
  std::vector<double> weights;
  for (const uint32_t rank : ranks) weights.push_back(portable_pow(rank, -exponent));
  return weights;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

MarketModel::MarketModel(const MarketSize& size) : size_(size) {
  make_days();
  make_brokers_and_branches();
  make_symbols();
}

void MarketModel::make_days() {
  const uint64_t key = derive_key(size_.seed, kHolidays);
  for (Day day = size_.start; days_.size() < size_.day_count; ++day.days_since_epoch) {
    const int32_t weekday =
        (day.days_since_epoch + 3) % 7;  // 1970-01-01 was a Thursday; 0 = Monday
    const auto number = static_cast<uint64_t>(day.days_since_epoch);
    const bool holiday = unit_interval(random_bits(key, number)) < 0.03;
    if (weekday < 5 && !holiday) days_.push_back(day);
  }
}

void MarketModel::make_brokers_and_branches() {
  brokers_ = make_brokers(size_.broker_count, derive_key(size_.seed, kBrokerNames));
  size_t busiest = 0;
  for (uint32_t index = 0; index < brokers_.size(); ++index) {
    if (brokers_[index].is_desk) {
      desks_.push_back(index);
      continue;
    }
    if (brokers_[index].code == kBusiestBroker) busiest = branches_.size();
    branches_.push_back({.broker_index = index});
  }
  const std::vector<double> weights = rank_weights(branches_.size(), busiest, kBranchExponent,
                                                   derive_key(size_.seed, kBrokerRanks));
  make_alias_table(weights);
  const double mean = mean_of(weights);
  const uint64_t key = derive_key(size_.seed, kBrokerTraits);
  for (size_t index = 0; index < branches_.size(); ++index) {
    branches_[index].activity =
        static_cast<float>(portable_pow(weights[index] / mean, kBranchRowsExponent));
    const double bias = std::clamp(0.5 + 0.15 * bell_shaped(random_bits(key, index)), 0.02, 0.98);
    branches_[index].buy_bias = static_cast<uint16_t>(bias * 65536);
  }
}

void MarketModel::make_alias_table(const std::vector<double>& weights) {
  const size_t count = weights.size();
  const double mean = mean_of(weights);
  std::vector<double> share;
  std::vector<uint32_t> small;
  std::vector<uint32_t> large;
  for (uint32_t index = 0; index < count; ++index) {
    share.push_back(weights[index] / mean);
    (share[index] < 1 ? small : large).push_back(index);
  }
  alias_.resize(count);
  for (uint32_t index = 0; index < count; ++index) alias_[index] = {0xffff'ffff, index};
  while (!small.empty() && !large.empty()) {
    const uint32_t poor = small.back();
    const uint32_t rich = large.back();
    small.pop_back();
    alias_[poor] = {static_cast<uint32_t>(share[poor] * 0x1p32), rich};
    share[rich] -= 1 - share[poor];
    if (share[rich] < 1) {
      large.pop_back();
      small.push_back(rich);
    }
  }
}

void MarketModel::make_symbols() {
  const auto codes = make_symbol_codes(size_.symbol_count, derive_key(size_.seed, kSymbolCodes));
  const auto busiest =
      static_cast<size_t>(std::ranges::find(codes, kBusiestSymbol) - codes.begin());
  std::vector<double> weights =
      rank_weights(codes.size(), busiest, kSymbolExponent, derive_key(size_.seed, kSymbolRanks));
  const double mean = mean_of(weights);
  for (uint32_t index = 0; index < codes.size(); ++index) {
    const uint64_t key = derive_key(derive_key(size_.seed, kSymbolTraits), index);
    const auto chance = [key](uint64_t trait) { return unit_interval(random_bits(key, trait)); };
    const auto bell = [key](uint64_t trait) { return bell_shaped(random_bits(key, trait)); };
    const bool is_top = index == busiest;
    MarketSymbol symbol;
    symbol.code = codes[index];
    symbol.weight = weights[index] * (is_top ? 1 : portable_exp(0.25 * bell(0)));
    symbol.activity = static_cast<float>(portable_pow(symbol.weight / mean, kSymbolRowsExponent));
    symbol.listed_until = size_.day_count;
    const double listing = is_top ? 0.5 : chance(1);
    const double span = chance(2);
    if (listing < 0.10) symbol.listed_from = static_cast<uint32_t>(span * 0.8 * size_.day_count);
    if (listing > 0.95) {
      symbol.listed_until =
          std::max(1U, static_cast<uint32_t>((0.2 + 0.7 * span) * size_.day_count));
    }
    symbol.has_closes = is_top || chance(3) >= 0.01;
    symbol.start_price =
        is_top ? kBusiestStartPrice : std::clamp(portable_exp(3.75 + 1.05 * bell(4)), 3.0, 2500.0);
    symbol.volatility = 0.008 + 0.024 * chance(5);
    symbol.taste_shift = random_below(random_bits(key, 6), static_cast<uint32_t>(branches_.size()));
    symbols_.push_back(std::move(symbol));
  }
}

std::vector<uint64_t> MarketModel::rows_per_day(uint64_t row_count) const {
  const uint64_t key = derive_key(size_.seed, kDayVolume);
  const size_t count = days_.size();
  std::vector<double> cumulative;
  double sum = 0;
  for (size_t day = 0; day < count; ++day) {
    const double trend = 0.9 + 0.2 * static_cast<double>(day) / static_cast<double>(count);
    sum += trend * portable_exp(0.18 * bell_shaped(random_bits(key, day)));
    cumulative.push_back(sum);
  }
  std::vector<uint64_t> rows;
  uint64_t given = 0;
  for (size_t day = 0; day < count; ++day) {
    const double until = std::floor(cumulative[day] / sum * static_cast<double>(row_count) + 0.5);
    const uint64_t end =
        day + 1 == count ? row_count : std::min(row_count, static_cast<uint64_t>(until));
    rows.push_back(end - given);
    given = end;
  }
  return rows;
}

/// A Brownian path by midpoint displacement: the value of any day in a dozen steps, without the
/// days before it. That is why prices take no memory.
double MarketModel::random_walk(uint32_t symbol_index, uint32_t day) const {
  const uint64_t key = derive_key(derive_key(size_.seed, kPricePath), symbol_index);
  uint32_t width = std::bit_ceil(size_.day_count);
  double left_value = 0;
  double right_value = std::sqrt(static_cast<double>(width)) * bell_shaped(random_bits(key, 0));
  uint32_t left = 0;
  uint64_t node = 1;  // the interval's place in the tree of halves
  while (left != day) {
    const uint32_t half = width / 2;
    const double middle = (left_value + right_value) / 2 +
                          std::sqrt(width / 4.0) * bell_shaped(random_bits(key, node));
    const bool in_right = day >= left + half;
    (in_right ? left_value : right_value) = middle;
    if (in_right) left += half;
    width = half;
    node = 2 * node + (in_right ? 1 : 0);
  }
  return left_value;
}

DayPrices MarketModel::prices(uint32_t day, uint32_t symbol_index) const {
  const MarketSymbol& symbol = symbols_[symbol_index];
  const double price = std::clamp(
      symbol.start_price * portable_exp(symbol.volatility * random_walk(symbol_index, day)),
      kPriceMin, kPriceMax);
  DayPrices result;
  result.close_level = level_of_cents(static_cast<uint32_t>(price * 100));
  const double tick = cents_of_level(result.close_level + 1) - cents_of_level(result.close_level);
  const uint64_t key = derive_key(cell_key(day, symbol_index), kDayRange);
  const double spread = 0.5 + 0.6 * std::abs(bell_shaped(random_bits(key, 0)));
  const auto levels = static_cast<uint32_t>(price * 100 * symbol.volatility * spread / tick);
  result.level_count = std::clamp(levels, kDayLevelsMin, kDayLevelsMax);
  const uint32_t below =
      std::min(random_below(random_bits(key, 1), result.level_count), result.close_level - 1);
  result.low_level = result.close_level - below;
  return result;
}

uint64_t MarketModel::cell_key(uint32_t day, uint32_t symbol_index) const {
  return derive_key(derive_key(size_.seed, kCells), uint64_t{day} << 32 | symbol_index);
}

}  // namespace tapeworks
