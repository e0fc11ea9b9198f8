#include "recorder/simulator/client_connection.h"

#include <algorithm>
#include <utility>

#include "recorder/simulator/client_json_internal.h"

namespace tapeworks::simulator {
namespace {

constexpr size_t kDelayedTextsMax = 1024;

int64_t monotonic_ns() { return net::read_clocks().monotonic_ns; }

int64_t nanoseconds(std::chrono::milliseconds duration) {
  return std::chrono::nanoseconds(duration).count();
}

/// The header of a whole frame of a server (RFC 6455, section 5.2).
std::string frame_header(const Outgoing& message) {
  constexpr size_t kShortMax = 125;
  constexpr size_t kMediumMax = 0xffff;
  const size_t length = message.payload.size();
  const int length_bytes = length <= kShortMax ? 0 : length <= kMediumMax ? 2 : 8;
  std::string header(1, message.binary ? '\x82' : '\x81');
  header += static_cast<char>(length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127);
  for (int i = length_bytes - 1; i >= 0; --i) header += static_cast<char>(length >> (8 * i));
  return header;
}

bool take(uint64_t& left) {
  if (left == 0) return false;
  --left;
  return true;
}

}  // namespace

ClientConnection::ClientConnection(Venue venue, uint64_t number, net::ServerConnection& connection,
                                   std::unique_ptr<VenueSession> session,
                                   std::vector<Fault> message_faults, Ledger& ledger)
    : venue_(venue),
      number_(number),
      connection_(connection),
      session_(std::move(session)),
      message_faults_(std::move(message_faults)),
      ledger_(ledger) {}

bool ClientConnection::deliver(const MarketEvent& event, uint32_t symbol_index) {
  const StreamKey key{symbol_index, event.stream};
  if (!session_->subscriptions().contains(key.packed())) return false;
  ++message_count_;
  inject_message_faults();
  const NumberForm form = take_number_form();
  disturb(*session_->encode(event, symbol_index, form), event.logical_id, form);
  return true;
}

void ClientConnection::inject_message_faults() {
  for (const Fault& fault : message_faults_) {
    if (fault.message == message_count_) inject(fault);
  }
}

NumberForm ClientConnection::take_number_form() {
  if (take(wrong_left_)) return NumberForm::kWrong;
  return take(scientific_left_) ? NumberForm::kScientific : NumberForm::kPlain;
}

void ClientConnection::disturb(Outgoing message, uint64_t logical_id, NumberForm form) {
  if (monotonic_ns() < silent_until_ns_) return;
  // What is no number has no place in the ledger, and gives no rows.
  if (form == NumberForm::kWrong) message.rows = "[]";
  if (take(gaps_left_)) {
    write_fault("gap", "", logical_id, std::move(message.rows));
    return;
  }
  if (std::exchange(half_next_, false)) {
    send_half(message);
    return;
  }
  const std::string_view kind = message.is_placeholder ? "placeholder" : "event";
  if (take(malformed_left_)) {
    message.payload.resize(message.payload.size() * 2 / 3);
    message.rows = "[]";
    send(std::move(message), entry("fault", logical_id, "malformed_json"));
    return;
  }
  if (form == NumberForm::kWrong) {
    // A placeholder has no price that could be wrong.
    send(std::move(message), message.is_placeholder ? entry(kind, logical_id, "")
                                                    : entry("fault", logical_id, "wrong_numbers"));
    return;
  }
  if (!message.binary && take(extra_keys_left_)) {
    message.payload.insert(message.payload.size() - 1, R"(,"zz":{"a":[1,null,"x"],"b":-2.5e3})");
  }
  if (!held_ && take(reorders_left_)) {
    held_ = Held{std::move(message), logical_id};
    return;
  }
  const bool repeat = take(duplicates_left_);
  Outgoing copy = repeat ? message : Outgoing{};
  send(std::move(message), entry(kind, logical_id, ""));
  if (repeat) send(std::move(copy), entry("repeat", logical_id, "duplicate"));
  if (held_) {
    Held held = *std::exchange(held_, std::nullopt);
    const std::string_view held_kind = held.message.is_placeholder ? "placeholder" : "event";
    send(std::move(held.message), entry(held_kind, held.logical_id, "reorder"));
  }
}

LedgerEntry ClientConnection::entry(std::string_view kind, uint64_t logical_id,
                                    std::string fault) const {
  LedgerEntry entry;
  entry.venue = facts_of(venue_).name;
  entry.connection = number_;
  entry.logical_id = logical_id;
  entry.kind = kind;
  entry.fault = std::move(fault);
  entry.sent_time_ns = net::read_clocks().wall_ns;
  return entry;
}

void ClientConnection::send(Outgoing message, LedgerEntry entry) {
  entry.number = frame_count_ + 1;
  entry.byte_count = message.payload.size();
  if (!message.is_placeholder) entry.rows = std::move(message.rows);
  const Status sent = connection_.send(message.binary ? net::Opcode::kBinary : net::Opcode::kText,
                                       std::move(message.payload), entry.number);
  if (sent) {
    ++frame_count_;
    unsent_.push_back(std::move(entry));
  } else if (sent.error().kind == ErrorKind::kMemoryBudget) {
    // Exchanges cut who reads too slowly.
    write_fault("slow_client", "");
    connection_.abort();
  }
}

void ClientConnection::on_sent(uint64_t tag) {
  while (!unsent_.empty() && unsent_.front().number <= tag) {
    ledger_.add(unsent_.front());
    unsent_.pop_front();
  }
}

void ClientConnection::write_fault(const std::string& name, std::string details,
                                   uint64_t logical_id, std::string rows) {
  LedgerEntry fault = entry("fault", logical_id, name);
  fault.details = std::move(details);
  fault.rows = std::move(rows);
  ledger_.add(fault);
}

void ClientConnection::perform(SessionActions actions, int64_t delay_ns) {
  for (std::string& text : actions.texts) {
    if (delay_ns > 0 && delayed_texts_.size() < kDelayedTextsMax) {
      delayed_texts_.push_back({monotonic_ns() + delay_ns, std::move(text)});
    } else {
      send_control(std::move(text));
    }
  }
  const bool muted = mute_control_ && monotonic_ns() < silent_until_ns_;
  if (actions.ping && !muted) static_cast<void>(connection_.send_ping("1789893896920"));
  if (actions.close) connection_.close(actions.close->code, actions.close->reason);
}

void ClientConnection::send_control(std::string text) {
  if (mute_control_ && monotonic_ns() < silent_until_ns_) return;
  send({std::move(text), false, "[]"}, entry("control", 0, ""));
}

void ClientConnection::send_huge(uint64_t byte_count) {
  constexpr std::string_view kBegin = R"({"pad":")";
  constexpr std::string_view kEnd = R"("})";
  std::string text(kBegin);
  text.append(byte_count - std::min<uint64_t>(byte_count, kBegin.size() + kEnd.size()), 'x');
  text += kEnd;
  send({std::move(text), false, "[]"}, entry("fault", 0, "huge_message"));
}

