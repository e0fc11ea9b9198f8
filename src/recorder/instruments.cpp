#include "recorder/instruments.h"

#include <algorithm>
#include <chrono>
#include <map>
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

}  // namespace

/// One list, and the feeds that need it.
class Instruments::Source {
 public:
  Source(Instruments& owner, std::string list_url, const FeedConfig& first_feed)
      : url(std::move(list_url)), config(first_feed), owner_(owner), timer_(owner.host_.loop) {}

  void ask() {
    auto options = connect_options_of(config, url);
    if (!options) {
      fail(options.error());
      return;
    }
    options->timeouts.handshake = kReplyTimeout;
    call_ = std::make_unique<net::HttpCall>(owner_.host_.loop, std::move(*options),
                                            net::HttpQuery{}, kReplyBytesMax,
                                            [this](const Result<net::HttpAnswer>& answer) {
                                              // The call may not be destroyed before its callback
                                              // has returned.
                                              const auto call = std::move(call_);
                                              take(answer);
                                            });
  }

  void stop() {
    timer_.cancel();
    call_.reset();
  }

  const std::string url;
  const FeedConfig config;  ///< of the first feed: how to connect
  std::vector<size_t> feeds;
  bool has_failed = false;             ///< said already
  std::set<std::string> unknown_said;  ///< symbols
  std::set<std::string> written;       ///< symbols, since that was set
  int64_t next_full_write_ns = 0;      ///< by the monotonic clock
  std::chrono::milliseconds interval = kAgainAfterSuccess;

 private:
  void take(const Result<net::HttpAnswer>& answer) {
    if (!answer) return fail(answer.error());
    if (answer->status != 200) {
      return fail(
          Error{ErrorKind::kIo, fmt::format("{} answered with status {}", url, answer->status)});
    }
    const auto list = parse_instrument_list(config.venue, answer->body);
    if (!list) return fail(list.error());
    again_after_ = kAgainAfterFailureFirst;
    timer_.start(interval, [this] { ask(); });
    owner_.on_list(*this, *list);
  }

  void fail(const Error& error) {
    timer_.start(again_after_, [this] { ask(); });
    again_after_ = std::min<std::chrono::seconds>(2 * again_after_, kAgainAfterFailureMax);
    owner_.on_failure(*this, error);
  }

  Instruments& owner_;
  net::Timer timer_;
  std::unique_ptr<net::HttpCall> call_;
  std::chrono::seconds again_after_ = kAgainAfterFailureFirst;
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
    if (has_patterns(feed)) source->interval = std::min(source->interval, feed.list_interval);
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

/// What patterns find now: all of it at first, and later what was listed since.
void Instruments::choose(const Source& source, const std::vector<ListedInstrument>& list) {
  for (const size_t number : source.feeds) {
    WatchedFeed& feed = feeds_[number];
    if (!has_patterns(feed.config)) continue;
    const SymbolChoice choice = choose_symbols(feed.config, list, taken_);
    const bool is_first = std::exchange(feed.is_waiting, false);
    for (const std::string& pattern : choice.unmatched_patterns) {
      if (!is_first) break;
      host_.say(fmt::format("{} {}: the pattern '{}' matches none of {} instruments",
                            feed.config.exchange, feed.config.market, pattern, list.size()));
    }
    const size_t known_count = feed.symbols.size();
    for (const std::string& symbol : choice.symbols) {
      if (std::ranges::find(feed.symbols, symbol) == feed.symbols.end()) {
        feed.symbols.push_back(symbol);
      }
    }
    if (is_first || feed.symbols.size() > known_count) host_.record(number, feed.symbols);
  }
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
