#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/simulator/market.h"

namespace tapeworks::simulator {

/// How prices and quantities are written; a script of faults changes it.
enum class NumberForm : uint8_t {
  kPlain,
  kScientific,  ///< one digit before the point, no trailing zeros: 6.01e4
  kWrong,       ///< prices are no numbers, or none that float64 has; SBE: negative quantities
};

struct NumberStyle {
  enum class Zeros : uint8_t { kAsIs, kPadTo8, kTrim };
  Zeros zeros = Zeros::kAsIs;
  NumberForm form = NumberForm::kPlain;
};

std::string number_text(Fixed number, NumberStyle style);

struct WireLevel {
  std::string price;
  std::string quantity;
};

struct WireTrade {
  std::string id;
  std::string price;
  std::string quantity;  ///< never negative
  bool taker_sold = false;
  bool is_placeholder = false;
};

/// A market event whose numbers are the texts that will be sent: message and ledger are made from
/// the same ones.
struct WireEvent {
  uint64_t logical_id = 0;
  Stream stream = Stream::kBook;
  std::string symbol;
  int64_t event_time_ns = 0;
  int64_t exchange_time_ns = 0;
  int64_t sequence = 0;
  int64_t previous_sequence = 0;
  std::vector<WireLevel> bids;
  std::vector<WireLevel> asks;
  std::vector<WireTrade> trades;
};

/// How a venue writes prices and quantities on one connection.
struct WireStyle {
  NumberStyle price;
  NumberStyle quantity;
  /// Fractions of quantities are cut off: Gate futures without X-Gate-Size-Decimal.
  bool whole_quantities = false;
};

WireEvent write_numbers(const MarketEvent& event, const WireStyle& style);

/// [["price","quantity"],...], the levels of a side; `quote` stands around the quantities.
std::string pairs_text(const std::vector<WireLevel>& levels, std::string_view quote = "\"");

/// The rows that a recorder should make of the message: a JSON array of objects with the columns of
/// docs/formats/events.md, numbers token for token as sent. Empty array for a placeholder.
std::string ledger_rows(Venue venue, const WireEvent& event);

}  // namespace tapeworks::simulator
