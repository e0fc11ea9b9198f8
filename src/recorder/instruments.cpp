#include "recorder/instruments.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "recorder/feed.h"
#include "recorder/net/http_client.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr auto kAgainAfterFailureFirst = 5s;
constexpr auto kAgainAfterFailureMax = 5min;
constexpr auto kAgainAfterSuccess = 24h;
/// A list is megabytes, and may come slowly.
constexpr auto kReplyTimeout = 30s;

// Why symbols come and go.
constexpr const char* kByList = "new listing";
constexpr const char* kByVolume = "volume";

}  // namespace

/// One list, and the feeds that need it.
class Instruments::Source {
 public:
  Source(Instruments& owner, std::string list_url, const FeedConfig& first_feed)
      : url(std::move(list_url)), config(first_feed), owner_(owner), timer_(owner.host_.loop) {}

  /// The list, and before it the volumes when a feed is to be ranked.
  void ask() {
    lacks_ranking = false;
    if (!owner_.needs_volumes(*this)) return ask_for_list();
    const std::string from = rest_url(config, quote_volumes_target(config.venue));
    get(from, [this](const Result<std::string>& body) {
      const Status taken = take_volumes(body);
      if (!taken) owner_.on_missing_volumes(*this, taken.error());
      ask_for_list();
    });
  }

  void stop() {
    timer_.cancel();
    call_.reset();
  }

  const std::string url;
  const FeedConfig config;  ///< of the first feed: how to connect
  std::vector<size_t> feeds;
  std::optional<QuoteVolumes> volumes;  ///< only between their reply and that of the list
  bool has_failed = false;              ///< said already
  bool has_failed_ranking = false;      ///< likewise
  bool lacks_ranking = false;           ///< since the last look: a feed is due and was not ranked
  std::set<std::string> unknown_said;   ///< symbols
  std::set<std::string> written;        ///< symbols, since that was set
  int64_t next_full_write_ns = 0;       ///< by the monotonic clock
  std::chrono::milliseconds interval = kAgainAfterSuccess;

 private:
  using Take = std::function<void(const Result<std::string>& body)>;

  /// Longer with each failure in a row.
  struct Backoff {
    std::chrono::seconds next = kAgainAfterFailureFirst;

    std::chrono::seconds take() {
      return std::exchange(next, std::min<std::chrono::seconds>(2 * next, kAgainAfterFailureMax));
    }
    void clear() { next = kAgainAfterFailureFirst; }
  };

  void get(const std::string& from, Take take) {
    auto options = connect_options_of(config, from);
    if (!options) return take(std::unexpected(options.error()));
    options->timeouts.handshake = kReplyTimeout;
    call_ = std::make_unique<net::HttpCall>(
        owner_.host_.loop, std::move(*options), net::HttpQuery{}, kReplyBytesMax,
        [this, from, take = std::move(take)](Result<net::HttpAnswer> answer) {
          // The call may not be destroyed before its callback has returned.
          const auto call = std::move(call_);
          take(body_of(std::move(answer), from));
        });
  }

  static Result<std::string> body_of(Result<net::HttpAnswer> answer, const std::string& from) {
    if (!answer) return std::unexpected(answer.error());
    if (answer->status == 200) return std::move(answer->body);
    return io_error("{} answered with status {}", from, answer->status);
  }

  void ask_for_list() {
    get(url, [this](const Result<std::string>& body) {
      const Status taken = take_list(body);
      volumes.reset();
      if (!taken) owner_.on_failure(*this, taken.error());
      timer_.start(next_look(taken.has_value()), [this] { ask(); });
    });
  }

  std::chrono::milliseconds next_look(bool has_list) {
    if (!has_list) return list_backoff_.take();
    list_backoff_.clear();
    // The other feeds want their new listings all the same.
    if (lacks_ranking) return std::min<std::chrono::milliseconds>(interval, rank_backoff_.take());
    rank_backoff_.clear();
    return interval;
  }

  Status take_volumes(const Result<std::string>& body) {
    if (!body) return std::unexpected(body.error());
    TW_ASSIGN(volumes, parse_quote_volumes(config.venue, *body));
    return {};
  }

  Status take_list(const Result<std::string>& body) {
    if (!body) return std::unexpected(body.error());
    TW_ASSIGN(const auto list, parse_instrument_list(config.venue, *body));
    owner_.on_list(*this, list);
    return {};
  }

  Instruments& owner_;
  net::Timer timer_;
  std::unique_ptr<net::HttpCall> call_;
  Backoff list_backoff_;
  Backoff rank_backoff_;
};

Instruments::Instruments(std::vector<WatchedFeed> feeds, Host host)
    : host_(std::move(host)), feeds_(std::move(feeds)) {
  std::map<std::string, Source*> by_url;
  for (size_t i = 0; i < feeds_.size(); ++i) {
    const FeedConfig& feed = feeds_[i].config;
    for (const std::string& symbol : feeds_[i].symbols) taken_.add(feed, symbol);
    const std::string url = urls_of(feed).instruments_url;
    Source*& source = by_url[url];
    if (source == nullptr) {
      source = sources_.emplace_back(std::make_unique<Source>(*this, url, feed)).get();
    }
    source->feeds.push_back(i);
    if (has_patterns(feed)) {
      source->interval = std::min(
          source->interval, feed.top_by_volume > 0 ? feed.volume_interval : feed.list_interval);
    }
  }
}

Instruments::~Instruments() = default;

void Instruments::start() {
  for (const auto& source : sources_) source->ask();
}

void Instruments::stop() {
  for (const auto& source : sources_) source->stop();
}

