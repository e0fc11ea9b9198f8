#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/random.h"
#include "recorder/simulator/client_json_internal.h"
#include "recorder/simulator/encode.h"
#include "recorder/simulator/session.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kIdleWithoutStreamsNs = 30 * kSecondNs;
constexpr int64_t kIdleNs = 60 * kSecondNs;
constexpr uint16_t kNormalClosure = 1000;
constexpr size_t kIdBytesMax = 256;

constexpr int kBadStructure = 1;
constexpr int kBadArgument = 2;

bool is_one_of(const Json& value, std::initializer_list<std::string_view> allowed) {
  return value.is_string() && std::ranges::find(allowed, value.get<std::string>()) != allowed.end();
}

struct Problem {
  int code;
  std::string message;
};

class GateSession : public VenueSession {
 public:
  GateSession(Venue venue, const Market& market, const ClientRequest& request)
      : VenueSession(market), venue_(venue), size_decimal_(request.size_decimal) {}

  void on_open(int64_t now_ns, SessionActions&) override {
    heard_ns_ = now_ns;
    connection_key_ = mix_bits(static_cast<uint64_t>(now_ns));
  }

  void on_text(std::string_view text, int64_t now_ns, SessionActions& actions) override {
    heard_ns_ = now_ns;
    const auto parsed = parse_client_json(text);
    if (!parsed || !parsed->is_object() || !parsed->value("channel", Json()).is_string()) {
      actions.texts.push_back(
          fail({kBadStructure, "invalid request body"}, Json::object(), now_ns));
      return;
    }
    const Json& request = *parsed;
    const std::string channel = request["channel"];
    if (channel == prefix() + "ping") {
      actions.texts.push_back(fmt::format(
          R"({{"time":{},"time_ms":{},"conn_id":"{:016x}","channel":"{}pong","event":"","result":null}})",
          now_ns / kSecondNs, now_ns / kMillisecondNs, connection_key_, prefix()));
      return;
    }
    const Json event = request.value("event", Json());
    const auto problem = event == "subscribe" || event == "unsubscribe"
                             ? change_subscriptions(event == "subscribe", channel, request)
                             : Problem{kBadArgument, "unknown event"};
    actions.texts.push_back(problem ? fail(*problem, request, now_ns)
                                    : reply(request, now_ns, R"("result":{"status":"success"})"));
  }

  void on_ping(int64_t now_ns, SessionActions&) override { heard_ns_ = now_ns; }

  void on_tick(int64_t now_ns, SessionActions& actions) override {
    const int64_t limit_ns = subscriptions_.empty() ? kIdleWithoutStreamsNs : kIdleNs;
    if (now_ns - heard_ns_ > limit_ns) actions.close = {kNormalClosure, ""};
  }

  std::string shutdown_notice(int64_t now_ns) const override {
    return fmt::format(
        R"({{"time":{},"time_ms":{},"channel":"{}system","event":"update","result":{{"type":"upgrade","msg":"The connection will soon be closed for a service upgrade. Please reconnect."}}}})",
        now_ns / kSecondNs, now_ns / kMillisecondNs, prefix());
  }

 private:
  bool is_futures() const { return venue_ == Venue::kGateFutures; }
  std::string prefix() const { return is_futures() ? "futures." : "spot."; }

  /// One name that does not exist fails the whole list, so nothing is changed before all are known.
  std::optional<Problem> change_subscriptions(bool subscribe, const std::string& channel,
                                              const Json& request) {
    const Json payload = request.value("payload", Json());
    if (!payload.is_array() || payload.empty() ||
        !std::ranges::all_of(payload, [](const Json& item) { return item.is_string(); })) {
      return Problem{kBadStructure, "request payload does not follow json schema"};
    }
    if (channel == prefix() + "order_book") {
      if (const auto problem = check_order_book(payload)) return problem;
      return change(Json::array({payload[0]}), Stream::kL5, subscribe);
    }
    if (channel == prefix() + "book_ticker") return change(payload, Stream::kBook, subscribe);
    if (channel == prefix() + "trades") return change(payload, Stream::kTrade, subscribe);
    return Problem{kBadArgument, "Unknown channel " + channel.substr(0, 60)};
  }

