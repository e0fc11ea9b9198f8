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

/// Asks the exchanges for their lists of instruments: at the start, again after a failure, and once
/// a day. Feeds with patterns begin when their list is there; the others do not wait for it.
/// Each list puts one record for each recorded instrument into the log, and names the symbols that
/// the exchange does not have. A failure is said, and put into the log, once until it works again.
///
/// Memory: a reply of at most kReplyBytesMax for each list while it is taken apart.
/// Ownership: feeds, and what the host names, outlive it. Threads: that of the loop.
class Instruments {
 public:
  static constexpr size_t kReplyBytesMax = size_t{16} * 1024 * 1024;

  struct Host {
    net::EventLoop& loop;
    FrameLog& log;
    /// Begins a feed with patterns; its number among the feeds, and what it is to record.
    std::function<void(size_t feed, std::vector<std::string> symbols)> start_feed;
    std::function<void(std::string_view line)> say;
    std::function<void(const Error& error)> fail;  ///< the log has failed
  };

  Instruments(const std::vector<FeedConfig>& feeds, Host host);
  ~Instruments();

  void start();
  void stop();

 private:
  class Source;

  void on_list(Source& source, const std::vector<ListedInstrument>& list);
  void on_failure(Source& source, const Error& error);
  void begin_feeds(const Source& source, const std::vector<ListedInstrument>& list);
  void write_down(const Source& source, LogKind kind, const LogEvent& event);

  Host host_;
  struct FeedState {
    const FeedConfig* config = nullptr;
    std::vector<std::string> symbols;  ///< empty until patterns were resolved
    bool is_waiting = false;           ///< for the list
  };
  std::vector<FeedState> feeds_;
  TakenStreams taken_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace tapeworks::recorder
