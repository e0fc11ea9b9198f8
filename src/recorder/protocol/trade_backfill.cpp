#include "recorder/protocol/trade_backfill.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/lower_case.h"
#include "base/percent_code.h"
#include "base/printable_text.h"
#include "recorder/protocol/backoff.h"
#include "recorder/protocol/trade_page.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;
using Paging = TradeHistoryRules::Paging;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr std::chrono::seconds kAgainFirst = 1s;
constexpr std::chrono::seconds kAgainMax = 60s;
/// What a server may ask for is honoured up to a day, which is longer than any gap is looked for.
constexpr std::chrono::milliseconds kRetryAfterMax = 24h;
/// Clocks and ways differ, so a little more time than the gap's is asked for.
constexpr int64_t kMarginSeconds = 10;
constexpr int64_t kSpanSecondsMax = 3600;
constexpr size_t kQuotedBytesMax = 200;

constexpr int kOk = 200;
constexpr int kForbidden = 403;
constexpr int kTimeout = 408;
constexpr int kBanned = 418;
constexpr int kTooManyRequests = 429;
constexpr int kServerError = 500;

bool is_kucoin(Venue venue) {
  return venue == Venue::kKucoinSpot || venue == Venue::kKucoinFutures;
}

/// What a service or something in front of it answers while it serves nobody, or not this address.
bool is_outage(int status) {
  return status >= kServerError || status == kTimeout || status == kForbidden;
}

SteadyTime again_after(int failures) { return doubled(kAgainFirst, failures - 1, kAgainMax); }

/// KuCoin may say so with status 200 as well.
bool is_rate_refusal(Venue venue, const RestReply& reply) {
  if (reply.status == kTooManyRequests || reply.status == kBanned) return true;
  return is_kucoin(venue) && reply.body.substr(0, kQuotedBytesMax).contains("\"429000\"");
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

const TradeHistoryRules& trade_history_rules_of(Venue venue) {
  // Binance: 25 of 6,000 a minute and 5 of 2,400, which is twice as much and once of a common unit.
  // KuCoin: 3 and 5 of 2,000 in 30 s. Gate: 200 in 10 s.
  static constexpr TradeHistoryRules kBinanceSpot{Paging::kFromNumber, 1000, 2, 120, 60s, true};
  static constexpr TradeHistoryRules kBinanceUsdm{Paging::kLatest, 1000, 1, 120, 60s};
  static constexpr TradeHistoryRules kKucoinSpot{Paging::kLatest, 100, 3, 500, 30s};
  static constexpr TradeHistoryRules kKucoinFutures{Paging::kLatest, 100, 5, 500, 30s};
  static constexpr TradeHistoryRules kGateSpot{Paging::kFromNumber, 1000, 1, 50, 10s};
  static constexpr TradeHistoryRules kGateFutures{Paging::kByTime, 1000, 1, 50, 10s};
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
      return kBinanceSpot;
    case Venue::kBinanceUsdm:
      return kBinanceUsdm;
    case Venue::kKucoinSpot:
      return kKucoinSpot;
    case Venue::kKucoinFutures:
      return kKucoinFutures;
    case Venue::kGateSpot:
      return kGateSpot;
    case Venue::kGateFutures:
      break;
  }
  return kGateFutures;
}

HistoryBudget history_budget_of(Venue venue) {
  const TradeHistoryRules& rules = trade_history_rules_of(venue);
  return {rules.weight_max, rules.window};
}

std::optional<std::chrono::milliseconds> retry_after_of(
    std::span<const std::pair<std::string, std::string>> headers, int64_t wall_seconds) {
  for (const auto& [name, value] : headers) {
    const auto number = whole_number(value);
    if (!number) continue;
    const std::string key = lower_case(name);
    const int64_t limit = kRetryAfterMax.count();
    if (key == "retry-after") {
      return std::chrono::milliseconds(std::min(*number, limit / 1000) * 1000);
    }
    if (key == "gw-ratelimit-reset") return std::chrono::milliseconds(std::min(*number, limit));
    if (key == "x-gate-ratelimit-reset-timestamp") {
      const int64_t seconds = std::max<int64_t>(*number - wall_seconds, 0);
      return std::chrono::milliseconds(std::min(seconds, limit / 1000) * 1000);
    }
  }
  return std::nullopt;
}

TradeBackfill::TradeBackfill(Venue venue, HistoryBudget& budget)
    : venue_(venue), rules_(trade_history_rules_of(venue)), budget_(budget) {}

