#include "recorder/simulation/simulated_network.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "recorder/net/endpoint.h"
#include "recorder/net/event_loop.h"
#include "recorder/net/http_client.h"
#include "recorder/net/http_server.h"
#include "recorder/net/web_socket_client.h"

namespace tapeworks::net {
namespace {

using std::chrono::nanoseconds;

constexpr uint16_t kFirstPort = 20'000;

class Link;
class Listener;

/// All that there is, for one thread.
struct World {
  simulated::WorldOptions options;
  std::mt19937_64 random;
  int64_t monotonic_ns = 0;
  int64_t wall_minus_monotonic_ns = 0;
  int64_t refuses_until_ns = 0;
  /// By due time; equal ones in the order in which they were made.
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> tasks;
  uint64_t task_count = 0;
  std::map<uint16_t, Listener*> listeners;
  uint16_t next_port = kFirstPort;
  std::vector<std::weak_ptr<Link>> links;
  std::function<void(const ReceivedFrame&, uint64_t connection)> tap;
};

World& world() {
  static World the_world;
  return the_world;
}

void run_at(int64_t due_ns, std::function<void()> task) {
  World& now = world();
  now.tasks.emplace(std::pair(std::max(due_ns, now.monotonic_ns), now.task_count++),
                    std::move(task));
}

void run_after(nanoseconds delay, std::function<void()> task) {
  run_at(world().monotonic_ns + delay.count(), std::move(task));
}

nanoseconds draw_latency() {
  const auto& options = world().options;
  std::uniform_int_distribution<int64_t> micros(options.latency_min.count(),
                                                options.latency_max.count());
  return std::chrono::microseconds(micros(world().random));
}

bool is_refusing() { return world().monotonic_ns < world().refuses_until_ns; }

}  // namespace

// --- clocks, loop, timers ---

ClockReading read_clocks() {
  const World& now = world();
  return {now.monotonic_ns + now.wall_minus_monotonic_ns, now.monotonic_ns};
}

struct EventLoop::Impl {
  bool stopped = false;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->stopped = false;
  auto& tasks = world().tasks;
  while (!impl_->stopped && !tasks.empty()) {
    auto next = tasks.extract(tasks.begin());
    world().monotonic_ns = next.key().first;
    next.mapped()();
  }
}

void EventLoop::stop() { impl_->stopped = true; }

void EventLoop::post(std::function<void()> task) { run_after(nanoseconds(0), std::move(task)); }

void EventLoop::on_termination(std::function<void(int)>) {}

void EventLoop::on_reload(std::function<void(int)>) {}

struct Timer::State {
  std::function<void()> callback;
  uint64_t start_count = 0;
};

Timer::Timer(EventLoop&) : state_(std::make_shared<State>()) {}

Timer::~Timer() { cancel(); }

void Timer::start(nanoseconds delay, std::function<void()> callback) {
  state_->callback = std::move(callback);
  run_after(delay, [state = state_, number = ++state_->start_count] {
    if (number == state->start_count) std::exchange(state->callback, nullptr)();
  });
}

void Timer::cancel() {
  ++state_->start_count;
  state_->callback = nullptr;
}

// --- connections ---

namespace {

/// A port that is listened to, with its connections.
class Listener {
 public:
  Listener(ServerOptions options, ServerHandler& handler, uint16_t port)
      : options_(std::move(options)), handler_(handler), port_(port) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  ServerHandler& handler() { return handler_; }
  uint16_t port() const { return port_; }
  bool is_accepting() const { return accepting_ && !is_refusing(); }
  void stop_accepting() { accepting_ = false; }
  /// Null when there are too many.
  std::shared_ptr<Link> accept(const HttpRequest& request);
  void forget(const Link& link);

 private:
  ServerOptions options_;
  ServerHandler& handler_;
  uint16_t port_;
  bool accepting_ = true;
  uint64_t accepted_count_ = 0;
  std::vector<std::shared_ptr<Link>> links_;
};

/// One WebSocket with both of its ends.
class Link final : public ServerConnection, public std::enable_shared_from_this<Link> {
 public:
  Link(Listener& server, uint64_t id) : server_(&server), id_(id) {}

