#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "recorder/simulator/market.h"
#include "recorder/simulator/wire_event.h"

namespace tapeworks::simulator {

/// What an exchange does with one client; performed by whoever owns the socket, in this order.
struct SessionActions {
  std::vector<std::string> texts;  ///< control frames to send
  bool ping = false;               ///< a WebSocket ping
  struct Close {
    uint16_t code;
    std::string reason;
  };
  std::optional<Close> close;
};

/// How a client came.
struct ClientRequest {
  std::string target;         ///< path and query, percent-encoded
  bool size_decimal = false;  ///< X-Gate-Size-Decimal: 1
  bool token_is_valid = true;
};

/// A message as this client is to get it.
struct Outgoing {
  std::string payload;
  bool binary = false;
  std::string rows;  ///< of the ledger: a JSON array
  bool is_placeholder = false;
};

/// A stream of a symbol: what can be subscribed to.
struct StreamKey {
  uint32_t symbol_index = 0;
  Stream stream = Stream::kBook;

  uint32_t packed() const { return symbol_index * 4 + static_cast<uint32_t>(stream); }
  static StreamKey unpacked(uint32_t packed) {
    return {packed / 4, static_cast<Stream>(packed % 4)};
  }
};

/// The exchange's side of one connection, without the connection: texts and times in, actions out.
///
/// Whatever a client sends, the answer is an action; garbage included.
class VenueSession {
 public:
  explicit VenueSession(const Market& market) : market_(market) {}
  virtual ~VenueSession() = default;

  virtual void on_open(int64_t now_ns, SessionActions& actions) = 0;
  virtual void on_text(std::string_view text, int64_t now_ns, SessionActions& actions) = 0;
  virtual void on_ping(int64_t now_ns, SessionActions& actions);
  virtual void on_pong(int64_t now_ns, SessionActions& actions);
  /// To be called every so often: pings, and the end of clients that broke a limit of time.
  virtual void on_tick(int64_t now_ns, SessionActions& actions) = 0;

  /// The next `count` subscriptions are refused where the venue does such a thing (KuCoin: 509).
  virtual void refuse_subscriptions(size_t count) { refusals_left_ = count; }
  /// The message that announces the end of the connection; empty where the venue has none.
  virtual std::string shutdown_notice(int64_t now_ns) const = 0;

  /// The message for a subscriber; nothing for others.
  std::optional<Outgoing> encode(const MarketEvent& event, uint32_t symbol_index,
                                 NumberForm form) const;
  const std::unordered_map<uint32_t, std::string>& subscriptions() const { return subscriptions_; }

 protected:
  virtual Outgoing write(const MarketEvent& event, const std::string& name,
                         NumberForm form) const = 0;

  const Market& market_;
  std::unordered_map<uint32_t, std::string> subscriptions_;  // packed StreamKey -> name on the wire
  size_t refusals_left_ = 0;
};

std::unique_ptr<VenueSession> make_session(Venue venue, const Market& market,
                                           const ClientRequest& request);
std::unique_ptr<VenueSession> make_binance_session(Venue venue, const Market& market,
                                                   const ClientRequest& request);
std::unique_ptr<VenueSession> make_kucoin_session(Venue venue, const Market& market,
                                                  const ClientRequest& request);
std::unique_ptr<VenueSession> make_gate_session(Venue venue, const Market& market,
                                                const ClientRequest& request);

/// Counts events in a sliding window of time.
class RateLimit {
 public:
  RateLimit(size_t count_max, int64_t window_ns) : count_max_(count_max), window_ns_(window_ns) {}

  /// False when this event is one too many.
  bool allows(int64_t now_ns);

 private:
  size_t count_max_;
  int64_t window_ns_;
  std::deque<int64_t> times_ns_;
};

/// Undoes %XX; what is no such code stays as it is.
std::string percent_decoded(std::string_view text);
/// The value of a query parameter, decoded; empty when it is not there.
std::string query_value(std::string_view target, std::string_view name);

}  // namespace tapeworks::simulator
