#include "recorder/simulator/wire_event.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace tapeworks::simulator {
namespace {

constexpr size_t kPaddedDecimals = 8;
constexpr size_t kLevelsRecorded = 5;

/// The digits of a mantissa that is not negative, and where the point stands.
std::string scientific_text(Fixed number) {
  std::string digits = std::to_string(number.mantissa);
  const int exponent = static_cast<int>(digits.size()) - 1 - number.decimals;
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  if (digits.size() > 1) digits.insert(1, 1, '.');
  return number.mantissa == 0 ? "0" : fmt::format("{}e{}", digits, exponent);
}

std::string_view wrong_text(Fixed number) {
  constexpr std::array<std::string_view, 6> kWrong{"NaN", "1e999", "12.3.4",
                                                   "-",   "0x10",  "Infinity"};
  return kWrong[static_cast<size_t>(number.mantissa) % kWrong.size()];
}

std::string plain_text(Fixed number) {
  std::string digits = std::to_string(number.mantissa);
  const auto decimals = static_cast<size_t>(number.decimals);
  if (decimals == 0) return digits;
  if (digits.size() <= decimals) digits.insert(0, decimals + 1 - digits.size(), '0');
  digits.insert(digits.size() - decimals, 1, '.');
  return digits;
}

void pad(std::string& text) {
  const size_t point = text.find('.');
  const size_t decimals = point == std::string::npos ? 0 : text.size() - point - 1;
  if (decimals >= kPaddedDecimals) return;
  if (point == std::string::npos) text += '.';
  text.append(kPaddedDecimals - decimals, '0');
}

void trim(std::string& text) {
  if (!text.contains('.')) return;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
}

Fixed whole(Fixed number) {
  for (; number.decimals > 0; --number.decimals) number.mantissa /= 10;
  return number;
}

/// JSON text for a name: the symbols of the simulator have neither quotes nor control characters.
void append_levels(std::string& row, std::string_view side, const std::vector<WireLevel>& levels) {
  for (size_t i = 0; i < std::min(levels.size(), kLevelsRecorded); ++i) {
    if (levels[i].price.empty()) continue;
    fmt::format_to(std::back_inserter(row), ",\"{0}_price_{1}\":{2},\"{0}_quantity_{1}\":{3}", side,
                   i + 1, levels[i].price, levels[i].quantity);
  }
}

}  // namespace

std::string number_text(Fixed number, NumberStyle style) {
  if (style.form == NumberForm::kScientific) return scientific_text(number);
  if (style.form == NumberForm::kWrong) return std::string(wrong_text(number));
  std::string text = plain_text(number);
  if (style.zeros == NumberStyle::Zeros::kPadTo8) pad(text);
  if (style.zeros == NumberStyle::Zeros::kTrim) trim(text);
  return text;
}

WireEvent write_numbers(const MarketEvent& event, const WireStyle& style) {
  WireEvent wire{event.logical_id,
                 event.stream,
                 event.symbol,
                 event.event_time_ns,
                 event.exchange_time_ns,
                 event.sequence,
                 event.previous_sequence,
                 {},
                 {},
                 {}};
  const auto quantity = [&style](Fixed number) {
    return number_text(style.whole_quantities ? whole(number) : number, style.quantity);
  };
  const auto write_side = [&](const std::vector<Level>& levels, std::vector<WireLevel>& written) {
    written.reserve(levels.size());
    for (const Level& level : levels) {
      written.push_back({number_text(level.price, style.price), quantity(level.quantity)});
    }
  };
  write_side(event.bids, wire.bids);
  write_side(event.asks, wire.asks);
  for (const Trade& trade : event.trades) {
    // Placeholders are sent as a bare "0", whatever the symbol's digits.
    wire.trades.push_back({std::to_string(trade.id),
                           trade.is_placeholder ? "0" : number_text(trade.price, style.price),
                           trade.is_placeholder ? "0" : quantity(trade.quantity), trade.taker_sold,
                           trade.is_placeholder});
  }
  return wire;
}

std::string pairs_text(const std::vector<WireLevel>& levels, std::string_view quote) {
  std::string text = "[";
  for (const WireLevel& level : levels) {
    if (text.size() > 1) text += ',';
    text += fmt::format(R"(["{}",{}{}{}])", level.price, quote, level.quantity, quote);
  }
  return text + "]";
}

std::string ledger_rows(Venue venue, const WireEvent& event) {
  const VenueFacts& venue_facts = facts_of(venue);
  const StreamFacts& facts = venue_facts.streams[static_cast<size_t>(event.stream)];
  std::string common =
      fmt::format("\"stream\":\"{}\",\"symbol\":\"{}\"", name_of(event.stream), event.symbol);
  const auto out = std::back_inserter(common);
  if (facts.event_time) fmt::format_to(out, ",\"event_time\":{}", event.event_time_ns);
  if (facts.exchange_time) fmt::format_to(out, ",\"exchange_time\":{}", event.exchange_time_ns);
  fmt::format_to(out, ",\"quantity_unit\":\"{}\"", venue_facts.quantity_unit);

  std::string rows = "[";
  if (event.stream != Stream::kTrade) {
    rows += "{" + common;
    if (facts.sequence) rows += fmt::format(",\"sequence\":{}", event.sequence);
    append_levels(rows, "bid", event.bids);
    append_levels(rows, "ask", event.asks);
    rows += "}";
  }
  for (const WireTrade& trade : event.trades) {
    if (trade.is_placeholder) continue;
    if (rows.size() > 1) rows += ",";
    rows += fmt::format(
        "{{{},\"sequence\":{},\"trade_id\":\"{}\",\"side\":\"{}\",\"price\":{},\"quantity\":{}}}",
        common, trade.id, trade.id, trade.taker_sold ? "sell" : "buy", trade.price, trade.quantity);
  }
  return rows + "]";
}

}  // namespace tapeworks::simulator
