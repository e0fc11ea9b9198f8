#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/history_budget.h"
#include "recorder/protocol/rate_window.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// Trades of one symbol that were not received: those whose numbers lie between two that were.
struct TradeGap {
  Venue venue = Venue::kBinanceSpot;
  std::string symbol;
  int64_t from = 0;     ///< the first number that may be missing
  int64_t to = 0;       ///< the last one; the next number is known to exist
  int64_t from_ns = 0;  ///< since 1970 UTC: the last trade before it happened then
  int64_t to_ns = 0;    ///< and the first one behind it was received then

  /// How far it has been fetched: numbers below are in the log. Not part of which gap it is.
  int64_t next = 0;

  auto operator<=>(const TradeGap& other) const {
    return std::tie(venue, symbol, from, to, from_ns, to_ns) <=>
           std::tie(other.venue, other.symbol, other.from, other.to, other.from_ns, other.to_ns);
  }
  bool operator==(const TradeGap& other) const { return (*this <=> other) == 0; }
};

/// How a venue gives out past trades without a key (docs/formats/backfill.md).
struct TradeHistoryRules {
  enum class Paging : uint8_t {
    kFromNumber,  ///< page after page, from any number on
    kLatest,      ///< one page: the last trades
    kByTime,      ///< all trades of a time; a page that is full may lack some
  };
  Paging paging = Paging::kLatest;
  size_t page_rows_max = 0;
  size_t request_weight = 1;
  /// A quarter of the published limit, in the unit of request_weight; the same for all venues of an
  /// exchange, which share it.
  size_t weight_max = 0;
  std::chrono::seconds window{60};
  bool has_every_number = false;  ///< each number is a trade, so an answer that lacks one is wrong
};
const TradeHistoryRules& trade_history_rules_of(Venue venue);
/// A fresh budget of the venue's exchange.
HistoryBudget history_budget_of(Venue venue);

/// How the search for the trades of a gap ended.
enum class BackfillEnd : uint8_t {
  kFilled,        ///< everything that the exchange has of it was fetched
  kPartlyFilled,  ///< the exchange keeps no more
  kGivenUp,       ///< nothing was to be had
};
constexpr std::string_view name_of(BackfillEnd end) {
  switch (end) {
    case BackfillEnd::kFilled:
      return "filled";
    case BackfillEnd::kPartlyFilled:
      return "partly_filled";
    case BackfillEnd::kGivenUp:
      break;
  }
  return "given_up";
}

/// What the exchange answered; an answer whose status is 200 is a page.
struct RestReply {
  int status = 0;
  std::string_view body;
  /// When it may be asked again, if it says so.
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;
};

/// How long an answer's headers ask to wait: Retry-After, and what KuCoin and Gate have instead.
std::optional<std::chrono::milliseconds> retry_after_of(
    std::span<const std::pair<std::string, std::string>> headers, int64_t wall_seconds);

/// Fetches the trades of gaps from one venue: which request comes next, and what an answer means.
/// One request is under way at a time. Knows no socket and no clock.
///
/// Requests: those that the budget of the exchange allows. After 429 and 418 it pauses until the
///   time that the answer names (kPauseDefault where it names none), and for kRefusalPauseMin at
///   least, twice as long after each further refusal in a row; after 418 for kBanPauseMin at least.
/// Failures: an answer that brings nothing is asked for again, kAttemptsMax times in all, ever more
///   rarely. While there is no answer, or that of a service that serves nobody (5xx, 408, 403), one
///   request is made at a time, at last one a minute, for as long as there are gaps.
/// Memory: at most kGapsMax gaps, and a decoded page. Ownership: `budget` outlives it.
/// Threads: one at a time.
class TradeBackfill {
 public:
  static constexpr size_t kGapsMax = 1'000;
  static constexpr int kAttemptsMax = 6;
  /// After so many answers that lack numbers the exchange is believed.
  static constexpr int kIncompleteMax = 3;
  /// A gap that was just found may be filled by messages that are merely late. Not waited where
  /// only the last trades are to be had.
  static constexpr std::chrono::seconds kSettleTime{2};
  static constexpr std::chrono::seconds kPauseDefault{30};
  static constexpr std::chrono::seconds kRefusalPauseMin{2};
  /// After 418 an address is banned, for minutes at least. Also what kRefusalPauseMin grows to.
  static constexpr std::chrono::seconds kBanPauseMin{300};

  TradeBackfill(Venue venue, HistoryBudget& budget);

  /// The gaps that are open at this moment. One that is not among them any more is forgotten; those
  /// beyond kGapsMax are left until there is room.
  void set_open_gaps(std::span<const TradeGap> gaps, SteadyTime now);

  struct Request {
    TradeGap gap;
    std::string target;  ///< path and query
    /// Name and value.
    std::vector<std::pair<std::string, std::string>> headers;
  };
  /// The next one to make; nothing while one is under way, none is due, or none is allowed.
  std::optional<Request> next_request(SteadyTime now);

  struct Outcome {
    bool has_rows = false;     ///< the answer belongs into the log
    bool was_refused = false;  ///< because there were too many requests
    std::optional<BackfillEnd> end = std::nullopt;
    bool is_outage = false;  ///< the first request in a row that failed
    std::string why{};       ///< a sentence; with an end and an outage
  };
  /// For the request that is under way; after that another one may be made.
  Outcome on_reply(const RestReply& reply, SteadyTime now);
  Outcome on_failure(std::string_view why, SteadyTime now);

  size_t waiting_count() const { return searches_.size(); }

 private:
  struct Search {
    SteadyTime due{0};
    int attempts = 0;       ///< in a row that brought nothing
    int64_t next = 0;       ///< numbers below were looked for
    bool has_rows = false;  ///< something of it was fetched
    // By time, in seconds since 1970 UTC:
    int64_t second = 0;       ///< from which on the next request asks
    int64_t last_second = 0;  ///< the last one of interest
    int64_t span = 0;         ///< how many the next request asks for
    int64_t highest = 0;      ///< number that came, whether it was wanted or not
    bool was_cut = false;     ///< a single second had more than a page
  };

  SteadyTime pause_after(const RestReply& refusal);
  Outcome judge(const TradeGap& gap, Search& search, const RestReply& reply, SteadyTime now);
  Outcome judge_from_number(const TradeGap& gap, Search& search, SteadyTime now);
  Outcome judge_latest(const TradeGap& gap, Search& search, SteadyTime now);
  Outcome judge_by_time(const TradeGap& gap, Search& search, SteadyTime now);
  int64_t wanted_count(const TradeGap& gap, const Search& search) const;
  static Outcome try_again(Search& search, SteadyTime now, std::string why);
  Outcome wait_out(Search& search, SteadyTime now, std::string why);
  static Outcome finish(const Search& search, bool is_all, std::string why);
  Outcome conclude(Outcome outcome);
  std::string target_of(const TradeGap& gap, const Search& search) const;

  Venue venue_;
  const TradeHistoryRules& rules_;
  HistoryBudget& budget_;
  int refusals_ = 0;  ///< in a row, until the pause grows no more
  SteadyTime outage_until_{0};
  int failures_ = 0;  ///< in a row
  std::map<TradeGap, Search> searches_;
  std::set<TradeGap> ended_;  ///< that are still said to be open
  std::optional<TradeGap> under_way_;
  DecodedFrame page_;
};

}  // namespace tapeworks::recorder