void TradeBackfill::set_open_gaps(std::span<const TradeGap> gaps, SteadyTime now) {
  const std::set<TradeGap> open(gaps.begin(), gaps.end());
  const auto is_over = [&](const TradeGap& gap) { return !open.contains(gap); };
  std::erase_if(ended_, is_over);
  std::erase_if(searches_, [&](const auto& entry) {
    return is_over(entry.first) && entry.first != under_way_;
  });
  for (const TradeGap& gap : gaps) {
    if (searches_.size() == kGapsMax) return;
    if (ended_.contains(gap) || searches_.contains(gap)) continue;
    Search& search = searches_[gap];
    search.due = rules_.paging == Paging::kLatest ? now : now + kSettleTime;
    // Of one that lacks only the word that it is over, the last number is asked for again.
    search.next = std::clamp(gap.next, gap.from, gap.to);
    search.has_rows = search.next > gap.from;
    search.second = gap.from_ns / kSecondNs - kMarginSeconds;
    search.last_second = std::max(gap.from_ns, gap.to_ns) / kSecondNs + kMarginSeconds;
    search.span = std::min(search.last_second - search.second + 1, kSpanSecondsMax);
  }
}

std::string TradeBackfill::target_of(const TradeGap& gap, const Search& search) const {
  const std::string symbol = percent_encoded(gap.symbol);
  switch (venue_) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe: {
      const auto wanted = static_cast<uint64_t>(gap.to) - static_cast<uint64_t>(search.next) + 1;
      return fmt::format("/api/v3/historicalTrades?symbol={}&fromId={}&limit={}", symbol,
                         search.next, std::min<uint64_t>(wanted, rules_.page_rows_max));
    }
    case Venue::kBinanceUsdm:
      return fmt::format("/fapi/v1/trades?symbol={}&limit={}", symbol, rules_.page_rows_max);
    case Venue::kKucoinSpot:
      return fmt::format("/api/v1/market/histories?symbol={}", symbol);
    case Venue::kKucoinFutures:
      return fmt::format("/api/v1/trade/history?symbol={}", symbol);
    case Venue::kGateSpot:
      return fmt::format("/api/v4/spot/trades?currency_pair={}&last_id={}&limit={}", symbol,
                         search.next - 1, rules_.page_rows_max);
    case Venue::kGateFutures:
      break;
  }
  return fmt::format("/api/v4/futures/usdt/trades?contract={}&from={}&to={}&limit={}", symbol,
                     search.second, search.second + search.span, rules_.page_rows_max);
}

std::optional<TradeBackfill::Request> TradeBackfill::next_request(SteadyTime now) {
  if (under_way_ || now < outage_until_ || !budget_.allows(rules_.request_weight, now)) {
    return std::nullopt;
  }
  const auto first =
      std::ranges::min_element(searches_, {}, [](const auto& entry) { return entry.second.due; });
  if (first == searches_.end() || first->second.due > now) return std::nullopt;
  budget_.spend(rules_.request_weight, now);
  under_way_ = first->first;
  Request request{first->first, target_of(first->first, first->second), {}};
  // So that the times have the digits that the stream's have.
  if (venue_ == Venue::kBinanceSpotSbe)
    request.headers.emplace_back("X-MBX-TIME-UNIT", "MICROSECOND");
  return request;
}

TradeBackfill::Outcome TradeBackfill::on_failure(std::string_view why, SteadyTime now) {
  if (!under_way_) return {};
  return conclude(wait_out(searches_[*under_way_], now, std::string(why)));
}

TradeBackfill::Outcome TradeBackfill::on_reply(const RestReply& reply, SteadyTime now) {
  if (!under_way_) return {};
  return conclude(judge(*under_way_, searches_[*under_way_], reply, now));
}

/// The request is over, and perhaps the search.
TradeBackfill::Outcome TradeBackfill::conclude(Outcome outcome) {
  if (outcome.end) {
    searches_.erase(*under_way_);
    ended_.insert(std::move(*under_way_));
  }
  under_way_.reset();
  return outcome;
}

/// A server may name a time that is no wait at all, also because the clocks differ.
SteadyTime TradeBackfill::pause_after(const RestReply& refusal) {
  SteadyTime least = doubled(kRefusalPauseMin, refusals_, kBanPauseMin);
  if (least < kBanPauseMin) ++refusals_;
  if (refusal.status == kBanned) least = kBanPauseMin;
  return std::max<SteadyTime>(refusal.retry_after.value_or(kPauseDefault), least);
}

TradeBackfill::Outcome TradeBackfill::judge(const TradeGap& gap, Search& search,
                                            const RestReply& reply, SteadyTime now) {
  if (is_rate_refusal(venue_, reply)) {
    budget_.pause_until(now + pause_after(reply));
    search.due = now;
    Outcome outcome;
    outcome.was_refused = true;
    return outcome;
  }
  refusals_ = 0;
  if (reply.status != kOk) {
    std::string why = fmt::format("the exchange answered with status {}: {}", reply.status,
                                  printable_text(reply.body, kQuotedBytesMax));
    if (is_outage(reply.status)) return wait_out(search, now, std::move(why));
    failures_ = 0;
    return finish(search, false, std::move(why));
  }
  failures_ = 0;
  if (const Status decoded = decode_trade_page(venue_, gap.symbol, reply.body, page_); !decoded) {
    return try_again(search, now, decoded.error().message);
  }
  switch (rules_.paging) {
    case Paging::kFromNumber:
      return judge_from_number(gap, search, now);
    case Paging::kLatest:
      return judge_latest(gap, search, now);
    case Paging::kByTime:
      break;
  }
  return judge_by_time(gap, search, now);
}

