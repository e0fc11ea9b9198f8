#include "pipeline/scan_facts.h"

#include <algorithm>
#include <utility>

namespace tapeworks {

uint64_t facts_bytes(const RowGroupFacts& facts) {
  return sizeof facts + facts.days.capacity() * sizeof(Day) +
         facts.names.capacity() * sizeof(BrokerNameSeen);
}

ScanFacts::ScanFacts(InputFacts* inputs, MemoryBudget& budget)
    : inputs_(inputs), bytes_max_(std::min(kBytesMax, budget.capacity_bytes() / 8)) {
  if (inputs_ != nullptr && inputs_->memory.bytes() == 0) inputs_->memory = Reservation(budget);
}

uint64_t ScanFacts::bad_row_count() const {
  uint64_t count = 0;
  for (size_t i = 0; i < problems_.size(); ++i) {
    if (is_bad(static_cast<RowProblem>(i))) count += problems_[i];
  }
  return count;
}

void ScanFacts::total_counts(const RowGroupFacts& facts) {
  for (size_t i = 0; i < problems_.size(); ++i) problems_[i] += facts.problems[i];
  if (facts.days.empty()) return;
  first_day_ =
      first_day_ == kNullDay ? facts.days.front() : std::min(first_day_, facts.days.front());
  last_day_ = std::max(last_day_, facts.days.back());
}

void ScanFacts::keep(size_t file, int row_group, RowGroupFacts facts) {
  if (inputs_ == nullptr) return;
  inputs_->replaced_days.insert(facts.days.begin(), facts.days.end());
  const uint64_t bytes = inputs_->memory.bytes() + facts_bytes(facts);
  if (!inputs_->is_complete || bytes > bytes_max_ || !inputs_->memory.resize(bytes)) {
    inputs_->is_complete = false;
    return;
  }
  RowGroupFacts& kept = inputs_->files[file][static_cast<size_t>(row_group)];
  if (facts.xxh3) kept.xxh3 = facts.xxh3;
  for (size_t i = 0; i < kept.problems.size(); ++i) kept.problems[i] += facts.problems[i];
  std::vector<Day> days;
  days.reserve(kept.days.size() + facts.days.size());
  std::ranges::set_union(kept.days, facts.days, std::back_inserter(days));
  kept.days = std::move(days);
  kept.names.insert(kept.names.end(), facts.names.begin(), facts.names.end());
}

}  // namespace tapeworks
