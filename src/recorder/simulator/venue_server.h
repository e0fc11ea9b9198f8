#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "recorder/net/event_loop.h"
#include "recorder/net/http_server.h"
#include "recorder/simulator/client_connection.h"
#include "recorder/simulator/fault_script.h"
#include "recorder/simulator/ledger.h"
#include "recorder/simulator/market.h"

namespace tapeworks::simulator {

/// One venue on one port: its market, its clients, its REST answers.
///
/// Ownership: refers to loop and ledger, which outlive it. Threads: that of the loop.
class VenueServer : public net::ServerHandler {
 public:
  struct Options {
    Venue venue = Venue::kBinanceSpot;
    net::ServerOptions server;
    size_t symbol_count = 10;
    uint64_t seed = 1;
  };

  /// `script` is the whole script; what is for other venues is left out here.
  static Result<std::unique_ptr<VenueServer>> start(net::EventLoop& loop, const Options& options,
                                                    const std::vector<Fault>& script,
                                                    Ledger& ledger);

  Venue venue() const { return options_.venue; }
  /// The block of a recorder's configuration for this venue.
  std::string feed_toml() const;

  /// The streams that anybody ever subscribed to: they go on when nobody listens, as a market does.
  const std::vector<StreamKey>& live_streams() const { return live_streams_; }
  bool is_listed(StreamKey key) const { return market_.is_listed(key.symbol_index); }
  /// Invents one event and sends it to its subscribers. Returns how many these were.
  size_t produce(StreamKey key, uint64_t logical_id);

  void inject(const Fault& fault);
  /// To be called every few milliseconds.
  void tick();

 private:
  VenueServer(const Options& options, const std::vector<Fault>& script, Ledger& ledger);

  net::HttpResponse on_request(const net::HttpRequest& request) override;
  net::UpgradeDecision on_upgrade(const net::HttpRequest& request) override;
  void on_open(net::ServerConnection& connection, const net::HttpRequest& request) override;
  void on_frame(net::ServerConnection& connection, const net::ReceivedFrame& frame) override;
  void on_ping(net::ServerConnection& connection, std::string_view payload,
               net::ClockReading time) override;
  void on_pong(net::ServerConnection& connection, std::string_view payload,
               net::ClockReading time) override;
  void on_sent(net::ServerConnection& connection, uint64_t tag, net::ClockReading time) override;
  void on_closed(net::ServerConnection& connection, const net::CloseReport& report) override;

  bool is_kucoin() const;
  std::string address() const;
  net::HttpResponse give_token(const net::HttpRequest& request);
  std::optional<net::HttpResponse> give_trades(const net::HttpRequest& request);
  bool accept_token(const std::string& token);
  void note_subscriptions(const VenueSession& session);

  Options options_;
  Market market_;
  Ledger& ledger_;
  std::vector<Fault> message_faults_;
  std::map<uint64_t, std::unique_ptr<ClientConnection>> clients_;  // by id of the socket
  uint64_t client_count_ = 0;
  std::vector<StreamKey> live_streams_;
  std::unordered_set<uint32_t> live_keys_;
  std::map<std::string, int64_t> token_expiry_ns_;  // wall
  uint64_t token_count_ = 0;
  uint64_t expired_tokens_left_ = 0;
  std::optional<Fault> token_failure_;
  uint64_t token_failures_left_ = 0;
  // Of requests for past trades:
  std::deque<int64_t> trade_request_times_ns_;  ///< monotonic, within the window of the limit
  std::optional<Fault> rest_failure_;
  uint64_t rest_failures_left_ = 0;
  uint64_t rest_empty_left_ = 0;
  uint64_t rest_partial_left_ = 0;
  bool deflate_ = false;
  int64_t skew_ns_ = 0;
  int64_t ack_delay_ns_ = 0;
  int64_t session_tick_ns_ = 0;
  std::unique_ptr<net::HttpServer> server_;  // last: its end calls nobody back
};

}  // namespace tapeworks::simulator
