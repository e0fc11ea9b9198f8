#include "recorder/net/http_client.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "recorder/net/connect_internal.h"

namespace tapeworks::net {

namespace http = beast::http;

namespace {

constexpr uint32_t kHeaderBytesMax = 64 * 1024;
constexpr int kHttp11 = 11;

}  // namespace

class HttpCall::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(EventLoop& loop, ConnectOptions options, HttpQuery query, size_t body_bytes_max,
          Callback callback)
      : options_(std::move(options)),
        query_(std::move(query)),
        body_bytes_max_(body_bytes_max),
        callback_(std::move(callback)),
        stream_(loop.impl().context.get_executor()),
        attempt_(loop, stream_, options_,
                 [this](const Error& error) { finish(std::unexpected(error)); }) {}

  void start(EventLoop& loop) {
    asio::co_spawn(loop.impl().context, live(), rethrow_and_release(shared_from_this()));
  }

  void abandon() {
    callback_ = nullptr;
    attempt_.end_step();
    attempt_.cancel();
  }

 private:
  awaitable<void> live() {
    Result<HttpAnswer> answer = co_await exchange();
    attempt_.end_step();
    stream_.close();
    finish(std::move(answer));
  }

  awaitable<Result<HttpAnswer>> exchange() {
    if (Status connected = co_await attempt_.run(); !connected) {
      co_return std::unexpected(connected.error());
    }
    const std::string where = host_and_port(options_.endpoint);
    attempt_.begin_step("to answer the HTTP request", options_.timeouts.handshake);
    http::request<http::string_body> request = make_request();
    auto [write_error, written] = co_await http::async_write(stream_, request, kAsTuple);
    if (write_error) {
      co_return attempt_.failure(
          io_error("the HTTP request could not be sent to {}: {}", where, write_error.message())
              .error());
    }
    http::response_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytesMax);
    parser.body_limit(body_bytes_max_);
    beast::flat_buffer buffer(kHeaderBytesMax + body_bytes_max_);
    auto [error, bytes] = co_await http::async_read(stream_, buffer, parser, kAsTuple);
    if (error == http::error::body_limit) {
      co_return io_error("the HTTP answer of {} is longer than {} bytes", where, body_bytes_max_);
    }
    if (error) {
      co_return attempt_.failure(
          io_error("{} gave no HTTP answer: {}", where, error.message()).error());
    }
    co_return take_answer(parser.release());
  }

  http::request<http::string_body> make_request() const {
    http::request<http::string_body> request(http::string_to_verb(query_.method),
                                             options_.endpoint.target, kHttp11);
    request.set(http::field::host, host_and_port(options_.endpoint));
    request.set(http::field::connection, "close");
    request.set(http::field::accept, "*/*");
    for (const Header& header : options_.headers) request.set(header.name, header.value);
    if (!query_.content.empty()) request.set(http::field::content_type, query_.content_type);
    request.body() = query_.content;
    request.prepare_payload();
    return request;
  }

  static HttpAnswer take_answer(http::response<http::string_body> response) {
    HttpAnswer answer{static_cast<int>(response.result_int()), {}, std::move(response.body())};
    for (const auto& field : response.base()) {
      answer.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    return answer;
  }

  void finish(Result<HttpAnswer> answer) {
    if (Callback callback = std::exchange(callback_, nullptr)) callback(std::move(answer));
  }

  const ConnectOptions options_;
  const HttpQuery query_;
  const size_t body_bytes_max_;
  Callback callback_;
  ByteStream stream_;
  ConnectAttempt attempt_;
};

HttpCall::HttpCall(EventLoop& loop, ConnectOptions options, HttpQuery query, size_t body_bytes_max,
                   Callback callback)
    : session_(std::make_shared<Session>(loop, std::move(options), std::move(query), body_bytes_max,
                                         std::move(callback))) {
  session_->start(loop);
}

HttpCall::~HttpCall() { session_->abandon(); }

}  // namespace tapeworks::net
