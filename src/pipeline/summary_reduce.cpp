#include "pipeline/summary_reduce.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "engine/radix_sort.h"
#include "pipeline/group_record.h"

namespace tapeworks {
namespace {

/// The sums of one record; its key is beside it.
struct RecordSums {
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
  Int128 buy_units = 0;
  Int128 sell_units = 0;
  uint8_t specials = 0;
};

/// Sums, two keys for sorting, and the finished row with its copy on the way into the file.
constexpr uint64_t kBytesPerRecord = sizeof(RecordSums) + 2 * sizeof(KeyedIndex) + 64;

/// A sum that left 64 bits must not come back into 32 bits by wrapping around.
int64_t add_saturated(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

/// Hands out memory to the threads; who cannot have it waits until another one gives back.
class MemoryGate {
 public:
  explicit MemoryGate(MemoryBudget& budget) : budget_(budget) {}

  /// Memory and a place inside; both are given back when it is destroyed, also by an exception.
  class Ticket {
   public:
    Ticket(MemoryGate& gate, Reservation memory) : gate_(&gate), memory_(std::move(memory)) {}
    Ticket(Ticket&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), memory_(std::move(other.memory_)) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (gate_ != nullptr) gate_->leave(memory_);
    }

   private:
    MemoryGate* gate_;
    Reservation memory_;
  };

  Result<Ticket> enter(uint64_t bytes, const std::string& what) {
    std::unique_lock lock(mutex_);
    Reservation memory;
    while (!budget_.try_reserve(bytes, memory)) {
      if (inside_ == 0) {
        return over_budget("{} needs {} of memory; try --memory {}MiB or more", what,
                           format_byte_size(bytes),
                           (budget_.resident_limit_bytes() + bytes) / kMiB + 1);
      }
      left_.wait(lock);
    }
    ++inside_;
    return Ticket(*this, std::move(memory));
  }

 private:
  void leave(Reservation& memory) {
    memory.release();
    const std::scoped_lock lock(mutex_);
    --inside_;
    left_.notify_all();
  }

  MemoryBudget& budget_;
  std::mutex mutex_;
  std::condition_variable left_;
  size_t inside_ = 0;  // guarded by mutex_
};

/// The position of each text in bytewise order.
std::vector<uint32_t> ranks_of(const std::vector<std::string>& texts) {
  std::vector<uint32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return texts[a] < texts[b]; });
  std::vector<uint32_t> ranks(texts.size());
  for (uint32_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
  return ranks;
}

/// What all partitions share, made once after the scan.
struct ReduceShared {
  const TransactionRuns& runs;
  const ReduceOptions& options;
  const SummarySink& sink;
  std::vector<uint32_t> broker_rank;  // by broker number; the null broker is 0
  std::vector<uint32_t> broker_by_rank;
  unsigned broker_bits = 0;
  unsigned day_bits = 0;
  Day first_day;

  uint64_t day_key(Day day) const {
    // A null date sorts first.
    return day == kNullDay
               ? 0
               : static_cast<uint64_t>(day.days_since_epoch - first_day.days_since_epoch) + 1;
  }
  Day day_of_key(uint64_t key) const {
    if (key == 0) return kNullDay;
    return Day{static_cast<int32_t>(first_day.days_since_epoch + static_cast<int64_t>(key) - 1)};
  }
};

ReduceShared make_shared_state(const TransactionRuns& runs, const ReduceOptions& options,
                               const SummarySink& sink) {
  ReduceShared shared{runs, options, sink, {}, {}, 0, 0, runs.first_day};
  // The null broker's text is empty, and so may be a real one's: rank the real ones alone.
  const std::vector<std::string> real_brokers(runs.brokers.begin() + 1, runs.brokers.end());
  const std::vector<uint32_t> real_ranks = ranks_of(real_brokers);
  shared.broker_rank.assign(runs.brokers.size(), 0);
  shared.broker_by_rank.assign(runs.brokers.size(), 0);
  for (uint32_t i = 0; i < real_ranks.size(); ++i) {
    shared.broker_rank[i + 1] = real_ranks[i] + 1;
    shared.broker_by_rank[real_ranks[i] + 1] = i + 1;
  }
  shared.broker_bits = static_cast<unsigned>(std::bit_width(runs.brokers.size()));
  const int64_t day_count =
      int64_t{runs.last_day.days_since_epoch} - runs.first_day.days_since_epoch;
  shared.day_bits =
      runs.last_day == kNullDay
          ? 1U
          : static_cast<unsigned>(std::bit_width(static_cast<uint64_t>(day_count) + 2));
  return shared;
}

/// Some symbols of one partition, decoded and sorted in memory.
class PartitionPass {
 public:
  PartitionPass(const ReduceShared& shared, std::vector<uint32_t> symbols)
      : shared_(shared), symbols_(std::move(symbols)) {
    size_t record_count = 0;
    for (uint32_t position = 0; position < symbols_.size(); ++position) {
      position_of_symbol_[symbols_[position]] = position;
      record_count += shared_.runs.records_by_symbol[symbols_[position]];
    }
    sums_.reserve(record_count);
    keys_.reserve(record_count);
  }

