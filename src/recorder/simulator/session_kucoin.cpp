#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "recorder/simulator/client_json_internal.h"
#include "recorder/simulator/encode.h"
#include "recorder/simulator/session.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMicrosecondNs = 1'000;
constexpr int64_t kSilenceLimitNs = 60 * kSecondNs;
constexpr size_t kMessagesMax = 100;
constexpr int64_t kMessagesWindowNs = 10 * kSecondNs;
constexpr size_t kTopicsPerFrameMax = 100;
constexpr size_t kSpotTopicsMax = 400;
/// A client that goes on after so many 509s is cut.
constexpr size_t kRefusalsMax = 20;
constexpr uint16_t kNormalClosure = 1000;

struct Topic {
  std::string_view path;
  std::optional<Stream> stream;
};
constexpr std::array kSpotTopics{
    Topic{"/market/ticker", Stream::kBook}, Topic{"/spotMarket/level2Depth5", Stream::kL5},
    Topic{"/market/match", Stream::kTrade}, Topic{"/spotMarket/level1", std::nullopt},
    Topic{"/market/level2", std::nullopt},  Topic{"/market/snapshot", std::nullopt}};
constexpr std::array kFuturesTopics{Topic{"/contractMarket/tickerV2", Stream::kBook},
                                    Topic{"/contractMarket/level2Depth5", Stream::kL5},
                                    Topic{"/contractMarket/execution", Stream::kTrade},
                                    Topic{"/contractMarket/ticker", std::nullopt},
                                    Topic{"/contractMarket/level2", std::nullopt}};

/// Ids come back as text, whatever they were.
std::string id_text(const Json& request) {
  const auto id = request.find("id");
  if (id == request.end() || id->is_null()) return "\"\"";
  return id->is_string() ? dump(*id) : dump(Json(dump(*id)));
}

class KucoinSession : public VenueSession {
 public:
  KucoinSession(Venue venue, const Market& market, const ClientRequest& request)
      : VenueSession(market),
        venue_(venue),
        connect_id_(query_value(request.target, "connectId")),
        token_is_valid_(request.token_is_valid),
        messages_(kMessagesMax, kMessagesWindowNs) {}

  void on_open(int64_t now_ns, SessionActions& actions) override {
    heard_ns_ = now_ns;
    if (token_is_valid_) {
      actions.texts.push_back(
          fmt::format(R"({{"id":{},"type":"welcome"}})", dump(Json(connect_id_))));
    } else {
      actions.texts.emplace_back(R"({"type":"error","code":401,"data":"token is expired"})");
      actions.close = {kNormalClosure, "Bye"};
    }
  }

  void on_text(std::string_view text, int64_t now_ns, SessionActions& actions) override {
    heard_ns_ = now_ns;
    const auto parsed = parse_client_json(text);
    if (!parsed || !parsed->is_object()) {
      actions.texts.push_back(error_text(R"("")", 400, "bad request"));
      return;
    }
    const Json& request = *parsed;
    const std::string id = id_text(request);
    if (!messages_.allows(now_ns)) return refuse(id, "exceed max permits per 10 seconds", actions);
    const Json type = request.value("type", Json());
    if (type == "ping") {
      actions.texts.push_back(
          fmt::format(R"({{"id":{},"type":"pong","timestamp":{}}})", id, now_ns / kMicrosecondNs));
    } else if (type == "subscribe" || type == "unsubscribe") {
      change_subscriptions(type == "subscribe", request, id, actions);
    } else {
      actions.texts.push_back(error_text(id, 400, "bad request"));
    }
  }

  void on_tick(int64_t now_ns, SessionActions& actions) override {
    if (now_ns - heard_ns_ <= kSilenceLimitNs) return;
    actions.texts.emplace_back(R"({"type":"error","code":400,"data":"ping timeout"})");
    actions.close = {kNormalClosure, "Bye"};
  }

  std::string shutdown_notice(int64_t) const override { return {}; }