  std::optional<Problem> check_order_book(const Json& payload) const {
    const bool level_is_known =
        payload.size() > 1 && is_one_of(payload[1], {"1", "5", "10", "20", "50", "100"});
    const bool interval_is_known =
        payload.size() == 3 &&
        (is_futures() ? is_one_of(payload[2], {"0"}) : is_one_of(payload[2], {"100ms", "1000ms"}));
    if (payload.size() != 3)
      return Problem{kBadStructure, "request payload does not follow json schema"};
    if (!level_is_known) return Problem{kBadArgument, "invalid level"};
    if (!interval_is_known) return Problem{kBadArgument, "invalid interval"};
    return std::nullopt;
  }

  std::optional<Problem> change(const Json& names, Stream stream, bool subscribe) {
    std::vector<uint32_t> keys;
    for (const Json& name : names) {
      const auto index = market_.find(name.get<std::string>(), false);
      if (!index) {
        return Problem{kBadArgument,
                       fmt::format("unknown {}: {}", is_futures() ? "contract" : "currency pair",
                                   name.get<std::string>())};
      }
      keys.push_back(StreamKey{static_cast<uint32_t>(*index), stream}.packed());
    }
    for (const uint32_t key : keys) {
      if (subscribe) {
        subscriptions_[key] = {};
      } else {
        subscriptions_.erase(key);
      }
    }
    return std::nullopt;
  }

  std::string fail(const Problem& problem, const Json& request, int64_t now_ns) {
    return reply(request, now_ns,
                 fmt::format(R"("error":{{"code":{},"message":{}}},"result":{{"status":"fail"}})",
                             problem.code, dump(Json(problem.message))));
  }

  /// The frame around an answer, members in the order of the exchange.
  std::string reply(const Json& request, int64_t now_ns, std::string_view outcome) {
    const std::string trace =
        fmt::format("{:016x}{:016x}", connection_key_, mix_bits(++reply_count_));
    std::string text =
        fmt::format(R"({{"time":{},"time_ms":{})", now_ns / kSecondNs, now_ns / kMillisecondNs);
    if (const auto id = request.find("id"); id != request.end() && !id->is_null()) {
      if (const std::string id_text = dump(*id); id_text.size() <= kIdBytesMax) {
        text += R"(,"id":)" + id_text;
      }
    }
    text += fmt::format(R"(,"conn_id":"{:016x}","trace_id":"{}")", connection_key_, trace);
    for (const char* name : {"channel", "event", "payload"}) {
      if (const auto member = request.find(name); member != request.end()) {
        text += fmt::format(R"(,"{}":{})", name, dump(*member));
      }
    }
    return text + fmt::format(R"(,{},"requestId":"{}"}})", outcome, trace);
  }

  Outgoing write(const MarketEvent& event, const std::string&, NumberForm form) const override {
    WireStyle style;
    style.price = style.quantity = {NumberStyle::Zeros::kTrim, form};
    if (form == NumberForm::kWrong) style.quantity.form = NumberForm::kPlain;
    style.whole_quantities = is_futures() && !size_decimal_;
    // An integer stays one: 1e1 is a number of another kind.
    if (style.whole_quantities) style.quantity.form = NumberForm::kPlain;
    const WireEvent wire = write_numbers(event, style);
    return {encode_gate(venue_, wire, size_decimal_), false, ledger_rows(venue_, wire)};
  }

  Venue venue_;
  bool size_decimal_;
  int64_t heard_ns_ = 0;
  uint64_t connection_key_ = 0;
  uint64_t reply_count_ = 0;
};

}  // namespace

std::unique_ptr<VenueSession> make_gate_session(Venue venue, const Market& market,
                                                const ClientRequest& request) {
  return std::make_unique<GateSession>(venue, market, request);
}

}  // namespace tapeworks::simulator