void Instruments::write_down(const Source& source, LogKind kind, const LogEvent& event) {
  const Status written =
      host_.log.append(kind, LogSource{source.config.venue, 0}, 0, event, net::read_clocks());
  if (!written) host_.fail(written.error());
}

void Instruments::on_failure(Source& source, const Error& error) {
  if (std::exchange(source.has_failed, true)) return;
  const bool is_awaited =
      std::ranges::any_of(source.feeds, [this](size_t feed) { return feeds_[feed].is_waiting; });
  host_.say(fmt::format("{} {}: the list of instruments could not be read{}: {}",
                        source.config.exchange, source.config.market,
                        is_awaited ? ", and patterns wait for it" : "", error.message));
  LogEvent event;
  event.cause = "instruments";
  event.url = source.url;
  event.detail = "not known: " + error.message;
  write_down(source, LogKind::kRestReply, event);
}

void Instruments::on_missing_volumes(Source& source, const Error& error) {
  source.lacks_ranking = true;
  if (std::exchange(source.has_failed_ranking, true)) return;
  const bool is_awaited = std::ranges::any_of(source.feeds, [this](size_t feed) {
    return feeds_[feed].is_waiting && feeds_[feed].config.top_by_volume > 0;
  });
  host_.say(fmt::format("{} {}: the top by volume could not be chosen{}: {}",
                        source.config.exchange, source.config.market,
                        is_awaited ? ", and its feed waits for it" : ", and stays as it is",
                        error.message));
  LogEvent event;
  event.cause = "volumes_unknown";
  event.detail = error.message;
  write_down(source, LogKind::kNotice, event);
}

/// A feed that takes the top of what its patterns find is ranked when it is time; else it stays.
bool Instruments::is_due(const WatchedFeed& feed) {
  return feed.config.top_by_volume > 0 && net::read_clocks().monotonic_ns >= feed.next_ranking_ns;
}

bool Instruments::needs_volumes(const Source& source) const {
  return std::ranges::any_of(source.feeds, [this](size_t feed) { return is_due(feeds_[feed]); });
}

/// What patterns find now: all of it at first, and later what was listed since.
void Instruments::choose(Source& source, const std::vector<ListedInstrument>& list) {
  for (const size_t number : source.feeds) {
    WatchedFeed& feed = feeds_[number];
    if (!has_patterns(feed.config)) continue;
    if (feed.config.top_by_volume > 0) {
      choose_top_of(source, number, list);
      continue;
    }
    const SymbolChoice choice = choose_symbols(feed.config, list, taken_);
    std::vector<std::string> symbols = feed.symbols;
    for (const std::string& symbol : choice.symbols) {
      if (std::ranges::find(symbols, symbol) == symbols.end()) symbols.push_back(symbol);
    }
    set_symbols(number, choice, std::move(symbols), list.size(), kByList);
  }
}

/// Another choice each time, and none without volumes.
void Instruments::choose_top_of(Source& source, size_t number,
                                const std::vector<ListedInstrument>& list) {
  WatchedFeed& feed = feeds_[number];
  if (!source.volumes || !is_due(feed)) return;
  const auto choice = choose_top(feed.config, list, *source.volumes, feed.symbols, taken_);
  if (!choice) return on_missing_volumes(source, choice.error());
  source.has_failed_ranking = false;
  feed.next_ranking_ns = net::read_clocks().monotonic_ns +
                         std::chrono::nanoseconds(feed.config.volume_interval).count();
  set_symbols(number, *choice, choice->symbols, list.size(), kByVolume);
}

void Instruments::set_symbols(size_t number, const SymbolChoice& choice,
                              std::vector<std::string> symbols, size_t listed_count,
                              const char* why) {
  WatchedFeed& feed = feeds_[number];
  const bool is_first = std::exchange(feed.is_waiting, false);
  if (is_first) {
    for (const std::string& pattern : choice.unmatched_patterns) {
      host_.say(fmt::format("{} {}: the pattern '{}' matches none of {} instruments",
                            feed.config.exchange, feed.config.market, pattern, listed_count));
    }
  }
  const bool has_changed = symbols != feed.symbols;
  feed.symbols = std::move(symbols);
  if (is_first || has_changed) host_.record(number, feed.symbols, why);
}

void Instruments::on_list(Source& source, const std::vector<ListedInstrument>& list) {
  source.has_failed = false;
  choose(source, list);
  const int64_t now_ns = net::read_clocks().monotonic_ns;
  if (now_ns >= source.next_full_write_ns) {
    source.next_full_write_ns = now_ns + std::chrono::nanoseconds(kAgainAfterSuccess).count();
    source.written.clear();
  }
  std::map<std::string_view, const ListedInstrument*> listed;
  for (const ListedInstrument& instrument : list) listed[instrument.facts.symbol] = &instrument;
  std::set<std::string> recorded;  // by several feeds, perhaps over several transports
  for (const size_t feed : source.feeds) {
    recorded.insert(feeds_[feed].symbols.begin(), feeds_[feed].symbols.end());
  }
  for (const std::string& symbol : recorded) {
    LogEvent event;
    event.symbols = {symbol};
    if (const auto found = listed.find(symbol); found != listed.end()) {
      if (!source.written.insert(symbol).second) continue;
      event.cause = "instruments";
      event.url = source.url;
      event.detail = found->second->entry;
      write_down(source, LogKind::kRestReply, event);
    } else if (source.unknown_said.insert(symbol).second) {
      event.cause = "unknown_symbol";
      event.detail =
          fmt::format("it is not among the {} instruments of {}", list.size(), source.url);
      write_down(source, LogKind::kNotice, event);
      host_.say(fmt::format("{} {} {}: the exchange does not know this symbol: {}",
                            source.config.exchange, source.config.market, symbol, event.detail));
    }
  }
}

}  // namespace tapeworks::recorder
