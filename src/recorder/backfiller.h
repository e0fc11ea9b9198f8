#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/config/recorder_config.h"
#include "recorder/frame_log.h"
#include "recorder/net/event_loop.h"
#include "recorder/net/http_client.h"
#include "recorder/protocol/trade_backfill.h"
#include "recorder/recorder_status.h"

namespace tapeworks::recorder {

/// Asks the exchanges' REST interfaces for trades that were not received, and puts the answers into
/// the log, as received. The sink makes rows of them; it is also who finds the gaps, and they are
/// looked up there twice a second, so that nothing that receives waits for this.
///
/// Only feeds with `backfill = true` are filled; gaps of others stay open in the sink.
/// Memory: for each venue an answer of at most kAnswerBytesMax, and TradeBackfill.
/// Failure: that of the log goes to fail(). Ownership: what the host names outlives it. Threads:
/// that of the loop.
class Backfiller {
 public:
  static constexpr size_t kAnswerBytesMax = size_t{1} << 20;

  struct Host {
    net::EventLoop& loop;
    FrameLog& log;
    /// Gaps that the sink has and nothing has filled.
    std::function<std::vector<TradeGap>()> open_gaps;
    /// Feeds that are recorded, with the names of their symbols.
    std::function<std::vector<const FeedConfig*>()> feeds;
    std::function<void(std::string_view line)> say;
    std::function<void(const Error& error)> fail;  ///< the log has failed
  };

  explicit Backfiller(Host host);
  ~Backfiller();

  void start();
  /// Requests that are under way are given up; their gaps stay open for the next start.
  void stop();

  /// Of the venues that were ever asked.
  std::map<Venue, BackfillStatus> statuses() const;

 private:
  class Source;

  void look();
  void look_in(std::chrono::milliseconds delay);
  HistoryBudget& budget_of(Venue venue);

  Host host_;
  net::Timer timer_;
  std::map<std::string, HistoryBudget, std::less<>> budgets_;  ///< by exchange
  std::map<Venue, std::unique_ptr<Source>> sources_;
};

}  // namespace tapeworks::recorder
