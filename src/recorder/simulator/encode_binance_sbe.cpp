#include <algorithm>
#include <concepts>
#include <utility>

#include "recorder/simulator/encode.h"

namespace tapeworks::simulator {
namespace {

constexpr uint16_t kSchemaId = 1;
constexpr uint16_t kSchemaVersion = 0;
constexpr int64_t kMicrosecondNs = 1'000;
constexpr int kUsualExponent = 8;

enum Template : uint16_t { kTrades = 10000, kBestBidAsk = 10001, kDepthSnapshot = 10002 };

/// Appends little-endian fields.
class SbeWriter {
 public:
  template <std::integral T>
  void put(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) {
      bytes_ += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
    }
  }
  void header(uint16_t block_length, Template id) {
    put(block_length);
    put(static_cast<uint16_t>(id));
    put(kSchemaId);
    put(kSchemaVersion);
  }
  void text(std::string_view text) {
    const size_t length = std::min<size_t>(text.size(), 254);  // 255 means null
    put(static_cast<uint8_t>(length));
    bytes_ += text.substr(0, length);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Binance sends 10^-8 for nearly everything; finer prices need a finer exponent.
int exponent_for(int decimals) { return std::max(decimals, kUsualExponent); }

int64_t mantissa_at(Fixed number, int decimals) {
  int64_t mantissa = number.mantissa;
  for (int i = number.decimals; i < decimals; ++i) mantissa *= 10;
  return mantissa;
}

struct Exponents {
  int price;
  int quantity;

  void put_into(SbeWriter& writer) const {
    writer.put(static_cast<int8_t>(-price));
    writer.put(static_cast<int8_t>(-quantity));
  }
};

void put_level(SbeWriter& writer, const Level& level, const Exponents& exponents) {
  writer.put(mantissa_at(level.price, exponents.price));
  writer.put(mantissa_at(level.quantity, exponents.quantity));
}

std::string trades_frame(const MarketEvent& event) {
  const Trade& first = event.trades.front();
  const Exponents exponents{exponent_for(first.price.decimals),
                            exponent_for(first.quantity.decimals)};
  SbeWriter writer;
  writer.header(18, kTrades);
  writer.put(event.exchange_time_ns / kMicrosecondNs);
  writer.put(event.event_time_ns / kMicrosecondNs);
  exponents.put_into(writer);
  writer.put(uint16_t{25});
  writer.put(static_cast<uint32_t>(event.trades.size()));
  for (const Trade& trade : event.trades) {
    writer.put(trade.id);
    writer.put(mantissa_at(trade.price, exponents.price));
    writer.put(mantissa_at(trade.quantity, exponents.quantity));
    writer.put(static_cast<uint8_t>(trade.taker_sold));
  }
  writer.text(event.symbol);
  return writer.take();
}

std::string book_frame(const MarketEvent& event) {
  const Level& bid = event.bids.front();
  const Exponents exponents{exponent_for(bid.price.decimals), exponent_for(bid.quantity.decimals)};
  SbeWriter writer;
  writer.header(50, kBestBidAsk);
  writer.put(event.exchange_time_ns / kMicrosecondNs);
  writer.put(event.sequence);
  exponents.put_into(writer);
  put_level(writer, bid, exponents);
  put_level(writer, event.asks.front(), exponents);
  writer.text(event.symbol);
  return writer.take();
}

std::string depth_frame(const MarketEvent& event) {
  const std::vector<Level>& some = event.bids.empty() ? event.asks : event.bids;
  const Exponents exponents{exponent_for(some.empty() ? 0 : some.front().price.decimals),
                            exponent_for(some.empty() ? 0 : some.front().quantity.decimals)};
  SbeWriter writer;
  writer.header(18, kDepthSnapshot);
  writer.put(event.exchange_time_ns / kMicrosecondNs);
  writer.put(event.sequence);
  exponents.put_into(writer);
  for (const std::vector<Level>* side : {&event.bids, &event.asks}) {
    writer.put(uint16_t{16});
    writer.put(static_cast<uint16_t>(side->size()));
    for (const Level& level : *side) put_level(writer, level, exponents);
  }
  writer.text(event.symbol);
  return writer.take();
}

}  // namespace

std::string encode_binance_sbe(const MarketEvent& event) {
  switch (event.stream) {
    case Stream::kBook:
      return book_frame(event);
    case Stream::kL5:
      return depth_frame(event);
    case Stream::kTrade:
      return trades_frame(event);
  }
  return {};
}

}  // namespace tapeworks::simulator
