#include <algorithm>
#include <cmath>

#include "pipeline/account_rows_internal.h"
#include "pipeline/summary_rules_internal.h"

namespace tapeworks {

std::string broker_text(const DailySummary& summary, uint32_t broker_index) {
  return summary.has_null_broker && broker_index == 0 ? "null" : summary.brokers[broker_index];
}

std::vector<int64_t> net_shares(const DailySummary& summary, Day last) {
  std::vector<int64_t> net(summary.brokers.size(), 0);
  for (size_t row = 0; row < summary.row_count(); ++row) {
    if (summary.date[row] > last) continue;
    net[summary.broker_index[row]] += std::max<int64_t>(summary.buy_shares[row], 0) -
                                      std::max<int64_t>(summary.sell_shares[row], 0);
  }
  return net;
}

std::optional<uint32_t> find_broker(const DailySummary& summary,
                                    std::optional<std::string_view> broker) {
  if (!broker) return summary.has_null_broker ? std::optional<uint32_t>(0) : std::nullopt;
  const auto begin = summary.brokers.begin() + (summary.has_null_broker ? 1 : 0);
  const auto found = std::lower_bound(begin, summary.brokers.end(), *broker);
  if (found == summary.brokers.end() || *found != *broker) return std::nullopt;
  return static_cast<uint32_t>(found - summary.brokers.begin());
}

RowSums sums_of_brokers(const DailySummary& summary) {
  RowSums sums;
  sums.row_count = summary.brokers.size();
  for (uint32_t i = 0; i < summary.brokers.size(); ++i) {
    sums.brokers += hash_broker(summary.has_null_broker && i == 0
                                    ? std::nullopt
                                    : std::optional<std::string_view>(summary.brokers[i]));
  }
  return sums;
}

std::string broken_promise(const DailySummary& summary) {
  if (summary.has_null_broker) return "has a null broker";
  for (size_t row = 0; row < summary.row_count(); ++row) {
    if (summary.buy_shares[row] < 0 || summary.sell_shares[row] < 0) {
      return fmt::format("row {}: a count of shares is negative", row);
    }
    const double smaller = std::min(summary.buy_amount[row], summary.sell_amount[row]);
    if (!std::isfinite(summary.buy_amount[row]) || !std::isfinite(summary.sell_amount[row]) ||
        smaller < 0) {
      return fmt::format("row {}: an amount is negative or no finite number", row);
    }
  }
  return {};
}

std::string date_problem(const DailySummary& summary, Mode mode) {
  for (size_t row = 0; row < summary.row_count(); ++row) {
    const Day day = summary.date[row];
    if (day == kNullDay && is_compat(mode)) continue;
    if (day == kNullDay) return fmt::format("row {}: the date is null", row);
    if (day < kFirstDayOfYear0 || day > kLastDayOfYear9999) {
      return fmt::format("row {}: the date is outside the years 0000 to 9999", row);
    }
  }
  return {};
}

std::vector<DayNet> nets_by_day(const DailySummary& summary) {
  Day first = kLastDayOfYear9999;
  Day last = kFirstDayOfYear0;
  for (const Day day : summary.date) {
    if (day == kNullDay) continue;
    first = std::min(first, day);
    last = std::max(last, day);
  }
  if (first > last) return {};
  struct Entry {
    int64_t net = 0;
    bool traded = false;
  };
  std::vector<Entry> entries(static_cast<size_t>(last.days_since_epoch - first.days_since_epoch) +
                             1);
  for (size_t row = 0; row < summary.row_count(); ++row) {
    if (summary.date[row] == kNullDay) continue;
    Entry& entry =
        entries[static_cast<size_t>(summary.date[row].days_since_epoch - first.days_since_epoch)];
    entry.net += int64_t{summary.buy_shares[row]} - summary.sell_shares[row];
    entry.traded = true;
  }
  std::vector<DayNet> days;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].traded) continue;
    days.push_back({Day{first.days_since_epoch + static_cast<int32_t>(i)}, entries[i].net});
  }
  return days;
}

}  // namespace tapeworks
