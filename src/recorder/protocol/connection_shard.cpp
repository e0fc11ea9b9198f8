#include "recorder/protocol/connection_shard.h"

#include <algorithm>
#include <utility>

namespace tapeworks::recorder {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The first attempt after a loss comes at once: recording is to go on within two seconds.
constexpr milliseconds kBackoffFirst{250};
constexpr seconds kBackoffMax{60};
/// A connection that lasted this long was a good one.
constexpr seconds kLasting{30};
/// When nothing is traded, no connection speaks: replacing silence by silence gets rarer.
constexpr seconds kStallBackoffFirst{60};
constexpr seconds kStallBackoffMax{3600};
constexpr int kDoublingsMax = 16;

/// first x 2^times, at most `most`.
SteadyTime doubled(SteadyTime first, int times, SteadyTime most) {
  return std::min(first * (int64_t{1} << std::clamp(times, 0, kDoublingsMax)), most);
}

}  // namespace

ConnectionShard::ConnectionShard(ConnectionOptions options, RateWindow& budget, uint64_t random_key)
    : options_(std::move(options)), budget_(budget), random_key_(random_key) {}

void ConnectionShard::start(const Now& now, Reaction& out) {
  running_ = true;
  next_attempt_ = now.steady;
  settle(now, out);
}

void ConnectionShard::stop(Reaction& out) {
  running_ = false;
  for (auto* connection : {&active_, &successor_}) {
    if (*connection) (*connection)->close("stopped", out);
    connection->reset();
  }
}

Connection* ConnectionShard::find(uint64_t id) const {
  for (const auto* connection : {&active_, &successor_}) {
    if (*connection && (*connection)->id() == id) return connection->get();
  }
  return nullptr;
}

void ConnectionShard::on_token_reply(const Now& now, uint64_t id, int http_status,
                                     std::string_view body, Reaction& out) {
  if (Connection* const connection = find(id)) {
    connection->on_token_reply(now, http_status, body, out);
    settle(now, out);
  }
}

void ConnectionShard::on_open(const Now& now, uint64_t id, Reaction& out) {
  if (Connection* const connection = find(id)) {
    connection->on_open(now, out);
    settle(now, out);
  }
}

void ConnectionShard::on_message(const Now& now, uint64_t id, const Frame& frame, Reaction& out) {
  if (Connection* const connection = find(id)) {
    connection->on_message(now, frame, out);
    settle(now, out);
  }
}

void ConnectionShard::on_ping(const Now& now, uint64_t id) {
  if (Connection* const connection = find(id)) connection->on_ping(now);
}

void ConnectionShard::on_closed(const Now& now, uint64_t id, std::string_view why, Reaction& out) {
  if (Connection* const connection = find(id)) {
    connection->on_closed(now, why, out);
    settle(now, out);
  }
}

void ConnectionShard::on_time(const Now& now, Reaction& out) {
  if (active_) active_->on_time(now, out);
  if (successor_) successor_->on_time(now, out);
  settle(now, out);
}

std::unique_ptr<Connection> ConnectionShard::open(const Now& now, Reaction& out) {
  budget_.count(now.steady);
  auto connection = std::make_unique<Connection>(options_, next_id_++, next_random());
  connection->start(now, out);
  return connection;
}

void ConnectionShard::plan_attempt(const Now& now, SteadyTime delay) {
  // Between half of the delay and all of it, so that shards do not come back together.
  const double share = 0.5 + 0.5 * unit_interval(next_random());
  next_attempt_ =
      now.steady + SteadyTime(static_cast<int64_t>(static_cast<double>(delay.count()) * share));
}

void ConnectionShard::lost(const Now& now, const Connection& connection) {
  const auto opened_at = connection.opened_at();
  if (opened_at && now.steady - *opened_at >= kLasting) failures_ = 0;
  const SteadyTime delay = std::max<SteadyTime>(doubled(kBackoffFirst, failures_++, kBackoffMax),
                                                SteadyTime(connection.pause_hint()) * 2);
  plan_attempt(now, delay);
}

bool ConnectionShard::wants_attempt() const {
  if (!running_ || successor_) return false;
  return !active_ || !active_->replacement_cause().empty();
}

void ConnectionShard::settle(const Now& now, Reaction& out) {
  const auto is_closed = [](const std::unique_ptr<Connection>& connection) {
    return connection && connection->state() == Connection::State::kClosed;
  };
  if (is_closed(successor_)) {
    lost(now, *successor_);
    successor_.reset();
  }
  if (successor_ && !successor_->replacement_cause().empty()) {
    // No better than what it should replace.
    const std::string cause(successor_->replacement_cause());
    successor_->close(cause, out);
    if (cause == "stalled") {
      plan_attempt(now, doubled(kStallBackoffFirst, futile_stalls_++, kStallBackoffMax));
    } else {
      lost(now, *successor_);
    }
    successor_.reset();
  }
  if (is_closed(active_)) {
    // With a successor under way there is nothing to wait for.
    if (!successor_) lost(now, *active_);
    active_ = std::move(successor_);
  }
  if (active_ && active_->replacement_cause().empty()) {
    // It speaks, perhaps again: the next silence is a new one.
    if (futile_stalls_ > 0) next_attempt_ = now.steady;
    futile_stalls_ = 0;
    if (successor_) successor_->close("not needed any more", out);
    successor_.reset();
  }
  if (active_ && successor_ && successor_->is_proven()) {
    const std::string cause(active_->replacement_cause());
    out.notices.push_back({Notice::Kind::kReplaced, active_->id(), {}, 0, cause});
    active_->close(cause, out);
    active_ = std::move(successor_);
  }
  if (wants_attempt() && next_attempt_ <= now.steady &&
      budget_.next_allowed(now.steady) <= now.steady) {
    (active_ ? successor_ : active_) = open(now, out);
  }
}

std::optional<SteadyTime> ConnectionShard::deadline() const {
  std::optional<SteadyTime> next;
  const auto consider = [&](std::optional<SteadyTime> at) {
    if (at) next = next ? std::min(*next, *at) : *at;
  };
  if (active_) consider(active_->deadline());
  if (successor_) consider(successor_->deadline());
  if (wants_attempt()) consider(budget_.next_allowed(next_attempt_));
  return next;
}

}  // namespace tapeworks::recorder
