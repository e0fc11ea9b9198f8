#include "recorder/simulator/venue_server.h"

#include <utility>

#include "base/random.h"
#include "recorder/simulator/instrument_list.h"
#include "recorder/simulator/trade_list.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kSessionTickNs = 50'000'000;
constexpr int64_t kTokenLifeNs = int64_t{24} * 3600 * 1'000'000'000;
constexpr size_t kTokensMax = 10'000;
constexpr std::string_view kTokenPath = "/api/v1/bullet-public";

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

/// For a basic string of TOML.
std::string toml_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

net::HttpResponse error_response(int status, std::string body) { return {status, std::move(body)}; }

}  // namespace

VenueServer::VenueServer(const Options& options, const std::vector<Fault>& script, Ledger& ledger)
    : options_(options),
      market_(options.venue, options.symbol_count, options.seed, net::read_clocks().wall_ns),
      ledger_(ledger) {
  for (const Fault& fault : script) {
    if (fault.message && fault.venue.value_or(options.venue) == options.venue) {
      message_faults_.push_back(fault);
    }
  }
}

Result<std::unique_ptr<VenueServer>> VenueServer::start(net::EventLoop& loop,
                                                        const Options& options,
                                                        const std::vector<Fault>& script,
                                                        Ledger& ledger) {
  std::unique_ptr<VenueServer> venue(new VenueServer(options, script, ledger));
  TW_ASSIGN(venue->server_, net::HttpServer::listen(loop, options.server, *venue));
  return venue;
}

bool VenueServer::is_kucoin() const {
  return options_.venue == Venue::kKucoinSpot || options_.venue == Venue::kKucoinFutures;
}

std::string VenueServer::address() const {
  return net::host_and_port({false, options_.server.listen.address, server_->port(), ""});
}

std::string VenueServer::feed_toml() const {
  const VenueFacts& facts = facts_of(options_.venue);
  const bool tls = !options_.server.tls_cert_file.empty();
  std::string toml =
      fmt::format("[[feed]]\nexchange = \"{}\"\nmarket = \"{}\"\ntransport = \"{}\"\nsymbols = [",
                  facts.exchange, facts.market, facts.transport);
  for (size_t i = 0; i < market_.symbol_count(); ++i) {
    toml += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", toml_escaped(market_.symbol(i)));
  }
  toml += fmt::format("]\nstreams = [\"book\", \"l5\", \"trade\"]\nendpoint = \"{}://{}{}\"\n",
                      tls ? "wss" : "ws", address(), facts.path);
  toml += fmt::format("rest_endpoint = \"{}://{}\"\n", tls ? "https" : "http", address());
  if (tls)
    toml += fmt::format("ca_file = \"{}\"\n", toml_escaped(options_.server.tls_cert_file.string()));
  return toml;
}

size_t VenueServer::produce(StreamKey key, uint64_t logical_id) {
  const MarketEvent event =
      market_.next(key.stream, key.symbol_index, logical_id, net::read_clocks().wall_ns + skew_ns_);
  size_t receivers = 0;
  for (const auto& [id, client] : clients_) {
    receivers += client->deliver(event, key.symbol_index) ? 1 : 0;
  }
  return receivers;
}

void VenueServer::inject(const Fault& fault) {
  const int64_t duration_ns = std::chrono::nanoseconds(fault.duration).count();
  switch (fault.kind) {
    case FaultKind::kExpiredToken:
      expired_tokens_left_ += fault.count;
      return;
    case FaultKind::kTokenFailure:
      token_failure_ = fault;
      token_failures_left_ = fault.count;
      return;
    case FaultKind::kCompression:
      deflate_ = fault.on;
      return;
    case FaultKind::kListSymbol:
      market_.list(fault.symbol);
      return;
    case FaultKind::kDelistSymbol:
      market_.delist(fault.symbol);
      return;
    case FaultKind::kClockSkew:
      skew_ns_ = duration_ns;
      return;
    case FaultKind::kDelayAcks:
      ack_delay_ns_ = duration_ns;
      return;
    case FaultKind::kRestFailure:
      rest_failure_ = fault;
      rest_failures_left_ = fault.count;
      return;
    case FaultKind::kRestEmpty:
      rest_empty_left_ += fault.count;
      return;
    case FaultKind::kRestPartial:
      rest_partial_left_ += fault.count;
      return;
    default:
      break;
  }
  for (const auto& [id, client] : clients_) {
    if (fault.connection.value_or(client->number()) == client->number()) client->inject(fault);
  }
}

