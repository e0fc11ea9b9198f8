// A WebSocketClient at the command line, for tests against servers that are not ours:
//
//   web_socket_probe URL [ca=FILE] [proxy=URL] [deflate=1] [max=BYTES] [send=TEXT]
//   [pause=MILLISECONDS]
//
// prints what happens as JSON lines and ends when the connection does. `send` goes out at once,
// `pause` holds reading back for so long after the first frame.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "recorder/net/web_socket_client.h"

namespace tapeworks::net {
namespace {

constexpr size_t kBytesShown = 200;

void print(const nlohmann::ordered_json& line) {
  std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

class Probe : public WebSocketHandler {
 public:
  Probe(EventLoop& loop, std::map<std::string, std::string> arguments)
      : loop_(loop), pause_(loop), arguments_(std::move(arguments)) {}

  void connect(ConnectOptions options, WebSocketLimits limits) {
    client_.emplace(loop_, std::move(options), limits, *this);
  }

  void on_open() override {
    print({{"event", "open"}});
    if (arguments_.contains("send")) {
      if (const Status sent = client_->send(Opcode::kText, arguments_["send"]); !sent) {
        print({{"event", "not sent"}, {"message", sent.error().message}});
      }
    }
  }
  void on_frame(const ReceivedFrame& frame) override {
    print({{"event", "frame"},
           {"opcode", frame.opcode == Opcode::kText ? "text" : "binary"},
           {"bytes", frame.payload.size()},
           {"head", frame.payload.substr(0, kBytesShown)},
           {"wall_ns", frame.time.wall_ns}});
    if (arguments_.contains("pause")) {
      client_->pause_reading();
      pause_.start(std::chrono::milliseconds(std::atoi(arguments_["pause"].c_str())), [this] {
        print({{"event", "resumed"}});
        client_->resume_reading();
      });
      arguments_.erase("pause");
    }
  }
  void on_ping(std::string_view payload, ClockReading) override {
    print({{"event", "ping"}, {"head", payload}});
  }
  void on_closed(const CloseReport& report) override {
    print({{"event", "closed"},
           {"cause", static_cast<int>(report.cause)},
           {"code", report.code},
           {"reason", report.reason},
           {"message", report.message}});
    loop_.stop();
  }

 private:
  EventLoop& loop_;
  Timer pause_;
  std::map<std::string, std::string> arguments_;
  std::optional<WebSocketClient> client_;
};

int run(const char* url, std::map<std::string, std::string> arguments) {
  const auto endpoint = parse_endpoint(url);
  if (!endpoint) return 2;
  ConnectOptions options;
  options.endpoint = *endpoint;
  options.trust.ca_file = arguments["ca"];
  if (arguments.contains("proxy")) {
    const auto proxy = parse_endpoint(arguments["proxy"]);
    if (!proxy) return 2;
    options.proxy = *proxy;
  }
  WebSocketLimits limits;
  limits.deflate = arguments.contains("deflate");
  if (arguments.contains("max")) {
    limits.message_bytes_max = std::strtoull(arguments["max"].c_str(), nullptr, 10);
  }
  EventLoop loop;
  Probe probe(loop, std::move(arguments));
  probe.connect(std::move(options), limits);
  loop.run();
  return 0;
}

}  // namespace
}  // namespace tapeworks::net

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::map<std::string, std::string> arguments;
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string::npos) return 2;
    arguments[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  return tapeworks::net::run(argv[1], std::move(arguments));
}