  // The client's end.
  void attach(WebSocketHandler& client) { client_.handler = &client; }
  void detach_client() {
    if (std::exchange(client_.handler, nullptr) != nullptr) cut();
  }
  Status send_from_client(Opcode opcode, std::string payload) {
    if (client_.handler == nullptr || client_.closing) return not_open();
    to_server([this, opcode, payload = std::move(payload)] {
      server_handler().on_frame(*this, {payload, opcode, read_clocks()});
    });
    return {};
  }
  Status ping_from_client(std::string payload) {
    if (client_.handler == nullptr || client_.closing) return not_open();
    to_server([this, payload = std::move(payload)] {
      server_handler().on_ping(*this, payload, read_clocks());
      to_client([this, payload] { client_.handler->on_pong(payload, read_clocks()); });
    });
    return {};
  }
  void close_from_client(uint16_t code, const std::string& reason) {
    if (client_.handler == nullptr || client_.closing) return;
    client_.closing = true;
    pause_client(false);  // the answer to the close frame has to be read
    to_server([this, code, reason] {
      server_end_.closing = true;
      to_client([this, code, reason] {
        end_client({CloseCause::kClosedByUs, code, reason, {}, "closed as asked"});
      });
      end_server({CloseCause::kClosedByPeer, code, reason, {}, "the peer closed the connection"});
    });
  }
  void pause_client(bool paused) { pause(client_, paused); }

  // The server's.
  void open_at_server(const HttpRequest& request) { server_handler().on_open(*this, request); }
  void drop_server() {
    server_ = nullptr;
    cut();
  }
  uint64_t id() const override { return id_; }
  Status send(Opcode opcode, std::string payload, uint64_t tag) override {
    if (server_ == nullptr || server_end_.closing) return not_open();
    to_client([this, opcode, payload = std::move(payload)] {
      const ReceivedFrame frame{payload, opcode, read_clocks()};
      if (world().tap) world().tap(frame, id_);
      client_.handler->on_frame(frame);
    });
    if (tag == 0) return {};
    unsaid_tags_.push_back(tag);
    run_after(nanoseconds(0), [self = shared_from_this()] { self->say_sent(); });
    return {};
  }
  Status send_ping(std::string payload) override {
    if (server_ == nullptr || server_end_.closing) return not_open();
    to_client([this, payload = std::move(payload)] {
      to_server([this, payload] { server_handler().on_pong(*this, payload, read_clocks()); });
      client_.handler->on_ping(payload, read_clocks());
    });
    return {};
  }
  /// What is no whole frame gives no message.
  Status send_raw(std::string) override { return {}; }
  void close(uint16_t code, std::string reason) override {
    if (server_ == nullptr || std::exchange(server_end_.closing, true)) return;
    pause(server_end_, false);  // the answer to the close frame has to be read
    to_client([this, code, reason = std::move(reason)] {
      to_server([this, code, reason] {
        end_server({CloseCause::kClosedByUs, code, reason, {}, "closed as asked"});
      });
      end_client({CloseCause::kClosedByPeer,
                  code,
                  reason,
                  {},
                  fmt::format("the peer closed the connection with code {}", code)});
    });
  }
  void abort_after_queue() override {
    if (std::exchange(server_end_.closing, true)) return;
    to_client([this] { cut(); });
  }
  void abort() override {
    server_end_.closing = true;
    cut();
  }
  void pause_reading() override { pause(server_end_, true); }
  void resume_reading() override { pause(server_end_, false); }
  size_t queued_bytes() const override { return 0; }

  bool is_open() const { return !cut_ && client_.handler != nullptr && server_ != nullptr; }
  /// Neither end gets what is under way, and each learns of it in its own time.
  void cut() {
    if (std::exchange(cut_, true)) return;
    const auto lost = CloseReport{CloseCause::kLost, 0, {}, {}, "the connection was lost"};
    run_after(draw_latency(), [self = shared_from_this(), lost] { self->end_client(lost); });
    run_after(draw_latency(), [self = shared_from_this(), lost] { self->end_server(lost); });
  }

 private:
  /// What comes to one end.
  struct End {
    WebSocketHandler* handler = nullptr;  ///< of the client's end
    int64_t last_arrival_ns = 0;
    bool closing = false;
    bool paused = false;
    std::deque<std::function<void()>> held;  ///< has arrived during a pause
  };

  static Status not_open() { return invalid_argument("the connection is not open"); }
  ServerHandler& server_handler() { return server_->handler(); }

