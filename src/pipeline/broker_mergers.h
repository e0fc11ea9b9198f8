#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"

namespace tapeworks {

/// A branch that became part of another one: up to and including `last_day` the code `old_code`
/// means a branch that is `new_code` from then on. Later rows of `old_code` belong to somebody
/// else, who was given the code again.
struct BrokerMerger {
  std::string old_code;
  std::string new_code;
  /// Nothing: for good, so that every row of the old code counts as one of the new code.
  std::optional<Day> last_day;
  uint64_t line = 0;  ///< where it stands in its file, from 1; for messages

  /// The same events, wherever they stood.
  bool operator==(const BrokerMerger& other) const {
    return old_code == other.old_code && new_code == other.new_code && last_day == other.last_day;
  }
};

/// Which code a row counts for once branches have merged, chains of mergers followed in time: what
/// became B on one day goes on with the next merger of B on that day or later, not with one before.
///
/// Codes are compared byte by byte. Threads: const members from any.
class BrokerMergers {
 public:
  BrokerMergers() = default;

  /// Refuses with kCorrupt, naming `where` and the line: an empty code, a code that merges into
  /// itself, two mergers of one code on the same day, and a cycle of codes. A cycle is refused also
  /// where its days would resolve it: in a list of mergers it is a mistake.
  static Result<BrokerMergers> make(std::vector<BrokerMerger> mergers, const std::string& where);

  /// The code that a row of `code` on `day` counts for; `code` itself where nothing merged. The
  /// answer lives as long as the map and `code`. A null day lies before all mergers.
  std::string_view successor(std::string_view code, Day day) const;

  /// The last of the days, from `day` on, with the same successor().
  Day last_day_of_successor(std::string_view code, Day day) const;

  /// By old code, then day; one without a day last.
  const std::vector<BrokerMerger>& mergers() const { return mergers_; }

 private:
  struct Step {
    Day last_day;
    std::string final_code;
  };
  /// Ascending by day.
  using Steps = std::vector<Step>;

  const Step* find_step(std::string_view code, Day day) const;

  std::vector<BrokerMerger> mergers_;
  std::map<std::string, Steps, std::less<>> steps_;  // by old code
};

}  // namespace tapeworks
