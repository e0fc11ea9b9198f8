#include "pipeline/market_day.h"

#include <bit>
#include <cmath>
#include <numeric>

#include "base/portable_math.h"

namespace tapeworks {
namespace {

/// Streams of random numbers below the key of a cell.
enum CellPurpose : uint64_t { kRows = 100, kBranchDraws, kGroupTraits, kDesks };
enum CellTrait : uint64_t { kDayMood = 0, kHalted, kDeskRows, kDeskPlace };

constexpr double kRowsPerGroup = 3.62;
/// The densest that the groups of a day become: a day on which every broker trades every symbol
/// does not look like any market.
constexpr double kFilledMax = 0.9;
constexpr double kDeskRowShare = 0.00045;
constexpr double kHaltedShare = 0.005;
/// A group may have this many times the rows of the average one of its symbol and day, and the day
/// has as many prices.
constexpr uint64_t kBusyFactor = 3;
constexpr size_t kQuantileCount = 4096;
/// A sum of rows of this many shares at most fits in int32, which the daily summary uses.
constexpr uint64_t kGroupSharesMax = 2'000'000'000;
constexpr uint64_t kRowSharesMax = 4'000'000;

/// Splits `total` in proportion to `weights` so that the parts are whole and their sum is `total`.
/// The rounding carries over from one part to the next, beginning with `carry` in [0, 1).
std::vector<uint64_t> split_whole(uint64_t total, const std::vector<double>& weights,
                                  double carry) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t last = 0;
  for (size_t index = 0; index < weights.size(); ++index) {
    if (weights[index] > 0) last = index;
  }
  std::vector<uint64_t> parts(weights.size());
  double cumulative = 0;
  uint64_t given = 0;
  for (size_t index = 0; index < weights.size() && given < total; ++index) {
    if (weights[index] <= 0) continue;
    cumulative += weights[index];
    const double until = std::floor(cumulative / sum * static_cast<double>(total) + carry);
    const uint64_t end = index == last ? total : std::min(total, static_cast<uint64_t>(until));
    parts[index] = end - given;
    given = end;
  }
  return parts;
}

/// The chance of each symbol to have groups on this day: 0 when it is not listed or halted.
std::vector<double> day_weights(const MarketModel& model, uint32_t day) {
  std::vector<double> weights;
  for (uint32_t index = 0; index < model.symbols().size(); ++index) {
    const MarketSymbol& symbol = model.symbols()[index];
    const uint64_t key = model.cell_key(day, index);
    const bool halted =
        !model.is_busiest(symbol) && unit_interval(random_bits(key, kHalted)) < kHaltedShare;
    const bool trades = model.is_listed(day, symbol) && !halted;
    const double mood = 0.5 * bell_shaped(random_bits(key, kDayMood));
    weights.push_back(trades ? symbol.weight * portable_exp(mood) : 0.0);
  }
  return weights;
}

/// The expected groups of each symbol. A symbol cannot have more groups than there are branches, so
/// the busy ones are saturated: groups = branches * x / (1 + x) with x in proportion to the weight.
std::vector<double> saturated_groups(const std::vector<double>& weights, double branch_count,
                                     double group_total) {
  const auto groups_at = [&](double scale, double weight) {
    const double load = scale * weight;
    return branch_count * load / (1 + load);
  };
  const auto sum_at = [&](double scale) {
    double sum = 0;
    for (const double weight : weights) sum += groups_at(scale, weight);
    return sum;
  };
  // Without saturation the scale would be `low`; so it is that or more.
  const double weight_sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double low = group_total / (branch_count * weight_sum);
  double high = low;
  while (sum_at(high) < group_total) high *= 2;
  for (int step = 0; step < 30; ++step) {
    const double middle = (low + high) / 2;
    (sum_at(middle) < group_total ? low : high) = middle;
  }
  std::vector<double> groups;
  for (const double weight : weights) groups.push_back(groups_at(high, weight));
  return groups;
}

std::vector<float> exponential_quantiles() {
  std::vector<float> quantiles;
  for (size_t index = 0; index < kQuantileCount; ++index) {
    const double share = (static_cast<double>(index) + 0.5) / kQuantileCount;
    quantiles.push_back(static_cast<float>(-portable_log(1 - share)));
  }
  return quantiles;
}

}  // namespace