  void to_client(std::function<void()> arrival) {
    bring(client_, [this, arrival = std::move(arrival)] {
      if (client_.handler != nullptr) arrival();
    });
  }
  void to_server(std::function<void()> arrival) {
    bring(server_end_, [this, arrival = std::move(arrival)] {
      if (server_ != nullptr) arrival();
    });
  }
  void bring(End& end, std::function<void()> arrival) {
    end.last_arrival_ns =
        std::max(end.last_arrival_ns, world().monotonic_ns + draw_latency().count());
    run_at(end.last_arrival_ns, [self = shared_from_this(), &end, arrival = std::move(arrival)] {
      if (self->cut_) return;
      end.held.push_back(arrival);
      self->deliver(end);
    });
  }
  void deliver(End& end) {
    while (!end.paused && !end.held.empty()) {
      const auto arrival = std::move(end.held.front());
      end.held.pop_front();
      arrival();
    }
  }
  void pause(End& end, bool paused) {
    if (std::exchange(end.paused, paused) == paused || paused) return;
    run_after(nanoseconds(0), [self = shared_from_this(), &end] {
      if (!self->cut_) self->deliver(end);
    });
  }

  void end_client(const CloseReport& report) {
    if (client_.handler != nullptr) std::exchange(client_.handler, nullptr)->on_closed(report);
  }
  void say_sent() {
    while (server_ != nullptr && !unsaid_tags_.empty()) {
      const uint64_t tag = unsaid_tags_.front();
      unsaid_tags_.pop_front();
      server_handler().on_sent(*this, tag, read_clocks());
    }
  }
  void end_server(const CloseReport& report) {
    say_sent();
    if (server_ == nullptr) return;
    Listener* const server = std::exchange(server_, nullptr);
    const auto kept = shared_from_this();
    server->handler().on_closed(*this, report);
    server->forget(*this);
  }

  Listener* server_;
  uint64_t id_;
  End client_;
  End server_end_;
  std::deque<uint64_t> unsaid_tags_;  ///< of messages that on_sent() has not named yet
  bool cut_ = false;
};

/// The server that listens where a client wants to go, or null.
Listener* find_server(const ConnectOptions& options) {
  const auto listener = world().listeners.find(options.endpoint.port);
  const bool is_there = listener != world().listeners.end() && listener->second->is_accepting();
  return is_there ? listener->second : nullptr;
}

HttpRequest request_of(const ConnectOptions& options, std::string method) {
  return {std::move(method), options.endpoint.target, options.headers, {}};
}

std::string refusal_sentence(const ConnectOptions& options) {
  return fmt::format("cannot connect to {}: refused", host_and_port(options.endpoint));
}

Listener::~Listener() {
  world().listeners.erase(port_);
  for (const auto& link : links_) link->drop_server();
}

std::shared_ptr<Link> Listener::accept(const HttpRequest& request) {
  if (links_.size() == options_.connections_max) return nullptr;
  auto link = std::make_shared<Link>(*this, ++accepted_count_);
  links_.push_back(link);
  std::erase_if(world().links, [](const auto& each) { return each.expired(); });
  world().links.push_back(link);
  link->open_at_server(request);
  return link;
}

void Listener::forget(const Link& link) {
  std::erase_if(links_, [&](const auto& each) { return each.get() == &link; });
}

}  // namespace

class HttpServer::State : public Listener {
  using Listener::Listener;
};

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop&, ServerOptions options,
                                                       ServerHandler& handler) {
  const uint16_t port = options.listen.port != 0 ? options.listen.port : world().next_port++;
  if (world().listeners.contains(port)) return io_error("port {} is taken", port);
  auto state = std::make_shared<State>(std::move(options), handler, port);
  world().listeners[port] = state.get();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

uint16_t HttpServer::port() const { return state_->port(); }

void HttpServer::stop_accepting() { state_->stop_accepting(); }

// --- clients ---

class WebSocketClient::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(ConnectOptions options, WebSocketHandler& handler)
      : options_(std::move(options)), handler_(&handler) {}

  void connect() {
    run_after(draw_latency(), [self = shared_from_this()] { self->arrive(); });
  }
  void abandon() {
    handler_ = nullptr;
    if (link_ != nullptr) link_->detach_client();
  }
  /// Null before on_open().
  Link* link() { return link_.get(); }

 private:
  void arrive() {
    if (handler_ == nullptr) return;
    Listener* const server = find_server(options_);
    if (server == nullptr) return fail(refusal_sentence(options_), {});
    const HttpRequest request = request_of(options_, "GET");
    const HttpResponse refusal = server->handler().on_upgrade(request).refusal;
    if (refusal.status != 101) {
      return fail(fmt::format("{} refused the WebSocket with HTTP status {}",
                              host_and_port(options_.endpoint), refusal.status),
                  refusal.status);
    }
    link_ = server->accept(request);
    if (link_ == nullptr) return fail(refusal_sentence(options_), {});
    link_->attach(*handler_);
    handler_->on_open();
  }
  void fail(std::string message, std::optional<int> http_status) {
    run_after(draw_latency(),
              [self = shared_from_this(), message = std::move(message), http_status] {
                if (self->handler_ == nullptr) return;
                std::exchange(self->handler_, nullptr)
                    ->on_closed({CloseCause::kNotOpened, 0, {}, http_status, message});
              });
  }

  ConnectOptions options_;
  WebSocketHandler* handler_;
  std::shared_ptr<Link> link_;
};

