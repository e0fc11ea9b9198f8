#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "recorder/protocol/connection.h"

namespace tapeworks::recorder {

/// Keeps one list of streams connected for ever: makes the connection, makes it again after it was
/// lost, and replaces it in time, where the new one must be proven by data before the old one is
/// closed. A machine without I/O, like Connection.
///
/// Attempts wait for an exponential backoff with jitter, and for the budget of the address, which
/// all shards of an exchange share. Threads: one at a time, for all shards that share a budget.
class ConnectionShard {
 public:
  /// `budget` must outlive the shard. Shards get different `random_key`s.
  ConnectionShard(ConnectionOptions options, RateWindow& budget, uint64_t random_key);

  /// Begins; and from here on keeps connected.
  void start(const Now& now, Reaction& out);
  /// Closes everything for good.
  void stop(Reaction& out);

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
  uint64_t active_id() const { return active_ ? active_->id() : 0; }
  const Connection* connection(uint64_t id) const { return find(id); }

 private:
  Connection* find(uint64_t id) const;
  std::unique_ptr<Connection> open(const Now& now, Reaction& out);
  void settle(const Now& now, Reaction& out);
  void lost(const Now& now, const Connection& connection);
  void plan_attempt(const Now& now, SteadyTime delay);
  bool wants_attempt() const;
  uint64_t next_random() { return random_bits(random_key_, random_index_++); }

  ConnectionOptions options_;
  RateWindow& budget_;
  uint64_t random_key_;
  uint64_t random_index_ = 0;
  uint64_t next_id_ = 1;
  bool running_ = false;
  std::unique_ptr<Connection> active_;
  std::unique_ptr<Connection> successor_;
  SteadyTime next_attempt_{0};
  int failures_ = 0;       // in a row, of connections that did not last
  int futile_stalls_ = 0;  // successors in a row that stayed as silent as what they should replace
};

}  // namespace tapeworks::recorder
