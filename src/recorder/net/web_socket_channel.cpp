#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/option.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "base/printable_text.h"
#include "recorder/net/web_socket_channel_internal.h"

namespace tapeworks::net {

namespace websocket = beast::websocket;
using std::chrono::milliseconds;

namespace {

/// A buffer that has grown beyond this for one large message is given back.
constexpr size_t kBufferBytesKept = size_t{1} << 20;
constexpr size_t kReasonBytesShown = 123;
constexpr size_t kReasonBytesMax = 123;  // RFC 6455: a control frame has 125 bytes
/// When both ends have said good-bye, so long one may take to end the connection below.
constexpr milliseconds kTeardownMax{1'000};

std::string_view view_of(const beast::flat_buffer& buffer) {
  return {static_cast<const char*>(buffer.data().data()), buffer.size()};
}

}  // namespace

WebSocketChannel::WebSocketChannel(EventLoop& loop, const WebSocketLimits& limits,
                                   ChannelEvents& events)
    : WebSocketChannel(loop, ByteStream(loop.impl().context.get_executor()), limits, events) {}

WebSocketChannel::WebSocketChannel(EventLoop& loop, ByteStream&& stream,
                                   const WebSocketLimits& limits, ChannelEvents& events)
    : loop_(loop),
      limits_(limits),
      events_(&events),
      socket_(std::move(stream)),
      buffer_(limits.message_bytes_max),
      resumed_(loop.impl().context),
      silence_(loop),
      goodbye_(loop.impl().context) {
  configure();
}

void WebSocketChannel::configure() {
  websocket::stream_base::timeout timeouts{};
  // Connecting, silence and the closing handshake are watched by us.
  timeouts.handshake_timeout = websocket::stream_base::none();
  timeouts.idle_timeout = websocket::stream_base::none();
  timeouts.keep_alive_pings = false;
  socket_.set_option(timeouts);
  websocket::permessage_deflate deflate;
  deflate.client_enable = limits_.deflate;
  deflate.server_enable = limits_.deflate;
  socket_.set_option(deflate);
  socket_.read_message_max(limits_.message_bytes_max);
  // One message, one frame: exchanges send it so, and some have trouble with fragments.
  socket_.auto_fragment(false);
  socket_.control_callback([this](websocket::frame_type kind, beast::string_view payload) {
    on_control(kind, payload);
  });
}

awaitable<error_code> WebSocketChannel::upgrade(const std::string& host, const std::string& target,
                                                const std::vector<Header>& headers,
                                                std::optional<int>& http_status) {
  socket_.set_option(
      websocket::stream_base::decorator([&headers](websocket::request_type& request) {
        for (const Header& header : headers) request.set(header.name, header.value);
      }));
  websocket::response_type response;
  auto [error] = co_await socket_.async_handshake(response, host, target, kAsTuple);
  if (error == websocket::error::upgrade_declined) http_status = response.result_int();
  open_ = !error;
  co_return error;
}

awaitable<error_code> WebSocketChannel::accept(const http::request<http::string_body>& request) {
  auto [error] = co_await socket_.async_accept(request, kAsTuple);
  open_ = !error;
  co_return error;
}

awaitable<CloseReport> WebSocketChannel::run() {
  received_ns_ = read_clocks().monotonic_ns;
  watch_silence();
  error_code failure;
  while (true) {
    co_await wait_while_paused();
    auto [error, bytes] = co_await socket_.async_read(
        buffer_, asio::bind_cancellation_slot(reading_.slot(), kAsTuple));
    const ClockReading time = read_clocks();
    received_ns_ = time.monotonic_ns;
    if (error) {
      failure = error;
      break;
    }
    // A pause that came while the read was under way holds the message back, with its time.
    co_await wait_while_paused();
    if (events_ != nullptr) {
      events_->on_frame(
          {view_of(buffer_), socket_.got_text() ? Opcode::kText : Opcode::kBinary, time});
    }
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > kBufferBytesKept) buffer_.shrink_to_fit();
  }
  open_ = false;
  // A write that was cut short may still end well, when the owner has gone.
  events_ = nullptr;
  silence_.cancel();
  goodbye_.cancel();
  // Whoever sent too much or nothing at all is not waited for with a closing handshake.
  stream().close();
  co_return report_of(failure);
}

awaitable<void> WebSocketChannel::wait_while_paused() {
  while (paused_ && !verdict_) {
    resumed_.expires_at(asio::steady_timer::time_point::max());
    co_await resumed_.async_wait(kAsTuple);
  }
}

void WebSocketChannel::pause_reading() { paused_ = true; }

void WebSocketChannel::resume_reading() {
  paused_ = false;
  // The silence while nobody listened is not the peer's.
  received_ns_ = read_clocks().monotonic_ns;
  resumed_.cancel();
}

void WebSocketChannel::watch_silence() {
  if (limits_.idle_timeout.count() == 0) return;
  const int64_t now_ns = read_clocks().monotonic_ns;
  if (paused_) received_ns_ = now_ns;
  const std::chrono::nanoseconds left =
      limits_.idle_timeout - std::chrono::nanoseconds(now_ns - received_ns_);
  if (left.count() <= 0) {
    abort(CloseCause::kIdle, fmt::format("nothing was received for {} ms; the connection is dead",
                                         limits_.idle_timeout.count()));
    return;
  }
  silence_.start(left, [this] { watch_silence(); });
}

/// The closing handshake, from the first close frame on. Closing the socket is not enough: when
/// both ends close at the same moment, Beast's reader can wait for its writer, which waits for the
/// reader, and neither of them for the socket.
/// Not by the clock of a script: the peer may be another process.
void WebSocketChannel::bound_goodbye(milliseconds allowed) {
  goodbye_.expires_after(allowed);
  goodbye_.async_wait([channel = weak_from_this()](const error_code& error) {
    const auto kept = channel.lock();
    if (!error && kept != nullptr) kept->end_goodbye();
  });
}

void WebSocketChannel::end_goodbye() {
  stream().close();
  saying_goodbye_.emit(asio::cancellation_type::terminal);
  reading_.emit(asio::cancellation_type::terminal);
  // Whoever was between two waits has not heard of it.
  if (open_) bound_goodbye(kTeardownMax);
}

void WebSocketChannel::on_control(websocket::frame_type kind, beast::string_view payload) {
  const ClockReading time = read_clocks();
  received_ns_ = time.monotonic_ns;
  if (kind == websocket::frame_type::close) {
    peer_closes_ = true;
    bound_goodbye(closing_ ? std::min(kTeardownMax, limits_.close_timeout) : limits_.close_timeout);
  }
  if (events_ == nullptr) return;
  const std::string_view view(payload.data(), payload.size());
  if (kind == websocket::frame_type::ping) events_->on_ping(view, time);
  if (kind == websocket::frame_type::pong && events_ != nullptr) events_->on_pong(view, time);
}

Status WebSocketChannel::send(Opcode opcode, std::string payload, uint64_t tag) {
  return enqueue({opcode == Opcode::kText ? Kind::kText : Kind::kBinary, std::move(payload), tag});
}

Status WebSocketChannel::send_ping(std::string payload) {
  if (payload.size() > kReasonBytesMax) {
    return invalid_argument("a ping of {} bytes is too long; it may have {}", payload.size(),
                            kReasonBytesMax);
  }
  return enqueue({Kind::kPing, std::move(payload)});
}

Status WebSocketChannel::send_raw(std::string bytes) {
  return enqueue({Kind::kRaw, std::move(bytes)});
}

void WebSocketChannel::close(uint16_t code, std::string reason) {
  reason.resize(std::min(reason.size(), kReasonBytesMax));
  // The queue may have been written and be empty again when enqueue() returns.
  if (!enqueue({Kind::kClose, reason, 0, code})) return;
  closing_ = true;
  if (!verdict_) {
    verdict_ = CloseReport{CloseCause::kClosedByUs, code, std::move(reason), {}, "closed as asked"};
  }
  if (paused_) resume_reading();  // the answer to the close frame has to be read
}

void WebSocketChannel::abort_after_queue() {
  if (enqueue({Kind::kAbort, {}})) closing_ = true;
}

void WebSocketChannel::abort(CloseCause cause, std::string message) {
  if (!verdict_) verdict_ = CloseReport{cause, 0, {}, {}, std::move(message)};
  closing_ = true;
  stream().close();
  resumed_.cancel();
}

Status WebSocketChannel::enqueue(Item item) {
  if (!open_ || closing_) return invalid_argument("the connection is not open");
  if (queued_bytes_ + item.payload.size() > limits_.send_queue_bytes_max) {
    return over_budget("{} bytes wait to be sent and the limit is {}; the peer reads too slowly",
                       queued_bytes_, limits_.send_queue_bytes_max);
  }
  queued_bytes_ += item.payload.size();
  queue_.push_back(std::move(item));
  if (!writing_) {
    writing_ = true;
    asio::co_spawn(loop_.impl().context, write_queue(), rethrow_and_release(shared_from_this()));
  }
  return {};
}

awaitable<void> WebSocketChannel::write_queue() {
  while (!queue_.empty()) {
    Item item = std::move(queue_.front());
    queue_.pop_front();
    const error_code error = co_await write_item(item);
    queued_bytes_ -= item.payload.size();
    if (error) {
      // The reader sees the same failure and reports it; what is left will never be sent.
      queue_.clear();
      queued_bytes_ = 0;
      closing_ = true;
      break;
    }
    if (item.tag != 0 && events_ != nullptr) events_->on_sent(item.tag, read_clocks());
  }
  writing_ = false;
}

awaitable<error_code> WebSocketChannel::write_item(Item& item) {
  switch (item.kind) {
    case Kind::kText:
    case Kind::kBinary: {
      socket_.text(item.kind == Kind::kText);
      auto [error, bytes] = co_await socket_.async_write(asio::buffer(item.payload), kAsTuple);
      co_return error;
    }
    case Kind::kPing: {
      auto [error] = co_await socket_.async_ping(
          websocket::ping_data(item.payload.data(), item.payload.size()), kAsTuple);
      co_return error;
    }
    case Kind::kRaw: {
      auto [error, bytes] =
          co_await asio::async_write(stream(), asio::buffer(item.payload), kAsTuple);
      co_return error;
    }
    case Kind::kClose: {
      const websocket::close_reason reason(
          static_cast<websocket::close_code>(item.code),
          beast::string_view(item.payload.data(), item.payload.size()));
      if (!peer_closes_) bound_goodbye(limits_.close_timeout);
      auto [error] = co_await socket_.async_close(
          reason, asio::bind_cancellation_slot(saying_goodbye_.slot(), kAsTuple));
      co_return error;
    }
    case Kind::kAbort:
      abort(CloseCause::kClosedByUs, "dropped as asked");
      co_return error_code{};
  }
  co_return error_code{};
}

CloseReport WebSocketChannel::report_of(const error_code& error) {
  if (verdict_) return *verdict_;
  if (error == websocket::error::closed || peer_closes_) {
    const websocket::close_reason& reason = socket_.reason();
    const std::string text(reason.reason.data(), reason.reason.size());
    return {CloseCause::kClosedByPeer,
            reason.code,
            text,
            {},
            fmt::format("the peer closed the connection with code {}{}{}", uint16_t{reason.code},
                        text.empty() ? "" : ": ", printable_text(text, kReasonBytesShown))};
  }
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
    return {CloseCause::kTooLarge,
            0,
            {},
            {},
            fmt::format("a message was longer than {} bytes, the limit after inflation",
                        limits_.message_bytes_max)};
  }
  if (error == websocket::condition::protocol_violation) {
    return {CloseCause::kProtocol,
            0,
            {},
            {},
            fmt::format("the peer broke the WebSocket protocol: {}", error.message())};
  }
  return {CloseCause::kLost,
          0,
          {},
          {},
          fmt::format("the connection was lost without a close frame: {}", error.message())};
}

}  // namespace tapeworks::net