  Status load(size_t partition) {
    DecodedRecord record;
    TW_TRY(shared_.runs.runs->for_each_chunk(
        partition, [&](std::span<const std::byte> chunk) -> Status {
          for (RecordUnpacker unpacker(chunk); !unpacker.at_end();) {
            unpacker.next(record);
            add(record);
          }
          return check_interrupt();
        }));
    const unsigned symbol_bits = static_cast<unsigned>(std::bit_width(symbols_.size()));
    if (symbol_bits + shared_.broker_bits + shared_.day_bits > 64) {
      return corrupt("there are more symbols, brokers and days than can be told apart");
    }
    std::vector<KeyedIndex> scratch;
    radix_sort(keys_, scratch, symbol_bits + shared_.broker_bits + shared_.day_bits);
    return {};
  }

  /// Hands the summary of each symbol to the sink.
  Status emit() {
    size_t begin = 0;
    while (begin < keys_.size()) {
      const uint64_t position = symbol_position(keys_[begin].key);
      size_t end = begin;
      while (end < keys_.size() && symbol_position(keys_[end].key) == position) ++end;
      const uint32_t symbol = symbols_[position];
      TW_ASSIGN(const DailySummary summary, summarize(symbol, begin, end));
      TW_TRY(shared_.sink(symbol, summary));
      TW_TRY(check_interrupt());
      begin = end;
    }
    return {};
  }

 private:
  uint64_t symbol_position(uint64_t key) const {
    return key >> (shared_.broker_bits + shared_.day_bits);
  }

  void add(const DecodedRecord& record) {
    const GroupRecord& group = record.group;
    const auto position = position_of_symbol_.find(group.symbol);
    if (position == position_of_symbol_.end()) return;
    const auto index = static_cast<uint32_t>(sums_.size());
    const uint64_t account =
        uint64_t{position->second} << shared_.broker_bits | shared_.broker_rank[group.broker];
    keys_.push_back({account << shared_.day_bits | shared_.day_key(group.day), index});
    sums_.push_back(
        {group.buy_shares, group.sell_shares, group.buy_units, group.sell_units, group.specials});
    if (record.has_wide_row) wide_rows_[index] = record.wide;
  }

  /// The sum of the records [begin, end), which are of one group.
  RecordSums total(size_t begin, size_t end) const {
    RecordSums total = sums_[keys_[begin].index];
    for (size_t i = begin + 1; i < end; ++i) {
      const RecordSums& part = sums_[keys_[i].index];
      total.buy_shares = add_saturated(total.buy_shares, part.buy_shares);
      total.sell_shares = add_saturated(total.sell_shares, part.sell_shares);
      total.buy_units += part.buy_units;
      total.sell_units += part.sell_units;
      total.specials |= part.specials;
    }
    return total;
  }

