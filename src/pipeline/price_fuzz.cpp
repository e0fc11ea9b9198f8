// Feeds arbitrary text to the price parser and checks what it promises of every text.
//
//   build/clang/src/pipeline/price_fuzz -max_total_time=600

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pipeline/price.h"

using tapeworks::AmountUnit;
using tapeworks::Mode;
using tapeworks::Price;
using tapeworks::PriceKind;

namespace {

/// The price as float64, by way of the exact sum of one share.
double value_of(const Price& price, std::string_view text, AmountUnit unit) {
  if (price.kind == PriceKind::kExact) {
    return amount_to_double(static_cast<tapeworks::Int128>(price.units) << price.shift, unit);
  }
  return wide_amount_to_double(0, unit, {{1, tapeworks::wide_price_text(text, unit)}});
}

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), std::min<size_t>(size, 400));
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1}) {
    const Price rounded = tapeworks::PriceParser(mode, AmountUnit::kBinary40).from_text(text);
    if (rounded.kind != PriceKind::kExact && rounded.kind != PriceKind::kWide) continue;
    // An accepted text is one that strtof reads whole and alike once the commas are gone.
    const std::string number = tapeworks::PriceParser::without_commas(text);
    char* end = nullptr;
    const float expected = std::strtof(number.c_str(), &end);
    check(end == number.c_str() + number.size());
    check(value_of(rounded, text, AmountUnit::kBinary40) == static_cast<double>(expected));
    check(mode != Mode::kDefault || expected >= 0);
  }
  const Price exact =
      tapeworks::PriceParser(Mode::kDefault, AmountUnit::kDecimal12).from_text(text);
  if (exact.kind == PriceKind::kExact || exact.kind == PriceKind::kWide) {
    const std::string number = tapeworks::PriceParser::without_commas(text);
    const double expected = std::strtod(number.c_str(), nullptr);
    check(value_of(exact, text, AmountUnit::kDecimal12) == expected);
  }
  return 0;
}
