#include "recorder/backfiller.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <unordered_map>
#include <utility>

#include "recorder/feed.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookInterval = 500ms;
/// After an answer, when the next request need not wait.
constexpr auto kNextInterval = 20ms;
constexpr auto kReplyTimeout = 15s;

SteadyTime steady_now() { return SteadyTime(net::read_clocks().monotonic_ns); }

}  // namespace

/// One venue: what it is asked, one request at a time, and what is on the way into the log.
class Backfiller::Source {
 public:
  Source(Backfiller& owner, Venue venue)
      : owner_(owner), venue_(venue), backfill_(venue, owner.budget_of(venue)) {}

  /// By symbol; a feed may be gone by the next call.
  using Feeds = std::unordered_map<std::string_view, const FeedConfig*>;

  void work(std::span<const TradeGap> gaps, const Feeds& feeds) {
    status_.open_gaps = gaps.size();
    backfill_.set_open_gaps(gaps, steady_now());
    if (call_ || !write()) return;
    const auto request = backfill_.next_request(steady_now());
    if (!request) return;
    asked_at_ = steady_now();
    ask(*request, *feeds.at(request->gap.symbol));
  }

  SteadyTime asked_at() const { return asked_at_; }

  void abandon() { call_.reset(); }

  const BackfillStatus& status() const { return status_; }

 private:
  void ask(const TradeBackfill::Request& request, const FeedConfig& feed) {
    gap_ = request.gap;
    url_ = rest_url(feed, request.target);
    ++status_.requests;
    auto options = connect_options_of(feed, url_);
    if (!options) return conclude(backfill_.on_failure(options.error().message, steady_now()), "");
    for (const auto& [name, value] : request.headers) options->headers.push_back({name, value});
    options->timeouts.handshake = kReplyTimeout;
    call_ = std::make_unique<net::HttpCall>(owner_.host_.loop, std::move(*options),
                                            net::HttpQuery{}, kAnswerBytesMax,
                                            [this](const Result<net::HttpAnswer>& answer) {
                                              // The call may not be destroyed before its callback
                                              // has returned.
                                              const auto call = std::move(call_);
                                              take(answer);
                                            });
  }

  void take(const Result<net::HttpAnswer>& answer) {
    if (!answer) return conclude(backfill_.on_failure(answer.error().message, steady_now()), "");
    std::vector<std::pair<std::string, std::string>> headers;
    for (const net::Header& header : answer->headers) {
      headers.emplace_back(header.name, header.value);
    }
    const int64_t wall_seconds = net::read_clocks().wall_ns / 1'000'000'000;
    RestReply reply{answer->status, answer->body, retry_after_of(headers, wall_seconds)};
    conclude(backfill_.on_reply(reply, steady_now()), answer->body);
  }

  void conclude(const TradeBackfill::Outcome& outcome, const std::string& body) {
    if (outcome.was_refused) ++status_.refused;
    if (outcome.is_outage) {
      const VenueName name = name_of(venue_);
      owner_.host_.say(
          fmt::format("{} {}: trades that were not received cannot be fetched: {}; asked for "
                      "again while their gaps are open, a day at most",
                      name.exchange, name.market, outcome.why));
    }
    if (outcome.has_rows) add(std::string(kBackfillPage), body);
    if (outcome.end) {
      ++status_.ended[static_cast<size_t>(*outcome.end)];
      add(std::string(name_of(*outcome.end)), outcome.why);
      if (*outcome.end != BackfillEnd::kFilled) {
        const VenueName name = name_of(venue_);
        owner_.host_.say(
            fmt::format("{} {} {}: trades {} to {} were not received, and the search "
                        "for them ended as {}: {}",
                        name.exchange, name.market, gap_.symbol, gap_.from, gap_.to,
                        name_of(*outcome.end), outcome.why));
      }
    }
    static_cast<void>(write());
    owner_.look_in(kNextInterval);
  }

  void add(std::string cause, std::string detail) {
    LogEvent event;
    event.cause = std::move(cause);
    event.detail = std::move(detail);
    event.url = url_;
    event.stream = Stream::kTrade;
    event.symbols = {gap_.symbol};
    event.from_sequence = gap_.from;
    event.to_sequence = gap_.to;
    unwritten_.push_back(std::move(event));
  }

  /// False while the log has no room; an answer waits here, and nothing more is asked for.
  bool write() {
    while (!unwritten_.empty()) {
      const auto taken = owner_.host_.log.try_append(LogKind::kBackfill, LogSource{venue_, 0},
                                                     unwritten_.front(), net::read_clocks());
      if (!taken) owner_.host_.fail(taken.error());
      if (!taken || !*taken) return false;
      unwritten_.pop_front();
    }
    return true;
  }

  Backfiller& owner_;
  const Venue venue_;
  TradeBackfill backfill_;
  SteadyTime asked_at_{0};
  TradeGap gap_;     ///< of the last request
  std::string url_;  ///< likewise
  std::unique_ptr<net::HttpCall> call_;
  std::deque<LogEvent> unwritten_;  ///< at most an answer and an end
  BackfillStatus status_;
};

Backfiller::Backfiller(Host host) : host_(std::move(host)), timer_(host_.loop) {}

Backfiller::~Backfiller() = default;

void Backfiller::start() { look_in(kLookInterval); }

void Backfiller::look_in(std::chrono::milliseconds delay) {
  timer_.start(delay, [this] { look(); });
}

void Backfiller::stop() {
  timer_.cancel();
  for (const auto& [venue, source] : sources_) source->abandon();
}

void Backfiller::look() {
  look_in(kLookInterval);
  std::vector<TradeGap> open = host_.open_gaps();
  if (open.empty() && sources_.empty()) return;
  std::map<Venue, Source::Feeds> feeds;
  for (const FeedConfig* const feed : host_.feeds()) {
    if (!feed->backfill || open.empty()) continue;
    Source::Feeds& of_venue = feeds[feed->venue];
    for (const std::string& symbol : feed->symbols) of_venue[symbol] = feed;
  }
  std::map<Venue, std::vector<TradeGap>> gaps;
  for (TradeGap& gap : open) {
    if (feeds[gap.venue].contains(gap.symbol)) gaps[gap.venue].push_back(std::move(gap));
  }
  for (const auto& [venue, of_venue] : gaps) {
    if (!sources_.contains(venue)) sources_[venue] = std::make_unique<Source>(*this, venue);
  }
  // Who has waited longest comes first, or one venue could use the budget of its exchange up.
  std::vector<std::pair<SteadyTime, Venue>> order;
  for (const auto& [venue, source] : sources_) order.emplace_back(source->asked_at(), venue);
  std::ranges::sort(order);
  for (const auto& [asked_at, venue] : order) sources_[venue]->work(gaps[venue], feeds[venue]);
}

HistoryBudget& Backfiller::budget_of(Venue venue) {
  const std::string exchange(name_of(venue).exchange);
  return budgets_.try_emplace(exchange, history_budget_of(venue)).first->second;
}

std::map<Venue, BackfillStatus> Backfiller::statuses() const {
  std::map<Venue, BackfillStatus> statuses;
  for (const auto& [venue, source] : sources_) statuses[venue] = source->status();
  return statuses;
}

}  // namespace tapeworks::recorder
