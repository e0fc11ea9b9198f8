#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "recorder/protocol/connection.h"

namespace tapeworks::recorder {

/// Keeps one list of streams connected for ever: makes the connection, makes it again after it was
/// lost, and replaces it in time. A machine without I/O, like Connection.
///
/// A shard has two places for a connection, its legs. One of them is active. With `legs` = 1 the
/// other one is empty but while a successor is under way: that must be proven by data before it
/// takes over, and both go on for kHandOver before the old one is closed. With `legs` = 2 both are
/// always wanted, each with attempts of its own; the standby takes over when the active one is
/// lost, falls silent, or still asks for streams when the standby has all of them; and a leg is
/// replaced only while the other one covers for it.
///
/// Attempts wait for an exponential backoff with jitter, and for the budget of the address, which
/// all shards of an exchange share. Threads: one at a time, for all shards that share a budget.
class ConnectionShard {
 public:
  /// With two legs: the active one gives way when it has said nothing for so long since the standby
  /// began to speak.
  static constexpr std::chrono::seconds kSilentLegMax{3};
  /// A connection that was replaced goes on for so long: what it still has on the way must come,
  /// because its successor had not asked for all of it yet.
  static constexpr std::chrono::seconds kHandOver{2};

  /// `budget` must outlive the shard. Shards get different `random_key`s.
  ConnectionShard(ConnectionOptions options, RateWindow& budget, uint64_t random_key,
                  bool has_two_legs = false);

  /// Begins; and from here on keeps connected.
  void start(const Now& now, Reaction& out);
  /// Closes everything for good.
  void stop(Reaction& out);
  /// Wants other streams, another address or number of legs from here on: what is connected is
  /// replaced, by the rules of every replacement, and goes on meanwhile.
  void reconfigure(const Now& now, ConnectionOptions options, bool has_two_legs, Reaction& out);

  // What happens to the connection `id` of an action. One that was closed meanwhile is ignored.
  void on_token_reply(const Now& now, uint64_t id, int http_status, std::string_view body,
                      Reaction& out);
  void on_open(const Now& now, uint64_t id, Reaction& out);
  void on_message(const Now& now, uint64_t id, const Frame& frame, Reaction& out);
  void on_ping(const Now& now, uint64_t id);
  void on_closed(const Now& now, uint64_t id, std::string_view why, Reaction& out);
  void on_time(const Now& now, Reaction& out);

  /// When on_time() is due.
  std::optional<SteadyTime> deadline() const;

  /// The connection whose data count; 0 when there is none. Rows of another one are a standby's.
  uint64_t active_id() const;
  /// Why it is that one, in one word: "connected", "lost", "silent" or "subscribing" is what the
  /// other one was, or why that was replaced.
  const std::string& active_cause() const { return active_cause_; }
  const Connection* connection(uint64_t id) const;
  /// Of all that there are.
  std::vector<uint64_t> connection_ids() const;
  /// 0 or 1: the place of a connection, and of its successor the other one.
  uint8_t leg_of(uint64_t id) const { return legs_[1].is(id) ? 1 : 0; }
  /// Connections that should be live.
  size_t wanted_count() const { return has_two_legs_ ? 2 : 1; }
  /// Of those, how many are.
  size_t live_count() const;

 private:
  struct Leg {
    std::unique_ptr<Connection> connection;
    SteadyTime next_attempt{0};
    int failures = 0;  ///< in a row, of connections that did not last
    SteadyTime begun_at{0};
    uint64_t generation = 0;  ///< of the configuration that the connection was made by
    /// When it is to be closed, because the other leg has taken over.
    std::optional<SteadyTime> leaves_at;

    bool is(uint64_t id) const { return connection && connection->id() == id; }
    bool is_live() const { return connection && connection->state() == Connection::State::kLive; }
    bool is_proven() const { return connection && connection->is_proven(); }
    bool is_answered() const { return connection && connection->is_answered(); }
    /// Why another one should take its place; empty when it should not, or is not there.
    std::string_view cause() const {
      return connection ? connection->replacement_cause() : std::string_view();
    }
  };

  Leg& active() { return legs_[active_]; }
  const Leg& active() const { return legs_[active_]; }
  Leg& other() { return legs_[1 - active_]; }
  Leg* find(uint64_t id);

  void settle(const Now& now, Reaction& out);
  void settle_successor(const Now& now, Reaction& out);
  void settle_pair(const Now& now);
  Leg* choose_replaced(const Now& now);
  static bool is_still_trying(const Now& now, const Leg& leg);
  void note_speech(const Now& now, const Leg& leg);
  void switch_active(std::string_view cause);
  void hand_over(const Now& now, Leg& leg);
  void replace(Leg& leg, Reaction& out);
  void open(const Now& now, Leg& leg, Reaction& out);
  void lost(const Now& now, Leg& leg);
  void plan_attempt(const Now& now, Leg& leg, SteadyTime delay);
  bool is_wanted(size_t leg) const;
  uint64_t next_random() { return random_bits(random_key_, random_index_++); }

  ConnectionOptions options_;
  RateWindow& budget_;
  uint64_t random_key_;
  bool has_two_legs_;
  uint64_t generation_ = 0;  // of options_
  uint64_t random_index_ = 0;
  uint64_t next_id_ = 1;
  bool running_ = false;
  std::array<Leg, 2> legs_;
  size_t active_ = 0;
  std::string active_cause_ = "connected";
  int futile_stalls_ = 0;  // replacements in a row that stayed as silent as what they replaced
  SteadyTime next_stall_replacement_{0};          // with two legs
  std::optional<SteadyTime> standby_ahead_from_;  // it has spoken since, and the active one not
};

}  // namespace tapeworks::recorder