void ClientConnection::send_half(const Outgoing& message) {
  const size_t half = message.payload.size() / 2;
  static_cast<void>(connection_.send_raw(frame_header(message) + message.payload.substr(0, half)));
  write_fault("half_frame", fmt::format(R"(,"bytes_sent":{})", half));
  connection_.abort_after_queue();
}

void ClientConnection::close(const Fault& fault) {
  write_fault(fault.name, fmt::format(R"(,"code":{})", fault.code));
  connection_.close(fault.code, fault.reason);
}

void ClientConnection::inject(const Fault& fault) {
  const int64_t until_ns = monotonic_ns() + nanoseconds(fault.duration);
  switch (fault.kind) {
    case FaultKind::kClose:
    case FaultKind::kDayCut:
      return close(fault);
    case FaultKind::kAbort:
      write_fault(fault.name, "");
      return connection_.abort_after_queue();
    case FaultKind::kServerShutdown:
      if (std::string notice = session_->shutdown_notice(net::read_clocks().wall_ns);
          !notice.empty()) {
        send_control(std::move(notice));
      }
      delayed_close_ = DelayedClose{until_ns, fault};
      return;
    case FaultKind::kHalfFrame:
      half_next_ = true;
      return;
    case FaultKind::kSilence:
      silent_until_ns_ = until_ns;
      mute_control_ = !fault.pings;
      return write_fault(fault.name, fmt::format(R"(,"duration_ms":{})", fault.duration.count()));
    case FaultKind::kSlowReading:
      connection_.pause_reading();
      read_again_ns_ = until_ns;
      return write_fault(fault.name, fmt::format(R"(,"duration_ms":{})", fault.duration.count()));
    case FaultKind::kDuplicate:
      duplicates_left_ += fault.count;
      return;
    case FaultKind::kGap:
      gaps_left_ += fault.count;
      return;
    case FaultKind::kReorder:
      reorders_left_ += fault.count;
      return;
    case FaultKind::kMalformedJson:
      malformed_left_ += fault.count;
      return;
    case FaultKind::kWrongNumbers:
      wrong_left_ += fault.count;
      return;
    case FaultKind::kHugeMessage:
      return send_huge(fault.bytes);
    case FaultKind::kScientific:
      scientific_left_ += fault.count;
      return;
    case FaultKind::kExtraKeys:
      extra_keys_left_ += fault.count;
      return;
    case FaultKind::kRefuse509:
      return session_->refuse_subscriptions(fault.count);
    case FaultKind::kExpiredToken:
    case FaultKind::kTokenFailure:
    case FaultKind::kCompression:
    case FaultKind::kListSymbol:
    case FaultKind::kDelistSymbol:
    case FaultKind::kClockSkew:
    case FaultKind::kDelayAcks:
    case FaultKind::kRestFailure:
    case FaultKind::kRestEmpty:
    case FaultKind::kRestPartial:
      return;  // of the venue, not of one client
  }
}

void ClientConnection::tick() {
  const int64_t now_ns = monotonic_ns();
  while (!delayed_texts_.empty() && delayed_texts_.front().due_ns <= now_ns) {
    send_control(std::move(delayed_texts_.front().text));
    delayed_texts_.pop_front();
  }
  if (read_again_ns_ && *read_again_ns_ <= now_ns) {
    read_again_ns_.reset();
    connection_.resume_reading();
  }
  if (delayed_close_ && delayed_close_->due_ns <= now_ns) {
    const Fault fault = std::exchange(delayed_close_, std::nullopt)->fault;
    close(fault);
  }
}

}  // namespace tapeworks::simulator
