#include "pipeline/broker_mergers.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "base/printable_text.h"

namespace tapeworks {
namespace {

/// Where a merger without a day stands among the others.
constexpr Day kForGood{std::numeric_limits<int32_t>::max()};

constexpr size_t kShownCodeBytesMax = 64;

std::string printable(const std::string& code) { return printable_text(code, kShownCodeBytesMax); }

Day last_day_of(const BrokerMerger& merger) { return merger.last_day.value_or(kForGood); }

std::tuple<const std::string&, Day> key_of(const BrokerMerger& merger) {
  return {merger.old_code, last_day_of(merger)};
}

Status check_each(const std::vector<BrokerMerger>& mergers, const std::string& where) {
  for (const BrokerMerger& merger : mergers) {
    if (merger.old_code.empty() || merger.new_code.empty()) {
      return corrupt("{}: line {}: a broker code is empty; write the old and the new code", where,
                     merger.line);
    }
    if (merger.old_code == merger.new_code) {
      return corrupt("{}: line {}: broker {} cannot merge into itself; remove the line", where,
                     merger.line, printable(merger.old_code));
    }
  }
  return {};
}

/// For mergers in order.
Status check_repeated(const std::vector<BrokerMerger>& mergers, const std::string& where) {
  const auto repeated = std::ranges::adjacent_find(mergers, {}, key_of);
  if (repeated == mergers.end()) return {};
  const auto [first, second] = std::minmax(repeated->line, std::next(repeated)->line);
  return corrupt("{}: line {}: broker {} merges on the same day as in line {}; keep one of them",
                 where, second, printable(repeated->old_code), first);
}

/// Finds codes that come back to themselves by taking away, again and again, codes that lead to
/// none of those left.
class CycleSearch {
 public:
  explicit CycleSearch(const std::vector<BrokerMerger>& mergers) : mergers_(mergers) {
    for (const BrokerMerger& merger : mergers) {
      ++targets_left_[merger.old_code];
      targets_left_.try_emplace(merger.new_code, 0);
      into_[merger.new_code].push_back(&merger);
    }
  }

  /// The mergers of one cycle, in order; empty when there is none.
  std::vector<const BrokerMerger*> find() {
    std::vector<std::string_view> free;
    for (const auto& [code, left] : targets_left_) {
      if (left == 0) free.push_back(code);
    }
    while (!free.empty()) {
      const std::string_view code = free.back();
      free.pop_back();
      for (const BrokerMerger* merger : into_[code]) {
        if (--targets_left_[merger->old_code] == 0) free.push_back(merger->old_code);
      }
    }
    return walk();
  }

 private:
  bool is_left(std::string_view code) const { return targets_left_.at(code) != 0; }

  /// Every code that is left leads to one that is left, so the walk must meet itself.
  std::vector<const BrokerMerger*> walk() const {
    const auto start = std::ranges::find_if(mergers_, [&](const BrokerMerger& merger) {
      return is_left(merger.old_code) && is_left(merger.new_code);
    });
    if (start == mergers_.end()) return {};
    std::map<std::string_view, size_t> position;
    std::vector<const BrokerMerger*> path;
    std::string_view code = start->old_code;
    while (position.try_emplace(code, path.size()).second) {
      auto next = std::ranges::lower_bound(mergers_, code, {}, &BrokerMerger::old_code);
      while (!is_left(next->new_code)) ++next;
      path.push_back(&*next);
      code = next->new_code;
    }
    path.erase(path.begin(), path.begin() + static_cast<ptrdiff_t>(position.at(code)));
    return path;
  }

  const std::vector<BrokerMerger>& mergers_;
  std::map<std::string_view, size_t> targets_left_;
  std::map<std::string_view, std::vector<const BrokerMerger*>> into_;
};

Status check_cycles(const std::vector<BrokerMerger>& mergers, const std::string& where) {
  const auto cycle = CycleSearch(mergers).find();
  if (cycle.empty()) return {};
  const auto last =
      std::ranges::max_element(cycle, {}, [](const BrokerMerger* merger) { return merger->line; });
  return corrupt(
      "{}: line {}: broker {} merging into {} closes a cycle of {} mergers; a code cannot come "
      "back to itself",
      where, (*last)->line, printable((*last)->old_code), printable((*last)->new_code),
      cycle.size());
}

/// Follows chains; each merger is resolved once, for all that lead to it.
class Chains {
 public:
  /// `mergers` in order and without cycles.
  explicit Chains(const std::vector<BrokerMerger>& mergers)
      : mergers_(mergers), final_(mergers.size(), nullptr) {}

  const std::string& final_code(size_t index) {
    std::vector<size_t> path;
    const std::string* code = nullptr;
    for (size_t at = index; code == nullptr;) {
      code = final_[at];
      if (code != nullptr) break;
      path.push_back(at);
      const size_t next = next_of(at);
      if (next == mergers_.size()) code = &mergers_[at].new_code;
      at = next;
    }
    for (const size_t at : path) final_[at] = code;
    return *code;
  }

 private:
  /// The merger of the new code that comes next in time; mergers_.size() when there is none.
  size_t next_of(size_t index) const {
    const std::string& code = mergers_[index].new_code;
    const auto found = std::ranges::lower_bound(
        mergers_, std::tuple<const std::string&, Day>(code, last_day_of(mergers_[index])), {},
        key_of);
    if (found == mergers_.end() || found->old_code != code) return mergers_.size();
    return static_cast<size_t>(found - mergers_.begin());
  }

  const std::vector<BrokerMerger>& mergers_;
  std::vector<const std::string*> final_;  // null: not known yet
};

}  // namespace

Result<BrokerMergers> BrokerMergers::make(std::vector<BrokerMerger> mergers,
                                          const std::string& where) {
  TW_TRY(check_each(mergers, where));
  std::ranges::sort(mergers, {}, key_of);
  TW_TRY(check_repeated(mergers, where));
  TW_TRY(check_cycles(mergers, where));
  BrokerMergers made;
  Chains chains(mergers);
  for (size_t i = 0; i < mergers.size(); ++i) {
    made.steps_[mergers[i].old_code].push_back({last_day_of(mergers[i]), chains.final_code(i)});
  }
  made.mergers_ = std::move(mergers);
  return made;
}

const BrokerMergers::Step* BrokerMergers::find_step(std::string_view code, Day day) const {
  const auto steps = steps_.find(code);
  if (steps == steps_.end()) return nullptr;
  const auto step = std::ranges::lower_bound(steps->second, day, {}, &Step::last_day);
  return step == steps->second.end() ? nullptr : &*step;
}

std::string_view BrokerMergers::successor(std::string_view code, Day day) const {
  const Step* step = find_step(code, day);
  return step == nullptr ? code : std::string_view(step->final_code);
}

Day BrokerMergers::last_day_of_successor(std::string_view code, Day day) const {
  const Step* step = find_step(code, day);
  return step == nullptr ? kForGood : step->last_day;
}

}  // namespace tapeworks