WebSocketClient::WebSocketClient(EventLoop&, ConnectOptions options, WebSocketLimits,
                                 WebSocketHandler& handler)
    : session_(std::make_shared<Session>(std::move(options), handler)) {
  session_->connect();
}

WebSocketClient::~WebSocketClient() { session_->abandon(); }

Status WebSocketClient::send(Opcode opcode, std::string payload) {
  if (session_->link() == nullptr) return invalid_argument("the connection is not open");
  return session_->link()->send_from_client(opcode, std::move(payload));
}

Status WebSocketClient::send_ping(std::string payload) {
  if (session_->link() == nullptr) return invalid_argument("the connection is not open");
  return session_->link()->ping_from_client(std::move(payload));
}

void WebSocketClient::close(uint16_t code, std::string reason) {
  if (session_->link() != nullptr) session_->link()->close_from_client(code, reason);
}

void WebSocketClient::pause_reading() {
  if (session_->link() != nullptr) session_->link()->pause_client(true);
}

void WebSocketClient::resume_reading() {
  if (session_->link() != nullptr) session_->link()->pause_client(false);
}

size_t WebSocketClient::queued_bytes() const { return 0; }

class HttpCall::Session {
 public:
  Session(ConnectOptions options, HttpQuery query, size_t body_bytes_max, Callback callback)
      : options_(std::move(options)),
        query_(std::move(query)),
        body_bytes_max_(body_bytes_max),
        callback_(std::move(callback)) {}

  static void ask(const std::shared_ptr<Session>& self) {
    run_after(draw_latency(), [self] { self->arrive(self); });
  }
  void abandon() { callback_ = nullptr; }

 private:
  void arrive(const std::shared_ptr<Session>& self) {
    if (!callback_) return;
    Listener* const server = find_server(options_);
    if (server == nullptr) {
      return answer(self, io_error("{}", refusal_sentence(options_)), nanoseconds(0));
    }
    HttpRequest request = request_of(options_, query_.method);
    request.body = query_.content;
    HttpResponse response = server->handler().on_request(request);
    if (response.body.size() > body_bytes_max_) {
      return answer(self, io_error("the answer is too long"), response.delay);
    }
    answer(self, HttpAnswer{response.status, std::move(response.headers), std::move(response.body)},
           response.delay);
  }
  static void answer(const std::shared_ptr<Session>& self, Result<HttpAnswer> answer,
                     nanoseconds delay) {
    run_after(draw_latency() + delay, [self, answer = std::move(answer)] {
      if (self->callback_) std::exchange(self->callback_, nullptr)(answer);
    });
  }

  ConnectOptions options_;
  HttpQuery query_;
  size_t body_bytes_max_;
  Callback callback_;
};

HttpCall::HttpCall(EventLoop&, ConnectOptions options, HttpQuery query, size_t body_bytes_max,
                   Callback callback)
    : session_(std::make_shared<Session>(std::move(options), std::move(query), body_bytes_max,
                                         std::move(callback))) {
  Session::ask(session_);
}

HttpCall::~HttpCall() { session_->abandon(); }

// --- what a test does to it ---

namespace simulated {

void begin_world(const WorldOptions& options) {
  world() = World();
  world().options = options;
  world().random.seed(options.seed);
  world().wall_minus_monotonic_ns = options.begin_wall_ns;
}

void step_wall_clock(nanoseconds by) { world().wall_minus_monotonic_ns += by.count(); }

bool cut_a_connection() {
  std::vector<std::shared_ptr<Link>> open;
  for (const auto& each : world().links) {
    if (auto link = each.lock(); link != nullptr && link->is_open()) open.push_back(link);
  }
  if (open.empty()) return false;
  open[world().random() % open.size()]->cut();
  return true;
}

void refuse_connections_for(nanoseconds duration) {
  world().refuses_until_ns = world().monotonic_ns + duration.count();
}

void tap_clients(std::function<void(const ReceivedFrame&, uint64_t)> tap) {
  world().tap = std::move(tap);
}

}  // namespace simulated
}  // namespace tapeworks::net