 private:
  static std::string error_text(std::string_view id, int code, std::string_view data) {
    return fmt::format(R"({{"id":{},"type":"error","code":{},"data":"{}"}})", id, code, data);
  }

  void refuse(std::string_view id, std::string_view why, SessionActions& actions) {
    actions.texts.push_back(error_text(id, 509, why));
    if (++refusal_count_ > kRefusalsMax) actions.close = {kNormalClosure, "Bye"};
  }

  void change_subscriptions(bool subscribe, const Json& request, const std::string& id,
                            SessionActions& actions) {
    const std::string topic = request.value("topic", Json()).is_string()
                                  ? request["topic"].get<std::string>()
                                  : std::string();
    const size_t colon = topic.find(':');
    const std::string path = topic.substr(0, colon);
    const auto kind = find_topic(path);
    if (colon == std::string::npos || !kind) {
      actions.texts.push_back(error_text(id, 404, "topic does not exist"));
      return;
    }
    const std::vector<std::string> symbols = split(topic.substr(colon + 1));
    if (subscribe) {
      if (refusals_left_ > 0) {
        --refusals_left_;
        return refuse(id, "exceed max permits per 10 seconds", actions);
      }
      if (symbols.size() > kTopicsPerFrameMax) {
        return refuse(id, "exceed max subscription count limitation of 100 per time", actions);
      }
      if (venue_ == Venue::kKucoinSpot && topic_count_ + symbols.size() > kSpotTopicsMax) {
        return refuse(id, "exceed max subscription count limitation of 400 per session", actions);
      }
      topic_count_ += symbols.size();
    }
    for (const std::string& symbol : symbols) change(subscribe, path, *kind, symbol);
    // Without "response" there is no ack.
    if (request.value("response", Json()) == true) {
      actions.texts.push_back(fmt::format(R"({{"id":{},"type":"ack"}})", id));
    }
  }

  void change(bool subscribe, const std::string& path, const Topic& topic,
              const std::string& symbol) {
    const auto index = market_.find(symbol, false);
    if (!index || !topic.stream) return;
    const uint32_t key = StreamKey{static_cast<uint32_t>(*index), *topic.stream}.packed();
    if (subscribe) {
      subscriptions_[key] = path + ":" + symbol;
    } else {
      subscriptions_.erase(key);
      topic_count_ -= std::min<size_t>(topic_count_, 1);
    }
  }

  const Topic* find_topic(std::string_view path) const {
    const auto search = [path](const auto& topics) -> const Topic* {
      const auto found = std::ranges::find(topics, path, &Topic::path);
      return found == topics.end() ? nullptr : &*found;
    };
    return venue_ == Venue::kKucoinSpot ? search(kSpotTopics) : search(kFuturesTopics);
  }

  static std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    while (true) {
      const size_t comma = list.find(',');
      parts.emplace_back(list.substr(0, comma));
      if (comma == std::string_view::npos) return parts;
      list.remove_prefix(comma + 1);
    }
  }

  Outgoing write(const MarketEvent& event, const std::string& name,
                 NumberForm form) const override {
    WireStyle style;
    style.price = style.quantity = {NumberStyle::Zeros::kTrim, form};
    if (form == NumberForm::kWrong) style.quantity.form = NumberForm::kPlain;
    const WireEvent wire = write_numbers(event, style);
    return {encode_kucoin(venue_, wire, name), false, ledger_rows(venue_, wire)};
  }

  Venue venue_;
  std::string connect_id_;
  bool token_is_valid_;
  RateLimit messages_;
  int64_t heard_ns_ = 0;
  size_t topic_count_ = 0;
  size_t refusal_count_ = 0;
};

}  // namespace

std::unique_ptr<VenueSession> make_kucoin_session(Venue venue, const Market& market,
                                                  const ClientRequest& request) {
  return std::make_unique<KucoinSession>(venue, market, request);
}

}  // namespace tapeworks::simulator
