#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/config/recorder_config.h"
#include "recorder/frame_log.h"
#include "recorder/net/event_loop.h"
#include "recorder/symbol_choice.h"

namespace tapeworks::recorder {

/// Asks the exchanges for their lists of instruments: at the start, again after a failure, once a
/// day, and for patterns as often as list_interval says, because of new listings. Feeds with
/// patterns begin when their list is there; the others do not wait for it. For feeds that want the
/// top of what patterns find the volumes are asked for before the list, at first and as often as
/// volume_interval says; between, such a feed stays as it is.
/// Once a day one record for each recorded instrument goes into the log, for a new one at once, and
/// the symbols that the exchange does not have are named. A failure is said, and put into the log,
/// once until it works again.
///
/// Memory: a reply of at most kReplyBytesMax for each list while it is taken apart.
/// Ownership: what the host names outlives it. Threads: that of the loop.
class Instruments {
 public:
  static constexpr size_t kReplyBytesMax = size_t{16} * 1024 * 1024;

  /// Its functions neither stop nor destroy this object.
  struct Host {
    net::EventLoop& loop;
    FrameLog& log;
    /// All that a feed with patterns, by its number, is to record from here on. `why` is of what
    /// comes and goes, once the feed has begun.
    std::function<void(size_t feed, const std::vector<std::string>& symbols, const char* why)>
        record;
    std::function<void(std::string_view line)> say;
    std::function<void(const Error& error)> fail;  ///< the log has failed
  };

  struct WatchedFeed {
    FeedConfig config;
    std::vector<std::string> symbols;  ///< that are recorded, or will be without the list
    bool is_waiting = false;           ///< for the list
    int64_t next_ranking_ns = 0;       ///< by the monotonic clock; only with top_by_volume
  };

  Instruments(std::vector<WatchedFeed> feeds, Host host);
  ~Instruments();

  void start();
  void stop();

 private:
  class Source;

  void on_list(Source& source, const std::vector<ListedInstrument>& list);
  void on_failure(Source& source, const Error& error);
  void on_missing_volumes(Source& source, const Error& error);
  static bool is_due(const WatchedFeed& feed);
  bool needs_volumes(const Source& source) const;
  void choose(Source& source, const std::vector<ListedInstrument>& list);
  void choose_top_of(Source& source, size_t number, const std::vector<ListedInstrument>& list);
  void set_symbols(size_t number, const SymbolChoice& choice, std::vector<std::string> symbols,
                   size_t listed_count, const char* why);
  void write_down(const Source& source, LogKind kind, const LogEvent& event);

  Host host_;
  std::vector<WatchedFeed> feeds_;
  TakenStreams taken_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace tapeworks::recorder
