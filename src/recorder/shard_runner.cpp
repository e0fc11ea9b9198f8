#include "recorder/shard_runner.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "recorder/net/endpoint.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

/// How long a frame that the log has refused waits before it is offered again.
constexpr auto kRetryInterval = 5ms;
constexpr size_t kTokenReplyBytesMax = 64 * kKiB;
/// Exchanges ping more often; this is for sockets whose other end has gone without a word.
constexpr auto kIdleTimeout = 10min;
constexpr uint16_t kNormalClosure = 1000;
/// One message takes one record.
constexpr size_t kMessageBytesMax = size_t{8} * kMiB;

std::set<std::string> symbols_of(std::span<const StreamKey> keys) {
  std::set<std::string> symbols;
  for (const StreamKey& key : keys) symbols.insert(key.symbol);
  return symbols;
}

bool has_two_legs(const FeedConfig& config) { return config.legs == 2; }

std::vector<std::string> difference(const std::set<std::string>& of,
                                    const std::set<std::string>& without) {
  std::vector<std::string> rest;
  std::ranges::set_difference(of, without, std::back_inserter(rest));
  return rest;
}

}  // namespace

Now now_of(const net::ClockReading& time) {
  return {SteadyTime(time.monotonic_ns), time.wall_ns / 1'000'000'000};
}

Result<net::ConnectOptions> connect_options_of(const FeedConfig& config, const std::string& url) {
  net::ConnectOptions options;
  TW_ASSIGN(options.endpoint, net::parse_endpoint(url));
  options.trust.ca_file = config.ca_file;
  if (!config.proxy.empty()) {
    TW_ASSIGN(options.proxy, net::parse_endpoint(config.proxy));
  }
  return options;
}

/// One WebSocket of the shard, from the attempt to its end.
class ShardRunner::Socket final : public net::WebSocketHandler {
 public:
  Socket(ShardRunner& runner, uint64_t id, uint8_t leg, net::ConnectOptions options,
         const net::WebSocketLimits& limits)
      : runner_(runner),
        id_(id),
        leg_(leg),
        client_(runner.context_.loop, std::move(options), limits, *this),
        retry_timer_(runner.context_.loop) {}

  void on_open() override {
    is_open = true;
    Reaction reaction;
    runner_.shard_.on_open(runner_.now(), id_, reaction);
    runner_.perform(reaction);
  }
  void on_frame(const net::ReceivedFrame& frame) override { runner_.on_frame(*this, frame); }
  void on_ping(std::string_view payload, net::ClockReading time) override {
    static_cast<void>(payload);
    runner_.shard_.on_ping(now_of(time), id_);
  }
  void on_closed(const net::CloseReport& report) override {
    runner_.on_socket_closed(*this, report);
  }

  uint64_t id() const { return id_; }
  uint8_t leg() const { return leg_; }
  net::WebSocketClient& client() { return client_; }

  struct Refused {
    std::string payload;
    net::Opcode opcode = net::Opcode::kText;
    net::ClockReading time;
  };
  /// Frames that the log has refused: one, since the socket is paused with it, or a few that were
  /// under way when it was closed.
  std::deque<Refused> refused;
  std::optional<std::string> closed_because;  ///< the network is done with it
  net::Timer& retry_timer() { return retry_timer_; }
  bool is_open = false;
  bool is_written_down = false;   ///< as connected; then its end is too
  bool is_replaced = false;       ///< another socket has taken over
  std::set<std::string> symbols;  ///< that it asks for
  bool is_blocked_too_long = false;

 private:
  ShardRunner& runner_;
  uint64_t id_;
  uint8_t leg_;
  net::WebSocketClient client_;
  net::Timer retry_timer_;
};

ShardRunner::ShardRunner(FeedContext& context, ConnectionOptions options, RateWindow& budget,
                         uint64_t random_key, uint32_t slot)
    : context_(context),
      shard_(options, budget, random_key, has_two_legs(context.config)),
      slot_(slot),
      symbols_(symbols_of(options.keys)),
      timer_(context.loop) {}

ShardRunner::~ShardRunner() = default;

void ShardRunner::start(const std::string& why) {
  stop_cause_.clear();
  if (!why.empty()) {
    for (const std::string& symbol : symbols_) write_symbol(symbol, "added", why);
  }
  Reaction reaction;
  shard_.start(now(), reaction);
  perform(reaction);
}

void ShardRunner::stop(std::string_view cause) { close_all(cause); }

void ShardRunner::leave(const std::string& why) {
  close_all(kRemovedCause);
  forget({symbols_.begin(), symbols_.end()}, why);
  symbols_.clear();
}

void ShardRunner::close_all(std::string_view cause) {
  stop_cause_ = cause;
  Reaction reaction;
  shard_.stop(reaction);
  perform(reaction);
  token_calls_.clear();
  end_drop_episode();
}

void ShardRunner::reconfigure(ConnectionOptions options, const std::string& why) {
  std::set<std::string> wanted = symbols_of(options.keys);
  for (const std::string& symbol : difference(wanted, symbols_)) {
    const auto going = std::ranges::find(forgotten_, symbol, &Forgotten::symbol);
    if (going == forgotten_.end()) {
      write_symbol(symbol, "added", why);
    } else {
      going->wanted_again = why;
    }
  }
  forget(difference(symbols_, wanted), why);
  symbols_ = std::move(wanted);
  Reaction reaction;
  shard_.reconfigure(now(), std::move(options), has_two_legs(context_.config), reaction);
  perform(reaction);
}

void ShardRunner::write_symbol(const std::string& symbol, std::string_view cause,
                               const std::string& why) {
  LogEvent event;
  event.cause = cause;
  event.symbols = {symbol};
  event.detail = why;
  write_down(LogKind::kSymbol, 0, event);
}

void ShardRunner::forget(const std::vector<std::string>& symbols, const std::string& why) {
  for (const std::string& symbol : symbols) {
    const auto going = std::ranges::find(forgotten_, symbol, &Forgotten::symbol);
    Forgotten& forgotten = going == forgotten_.end() ? forgotten_.emplace_back() : *going;
    forgotten.symbol = symbol;
    forgotten.why = why;
    forgotten.wanted_again.clear();
    for (const auto& socket : sockets_) {
      if (socket->symbols.contains(symbol)) forgotten.connections.insert(socket->id());
    }
    for (const uint64_t id : shard_.connection_ids()) {
      if (symbols_of(shard_.connection(id)->keys()).contains(symbol)) {
        forgotten.connections.insert(id);
      }
    }
  }
  write_forgotten();
}

bool ShardRunner::is_brought(const std::string& symbol) const {
  return std::ranges::any_of(sockets_, [&](const auto& socket) {
    return socket->is_written_down && socket->symbols.contains(symbol);
  });
}

/// Once nothing can come of them. One that is wanted again, and that another connection brings
/// already, has never been away.
void ShardRunner::write_forgotten() {
  std::erase_if(forgotten_, [this](Forgotten& forgotten) {
    std::erase_if(forgotten.connections, [this](uint64_t id) {
      return find(id) == nullptr && shard_.connection(id) == nullptr;
    });
    if (!forgotten.connections.empty()) return false;
    const bool is_wanted_again = !forgotten.wanted_again.empty();
    if (is_wanted_again && is_brought(forgotten.symbol)) return true;
    write_symbol(forgotten.symbol, kRemovedCause, forgotten.why);
    if (is_wanted_again) write_symbol(forgotten.symbol, "added", forgotten.wanted_again);
    return true;
  });
}

void ShardRunner::perform(Reaction& reaction) {
  // A notice about a connection stands before what is done to it because of that.
  for (const Notice& notice : reaction.notices) write_down(notice);
  for (const Action& action : reaction.actions) perform(action);
  reaction.actions.clear();
  reaction.notices.clear();
  announce_active();
  write_forgotten();
  arm_timer();
}

void ShardRunner::perform(const Action& action) {
  Socket* const socket = find(action.connection);
  switch (action.kind) {
    case Action::Kind::kRequestToken:
      request_token(action);
      break;
    case Action::Kind::kOpen:
      if (is_leg_in_use(action.connection)) {
        waiting_opens_.push_back(action);
      } else {
        open(action);
      }
      break;
    case Action::Kind::kSend:
      if (socket == nullptr) break;
      if (const Status sent = socket->client().send(net::Opcode::kText, action.text); !sent) {
        context_.say(context_.named(sent.error().message));
      }
      break;
    case Action::Kind::kClose:
      token_calls_.erase(action.connection);
      std::erase_if(waiting_opens_,
                    [&](const Action& open) { return open.connection == action.connection; });
      if (socket == nullptr) break;
      // A socket that is still being opened has nothing to say good-bye to.
      if (socket->is_open) {
        socket->client().close(kNormalClosure, "");
      } else {
        remove(*socket);
      }
      break;
  }
}

void ShardRunner::request_token(const Action& action) {
  const uint64_t id = action.connection;
  const auto answer = [this, id](int status, std::string_view body) {
    Reaction reaction;
    shard_.on_token_reply(now(), id, status, body, reaction);
    perform(reaction);
  };
  auto options = connect_options_of(context_.config, action.text);
  if (!options) {
    context_.say(context_.named(options.error().message));
    context_.loop.post([answer] { answer(0, ""); });
    return;
  }
  token_calls_[id] = std::make_unique<net::HttpCall>(
      context_.loop, std::move(*options), net::HttpQuery{"POST", "", "application/json"},
      kTokenReplyBytesMax, [this, id, answer](Result<net::HttpAnswer> reply) {
        // The call may not be destroyed before its callback has returned.
        const auto call = std::move(token_calls_[id]);
        token_calls_.erase(id);
        if (!reply) {
          context_.say(context_.named(reply.error().message));
          answer(0, "");
        } else {
          answer(reply->status, reply->body);
        }
      });
}

void ShardRunner::open(const Action& action) {
  last_url_ = action.text.substr(0, action.text.find('?'));
  auto options = connect_options_of(context_.config, action.text);
  if (!options) {
    // KuCoin's address comes from a server, which may send anything.
    context_.loop.post([this, id = action.connection, why = options.error().message] {
      Reaction reaction;
      shard_.on_closed(now(), id, why, reaction);
      perform(reaction);
    });
    return;
  }
  if (!action.header_name.empty()) {
    options->headers.push_back({action.header_name, action.header_value});
  }
  net::WebSocketLimits limits;
  limits.message_bytes_max = kMessageBytesMax;
  limits.idle_timeout = kIdleTimeout;
  limits.deflate = context_.config.compression;
  sockets_.push_back(std::make_unique<Socket>(
      *this, action.connection, shard_.leg_of(action.connection), std::move(*options), limits));
  if (const Connection* const connection = shard_.connection(action.connection)) {
    sockets_.back()->symbols = symbols_of(connection->keys());
  }
}

// --- events ---

void ShardRunner::write_down(LogKind kind, uint8_t leg, const LogEvent& event) {
  const Status written = context_.log.append(kind, LogSource{context_.config.venue, leg}, slot_,
                                             event, net::read_clocks());
  if (!written) fail(written.error());
}

void ShardRunner::on_connected(Socket& socket, const Notice& notice) {
  socket.is_written_down = true;
  ++context_.legs[socket.leg()].connects;
  // The symbols first: frames can come with the next byte.
  LogEvent subscription;
  const Connection* const connection = shard_.connection(socket.id());
  if (connection == nullptr) return;
  const auto keys = connection->keys();
  const std::set<std::string> symbols = symbols_of(keys);
  subscription.symbols.assign(symbols.begin(), symbols.end());
  subscription.count = static_cast<int64_t>(keys.size());
  write_down(LogKind::kSubscription, socket.leg(), subscription);
  LogEvent event;
  event.url = last_url_;
  event.detail = notice.text;
  event.count = subscription.count;
  write_down(LogKind::kConnect, socket.leg(), event);
}

void ShardRunner::write_down(const Notice& notice) {
  Socket* const socket = find(notice.connection);
  const uint8_t leg = socket == nullptr ? 0 : socket->leg();
  LogEvent event;
  event.detail = notice.text;
  if (!notice.key.symbol.empty()) {
    event.symbols = {notice.key.symbol};
    event.stream = notice.key.stream;
  }
  if (notice.count > 0) event.count = static_cast<int64_t>(notice.count);
  const auto say = [&](std::string_view what) {
    const std::string line =
        fmt::format("{}{}{}", what, notice.text.empty() ? "" : ": ", notice.text);
    context_.say(context_.named(line, notice.key.symbol));
  };
  switch (notice.kind) {
    case Notice::Kind::kConnected:
      if (socket != nullptr) on_connected(*socket, notice);
      return;
    case Notice::Kind::kDisconnected:
      if (socket == nullptr || !socket->is_written_down) {
        // Nothing ended: it was never connected.
        if (!stop_cause_.empty()) return;
        ++context_.failed_attempt_count;
        event.cause = "attempt_failed";
        say("could not connect");
        break;
      }
      event.cause = socket->is_replaced ? kReplacedCause : std::string_view(stop_cause_);
      if (event.cause.empty()) {
        event.cause = "disconnect";
        ++context_.legs[leg].lost;
        say("disconnected");
      }
      write_down(LogKind::kDisconnect, leg, event);
      return;
    case Notice::Kind::kReplaced:
      // The switch itself is written when the new one is announced.
      if (socket != nullptr) socket->is_replaced = true;
      return;
    case Notice::Kind::kSubscribed:
      event.cause = "acknowledged";
      break;
    case Notice::Kind::kAllAnswered:
      event.cause = kAnsweredCause;
      break;
    case Notice::Kind::kSubscribeFailed:
      event.cause = "subscribe_failed";
      say("the subscription was refused");
      break;
    case Notice::Kind::kUnknownSymbol:
      event.cause = "unknown_symbol";
      say("the exchange does not know this symbol");
      break;
    case Notice::Kind::kRetried:
      event.cause = "retried";
      break;
    case Notice::Kind::kNeverSpoke:
      event.cause = "never_spoke";
      break;
    case Notice::Kind::kSilent:
      event.cause = "silent";
      break;
    case Notice::Kind::kServerError:
      event.cause = "server_error";
      say("the server complains");
      break;
  }
  write_down(LogKind::kNotice, leg, event);
}

/// Which leg's sampled streams count from here on.
void ShardRunner::announce_active() {
  const uint64_t active = shard_.active_id();
  if (active == announced_active_) return;
  const Socket* const socket = find(active);
  const Connection* const connection = shard_.connection(active);
  if (socket == nullptr || connection == nullptr ||
      connection->state() != Connection::State::kLive) {
    return;
  }
  announced_active_ = active;
  LogEvent event;
  event.cause = shard_.active_cause();
  write_down(LogKind::kLegSwitch, socket->leg(), event);
}

// --- frames ---

bool ShardRunner::store(const Socket& socket, std::string_view payload, net::Opcode opcode,
                        net::ClockReading time) {
  const bool is_binary = opcode == net::Opcode::kBinary;
  const auto taken = context_.log.try_append(
      {{context_.config.venue, socket.leg()}, slot_, is_binary, payload, time});
  if (!taken) {
    fail(taken.error());
    return false;
  }
  if (!*taken) return false;
  ++context_.frame_count;
  ++context_.legs[socket.leg()].messages;
  context_.frame_bytes += payload.size();
  context_.backlog.add(payload.size());
  return true;
}

void ShardRunner::on_frame(Socket& socket, const net::ReceivedFrame& frame) {
  if (is_backlog_full() || !socket.refused.empty() ||
      !store(socket, frame.payload, frame.opcode, frame.time)) {
    refuse(socket, frame);
    return;
  }
  end_drop_episode();
  tell_shard(socket, frame.payload, frame.opcode, frame.time);
}

bool ShardRunner::is_backlog_full() {
  if (context_.config.loss_policy == LossPolicy::kWal) return false;
  return context_.backlog.unconsumed_bytes(context_.consumed_lsn()) >
         context_.config.backlog_limit.bytes;
}

DropCause ShardRunner::refusal_cause() {
  return is_backlog_full() ? DropCause::kBacklogFull : DropCause::kLogFull;
}

std::string ShardRunner::words_of(DropCause cause) const {
  if (cause == DropCause::kLogFull) return "the log cannot take more";
  return fmt::format("more than the backlog_limit of {} waits to be made into files",
                     format_byte_size(context_.config.backlog_limit.bytes));
}

void ShardRunner::refuse(Socket& socket, const net::ReceivedFrame& frame) {
  const FeedConfig& config = context_.config;
  if (config.loss_policy == LossPolicy::kDrop) {
    drop(socket, frame);
    return;
  }
  // Kept, and nothing more read, until the log has taken it.
  ++context_.block_count;
  socket.client().pause_reading();
  socket.refused.push_back({std::string(frame.payload), frame.opcode, frame.time});
  socket.retry_timer().start(kRetryInterval, [this, &socket] { retry(socket); });
  if (config.loss_policy != LossPolicy::kExit) return;
  context_.stop_by_policy(context_.named(
      fmt::format("{}, and loss_policy is exit; the first message at risk has {} "
                  "bytes and came at {} ns on connection {}",
                  words_of(refusal_cause()), frame.payload.size(), frame.time.wall_ns, slot_)));
}

bool ShardRunner::store_refused(Socket& socket) {
  while (!socket.refused.empty()) {
    const Socket::Refused& next = socket.refused.front();
    if (!store(socket, next.payload, next.opcode, next.time)) return false;
    const Socket::Refused frame = std::move(socket.refused.front());
    socket.refused.pop_front();
    tell_shard(socket, frame.payload, frame.opcode, frame.time);
  }
  return true;
}

bool ShardRunner::store_all_refused() {
  return std::ranges::all_of(sockets_, [this](const auto& socket) {
    // In the end only the log's room counts, and not how far behind the sink is.
    return store_refused(*socket);
  });
}

void ShardRunner::tell_shard(const Socket& socket, std::string_view payload, net::Opcode opcode,
                             const net::ClockReading& time) {
  Reaction reaction;
  shard_.on_message(
      now_of(time), socket.id(),
      {payload, opcode == net::Opcode::kBinary ? Opcode::kBinary : Opcode::kText, time.wall_ns},
      reaction);
  perform(reaction);
}

void ShardRunner::retry(Socket& socket) {
  if (!is_backlog_full() && store_refused(socket)) {
    // Only now is it over for the rules: what stands in the log behind it must be later.
    if (socket.closed_because) {
      end_socket(socket, *socket.closed_because);
    } else {
      socket.client().resume_reading();
    }
    return;
  }
  const FeedConfig& config = context_.config;
  const auto waited = std::chrono::nanoseconds(net::read_clocks().monotonic_ns -
                                               socket.refused.front().time.monotonic_ns);
  if (waited > config.block_timeout && !socket.is_blocked_too_long) {
    socket.is_blocked_too_long = true;
    const std::string why = fmt::format("nothing could be stored for {} ms (block_timeout): {}",
                                        config.block_timeout.count(), words_of(refusal_cause()));
    if (config.on_block_timeout == BlockTimeoutAction::kExit) {
      context_.stop_by_policy(context_.named(why));
    } else {
      // The exchange would cut it anyway. Another one is made when the log has room again.
      context_.say(context_.named(why));
      socket.client().close(kNormalClosure, "");
    }
  }
  socket.retry_timer().start(kRetryInterval, [this, &socket] { retry(socket); });
}

void ShardRunner::drop(const Socket& socket, const net::ReceivedFrame& frame) {
  const bool is_binary = frame.opcode == net::Opcode::kBinary;
  const DropCause cause = refusal_cause();
  context_.dropped.count(context_.config.venue,
                         {frame.payload, is_binary ? Opcode::kBinary : Opcode::kText}, cause);
  if (!dropping_) {
    dropping_ = DropEpisode{socket.leg(), frame.time.wall_ns, 0, 0, cause};
    context_.say(context_.named(words_of(cause) + "; messages are dropped"));
  }
  dropping_->to_ns = frame.time.wall_ns;
  ++dropping_->count;
  // The rules of the connection need its answers all the same.
  tell_shard(socket, frame.payload, frame.opcode, frame.time);
}

void ShardRunner::end_drop_episode() {
  if (!dropping_) return;
  const DropEpisode episode = *std::exchange(dropping_, std::nullopt);
  LogEvent event;
  event.cause = name_of(episode.cause);
  event.count = episode.count;
  event.from_time_ns = episode.from_ns;
  event.to_time_ns = episode.to_ns;
  write_down(LogKind::kDrop, episode.leg, event);
}

// --- sockets ---

ShardRunner::Socket* ShardRunner::find(uint64_t id) {
  const auto found =
      std::ranges::find_if(sockets_, [id](const auto& socket) { return socket->id() == id; });
  return found == sockets_.end() ? nullptr : found->get();
}

void ShardRunner::on_socket_closed(Socket& socket, const net::CloseReport& report) {
  // What the log has refused is to be stored first.
  if (socket.refused.empty()) {
    end_socket(socket, report.message);
  } else {
    socket.closed_because = report.message;
  }
}

void ShardRunner::end_socket(Socket& socket, const std::string& why) {
  Reaction reaction;
  shard_.on_closed(now(), socket.id(), why, reaction);
  perform(reaction);
  remove(socket);
}

/// Destroyed when the loop comes round again: this may be a callback of the socket.
void ShardRunner::remove(const Socket& socket) {
  const auto found =
      std::ranges::find_if(sockets_, [&](const auto& other) { return other.get() == &socket; });
  if (found == sockets_.end()) return;
  const std::shared_ptr<Socket> doomed = std::move(*found);
  sockets_.erase(found);
  context_.loop.post([doomed] {});
  write_forgotten();
  open_waiting();
}

bool ShardRunner::is_leg_in_use(uint64_t connection) const {
  const uint8_t leg = shard_.leg_of(connection);
  return std::ranges::any_of(sockets_, [leg](const auto& socket) { return socket->leg() == leg; });
}

void ShardRunner::open_waiting() {
  const auto ready = std::ranges::find_if(
      waiting_opens_, [this](const Action& action) { return !is_leg_in_use(action.connection); });
  if (ready == waiting_opens_.end()) return;
  const Action action = std::move(*ready);
  waiting_opens_.erase(ready);
  open(action);
}

void ShardRunner::arm_timer() {
  const auto deadline = shard_.deadline();
  // A timer that rings too early does no harm, and starting it anew for every frame would.
  if (!deadline || (armed_for_ && *armed_for_ <= *deadline)) return;
  armed_for_ = deadline;
  const auto delay = std::max<std::chrono::nanoseconds>(
      *deadline - SteadyTime(net::read_clocks().monotonic_ns), std::chrono::nanoseconds(0));
  timer_.start(delay, [this] {
    armed_for_.reset();
    Reaction reaction;
    shard_.on_time(now(), reaction);
    perform(reaction);
  });
}

}  // namespace tapeworks::recorder
