#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "recorder/net/event_loop.h"
#include "recorder/net/http_server.h"
#include "recorder/net/web_socket_client.h"

namespace tapeworks::net {

/// Serves the loop until `done` is true. False when that took too long.
inline bool run_until(EventLoop& loop, const std::function<bool()>& done) {
  if (done()) return true;
  const auto give_up_at = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  Timer look(loop);
  std::function<void()> look_again = [&] {
    if (done() || std::chrono::steady_clock::now() > give_up_at) {
      loop.stop();
    } else {
      look.start(std::chrono::milliseconds(1), look_again);
    }
  };
  look_again();
  loop.run();
  return done();
}

/// Writes down what happens to a client.
struct ClientLog : WebSocketHandler {
  bool open = false;
  std::vector<std::string> frames;
  std::vector<Opcode> opcodes;
  std::vector<ClockReading> times;
  std::vector<std::string> pings;
  std::vector<std::string> pongs;
  std::optional<CloseReport> closed;
  std::function<void()> when_frame = [] {};

  void on_open() override { open = true; }
  void on_frame(const ReceivedFrame& frame) override {
    frames.emplace_back(frame.payload);
    opcodes.push_back(frame.opcode);
    times.push_back(frame.time);
    when_frame();
  }
  void on_ping(std::string_view payload, ClockReading) override { pings.emplace_back(payload); }
  void on_pong(std::string_view payload, ClockReading) override { pongs.emplace_back(payload); }
  void on_closed(const CloseReport& report) override {
    EXPECT_FALSE(closed) << "on_closed() must come once";
    closed = report;
  }
};

/// A server that does as told, and writes down what it hears.
struct ServerLog : ServerHandler {
  std::function<UpgradeDecision(const HttpRequest&)> decide = [](const HttpRequest&) {
    return UpgradeDecision{};
  };
  std::function<HttpResponse(const HttpRequest&)> answer = [](const HttpRequest&) {
    return HttpResponse{};
  };
  std::function<void(ServerConnection&)> when_open = [](ServerConnection&) {};
  ServerConnection* connection = nullptr;
  std::vector<HttpRequest> requests;
  std::vector<std::string> frames;
  std::vector<std::string> pings;
  std::vector<std::string> pongs;
  std::vector<uint64_t> sent;
  std::optional<CloseReport> closed;

  HttpResponse on_request(const HttpRequest& request) override {
    requests.push_back(request);
    return answer(request);
  }
  UpgradeDecision on_upgrade(const HttpRequest& request) override {
    requests.push_back(request);
    return decide(request);
  }
  void on_open(ServerConnection& opened, const HttpRequest&) override {
    connection = &opened;
    when_open(opened);
  }
  void on_frame(ServerConnection&, const ReceivedFrame& frame) override {
    frames.emplace_back(frame.payload);
  }
  void on_ping(ServerConnection&, std::string_view payload, ClockReading) override {
    pings.emplace_back(payload);
  }
  void on_pong(ServerConnection&, std::string_view payload, ClockReading) override {
    pongs.emplace_back(payload);
  }
  void on_sent(ServerConnection&, uint64_t tag, ClockReading) override { sent.push_back(tag); }
  void on_closed(ServerConnection&, const CloseReport& report) override {
    connection = nullptr;
    closed = report;
  }
};

/// A listening server and what a client needs to reach it.
struct LocalServer {
  explicit LocalServer(EventLoop& loop, ServerOptions options = {}) {
    options.listen = {"127.0.0.1", 0};
    auto listening = HttpServer::listen(loop, options, log);
    EXPECT_TRUE(listening) << listening.error().message;
    if (listening) server = std::move(*listening);
  }

  ConnectOptions client_options() const {
    ConnectOptions options;
    options.endpoint = {false, "127.0.0.1", server->port(), "/ws?a=b"};
    return options;
  }

  ServerLog log;
  std::unique_ptr<HttpServer> server;
};

}  // namespace tapeworks::net
