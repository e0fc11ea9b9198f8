#include "recorder/protocol/connection_shard.h"

#include <algorithm>
#include <utility>

#include "recorder/protocol/backoff.h"
#include "recorder/protocol/log_event.h"

namespace tapeworks::recorder {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The first attempt after a loss comes at once: recording is to go on within two seconds.
constexpr milliseconds kBackoffFirst{250};
constexpr seconds kBackoffMax{60};
/// A connection that lasted this long was a good one: an exchange that cuts every few seconds is to
/// be listened to in between. What the address allows holds all the same.
constexpr seconds kLasting{5};
/// When nothing is traded, no connection speaks: replacing silence by silence gets rarer.
constexpr seconds kStallBackoffFirst{60};
constexpr seconds kStallBackoffMax{3600};
/// By so much two legs may differ in time.
constexpr seconds kCopyDelayMax{1};
/// So long a connection may take to be proven before a newer configuration ends it.
constexpr seconds kProofMax{30};

constexpr std::string_view kConfiguration = "configuration";

Notice replaced_notice(const Connection& connection) {
  return {
      Notice::Kind::kReplaced, connection.id(), {}, 0, std::string(connection.replacement_cause())};
}

}  // namespace

ConnectionShard::ConnectionShard(ConnectionOptions options, RateWindow& budget, uint64_t random_key,
                                 bool has_two_legs)
    : options_(std::move(options)),
      budget_(budget),
      random_key_(random_key),
      has_two_legs_(has_two_legs) {}

void ConnectionShard::start(const Now& now, Reaction& out) {
  running_ = true;
  for (Leg& leg : legs_) leg.next_attempt = now.steady;
  settle(now, out);
}

void ConnectionShard::stop(Reaction& out) {
  running_ = false;
  for (Leg* const leg : {&active(), &other()}) {
    if (leg->connection) leg->connection->close("stopped", out);
    leg->connection.reset();
    leg->leaves_at.reset();
  }
}

void ConnectionShard::reconfigure(const Now& now, ConnectionOptions options, bool has_two_legs,
                                  Reaction& out) {
  options_ = std::move(options);
  ++generation_;
  if (has_two_legs_ && !has_two_legs && other().connection) {
    // The second leg; the successor of the first one takes its place.
    other().connection->close(kConfiguration, out);
    other().connection.reset();
    other().leaves_at.reset();
  }
  has_two_legs_ = has_two_legs;
  for (Leg& leg : legs_) {
    leg.next_attempt = now.steady;
    if (leg.connection) leg.connection->ask_for_replacement(kConfiguration);
  }
  settle(now, out);
}

// --- what happens to a connection ---

ConnectionShard::Leg* ConnectionShard::find(uint64_t id) {
  const auto leg = std::ranges::find_if(legs_, [id](const Leg& each) { return each.is(id); });
  return leg == legs_.end() ? nullptr : &*leg;
}

const Connection* ConnectionShard::connection(uint64_t id) const {
  const auto leg = std::ranges::find_if(legs_, [id](const Leg& each) { return each.is(id); });
  return leg == legs_.end() ? nullptr : leg->connection.get();
}

std::vector<uint64_t> ConnectionShard::connection_ids() const {
  std::vector<uint64_t> ids;
  for (const Leg& leg : legs_) {
    if (leg.connection) ids.push_back(leg.connection->id());
  }
  return ids;
}

uint64_t ConnectionShard::active_id() const {
  return active().connection ? active().connection->id() : 0;
}

size_t ConnectionShard::live_count() const {
  if (!has_two_legs_) return active().is_live() ? 1 : 0;
  return static_cast<size_t>(std::ranges::count_if(legs_, &Leg::is_live));
}

void ConnectionShard::on_token_reply(const Now& now, uint64_t id, int http_status,
                                     std::string_view body, Reaction& out) {
  if (Leg* const leg = find(id)) {
    leg->connection->on_token_reply(now, http_status, body, out);
    settle(now, out);
  }
}

void ConnectionShard::on_open(const Now& now, uint64_t id, Reaction& out) {
  if (Leg* const leg = find(id)) {
    leg->connection->on_open(now, out);
    settle(now, out);
  }
}

