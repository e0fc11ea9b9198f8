#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "recorder/simulator/client_json_internal.h"
#include "recorder/simulator/encode.h"
#include "recorder/simulator/session.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr size_t kStreamsMax = 1024;
constexpr uint16_t kPolicyViolation = 1008;
constexpr uint16_t kGoingAway = 1001;

/// USD-M has a path for each kind of stream, and a stream on the wrong one stays silent.
enum class Route : uint8_t { kPublic, kMarket, kPrivate };

struct Intervals {
  int64_t ping_ns;
  int64_t pong_limit_ns;
  size_t messages_per_second_max;
};

Intervals intervals_of(Venue venue) {
  return venue == Venue::kBinanceUsdm ? Intervals{180 * kSecondNs, 600 * kSecondNs, 10}
                                      : Intervals{20 * kSecondNs, 60 * kSecondNs, 5};
}

std::optional<Stream> find_stream(Venue venue, std::string_view channel) {
  if (channel == "trade") return Stream::kTrade;
  if (venue == Venue::kBinanceSpotSbe) {
    if (channel == "bestBidAsk") return Stream::kBook;
    if (channel == "depth20") return Stream::kL5;
    return std::nullopt;
  }
  if (channel == "bookTicker") return Stream::kBook;
  if (channel == "depth5" || channel == "depth5@100ms") return Stream::kL5;
  if (venue == Venue::kBinanceUsdm && channel == "depth5@500ms") return Stream::kL5;
  return std::nullopt;
}

std::string error_text(int code, std::string_view message) {
  return fmt::format(R"({{"code":{},"msg":{}}})", code, dump(Json(message)));
}

class BinanceSession : public VenueSession {
 public:
  BinanceSession(Venue venue, const Market& market, const ClientRequest& request)
      : VenueSession(market),
        venue_(venue),
        intervals_(intervals_of(venue)),
        messages_(intervals_.messages_per_second_max, kSecondNs) {
    std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
    if (path.starts_with("/market/")) route_ = Route::kMarket;
    if (path.starts_with("/private/")) route_ = Route::kPrivate;
    combined_ = path.ends_with("/stream");
    if (combined_) {
      subscribe_path(query_value(request.target, "streams"));
    } else if (const size_t at = path.rfind("/ws/"); at != std::string_view::npos) {
      subscribe_path(percent_decoded(path.substr(at + 4)));
    }
  }

  void on_open(int64_t now_ns, SessionActions&) override {
    next_ping_ns_ = now_ns + intervals_.ping_ns;
  }

  void on_text(std::string_view text, int64_t now_ns, SessionActions& actions) override {
    if (!count_message(now_ns, actions)) return;
    const auto request = parse_client_json(text);
    actions.texts.push_back(request
                                ? answer(*request, actions)
                                : error_text(3, "Invalid JSON: expected value at line 1 column 1"));
  }

  void on_ping(int64_t now_ns, SessionActions& actions) override { count_message(now_ns, actions); }

  void on_pong(int64_t now_ns, SessionActions& actions) override {
    unanswered_since_ns_.reset();
    count_message(now_ns, actions);
  }

  void on_tick(int64_t now_ns, SessionActions& actions) override {
    if (unanswered_since_ns_ && now_ns - *unanswered_since_ns_ > intervals_.pong_limit_ns) {
      actions.close = {kGoingAway, "no pong"};
    } else if (now_ns >= next_ping_ns_) {
      next_ping_ns_ += intervals_.ping_ns;
      if (!unanswered_since_ns_) unanswered_since_ns_ = now_ns;
      actions.ping = true;
    }
  }

  std::string shutdown_notice(int64_t now_ns) const override {
    const std::string payload =
        fmt::format(R"({{"e":"serverShutdown","E":{}}})", now_ns / 1'000'000);
    return combined_ ? fmt::format(R"({{"stream":"!serverShutdown","data":{}}})", payload)
                     : payload;
  }

 private:
  /// False when the client has sent too much.
  bool count_message(int64_t now_ns, SessionActions& actions) {
    if (messages_.allows(now_ns)) return true;
    actions.close = {kPolicyViolation, "Too many requests"};
    return false;
  }

