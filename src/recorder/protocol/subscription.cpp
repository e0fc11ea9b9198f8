#include "recorder/protocol/subscription.h"

#include <algorithm>

#include <fmt/format.h>

#include "recorder/protocol/stream_symbols.h"
#include "recorder/protocol/venue_rules.h"

namespace tapeworks::recorder {
namespace {

bool is_binance(Venue venue) { return name_of(venue).exchange == "binance"; }

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string json_list(std::span<const std::string> texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    append_json_text(out, text);
  }
  return out + ']';
}

std::string binance_text(Venue venue, std::span<const StreamKey> keys,
                         const SubscriptionBatch& batch, uint64_t id) {
  std::vector<std::string> names;
  names.reserve(batch.keys.size());
  for (const size_t key : batch.keys) {
    names.push_back(fmt::format("{}@{}", stream_spelling(keys[key].symbol),
                                channel_of(venue, keys[key].stream)));
  }
  return fmt::format(R"({{"method":"SUBSCRIBE","params":{},"id":{}}})", json_list(names), id);
}

std::string kucoin_text(Venue venue, std::span<const StreamKey> keys,
                        const SubscriptionBatch& batch, uint64_t id) {
  std::string topic(channel_of(venue, keys[batch.keys.front()].stream));
  for (const size_t key : batch.keys) {
    topic += key == batch.keys.front() ? ':' : ',';
    topic += keys[key].symbol;
  }
  std::string text = fmt::format(R"({{"id":"{}","type":"subscribe","topic":)", id);
  append_json_text(text, topic);
  return text + R"(,"privateChannel":false,"response":true})";
}

std::string gate_text(Venue venue, std::span<const StreamKey> keys, const SubscriptionBatch& batch,
                      uint64_t id, int64_t wall_seconds) {
  const Stream stream = keys[batch.keys.front()].stream;
  std::vector<std::string> payload;
  payload.reserve(batch.keys.size() + 2);
  for (const size_t key : batch.keys) payload.push_back(keys[key].symbol);
  if (stream == Stream::kL5) {
    payload.emplace_back("5");
    payload.emplace_back(venue == Venue::kGateSpot ? "100ms" : "0");
  }
  return fmt::format(R"({{"time":{},"id":{},"channel":"{}","event":"subscribe","payload":{}}})",
                     wall_seconds, id, channel_of(venue, stream), json_list(payload));
}

}  // namespace

size_t symbols_per_connection(Venue venue, size_t stream_count) {
  return std::max<size_t>(rules_of(venue).streams_per_connection_max / stream_count, 1);
}

std::vector<std::vector<StreamKey>> plan_connections(Venue venue,
                                                     std::span<const std::string> symbols,
                                                     std::span<const Stream> streams) {
  if (symbols.empty() || streams.empty()) return {};
  const size_t symbols_max = symbols_per_connection(venue, streams.size());
  const size_t count = (symbols.size() + symbols_max - 1) / symbols_max;
  std::vector<std::vector<StreamKey>> connections(count);
  for (size_t i = 0; i < symbols.size(); ++i) {
    for (const Stream stream : streams) {
      connections[i * count / symbols.size()].push_back({stream, symbols[i]});
    }
  }
  return connections;
}

std::vector<SubscriptionBatch> batch_subscriptions(Venue venue, std::span<const StreamKey> keys,
                                                   std::span<const size_t> which) {
  const VenueRules& rules = rules_of(venue);
  std::vector<SubscriptionBatch> batches;
  const auto pack = [&](const auto& belongs, size_t keys_max) {
    bool open = false;
    for (const size_t key : which) {
      if (!belongs(keys[key].stream)) continue;
      if (!open || batches.back().keys.size() == keys_max) batches.emplace_back();
      open = true;
      batches.back().keys.push_back(key);
    }
  };
  if (is_binance(venue)) {
    pack([](Stream) { return true; }, rules.symbols_per_request_max);
    return batches;
  }
  for (const Stream stream : kStreams) {
    pack([stream](Stream other) { return other == stream; },
         stream == Stream::kL5 ? rules.snapshots_per_request_max : rules.symbols_per_request_max);
  }
  return batches;
}

std::string subscription_text(Venue venue, std::span<const StreamKey> keys,
                              const SubscriptionBatch& batch, uint64_t id, int64_t wall_seconds) {
  if (is_binance(venue)) return binance_text(venue, keys, batch, id);
  if (rules_of(venue).ping == PingKind::kKucoinClient) return kucoin_text(venue, keys, batch, id);
  return gate_text(venue, keys, batch, id, wall_seconds);
}

std::string ping_text(Venue venue, uint64_t id, int64_t wall_seconds) {
  if (rules_of(venue).ping == PingKind::kKucoinClient) {
    return fmt::format(R"({{"id":"{}","type":"ping"}})", id);
  }
  return fmt::format(R"({{"time":{},"channel":"{}.ping"}})", wall_seconds,
                     venue == Venue::kGateSpot ? "spot" : "futures");
}

}  // namespace tapeworks::recorder