void ConnectionShard::on_message(const Now& now, uint64_t id, const Frame& frame, Reaction& out) {
  if (Leg* const leg = find(id)) {
    leg->connection->on_message(now, frame, out);
    note_speech(now, *leg);
    settle(now, out);
  }
}

void ConnectionShard::on_ping(const Now& now, uint64_t id) {
  if (Leg* const leg = find(id)) leg->connection->on_ping(now);
}

void ConnectionShard::on_closed(const Now& now, uint64_t id, std::string_view why, Reaction& out) {
  if (Leg* const leg = find(id)) {
    if (leg->leaves_at) out.notices.push_back(replaced_notice(*leg->connection));
    leg->connection->on_closed(now, why, out);
    settle(now, out);
  }
}

void ConnectionShard::on_time(const Now& now, Reaction& out) {
  for (Leg* const leg : {&active(), &other()}) {
    if (leg->connection) leg->connection->on_time(now, out);
  }
  settle(now, out);
}

// --- attempts ---

void ConnectionShard::open(const Now& now, Leg& leg, Reaction& out) {
  budget_.count(now.steady);
  if (&leg == &active()) active_cause_ = "connected";
  leg.begun_at = now.steady;
  leg.generation = generation_;
  leg.connection = std::make_unique<Connection>(options_, next_id_++, next_random());
  leg.connection->start(now, out);
}

void ConnectionShard::plan_attempt(const Now& now, Leg& leg, SteadyTime delay) {
  // Between half of the delay and all of it, so that shards do not come back together.
  const double share = 0.5 + 0.5 * unit_interval(next_random());
  leg.next_attempt =
      now.steady + SteadyTime(static_cast<int64_t>(static_cast<double>(delay.count()) * share));
}

/// Plans the attempt after the connection of `leg`, which goes.
void ConnectionShard::lost(const Now& now, Leg& leg) {
  const auto opened_at = leg.connection->opened_at();
  if (opened_at && now.steady - *opened_at >= kLasting) leg.failures = 0;
  const SteadyTime delay = std::max<SteadyTime>(doubled(kBackoffFirst, leg.failures++, kBackoffMax),
                                                SteadyTime(leg.connection->pause_hint()) * 2);
  plan_attempt(now, leg, delay);
  leg.connection.reset();
  leg.leaves_at.reset();
}

bool ConnectionShard::is_wanted(size_t leg) const {
  if (!running_ || legs_[leg].connection) return false;
  return leg == active_ || has_two_legs_ || !active().cause().empty();
}

// --- who is active, and who goes ---

void ConnectionShard::switch_active(std::string_view cause) {
  active_ = 1 - active_;
  active_cause_ = cause;
  active().leaves_at.reset();
  standby_ahead_from_.reset();
}

/// `leg` gives way to the other one, and goes on for a while.
void ConnectionShard::hand_over(const Now& now, Leg& leg) {
  if (&leg == &active()) switch_active(leg.cause());
  leg.leaves_at = now.steady + kHandOver;
}

void ConnectionShard::settle(const Now& now, Reaction& out) {
  for (Leg& leg : legs_) {
    if (!leg.connection || leg.connection->state() != Connection::State::kClosed) continue;
    lost(now, leg);
  }
  if (!active().connection && other().connection) switch_active("lost");
  for (Leg& leg : legs_) {
    if (leg.leaves_at && *leg.leaves_at <= now.steady) replace(leg, out);
  }
  if (other().leaves_at) {
    // One after the other.
  } else if (has_two_legs_) {
    settle_pair(now);
  } else {
    settle_successor(now, out);
  }
  for (const size_t leg : {active_, 1 - active_}) {
    if (!is_wanted(leg) || legs_[leg].next_attempt > now.steady) continue;
    if (budget_.next_allowed(now.steady) <= now.steady) open(now, legs_[leg], out);
  }
}