  std::string answer(const Json& request, SessionActions& actions) {
    if (!request.is_object() || !request.contains("method") || !request["method"].is_string()) {
      return error_text(2, "Invalid request: missing field `method` at line 1 column 2");
    }
    const Json id = request.value("id", Json());
    if (!id.is_null() && !id.is_number_integer() && !id.is_string()) {
      return error_text(2, "Invalid request: request ID must be an unsigned integer");
    }
    const std::string method = request["method"];
    const Json params = request.value("params", Json::array());
    if (method == "SUBSCRIBE" || method == "UNSUBSCRIBE") {
      return change_subscriptions(method == "SUBSCRIBE", params, id, actions);
    }
    if (method == "LIST_SUBSCRIPTIONS") return result_text(Json(names_), id);
    if (method == "GET_PROPERTY") return result_text(combined_, id);
    if (method == "SET_PROPERTY") return set_property(params, id);
    return error_text(
        2, fmt::format("Invalid request: unknown variant `{}`, expected one of `SUBSCRIBE`, "
                       "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`",
                       method.substr(0, 40)));
  }

  static std::string result_text(const Json& result, const Json& id) {
    return fmt::format(R"({{"result":{},"id":{}}})", dump(result), dump(id));
  }

  std::string change_subscriptions(bool subscribe, const Json& params, const Json& id,
                                   SessionActions& actions) {
    if (!params.is_array() ||
        !std::ranges::all_of(params, [](const Json& name) { return name.is_string(); })) {
      return error_text(2, "Invalid request: params must be a list of stream names");
    }
    for (const Json& name : params) {
      subscribe ? add(name.get<std::string>()) : remove(name.get<std::string>());
    }
    if (names_.size() > kStreamsMax) actions.close = {kPolicyViolation, "Too many streams"};
    return result_text(nullptr, id);
  }

  std::string set_property(const Json& params, const Json& id) {
    if (!params.is_array() || params.size() != 2) {
      return error_text(2, "Invalid request: property name must be a string");
    }
    if (params[0] != "combined") return error_text(0, "Unknown property");
    if (!params[1].is_boolean()) return error_text(1, "Invalid value type: expected Boolean");
    combined_ = params[1];
    return result_text(nullptr, id);
  }

  void subscribe_path(std::string_view names) {
    while (!names.empty()) {
      const size_t slash = names.find('/');
      if (names_.size() < kStreamsMax) add(std::string(names.substr(0, slash)));
      names = slash == std::string_view::npos ? std::string_view() : names.substr(slash + 1);
    }
  }

  /// Takes every name, as the exchange does; only those that exist will ever speak.
  void add(const std::string& name) {
    if (names_.size() > kStreamsMax) return;
    names_.insert(name);
    if (const auto key = find(name)) subscriptions_[*key] = name;
  }

  void remove(const std::string& name) {
    names_.erase(name);
    if (const auto key = find(name)) subscriptions_.erase(*key);
  }

  std::optional<uint32_t> find(std::string_view name) const {
    const size_t at = name.find('@');
    if (at == std::string_view::npos || route_ != Route::kPublic) return std::nullopt;
    const auto symbol = market_.find(name.substr(0, at), true);
    const auto stream = find_stream(venue_, name.substr(at + 1));
    if (!symbol || !stream) return std::nullopt;
    return StreamKey{static_cast<uint32_t>(*symbol), *stream}.packed();
  }

  Outgoing write(const MarketEvent& event, const std::string& name,
                 NumberForm form) const override {
    WireStyle style;
    if (venue_ == Venue::kBinanceSpotSbe) {
      return {encode_binance_sbe(form == NumberForm::kWrong ? negated(event) : event), true,
              ledger_rows(venue_, write_numbers(event, style))};
    }
    if (venue_ == Venue::kBinanceSpot) {
      style.price.zeros = style.quantity.zeros = NumberStyle::Zeros::kPadTo8;
    }
    style.price.form = form;
    if (form == NumberForm::kScientific) style.quantity.form = form;
    const WireEvent wire = write_numbers(event, style);
    return {encode_binance(venue_, wire, combined_ ? std::string_view(name) : std::string_view()),
            false, ledger_rows(venue_, wire),
            !wire.trades.empty() && wire.trades.front().is_placeholder};
  }

  static MarketEvent negated(MarketEvent event) {
    const auto negate = [](Fixed& number) { number.mantissa = -number.mantissa; };
    for (Level& level : event.bids) negate(level.quantity);
    for (Trade& trade : event.trades) negate(trade.quantity);
    return event;
  }

  Venue venue_;
  Intervals intervals_;
  RateLimit messages_;
  Route route_ = Route::kPublic;
  bool combined_ = false;
  std::set<std::string> names_;
  int64_t next_ping_ns_ = 0;
  std::optional<int64_t> unanswered_since_ns_;
};

}  // namespace

std::unique_ptr<VenueSession> make_binance_session(Venue venue, const Market& market,
                                                   const ClientRequest& request) {
  return std::make_unique<BinanceSession>(venue, market, request);
}

}  // namespace tapeworks::simulator
