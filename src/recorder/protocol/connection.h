#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "recorder/protocol/decode.h"
#include "recorder/protocol/rate_window.h"
#include "recorder/protocol/stream_activity.h"
#include "recorder/protocol/subscription.h"
#include "recorder/protocol/venue_rules.h"

namespace tapeworks::recorder {

/// The time as an argument.
struct Now {
  SteadyTime steady{0};
  int64_t wall_seconds = 0;  ///< since 1970 UTC; Gate's frames state it
};

/// What the shell has to do on the network.
struct Action {
  enum class Kind : uint8_t {
    kRequestToken,  ///< POST to `text` with an empty body, answer by on_token_reply()
    kOpen,          ///< connect to `text`, answer by on_open() or on_closed()
    kSend,          ///< send `text` as a text message
    kClose,         ///< close, or give up what is under way; `text` says why. No answer is awaited
  };
  Kind kind = Kind::kSend;
  uint64_t connection = 0;  ///< which one
  std::string text;
  std::string header_name;  ///< kOpen: of one more header of the request; may be empty
  std::string header_value;
};

/// What the recorder writes down as an event.
struct Notice {
  enum class Kind : uint8_t {
    kConnected,        ///< the socket is open, and welcome where the venue says so
    kDisconnected,     ///< text: why
    kReplaced,         ///< another connection has taken over; text: why
    kSubscribed,       ///< `count` streams were acknowledged, which proves nothing
    kAllAnswered,      ///< once: all that was asked for at first has been answered or given up
    kSubscribeFailed,  ///< `key` was refused; text: the reply
    kUnknownSymbol,    ///< `key` was refused because the exchange does not have it
    kRetried,          ///< a request is made again, slower; text: the reply
    kNeverSpoke,       ///< `key` was subscribed, and nothing came
    kSilent,           ///< `key` spoke, and has stopped for long
    kServerError,      ///< a complaint that answers no request
  };
  Kind kind = Kind::kConnected;
  uint64_t connection = 0;
  StreamKey key;
  size_t count = 0;
  std::string text;
};

struct Reaction {
  std::vector<Action> actions;
  std::vector<Notice> notices;
};

struct ConnectionOptions {
  Venue venue = Venue::kBinanceSpot;
  std::vector<StreamKey> keys;  ///< within the limits: one list of plan_connections()
  std::string url;              ///< instead of the venue's; may be empty
  std::string token_url;        ///< likewise
  std::string api_key;          ///< where the venue wants one
};

/// The rules of one socket, from the token to the end, as a machine without I/O: times, bytes and
/// random numbers come in as arguments, actions and notices go out. It never waits: the shell calls
/// on_time() at deadline(), which may change with every call.
///
/// It does not reconnect; ConnectionShard does.
/// Data of a stream are decoded once a second; in between it is enough that they name the stream.
///
/// Memory: about 400 bytes a stream, and about 1 MiB at most for decoding.
/// Threads: one at a time.
class Connection {
 public:
  enum class State : uint8_t { kIdle, kToken, kOpening, kWelcome, kLive, kClosed };

  /// `id` comes back in actions and notices; `random_key` seeds what must differ between
  /// connections.
  Connection(ConnectionOptions options, uint64_t id, uint64_t random_key);

  void start(const Now& now, Reaction& out);
  void on_token_reply(const Now& now, int http_status, std::string_view body, Reaction& out);
  void on_open(const Now& now, Reaction& out);
  void on_message(const Now& now, const Frame& frame, Reaction& out);
  /// The shell answered a WebSocket ping of the server: that counts as a message of ours.
  void on_ping(const Now& now) { messages_.count(now.steady); }
  /// The socket has gone, or was never there.
  void on_closed(const Now& now, std::string_view why, Reaction& out);
  void on_time(const Now& now, Reaction& out);
  void close(std::string_view why, Reaction& out);

  std::optional<SteadyTime> deadline() const;