  std::vector<WideTerm> wide_terms(size_t begin, size_t end, bool is_sell) const {
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

  double amount(Int128 units, unsigned specials, const std::vector<WideTerm>& wide) const {
    const bool plus = (specials & kBuyPlusInfinity) != 0;
    const bool minus = (specials & kBuyMinusInfinity) != 0;
    if ((specials & kBuyNotANumber) != 0 || (plus && minus)) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (plus || minus) return plus ? HUGE_VAL : -HUGE_VAL;
    const double exact = wide.empty() ? amount_to_double(units, shared_.runs.unit)
                                      : wide_amount_to_double(units, shared_.runs.unit, wide);
    if (shared_.options.amounts == AmountWidth::kFloat64) return exact;
    return static_cast<double>(static_cast<float>(exact));
  }

  Result<DailySummary> summarize(uint32_t symbol, size_t begin, size_t end) {
    DailySummary summary;
    summary.symbol = shared_.runs.symbols[symbol];
    uint32_t last_rank = std::numeric_limits<uint32_t>::max();
    const uint64_t day_mask = (uint64_t{1} << shared_.day_bits) - 1;
    const uint64_t broker_mask = (uint64_t{1} << shared_.broker_bits) - 1;
    reserve(summary, end - begin);
    while (begin < end) {
      const uint64_t key = keys_[begin].key;
      size_t group_end = begin + 1;
      while (group_end < end && keys_[group_end].key == key) ++group_end;
      const auto rank = static_cast<uint32_t>((key >> shared_.day_bits) & broker_mask);
      if (rank != last_rank) {
        const uint32_t broker = shared_.broker_by_rank[rank];
        if (broker == 0) summary.has_null_broker = true;
        summary.brokers.push_back(shared_.runs.brokers[broker]);
        last_rank = rank;
      }
      TW_TRY(append_group(summary, shared_.day_of_key(key & day_mask), begin, group_end));
      begin = group_end;
    }
    return summary;
  }

  static void reserve(DailySummary& summary, size_t row_count) {
    summary.broker_index.reserve(row_count);
    summary.date.reserve(row_count);
    summary.buy_shares.reserve(row_count);
    summary.sell_shares.reserve(row_count);
    summary.buy_amount.reserve(row_count);
    summary.sell_amount.reserve(row_count);
  }

  Status append_group(DailySummary& summary, Day day, size_t begin, size_t end) const {
    const RecordSums sums = total(begin, end);
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
    if (!is_compat(shared_.options.mode) &&
        (!std::isfinite(buy_amount) || !std::isfinite(sell_amount))) {
      return corrupt("{}: the amount of the day is too large for {}", place(),
                     to_string(shared_.options.amounts));
    }
    summary.broker_index.push_back(static_cast<uint32_t>(summary.brokers.size() - 1));
    summary.date.push_back(day);
    summary.buy_shares.push_back(static_cast<int32_t>(sums.buy_shares));
    summary.sell_shares.push_back(static_cast<int32_t>(sums.sell_shares));
    summary.buy_amount.push_back(buy_amount);
    summary.sell_amount.push_back(sell_amount);
    return {};
  }

  const ReduceShared& shared_;
  std::vector<uint32_t> symbols_;  // in bytewise order of their texts
  std::unordered_map<uint32_t, uint32_t> position_of_symbol_;
  std::vector<KeyedIndex> keys_;
  std::vector<RecordSums> sums_;
  std::unordered_map<uint32_t, WideRow> wide_rows_;  // by record
};

/// The symbols of each partition that have records, in bytewise order.
std::vector<std::vector<uint32_t>> symbols_by_partition(const TransactionRuns& runs) {
  std::vector<uint32_t> order(runs.symbols.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order,
                    [&](uint32_t a, uint32_t b) { return runs.symbols[a] < runs.symbols[b]; });
  std::vector<std::vector<uint32_t>> partitions(runs.runs->partition_count());
  for (const uint32_t symbol : order) {
    if (runs.records_by_symbol[symbol] == 0) continue;
    partitions[runs.partition_of_symbol[symbol]].push_back(symbol);
  }
  return partitions;
}

}  // namespace

Status reduce_to_summaries(TransactionRuns& runs, const ReduceOptions& options,
                           MemoryBudget& budget, const SummarySink& sink) {
  PhaseTimer timer("reduce");
  const ReduceShared shared = make_shared_state(runs, options, sink);
  const auto partitions = symbols_by_partition(runs);
  // A part of a partition takes an even share of the budget, so that all threads find work.
  const uint64_t pass_records_max =
      budget.capacity_bytes() / 2 / options.thread_count / kBytesPerRecord;
  MemoryGate gate(budget);
  Progress progress("writing", runs.symbols.size());
  const Status reduced =
      run_tasks(partitions.size(), options.thread_count, [&](size_t partition, size_t) -> Status {
        const auto& symbols = partitions[partition];
        size_t next = 0;
        while (next < symbols.size()) {
          std::vector<uint32_t> chosen;
          uint64_t record_count = 0;
          while (next < symbols.size() &&
                 (chosen.empty() ||
                  record_count + runs.records_by_symbol[symbols[next]] <= pass_records_max)) {
            record_count += runs.records_by_symbol[symbols[next]];
            chosen.push_back(symbols[next++]);
          }
          const size_t chosen_count = chosen.size();
          TW_ASSIGN(const MemoryGate::Ticket ticket,
                    gate.enter(record_count * kBytesPerRecord,
                               fmt::format("symbol {}", runs.symbols[chosen.front()])));
          PartitionPass pass(shared, std::move(chosen));
          TW_TRY(pass.load(partition));
          TW_TRY(pass.emit());
          progress.add(chosen_count);
        }
        runs.runs->drop(partition);
        return {};
      });
  // Memory is short because spilling failed: then that is what has to be said.
  if (!reduced && reduced.error().kind == ErrorKind::kMemoryBudget) TW_TRY(runs.runs->status());
  return reduced;
}

}  // namespace tapeworks
