#include "recorder/protocol/connection.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/printable_text.h"
#include "base/random.h"
#include "recorder/protocol/kucoin_token.h"
#include "recorder/protocol/log_event.h"
#include "recorder/protocol/stream_identity.h"

namespace tapeworks::recorder {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr seconds kTokenTimeout{15};
constexpr seconds kOpenTimeout{15};
constexpr seconds kWelcomeTimeout{10};
constexpr seconds kReplyTimeout{10};
constexpr int kAttemptsMax = 3;
constexpr seconds kServerErrorPause{5};

/// KuCoin's limits are per ten seconds; a request that was turned away waits for the next ten.
constexpr seconds kThrottlePause{10};
constexpr milliseconds kSpacingMax{5'000};
constexpr int kThrottledMax = 5;

/// How long before the server's end another connection is made, and over how long that is spread.
constexpr hours kHandOverBefore{1};
constexpr minutes kHandOverSpread{30};

constexpr seconds kSilenceCheckEvery{1};
constexpr seconds kSilentAttemptPause{60};
constexpr seconds kSilentAttemptPauseMax{3600};
constexpr seconds kTooManyRequestsPause{30};

/// What a stream sends is decoded so often. Rules about silence are coarser by far, and the sink
/// decodes all of it anyway.
constexpr seconds kDecodeEvery{1};

constexpr size_t kQuotedBytesMax = 200;
/// Bounds what a connection needs for decoding to about 1 MiB.
constexpr size_t kMessageBytesMax = size_t{64} * 1024;

/// What an exchange means by the code of a refusal.
enum class Refusal : uint8_t { kTooFast, kTokenBad, kServerFault, kUnknownSymbol, kBadRequest };

Refusal refusal_of(Venue venue, int64_t code) {
  const std::string_view exchange = name_of(venue).exchange;
  if (exchange == "kucoin") {
    if (code == 509) return Refusal::kTooFast;
    if (code == 401) return Refusal::kTokenBad;
    if (code == 500) return Refusal::kServerFault;
    if (code == 404) return Refusal::kUnknownSymbol;
  } else if (exchange == "gate") {
    if (code == 3) return Refusal::kServerFault;
    if (code == 2) return Refusal::kUnknownSymbol;
  }
  return Refusal::kBadRequest;
}

std::optional<uint64_t> request_id_of(std::string_view text) {
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::optional<SteadyTime> earlier(std::optional<SteadyTime> a, std::optional<SteadyTime> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

Connection::Connection(ConnectionOptions options, uint64_t id, uint64_t random_key)
    : options_(std::move(options)),
      rules_(rules_of(options_.venue)),
      id_(id),
      random_key_(random_key),
      keys_(options_.keys.size()),
      messages_(rules_.messages_max, rules_.message_window),
      spacing_(rules_.message_spacing),
      ping_interval_(rules_.ping_interval),
      pong_timeout_(rules_.pong_timeout) {
  if (options_.url.empty()) options_.url = rules_.url;
  if (options_.token_url.empty()) options_.token_url = rules_.token_url;
  for (size_t key = 0; key < options_.keys.size(); ++key) {
    symbols_.add(options_.keys[key].symbol);
    key_of_symbol_[static_cast<size_t>(options_.keys[key].stream)][options_.keys[key].symbol] = key;
  }
}

void Connection::notice(Notice::Kind kind, std::string_view text, Reaction& out, StreamKey key,
                        size_t count) const {
  out.notices.push_back({kind, id_, std::move(key), count, printable_text(text, kQuotedBytesMax)});
}

void Connection::send(const Now& now, std::string text, Reaction& out) {
  messages_.count(now.steady);
  out.actions.push_back({Action::Kind::kSend, id_, std::move(text), {}, {}});
}

void Connection::close(std::string_view why, Reaction& out) {
  if (state_ == State::kClosed) return;
  if (state_ != State::kIdle) {
    out.actions.push_back({Action::Kind::kClose, id_, std::string(why), {}, {}});
    notice(Notice::Kind::kDisconnected, why, out);
  }
  state_ = State::kClosed;
}

void Connection::fail(std::string_view why, Reaction& out) { close(why, out); }

void Connection::start(const Now& now, Reaction& out) {
  if (!options_.token_url.empty()) {
    state_ = State::kToken;
    step_due_ = now.steady + kTokenTimeout;
    out.actions.push_back({Action::Kind::kRequestToken, id_, options_.token_url, {}, {}});
    return;
  }
  state_ = State::kOpening;
  step_due_ = now.steady + kOpenTimeout;
  const std::string_view header_value =
      rules_.header_value.empty() ? std::string_view(options_.api_key) : rules_.header_value;
  out.actions.push_back({Action::Kind::kOpen, id_, options_.url, std::string(rules_.header_name),
                         std::string(rules_.header_name.empty() ? "" : header_value)});
}

void Connection::on_token_reply(const Now& now, int http_status, std::string_view body,
                                Reaction& out) {
  if (state_ != State::kToken) return;
  const std::string connect_id = fmt::format("{:016x}", random_bits(random_key_, 0));
  const auto token = read_kucoin_token(options_.token_url, http_status, body, connect_id);
  if (!token) {
    if (http_status == 429 || body.find("429000") != std::string_view::npos) {
      pause_hint_ = kTooManyRequestsPause;
    }
    fail(token.error().message, out);
    return;
  }
  ping_interval_ = token->ping_interval;
  pong_timeout_ = token->ping_timeout;
  state_ = State::kOpening;
  step_due_ = now.steady + kOpenTimeout;
  out.actions.push_back({Action::Kind::kOpen, id_, token->url, {}, {}});
}

void Connection::on_open(const Now& now, Reaction& out) {
  if (state_ != State::kOpening) return;
  opened_at_ = now.steady;
  if (rules_.lifetime > hours(0)) {
    // Spread, so that connections that were opened together do not end together.
    const auto spread = std::chrono::duration_cast<std::chrono::nanoseconds>(kHandOverSpread);
    const auto share = static_cast<int64_t>(static_cast<double>(spread.count()) *
                                            unit_interval(random_bits(random_key_, 1)));
    planned_end_ = now.steady + rules_.lifetime - kHandOverBefore - std::chrono::nanoseconds(share);
  }
  if (rules_.ping == PingKind::kKucoinClient) {
    state_ = State::kWelcome;
    step_due_ = now.steady + kWelcomeTimeout;
    return;
  }
  go_live(now, out);
}

void Connection::go_live(const Now& now, Reaction& out) {
  state_ = State::kLive;
  step_due_.reset();
  next_silence_check_ = now.steady + kSilenceCheckEvery;
  if (rules_.ping != PingKind::kServer) next_ping_ = now.steady + ping_interval_;
  notice(Notice::Kind::kConnected, "", out);
  std::vector<size_t> all(keys_.size());
  for (size_t key = 0; key < all.size(); ++key) all[key] = key;
  ask_for(all);
  send_requests(now, out);
}

void Connection::on_closed(const Now& /*now*/, std::string_view why, Reaction& out) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  notice(Notice::Kind::kDisconnected, why, out);
}

// --- requests ---

void Connection::ask_for(std::span<const size_t> which) {
  for (auto& batch : batch_subscriptions(options_.venue, options_.keys, which)) {
    queue_.push_back({std::move(batch), 0, SteadyTime(0)});
  }
}

SteadyTime Connection::next_request_at() const {
  SteadyTime at = queue_.front().not_before;
  if (last_request_at_) at = std::max(at, *last_request_at_ + spacing_);
  return messages_.next_allowed(at);
}

void Connection::send_requests(const Now& now, Reaction& out) {
  while (state_ == State::kLive && !queue_.empty() && next_request_at() <= now.steady) {
    SentRequest sent{next_request_id_++, std::move(queue_.front()), now.steady + kReplyTimeout};
    queue_.pop_front();
    last_request_at_ = now.steady;
    send(now,
         subscription_text(options_.venue, options_.keys, sent.request.batch, sent.id,
                           now.wall_seconds),
         out);
    sent_.push_back(std::move(sent));
  }
}

/// By the identifier; where none is echoed (Gate before 2024) the oldest one of its channel, and
/// where there is no channel either the oldest one.
std::optional<Connection::SentRequest> Connection::take_answered() {
  const ControlReply& reply = decoded_.reply;
  auto answered = sent_.end();
  if (!reply.id.empty()) {
    answered = std::ranges::find(sent_, request_id_of(reply.id),
                                 [](const SentRequest& sent) { return std::optional(sent.id); });
  } else if (rules_.ping != PingKind::kKucoinClient) {
    answered = std::ranges::find_if(sent_, [&](const SentRequest& sent) {
      const Stream stream = options_.keys[sent.request.batch.keys.front()].stream;
      return reply.channel.empty() || reply.channel == channel_of(options_.venue, stream);
    });
  }
  if (answered == sent_.end()) return std::nullopt;
  SentRequest taken = std::move(*answered);
  sent_.erase(answered);
  return taken;
}

void Connection::acknowledge(const Now& now, const SentRequest& sent, Reaction& out) {
  throttled_in_a_row_ = 0;
  for (const size_t key : sent.request.batch.keys) keys_[key].activity.subscribed(now.steady);
  notice(Notice::Kind::kSubscribed, "", out, {}, sent.request.batch.keys.size());
}

void Connection::retry(const Now& now, SentRequest sent, SteadyTime pause, std::string_view why,
                       Reaction& out) {
  notice(Notice::Kind::kRetried, why, out, {}, sent.request.batch.keys.size());
  sent.request.not_before = now.steady + pause;
  queue_.push_front(std::move(sent.request));
}

void Connection::refuse(const Now& now, SentRequest sent, int64_t code, std::string_view message,
                        Reaction& out) {
  const Refusal refusal = refusal_of(options_.venue, code);
  if (refusal == Refusal::kTokenBad) return fail(message, out);
  if (refusal == Refusal::kTooFast) {
    // Nothing of the request was subscribed.
    if (++throttled_in_a_row_ > kThrottledMax) return fail(message, out);
    spacing_ = std::min(spacing_ * 2, kSpacingMax);
    return retry(now, std::move(sent), kThrottlePause, message, out);
  }
  if (refusal == Refusal::kServerFault) {
    if (++sent.request.attempts >= kAttemptsMax) return give_up(now, sent, message, out);
    const SteadyTime pause = kServerErrorPause * sent.request.attempts;
    return retry(now, std::move(sent), pause, message, out);
  }
  const auto& keys = sent.request.batch.keys;
  if (keys.size() > 1) {
    // One bad symbol fails the whole list; halves find it in few requests.
    const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 2);
    queue_.push_front({{{middle, keys.end()}}, 0, SteadyTime(0)});
    queue_.push_front({{{keys.begin(), middle}}, 0, SteadyTime(0)});
    return;
  }
  keys_[keys.front()].refused = true;
  notice(refusal == Refusal::kUnknownSymbol ? Notice::Kind::kUnknownSymbol
                                            : Notice::Kind::kSubscribeFailed,
         message, out, options_.keys[keys.front()]);
}

/// It may have been heard all the same: whether data come will tell, and silent streams are asked
/// for again.
void Connection::give_up(const Now& now, const SentRequest& sent, std::string_view why,
                         Reaction& out) {
  for (const size_t key : sent.request.batch.keys) {
    StreamActivity& activity = keys_[key].activity;
    activity.subscribed(now.steady);
    if (!activity.has_spoken()) {
      notice(Notice::Kind::kSubscribeFailed, why, out, options_.keys[key]);
    }
  }
}

void Connection::check_replies(const Now& now, Reaction& out) {
  while (!sent_.empty() && sent_.front().reply_due <= now.steady) {
    SentRequest sent = std::move(sent_.front());
    sent_.erase(sent_.begin());
    if (++sent.request.attempts < kAttemptsMax) {
      retry(now, std::move(sent), SteadyTime(0), "no reply", out);
      continue;
    }
    give_up(now, sent, "no reply", out);
  }
}

// --- what comes in ---

void Connection::on_message(const Now& now, const Frame& frame, Reaction& out) {
  if (state_ != State::kWelcome && state_ != State::kLive) return;
  identity_.clear();
  // Both are in the log, and the sink's business: a frame so long says nothing about the connection
  // that the next one does not say, and neither does one that does not decode.
  if (frame.payload.size() > kMessageBytesMax) return;
  if (state_ == State::kLive && frame.opcode == Opcode::kText && is_familiar(now, frame.payload)) {
    return send_requests(now, out);
  }
  if (!decode_frame(options_.venue, frame, {.symbols = &symbols_}, decoded_)) return;
  switch (decoded_.kind) {
    case FrameKind::kRows:
    case FrameKind::kPlaceholder:
      note_data(now);
      break;
    case FrameKind::kWelcome:
      if (state_ == State::kWelcome) go_live(now, out);
      break;
    case FrameKind::kAck:
      if (const auto sent = take_answered()) acknowledge(now, *sent, out);
      break;
    case FrameKind::kError:
      handle_error(now, out);
      break;
    case FrameKind::kPong:
      pong_due_.reset();
      break;
    case FrameKind::kShutdown:
      replacement_cause_ = "server_shutdown";
      break;
    case FrameKind::kIgnored:
      break;
  }
  if (state_ != State::kLive) return;
  note_all_answered(out);
  send_requests(now, out);
}

void Connection::note_all_answered(Reaction& out) {
  if (all_answered_ || !queue_.empty() || !sent_.empty()) return;
  all_answered_ = true;
  notice(Notice::Kind::kAllAnswered, "", out);
}

void Connection::handle_error(const Now& now, Reaction& out) {
  const int64_t code = decoded_.reply.code.value_or(0);
  const std::string message = fmt::format("{}: {}", code, decoded_.reply.message);
  if (auto sent = take_answered()) return refuse(now, std::move(*sent), code, message, out);
  if (refusal_of(options_.venue, code) == Refusal::kTokenBad) return fail(message, out);
  notice(Notice::Kind::kServerError, message, out);
}

bool Connection::is_familiar(const Now& now, std::string_view payload) {
  const StreamIdentity identity = find_stream_identity(options_.venue, payload);
  identity_.assign(identity.channel).append(identity.symbol.empty() ? "" : " ");
  identity_.append(identity.symbol);
  if (!identity.is_known()) return false;
  const auto found = familiar_.find(identity_);
  if (found == familiar_.end() || now.steady - found->second.decoded_at >= kDecodeEvery) {
    return false;
  }
  note_data(now, found->second.key);
  return true;
}

void Connection::note_data(const Now& now, size_t key_index) {
  KeyState& key = keys_[key_index];
  key.activity.spoke(now.steady);
  key.reported = false;
  key.attempt_pause = seconds(0);
  spoke_ = true;
  last_data_at_ = now.steady;
}

void Connection::note_data(const Now& now) {
  std::optional<size_t> only;
  bool has_others = false;
  const auto note = [&](Stream stream, std::string_view symbol) {
    const auto& keys = key_of_symbol_[static_cast<size_t>(stream)];
    const auto found = keys.find(symbol);
    has_others = has_others || found == keys.end() || (only && *only != found->second);
    if (found == keys.end()) return;
    only = found->second;
    note_data(now, found->second);
  };
  for (const EventRow& row : decoded_.rows()) note(row.stream, row.symbol);
  if (decoded_.kind == FrameKind::kPlaceholder) {
    note(decoded_.placeholder.stream, decoded_.placeholder.symbol);
  }
  if (identity_.empty() || !only || has_others) return;
  // Names that no list of ours explains must not pile up.
  if (familiar_.size() > 2 * keys_.size()) familiar_.clear();
  familiar_.insert_or_assign(identity_, Familiar{*only, now.steady});
}

// --- what time does ---

void Connection::check_ping(const Now& now, Reaction& out) {
  if (pong_due_ && *pong_due_ <= now.steady) return fail("no answer to a ping", out);
  if (!next_ping_ || *next_ping_ > now.steady) return;
  send(now, ping_text(options_.venue, next_request_id_++, now.wall_seconds), out);
  next_ping_ = now.steady + ping_interval_;
  if (!pong_due_) pong_due_ = now.steady + pong_timeout_;
}

void Connection::check_silence(const Now& now, Reaction& out) {
  if (next_silence_check_ > now.steady) return;
  next_silence_check_ = now.steady + kSilenceCheckEvery;
  size_t expected = 0;
  size_t silent = 0;
  std::vector<size_t> again;
  for (size_t i = 0; i < keys_.size(); ++i) {
    KeyState& key = keys_[i];
    if (key.refused) continue;
    ++expected;
    if (!key.activity.is_expected() || key.activity.silent_from() > now.steady) continue;
    ++silent;
    if (!key.reported) {
      key.reported = true;
      key.next_attempt = now.steady;
      notice(key.activity.has_spoken() ? Notice::Kind::kSilent : Notice::Kind::kNeverSpoke, "", out,
             options_.keys[i]);
    }
    if (key.next_attempt <= now.steady) {
      again.push_back(i);
      key.attempt_pause =
          std::clamp(key.attempt_pause * 2, kSilentAttemptPause, kSilentAttemptPauseMax);
      key.next_attempt = now.steady + key.attempt_pause;
    }
  }
  ask_for(again);
  if (expected > 0 && silent == expected) {
    if (replacement_cause_.empty()) replacement_cause_ = kStalledDetail;
  } else if (replacement_cause_ == kStalledDetail) {
    replacement_cause_.clear();
  }
}

void Connection::on_time(const Now& now, Reaction& out) {
  if (step_due_ && *step_due_ <= now.steady && state_ != State::kClosed) {
    constexpr std::array<std::string_view, 3> kSteps{
        "no reply to the request for a token", "could not connect in time", "no welcome in time"};
    const auto step = static_cast<size_t>(state_) - static_cast<size_t>(State::kToken);
    return fail(kSteps[step], out);
  }
  if (state_ != State::kLive) return;
  check_ping(now, out);
  if (state_ != State::kLive) return;
  check_replies(now, out);
  note_all_answered(out);
  check_silence(now, out);
  if (planned_end_ && *planned_end_ <= now.steady && replacement_cause_.empty()) {
    replacement_cause_ = "planned";
  }
  send_requests(now, out);
}

std::optional<SteadyTime> Connection::deadline() const {
  if (state_ == State::kIdle || state_ == State::kClosed) return std::nullopt;
  if (state_ != State::kLive) return step_due_;
  std::optional<SteadyTime> next = next_silence_check_;
  next = earlier(next, next_ping_);
  next = earlier(next, pong_due_);
  if (!queue_.empty()) next = earlier(next, next_request_at());
  if (!sent_.empty()) next = earlier(next, sent_.front().reply_due);
  if (replacement_cause_.empty()) next = earlier(next, planned_end_);
  return next;
}

}  // namespace tapeworks::recorder