void ConnectionShard::settle_successor(const Now& now, Reaction& out) {
  Leg& successor = other();
  // A newer configuration waits: this one may be the only one that brings what the last one added.
  const bool may_serve = successor.is_proven() || is_still_trying(now, successor);
  if (!successor.cause().empty() && !(successor.cause() == kConfiguration && may_serve)) {
    // No better than what it should replace.
    const std::string cause(successor.cause());
    successor.connection->close(cause, out);
    if (cause == kStalledDetail) {
      plan_attempt(now, successor, doubled(kStallBackoffFirst, futile_stalls_++, kStallBackoffMax));
      successor.connection.reset();
    } else {
      lost(now, successor);
    }
  }
  if (active().connection && active().cause().empty()) {
    // It speaks, perhaps again: the next silence is a new one.
    if (futile_stalls_ > 0) successor.next_attempt = now.steady;
    futile_stalls_ = 0;
    if (successor.connection) successor.connection->close("not needed any more", out);
    successor.connection.reset();
  }
  if (active().connection && successor.is_proven()) hand_over(now, active());
}

bool ConnectionShard::is_still_trying(const Now& now, const Leg& leg) {
  return leg.connection && !leg.is_proven() && now.steady - leg.begun_at < kProofMax;
}

/// Closes a leg for which the other one covers.
void ConnectionShard::replace(Leg& leg, Reaction& out) {
  out.notices.push_back(replaced_notice(*leg.connection));
  leg.connection->close(std::string(leg.cause()), out);
  leg.connection.reset();
  leg.leaves_at.reset();
}

void ConnectionShard::settle_pair(const Now& now) {
  if (standby_ahead_from_ && now.steady - *standby_ahead_from_ >= kSilentLegMax &&
      other().is_proven()) {
    switch_active("silent");
  }
  // What it still asks for may never come, and a leg covers for the other one from its last answer
  // on.
  if (!active().is_answered() && other().is_answered()) switch_active("subscribing");
  if (std::ranges::any_of(legs_,
                          [](const Leg& leg) { return leg.is_proven() && leg.cause().empty(); })) {
    futile_stalls_ = 0;
    next_stall_replacement_ = now.steady;
  }
  if (Leg* const leg = choose_replaced(now)) {
    leg->next_attempt = now.steady;
    hand_over(now, *leg);
  }
}

/// Of two legs the one that is to go now, or null.
ConnectionShard::Leg* ConnectionShard::choose_replaced(const Now& now) {
  const bool both_should_go = !active().cause().empty() && !other().cause().empty();
  if (!both_should_go) {
    for (Leg* const leg : {&other(), &active()}) {
      const Leg& partner = leg == &active() ? other() : active();
      if (!leg->cause().empty() && partner.is_proven()) return leg;
    }
    return nullptr;
  }
  // The one with the older streams; otherwise the standby: nothing changes for the rows yet.
  Leg& leg = active().generation < other().generation ? active() : other();
  Leg& partner = &leg == &active() ? other() : active();
  if (!partner.is_proven()) {
    const bool is_futile = partner.generation > leg.generation && !is_still_trying(now, partner);
    return is_futile && leg.is_proven() ? &partner : nullptr;
  }
  if (leg.cause() == kStalledDetail) {
    if (next_stall_replacement_ > now.steady) return nullptr;
    next_stall_replacement_ =
        now.steady + doubled(kStallBackoffFirst, futile_stalls_++, kStallBackoffMax);
  }
  return &leg;
}

/// Who of two legs speaks while the other one is silent.
void ConnectionShard::note_speech(const Now& now, const Leg& leg) {
  if (!has_two_legs_ || !leg.connection || leg.connection->last_data_at() != now.steady) return;
  if (&leg == &active()) {
    standby_ahead_from_.reset();
    return;
  }
  const auto active_spoke_at =
      active().connection ? active().connection->last_data_at() : std::nullopt;
  // Not the copy of what the active one has said just before.
  const bool is_ahead = !active_spoke_at || now.steady - *active_spoke_at >= kCopyDelayMax;
  if (is_ahead && !standby_ahead_from_) standby_ahead_from_ = now.steady;
}

std::optional<SteadyTime> ConnectionShard::deadline() const {
  std::optional<SteadyTime> next;
  const auto consider = [&](std::optional<SteadyTime> at) {
    if (at) next = next ? std::min(*next, *at) : *at;
  };
  for (size_t leg = 0; leg < legs_.size(); ++leg) {
    if (legs_[leg].connection) consider(legs_[leg].connection->deadline());
    consider(legs_[leg].leaves_at);
    if (is_wanted(leg)) consider(budget_.next_allowed(legs_[leg].next_attempt));
  }
  return next;
}

}  // namespace tapeworks::recorder