void VenueServer::tick() {
  for (const auto& [id, client] : clients_) client->tick();
  const net::ClockReading now = net::read_clocks();
  if (now.monotonic_ns < session_tick_ns_) return;
  session_tick_ns_ = now.monotonic_ns + kSessionTickNs;
  for (const auto& [id, client] : clients_) {
    SessionActions actions;
    client->session().on_tick(now.wall_ns, actions);
    client->perform(std::move(actions));
  }
}

net::HttpResponse VenueServer::on_request(const net::HttpRequest& request) {
  if (is_kucoin() && path_of(request.target) == kTokenPath) return give_token(request);
  for (const auto list_of : {instrument_list, volume_list}) {
    auto list =
        list_of(options_.venue, market_, path_of(request.target), net::read_clocks().wall_ns);
    if (list) return {200, std::move(*list)};
  }
  if (auto trades = give_trades(request)) return std::move(*trades);
  return error_response(404, R"({"code":404,"msg":"the simulator has no such resource"})");
}

/// Within the venue's limit, and with the faults that the script wants.
std::optional<net::HttpResponse> VenueServer::give_trades(const net::HttpRequest& request) {
  const TradeListRules& rules = trade_list_rules(options_.venue);
  if (path_of(request.target) != rules.path) return std::nullopt;
  const auto refuse = [](int status, int64_t seconds) {
    net::HttpResponse refusal = error_response(
        status, fmt::format(R"({{"code":{},"msg":"the request is refused"}})", status));
    refusal.headers.push_back({"Retry-After", std::to_string(seconds)});
    return refusal;
  };
  if (rest_failures_left_ > 0) {
    --rest_failures_left_;
    return refuse(rest_failure_->status,
                  std::chrono::ceil<std::chrono::seconds>(rest_failure_->duration).count());
  }
  const int64_t now_ns = net::read_clocks().monotonic_ns;
  const int64_t window_ns = std::chrono::nanoseconds(rules.window).count();
  std::deque<int64_t>& times = trade_request_times_ns_;
  while (!times.empty() && times.front() <= now_ns - window_ns) times.pop_front();
  if (times.size() >= rules.requests_max) {
    return refuse(429, (times.front() + window_ns - now_ns) / 1'000'000'000 + 1);
  }
  times.push_back(now_ns);
  auto answer = TradeListAnswer::kWhole;
  if (rest_empty_left_ > 0) {
    --rest_empty_left_;
    answer = TradeListAnswer::kEmpty;
  } else if (rest_partial_left_ > 0) {
    --rest_partial_left_;
    answer = TradeListAnswer::kSecondHalf;
  }
  const bool in_microseconds = request.header("X-MBX-TIME-UNIT") == "MICROSECOND";
  auto list = trade_list(options_.venue, market_, request.target, in_microseconds, answer);
  if (!list) return error_response(400, R"({"code":400,"msg":"there is no such symbol"})");
  return net::HttpResponse{200, std::move(*list)};
}

net::HttpResponse VenueServer::give_token(const net::HttpRequest& request) {
  if (request.method != "POST") {
    return error_response(405, R"({"code":"405000","msg":"Method Not Allowed"})");
  }
  std::chrono::milliseconds delay{};
  if (token_failures_left_ > 0) {
    --token_failures_left_;
    delay = token_failure_->duration;
    if (const int status = token_failure_->status; status != 200) {
      net::HttpResponse failure = error_response(
          status, fmt::format(R"({{"code":"{}000","msg":"the script wants it so"}})", status));
      failure.delay = delay;
      return failure;
    }
  }
  const int64_t now_ns = net::read_clocks().wall_ns;
  std::erase_if(token_expiry_ns_, [now_ns](const auto& token) { return token.second < now_ns; });
  if (token_expiry_ns_.size() >= kTokensMax) {
    return error_response(429, R"({"code":"429000","msg":"Too Many Requests"})");
  }
  const uint64_t key = derive_key(options_.seed ^ static_cast<uint64_t>(now_ns), ++token_count_);
  const std::string token =
      fmt::format("{:016x}{:016x}.{:016x}==", key, mix_bits(key), mix_bits(~key));
  token_expiry_ns_[token] = now_ns + kTokenLifeNs;
  const bool tls = !options_.server.tls_cert_file.empty();
  const std::string_view host = request.header("host");
  net::HttpResponse response{
      200,
      fmt::format(
          R"({{"code":"200000","data":{{"token":"{}","instanceServers":[{{"endpoint":"{}://{}/","encrypt":{},"protocol":"websocket","pingInterval":18000,"pingTimeout":10000}}]}}}})",
          token, tls ? "wss" : "ws", host.contains('"') || host.empty() ? address() : host, tls)};
  response.delay = delay;
  return response;
}

bool VenueServer::accept_token(const std::string& token) {
  if (expired_tokens_left_ > 0) {
    --expired_tokens_left_;
    return false;
  }
  const auto known = token_expiry_ns_.find(token);
  return known != token_expiry_ns_.end() && known->second > net::read_clocks().wall_ns;
}

net::UpgradeDecision VenueServer::on_upgrade(const net::HttpRequest& request) {
  net::UpgradeDecision decision;
  decision.deflate = deflate_;
  if (options_.venue == Venue::kBinanceSpotSbe && request.header("X-MBX-APIKEY").empty()) {
    decision.refusal = error_response(
        401, R"({"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."})");
  }
  return decision;
}

void VenueServer::on_open(net::ServerConnection& connection, const net::HttpRequest& request) {
  ClientRequest how{request.target, request.header("X-Gate-Size-Decimal") == "1", true};
  if (is_kucoin()) how.token_is_valid = accept_token(query_value(request.target, "token"));
  const uint64_t number = ++client_count_;
  std::vector<Fault> faults;
  for (const Fault& fault : message_faults_) {
    if (fault.connection.value_or(number) == number) faults.push_back(fault);
  }
  auto client = std::make_unique<ClientConnection>(options_.venue, number, connection,
                                                   make_session(options_.venue, market_, how),
                                                   std::move(faults), ledger_);
  SessionActions actions;
  client->session().on_open(net::read_clocks().wall_ns, actions);
  client->perform(std::move(actions), ack_delay_ns_);
  note_subscriptions(client->session());
  clients_[connection.id()] = std::move(client);
}

void VenueServer::note_subscriptions(const VenueSession& session) {
  for (const auto& [packed, name] : session.subscriptions()) {
    if (live_keys_.insert(packed).second) live_streams_.push_back(StreamKey::unpacked(packed));
  }
}

void VenueServer::on_frame(net::ServerConnection& connection, const net::ReceivedFrame& frame) {
  const auto client = clients_.find(connection.id());
  if (client == clients_.end()) return;
  SessionActions actions;
  client->second->session().on_text(frame.payload, frame.time.wall_ns, actions);
  client->second->perform(std::move(actions), ack_delay_ns_);
  note_subscriptions(client->second->session());
}

void VenueServer::on_ping(net::ServerConnection& connection, std::string_view,
                          net::ClockReading time) {
  const auto client = clients_.find(connection.id());
  if (client == clients_.end()) return;
  SessionActions actions;
  client->second->session().on_ping(time.wall_ns, actions);
  client->second->perform(std::move(actions));
}

void VenueServer::on_pong(net::ServerConnection& connection, std::string_view,
                          net::ClockReading time) {
  const auto client = clients_.find(connection.id());
  if (client == clients_.end()) return;
  SessionActions actions;
  client->second->session().on_pong(time.wall_ns, actions);
  client->second->perform(std::move(actions));
}

void VenueServer::on_sent(net::ServerConnection& connection, uint64_t tag, net::ClockReading) {
  if (const auto client = clients_.find(connection.id()); client != clients_.end()) {
    client->second->on_sent(tag);
  }
}

void VenueServer::on_closed(net::ServerConnection& connection, const net::CloseReport&) {
  clients_.erase(connection.id());
}

}  // namespace tapeworks::simulator