int64_t TradeBackfill::wanted_count(const TradeGap& gap, const Search& search) const {
  return std::ranges::count_if(page_.rows(), [&](const EventRow& row) {
    return search.next <= *row.sequence && *row.sequence <= gap.to;
  });
}

TradeBackfill::Outcome TradeBackfill::judge_from_number(const TradeGap& gap, Search& search,
                                                        SteadyTime now) {
  const auto rows = page_.rows();
  if (rows.empty() || *rows.back().sequence < search.next) {
    return try_again(search, now,
                     fmt::format("the exchange has no trades from number {} on", search.next));
  }
  const auto wanted = static_cast<uint64_t>(wanted_count(gap, search));
  const int64_t last = std::min(*rows.back().sequence, gap.to);
  const uint64_t expected = static_cast<uint64_t>(last) - static_cast<uint64_t>(search.next) + 1;
  if (rules_.has_every_number && wanted < expected && search.attempts + 1 < kIncompleteMax) {
    return try_again(search, now, "");
  }
  const bool has_rows = wanted > 0;
  search.has_rows |= has_rows;
  search.attempts = 0;
  search.due = now;
  Outcome outcome;
  if (last == gap.to) {
    outcome = finish(search, true, "");
  } else {
    search.next = last + 1;
  }
  outcome.has_rows = has_rows;
  return outcome;
}

TradeBackfill::Outcome TradeBackfill::judge_latest(const TradeGap& gap, Search& search,
                                                   SteadyTime now) {
  const auto rows = page_.rows();
  const bool is_late = rows.empty() || *rows.back().sequence < gap.to;
  if (is_late && search.attempts + 1 < kAttemptsMax) {
    return try_again(search, now, "the exchange's last trades end before the gap does");
  }
  const bool has_rows = wanted_count(gap, search) > 0;
  search.has_rows |= has_rows;
  const bool is_all = !is_late && *rows.front().sequence <= search.next;
  Outcome outcome =
      finish(search, is_all,
             fmt::format("the exchange gives out its last {} trades only, and these do not reach "
                         "back to number {}",
                         rules_.page_rows_max, search.next));
  outcome.has_rows = has_rows;
  return outcome;
}

TradeBackfill::Outcome TradeBackfill::judge_by_time(const TradeGap& gap, Search& search,
                                                    SteadyTime now) {
  const auto rows = page_.rows();
  search.due = now;
  const bool is_full = rows.size() >= rules_.page_rows_max;
  if (is_full && search.span > 1) {
    search.span /= 2;
    return {};
  }
  search.was_cut |= is_full;
  const bool has_rows = wanted_count(gap, search) > 0;
  search.has_rows |= has_rows;
  if (!rows.empty()) {
    const int64_t last = *rows.back().sequence;
    search.highest = std::max(search.highest, last);
    // A number beyond the gap ends the search, and may be one that has no next.
    if (last <= gap.to) search.next = std::max(search.next, last + 1);
  }
  Outcome outcome;
  if (search.highest > gap.to) {
    outcome = finish(search, !search.was_cut,
                     "the exchange gives out one page of each second only, and one had more");
  } else if (search.second + search.span <= search.last_second) {
    // Seconds overlap, because nobody says whether the last one is meant inclusively.
    search.second += search.span;
    // A busy second halves the time that is asked for, and shall not do so for the rest of the gap.
    if (rows.size() < rules_.page_rows_max / 2) search.span *= 2;
    search.span = std::min({search.span, kSpanSecondsMax, search.last_second - search.second + 1});
    search.attempts = 0;
  } else {
    outcome = try_again(search, now, "the exchange's trades of this time end before the gap does");
  }
  outcome.has_rows = has_rows;
  return outcome;
}

TradeBackfill::Outcome TradeBackfill::try_again(Search& search, SteadyTime now, std::string why) {
  if (++search.attempts >= kAttemptsMax) return finish(search, false, std::move(why));
  search.due = now + again_after(search.attempts);
  return {};
}

/// What makes gaps takes REST down, too, and for longer; it says nothing about what is to be had.
TradeBackfill::Outcome TradeBackfill::wait_out(Search& search, SteadyTime now, std::string why) {
  Outcome outcome;
  outcome.is_outage = ++failures_ == 1;
  if (outcome.is_outage) outcome.why = std::move(why);
  outage_until_ = now + again_after(failures_);
  search.due = now;  // behind the gaps that are due already
  return outcome;
}

TradeBackfill::Outcome TradeBackfill::finish(const Search& search, bool is_all, std::string why) {
  Outcome outcome;
  if (is_all) {
    outcome.end = BackfillEnd::kFilled;
    return outcome;
  }
  outcome.end = search.has_rows ? BackfillEnd::kPartlyFilled : BackfillEnd::kGivenUp;
  outcome.why = std::move(why);
  return outcome;
}

}  // namespace tapeworks::recorder
