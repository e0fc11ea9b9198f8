#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/backlog_meter.h"
#include "recorder/config/recorder_config.h"
#include "recorder/dropped_messages.h"
#include "recorder/frame_log.h"
#include "recorder/leg_counts.h"
#include "recorder/net/connect_options.h"
#include "recorder/net/event_loop.h"
#include "recorder/net/http_client.h"
#include "recorder/net/web_socket_client.h"
#include "recorder/protocol/connection_shard.h"

namespace tapeworks::recorder {

/// Both readings of a clock as the machines want them.
Now now_of(const net::ClockReading& time);

/// How to reach `url` by what the feed says of certificates and proxy.
Result<net::ConnectOptions> connect_options_of(const FeedConfig& config, const std::string& url);

/// What the shards of a feed have in common. It outlives them.
struct FeedContext {
  FeedConfig config;
  net::EventLoop& loop;
  FrameLog& log;
  BacklogMeter backlog;
  /// What the sink has taken.
  std::function<uint64_t()> consumed_lsn;
  /// Ends the recording because something failed.
  std::function<void(const Error& error)> fail;
  /// Ends it because a loss policy says so.
  std::function<void(std::string why)> stop_by_policy;
  /// Something for the person at the terminal.
  std::function<void(std::string_view line)> say;

  /// With the feed's name in front: "binance spot: LINE", "binance spot BTCUSDT: LINE".
  std::string named(std::string_view line, std::string_view symbol = {}) const {
    return fmt::format("{} {}{}{}: {}", config.exchange, config.market, symbol.empty() ? "" : " ",
                       symbol, line);
  }

  // Counted for the status line and the metrics.
  uint64_t frame_count = 0;
  uint64_t frame_bytes = 0;
  DroppedMessages dropped = {};
  uint64_t block_count = 0;
  LegPairCounts legs{};
  uint64_t failed_attempt_count = 0;
};

/// Performs on the network what a ConnectionShard asks for, and puts what comes into the log before
/// anything is decided about it. One slot of the log: its number is `slot`. With `legs` = 2 of the
/// configuration it has two sockets at once.
///
/// Loss policies: see recorder_config.h. A frame that the log refuses is kept, and the socket is
/// not read on until the log has taken it; with `drop` it is counted and given up.
/// Ownership: `context` and the budget outlive it. Failure: that of the log goes to fail().
/// Threads: that of the loop.
class ShardRunner {
 public:
  ShardRunner(FeedContext& context, ConnectionOptions options, RateWindow& budget,
              uint64_t random_key, uint32_t slot);
  ~ShardRunner();

  /// With a reason, each symbol is an event of the log. Again after a stop as well, once is_done().
  void start(const std::string& why = "");
  /// Records other streams from here on, or in another way; see ConnectionShard::reconfigure().
  /// Each symbol that comes or goes is an event of the log, a symbol that goes after its last
  /// frame. `why` stands in them.
  void reconfigure(ConnectionOptions options, const std::string& why);
  /// Closes the sockets in order; is_done() once they are. `cause` becomes that of the gaps.
  void stop(std::string_view cause = kStoppedCause);
  /// The same for one whose streams are not wanted any more while the recording goes on.
  void leave(const std::string& why);
  bool is_done() const { return sockets_.empty(); }
  /// At the end: stores frames that the log had refused; false while it still does.
  bool store_all_refused();

  bool is_connected() const { return live_count() > 0; }
  size_t live_count() const { return shard_.live_count(); }
  size_t wanted_count() const { return shard_.wanted_count(); }
  const std::set<std::string>& symbols() const { return symbols_; }

 private:
  class Socket;

  Now now() const { return now_of(net::read_clocks()); }
  void perform(Reaction& reaction);
  void perform(const Action& action);
  void write_down(const Notice& notice);
  void write_down(LogKind kind, uint8_t leg, const LogEvent& event);
  void on_connected(Socket& socket, const Notice& notice);
  void announce_active();
  bool is_leg_in_use(uint64_t connection) const;
  void open_waiting();
  void request_token(const Action& action);
  void open(const Action& action);
  void on_frame(Socket& socket, const net::ReceivedFrame& frame);
  void on_socket_closed(Socket& socket, const net::CloseReport& report);
  void end_socket(Socket& socket, const std::string& why);
  Socket* find(uint64_t id);
  void remove(const Socket& socket);
  void close_all(std::string_view cause);
  void forget(const std::vector<std::string>& symbols, const std::string& why);
  bool is_brought(const std::string& symbol) const;
  void write_forgotten();
  void write_symbol(const std::string& symbol, std::string_view cause, const std::string& why);
  void arm_timer();
  void fail(const Error& error) { context_.fail(error); }

  // What happens when the log takes no more.
  bool is_backlog_full();
  DropCause refusal_cause();
  std::string words_of(DropCause cause) const;
  void refuse(Socket& socket, const net::ReceivedFrame& frame);
  void drop(const Socket& socket, const net::ReceivedFrame& frame);
  void end_drop_episode();
  void retry(Socket& socket);
  bool store_refused(Socket& socket);
  void tell_shard(const Socket& socket, std::string_view payload, net::Opcode opcode,
                  const net::ClockReading& time);
  bool store(const Socket& socket, std::string_view payload, net::Opcode opcode,
             net::ClockReading time);

  FeedContext& context_;
  ConnectionShard shard_;
  uint32_t slot_;
  std::set<std::string> symbols_;
  std::string last_url_;
  std::list<std::unique_ptr<Socket>> sockets_;
  /// The log tells two sockets of a shard by their legs: one is not opened before the last one of
  /// its leg has gone. At most one a leg.
  std::vector<Action> waiting_opens_;
  std::map<uint64_t, std::unique_ptr<net::HttpCall>> token_calls_;
  net::Timer timer_;
  std::optional<SteadyTime> armed_for_;
  uint64_t announced_active_ = 0;
  /// Of disconnects from here on: "stopped", "removed", "disk_full"; empty while it runs.
  std::string stop_cause_;
  /// A symbol that is wanted no more, and the connections that may still bring it.
  struct Forgotten {
    std::string symbol;
    std::set<uint64_t> connections;
    std::string why;
    std::string wanted_again;  ///< why, when that is so meanwhile
  };
  std::list<Forgotten> forgotten_;

  struct DropEpisode {
    uint8_t leg = 0;
    int64_t from_ns = 0;
    int64_t to_ns = 0;
    int64_t count = 0;
    DropCause cause = DropCause::kLogFull;  ///< of the first message
  };
  std::optional<DropEpisode> dropping_;
};

}  // namespace tapeworks::recorder