  uint64_t id() const { return id_; }
  State state() const { return state_; }
  /// Why another connection should take over, or empty.
  std::string_view replacement_cause() const { return replacement_cause_; }
  /// From outside; it stays until the connection is closed.
  void ask_for_replacement(std::string_view cause) { replacement_cause_ = cause; }
  /// Everything was asked for and answered, and data come.
  bool is_proven() const {
    return state_ == State::kLive && queue_.empty() && sent_.empty() && spoke_;
  }
  /// All that was asked for at first has been answered or given up.
  bool is_answered() const { return state_ == State::kLive && all_answered_; }
  std::optional<SteadyTime> opened_at() const { return opened_at_; }
  /// When market data came last.
  std::optional<SteadyTime> last_data_at() const { return last_data_at_; }
  /// The server asks for a longer pause before the next attempt.
  std::chrono::seconds pause_hint() const { return pause_hint_; }
  /// What it asks for.
  std::span<const StreamKey> keys() const { return options_.keys; }
  /// For decoding the frames of this connection.
  const StreamSymbols& symbols() const { return symbols_; }

 private:
  struct Request {
    SubscriptionBatch batch;
    int attempts = 0;
    SteadyTime not_before{0};
  };
  struct SentRequest {
    uint64_t id = 0;
    Request request;
    SteadyTime reply_due{0};
  };
  struct KeyState {
    StreamActivity activity;
    bool refused = false;
    bool reported = false;  // its silence
    SteadyTime next_attempt{0};
    std::chrono::seconds attempt_pause{0};
  };
  /// A stream, by the name that its messages give it.
  struct Familiar {
    size_t key = 0;
    SteadyTime decoded_at{0};
  };

  void notice(Notice::Kind kind, std::string_view text, Reaction& out, StreamKey key = {},
              size_t count = 0) const;
  void send(const Now& now, std::string text, Reaction& out);
  void fail(std::string_view why, Reaction& out);
  void go_live(const Now& now, Reaction& out);
  void ask_for(std::span<const size_t> which);
  void send_requests(const Now& now, Reaction& out);
  SteadyTime next_request_at() const;
  void note_all_answered(Reaction& out);
  void handle_error(const Now& now, Reaction& out);
  std::optional<SentRequest> take_answered();
  void acknowledge(const Now& now, const SentRequest& sent, Reaction& out);
  void refuse(const Now& now, SentRequest sent, int64_t code, std::string_view message,
              Reaction& out);
  void retry(const Now& now, SentRequest sent, SteadyTime pause, std::string_view why,
             Reaction& out);
  void give_up(const Now& now, const SentRequest& sent, std::string_view why, Reaction& out);
  /// Whether the message is of a stream that is known by its name, and was decoded not long ago.
  bool is_familiar(const Now& now, std::string_view payload);
  void note_data(const Now& now);
  void note_data(const Now& now, size_t key);
  void check_replies(const Now& now, Reaction& out);
  void check_ping(const Now& now, Reaction& out);
  void check_silence(const Now& now, Reaction& out);

  ConnectionOptions options_;
  const VenueRules& rules_;
  uint64_t id_;
  uint64_t random_key_;
  State state_ = State::kIdle;
  StreamSymbols symbols_;
  std::array<std::map<std::string, size_t, std::less<>>, kStreams.size()> key_of_symbol_;
  std::vector<KeyState> keys_;
  DecodedFrame decoded_;
  TextMap<Familiar> familiar_;
  std::string identity_;  // of the message at hand; empty when it has none

  RateWindow messages_;
  std::chrono::milliseconds spacing_;
  std::optional<SteadyTime> last_request_at_;
  std::deque<Request> queue_;
  std::vector<SentRequest> sent_;
  uint64_t next_request_id_ = 1;
  int throttled_in_a_row_ = 0;
  bool all_answered_ = false;

  std::chrono::nanoseconds ping_interval_;
  std::chrono::nanoseconds pong_timeout_;
  std::optional<SteadyTime> next_ping_;
  std::optional<SteadyTime> pong_due_;

  std::optional<SteadyTime> step_due_;  // token, opening, welcome
  std::optional<SteadyTime> opened_at_;
  std::optional<SteadyTime> planned_end_;
  SteadyTime next_silence_check_{0};
  bool spoke_ = false;
  std::optional<SteadyTime> last_data_at_;
  std::string replacement_cause_;
  std::chrono::seconds pause_hint_{0};
};

}  // namespace tapeworks::recorder
