#include "recorder/protocol/quote_volume.h"

#include <vector>

#include "recorder/protocol/decimal.h"
#include "recorder/protocol/json_document.h"
#include "recorder/protocol/json_list.h"

namespace tapeworks::recorder {
namespace {

/// How a venue writes its volumes.
struct VolumeList {
  std::string_view target;
  std::vector<std::string_view> members;  ///< the way to the list
  std::string_view symbol_key;
  std::string_view volume_key;
};

VolumeList list_of(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
      // The short form, which has the volume too.
      return {"/api/v3/ticker/24hr?type=MINI", {}, "symbol", "quoteVolume"};
    case Venue::kBinanceUsdm:
      return {"/fapi/v1/ticker/24hr", {}, "symbol", "quoteVolume"};
    case Venue::kKucoinSpot:
      return {"/api/v1/market/allTickers", {"data", "ticker"}, "symbol", "volValue"};
    case Venue::kKucoinFutures:
      return {"/api/v1/contracts/active", {"data"}, "symbol", "turnoverOf24h"};
    case Venue::kGateSpot:
      return {"/api/v4/spot/tickers", {}, "currency_pair", "quote_volume"};
    case Venue::kGateFutures:
      return {"/api/v4/futures/usdt/tickers", {}, "contract", "volume_24h_quote"};
  }
  return {};
}

}  // namespace

std::string_view quote_volumes_target(Venue venue) { return list_of(venue).target; }

Result<QuoteVolumes> parse_quote_volumes(Venue venue, std::string_view body) {
  const VolumeList list = list_of(venue);
  QuoteVolumes volumes;
  JsonDocument document;
  const auto take = [&](std::string_view entry) -> Status {
    TW_TRY(document.parse(entry));
    const std::string_view symbol = document.root()[list.symbol_key].text();
    if (symbol.empty()) return corrupt("an entry of the list of volumes has no name");
    const auto volume = read_double(document.root()[list.volume_key].text());
    if (volume) volumes.insert_or_assign(std::string(symbol), *volume);
    return {};
  };
  TW_TRY(for_each_list_entry(body, list.members, "volumes", take));
  if (volumes.empty()) return corrupt("the list of volumes is empty");
  return volumes;
}

}  // namespace tapeworks::recorder