std::vector<CellSize> plan_day(const MarketModel& model, uint32_t day, uint64_t row_count) {
  std::vector<CellSize> cells(model.symbols().size());
  if (row_count == 0) return cells;
  const std::vector<double> weights = day_weights(model, day);
  const auto branch_count = static_cast<double>(model.branches().size());
  const auto trading =
      static_cast<double>(std::ranges::count_if(weights, [](double weight) { return weight > 0; }));
  const double wanted = static_cast<double>(row_count) * (1 - kDeskRowShare) / kRowsPerGroup;
  const auto group_total = std::max<uint64_t>(
      1, static_cast<uint64_t>(std::min(wanted, kFilledMax * trading * branch_count)));
  const uint64_t key = derive_key(model.size().seed, uint64_t{day} << 32 | 0xffff'ffff);
  const auto groups = split_whole(
      group_total, saturated_groups(weights, branch_count, static_cast<double>(group_total)),
      unit_interval(random_bits(key, 0)));
  uint64_t left_rows = row_count;
  std::vector<double> row_weights;
  for (size_t index = 0; index < cells.size(); ++index) {
    const auto group_count =
        static_cast<uint32_t>(std::min<uint64_t>(groups[index], model.branches().size()));
    cells[index] = {.row_count = group_count, .group_count = group_count};
    left_rows -= group_count;
    row_weights.push_back(static_cast<double>(model.symbols()[index].activity) * group_count);
  }
  const auto more = split_whole(left_rows, row_weights, unit_interval(random_bits(key, 1)));
  for (size_t index = 0; index < cells.size(); ++index) cells[index].row_count += more[index];
  return cells;
}

SymbolDayTrades::SymbolDayTrades(const MarketModel& model)
    : model_(model),
      exponential_quantiles_(exponential_quantiles()),
      chosen_branches_((model.branches().size() + 63) / 64) {
  for (const float quantile : exponential_quantiles_) {
    lots_quantiles_.push_back(
        static_cast<float>(portable_exp(0.95 * static_cast<double>(quantile))));
  }
}

void SymbolDayTrades::plan(uint32_t day, uint32_t symbol_index, CellSize size) {
  const MarketSymbol& symbol = model_.symbols()[symbol_index];
  const uint64_t cell_key = model_.cell_key(day, symbol_index);
  prices_ = model_.prices(day, symbol_index);
  activity_ = symbol.activity;

  uint64_t desk_rows = 0;
  if (!model_.desks().empty()) {
    const double expected = static_cast<double>(size.row_count) * kDeskRowShare;
    desk_rows = static_cast<uint64_t>(expected + unit_interval(random_bits(cell_key, kDeskRows)));
    desk_rows = std::min(desk_rows, size.row_count - size.group_count);
  }
  priced_rows_ = size.row_count - desk_rows;
  // The vendor sums what a broker did at one price, so busy days need more prices.
  const uint64_t busy_rows = kBusyFactor * priced_rows_ / size.group_count;
  prices_.level_count = std::max(
      prices_.level_count, static_cast<uint32_t>(std::min<uint64_t>(busy_rows, kDayLevelsMax)));

  key_ = derive_key(cell_key, kBranchDraws);
  draw_branches(symbol, size.group_count);
  key_ = derive_key(cell_key, kGroupTraits);
  make_groups();
  deal_out_rows(std::max<uint64_t>(prices_.level_count, busy_rows));
  key_ = derive_key(cell_key, kDesks);
  plan_desks(desk_rows);
  key_ = derive_key(cell_key, kRows);
}

/// Marks `group_count` different branches, drawn by popularity. The last ones of a nearly full
/// market would take very many draws; they are taken in order from a random place on.
void SymbolDayTrades::draw_branches(const MarketSymbol& symbol, uint32_t group_count) {
  std::ranges::fill(chosen_branches_, 0);
  const auto branch_count = static_cast<uint32_t>(model_.branches().size());
  uint32_t missing = group_count;
  const auto choose = [&](uint32_t branch) {
    uint64_t& word = chosen_branches_[branch / 64];
    const uint64_t bit = uint64_t{1} << (branch % 64);
    missing -= (word & bit) == 0 ? 1 : 0;
    word |= bit;
  };
  const uint64_t draws_max = uint64_t{6} * group_count;
  uint64_t draw = 0;
  for (; missing > 0 && draw < draws_max; ++draw) {
    choose(model_.draw_branch(symbol, random_bits(key_, draw)));
  }
  uint32_t branch = random_below(random_bits(key_, draw), branch_count);
  while (missing > 0) {
    choose(branch);
    branch = branch + 1 == branch_count ? 0 : branch + 1;
  }
}

/// Makes the groups of the chosen branches, with the weights by which rows are dealt out to them:
/// the activity of the branch and an exponentially distributed chance.
void SymbolDayTrades::make_groups() {
  groups_.clear();
  extra_weights_.clear();
  for (size_t word_index = 0; word_index < chosen_branches_.size(); ++word_index) {
    for (uint64_t word = chosen_branches_[word_index]; word != 0; word &= word - 1) {
      const size_t index = word_index * 64 + static_cast<size_t>(std::countr_zero(word));
      const MarketBranch& branch = model_.branches()[index];
      const uint64_t bits = random_bits(key_, 2 * index);
      const double bias =
          branch.buy_bias + 0.22 * 65536 * bell_shaped(random_bits(key_, 2 * index + 1));
      Group group;
      group.broker_index = branch.broker_index;
      group.buy_bias = static_cast<uint16_t>(std::clamp(bias, 1311.0, 64225.0));
      group.chance_bits = static_cast<uint16_t>(bits & 0xffff);
      groups_.push_back(group);
      const float chance = exponential_quantiles_[bits >> 52];
      extra_weights_.push_back(static_cast<double>(chance) * static_cast<double>(branch.activity));
    }
  }
}

/// Gives each group one row and its part of the others, but at most `group_rows_max`; what that
/// cuts off goes to the groups that follow.
void SymbolDayTrades::deal_out_rows(uint64_t group_rows_max) {
  const uint64_t extra_rows = priced_rows_ - groups_.size();
  const double weight_sum = std::accumulate(extra_weights_.begin(), extra_weights_.end(), 0.0);
  const double rows_per_weight = static_cast<double>(extra_rows) / weight_sum;
  double cumulative = 0;
  uint64_t given = 0;
  for (size_t index = 0; index < groups_.size(); ++index) {
    Group& group = groups_[index];
    cumulative += extra_weights_[index];
    const auto until =
        std::min(extra_rows, static_cast<uint64_t>(cumulative * rows_per_weight + 0.5));
    const bool is_last = index + 1 == groups_.size();
    const uint64_t extra =
        is_last ? extra_rows - given : std::min(until - given, group_rows_max - 1);
    group.first_row = index + given;
    group.row_count = 1 + extra;
    given += extra;

    const uint64_t places =
        prices_.level_count - std::min<uint64_t>(prices_.level_count - 1, extra);
    group.first_level = static_cast<uint32_t>(group.chance_bits * places >> 16);
    group.share_max =
        static_cast<uint32_t>(group.row_count * kRowSharesMax <= kGroupSharesMax
                                  ? kRowSharesMax
                                  : std::max<uint64_t>(1, kGroupSharesMax / group.row_count));
  }
}

void SymbolDayTrades::plan_desks(uint64_t row_count) {
  desk_groups_.clear();
  if (row_count == 0) return;
  const auto desks = model_.desks();
  const double carry = unit_interval(random_bits(key_, kDeskPlace));
  const std::vector<uint64_t> rows =
      split_whole(row_count, std::vector<double>(desks.size(), 1.0), carry);
  uint64_t first_row = 0;
  for (size_t index = 0; index < desks.size(); ++index) {
    if (rows[index] == 0) continue;
    Group group;
    group.broker_index = desks[index];
    group.first_row = first_row;
    group.row_count = rows[index];
    group.chance_bits = static_cast<uint16_t>(random_bits(key_, index) & 0xffff);
    desk_groups_.push_back(group);
    first_row += group.row_count;
  }
}

TradeRow SymbolDayTrades::row_of_desk(const Group& group, uint64_t row) const {
  // The bits of these rows are counted from the other end, where no priced row takes its own.
  const uint64_t bits = random_bits(key_, ~(group.first_row + row));
  const int64_t shares = 1000 * (1 + random_below(bits, 499));
  const bool buys = (bits & 1) != 0;
  return {.broker_index = group.broker_index,
          .price_level = 0,
          .buy_shares = buys ? shares : 0,
          .sell_shares = buys ? 0 : shares};
}

}  // namespace tapeworks
