#include "recorder/protocol/stream_identity.h"

#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "recorder/protocol/corpus_test_support.h"

namespace tapeworks::recorder {
namespace {

struct Tally {
  size_t known = 0;
  size_t with_rows = 0;
};

bool is_documentation(const CorpusFile& file) {
  // There "btcusdt@trade" brings BNBBTC.
  return file.path.filename().string().starts_with("doc_examples");
}

std::string name_of(const StreamIdentity& identity) {
  return std::string(identity.channel) + "/" + std::string(identity.symbol);
}

/// All that is recorded, as venues sent it.
TEST(StreamIdentity, IsOfOneStreamAndFoundInAllThatVenuesSend) {
  DecodedFrame decoded;
  std::map<Venue, Tally> tallies;
  for (const CorpusFile& file : corpus_files()) {
    if (is_documentation(file) || file.venue == Venue::kBinanceSpotSbe) continue;
    Tally& tally = tallies[file.venue];
    std::map<std::string, std::string> stream_of;
    for (const std::string& payload : lines_of(file.path)) {
      const bool has_rows = decode_frame(file.venue, {.payload = payload}, {}, decoded) &&
                            decoded.kind == FrameKind::kRows && !decoded.rows().empty();
      if (!has_rows) continue;
      ++tally.with_rows;
      const StreamIdentity identity = find_stream_identity(file.venue, payload);
      if (!identity.is_known()) continue;
      ++tally.known;
      const EventRow& row = decoded.rows().front();
      const std::string stream = std::string(name_of(row.stream)) + "/" + row.symbol;
      const auto [known, is_new] = stream_of.try_emplace(name_of(identity), stream);
      EXPECT_EQ(known->second, stream) << file.path << ": " << name_of(identity);
    }
  }
  ASSERT_EQ(tallies.size(), 6U);
  for (const auto& [venue, tally] : tallies) {
    // Binance also sends without the name of the stream, to those who ask for it at /ws.
    EXPECT_GT(tally.known * 10, tally.with_rows * 7)
        << name_of(venue).exchange << " " << name_of(venue).market << ": " << tally.known << " of "
        << tally.with_rows;
  }
}

TEST(StreamIdentity, IsNotThatOfAnAnswer) {
  for (
      const std::string_view payload :
      {R"({"time":1,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"],"result":{"status":"success"}})",
       R"({"time":1,"channel":"spot.pong","event":"","result":null})"}) {
    EXPECT_FALSE(find_stream_identity(Venue::kGateSpot, payload).is_known()) << payload;
  }
  EXPECT_FALSE(find_stream_identity(Venue::kKucoinSpot, R"({"id":"1","type":"ack"})").is_known());
  EXPECT_FALSE(find_stream_identity(Venue::kKucoinSpot,
                                    R"({"id":"1","type":"error","topic":"/market/match:BTC-USDT"})")
                   .is_known());
  EXPECT_FALSE(find_stream_identity(Venue::kBinanceSpot, R"({"result":null,"id":1})").is_known());
}

TEST(StreamIdentity, TakesNoLevelOfABookForItsSymbol) {
  constexpr std::string_view kBook =
      R"({"channel":"futures.order_book","event":"all","result":{"asks":[{"p":"1","s":"7"}],)"
      R"("contract":"BTC_USDT","bids":[]}})";
  EXPECT_EQ(find_stream_identity(Venue::kGateFutures, kBook).symbol, "BTC_USDT");
}

TEST(StreamIdentity, IsNotGuessedFromWhatIsCutOffOrEscaped) {
  for (const std::string_view payload :
       {R"({"stream":")", R"({"stream":"btcusdt@trade)", R"({"stream":"","data":1})",
        R"({"stream":"\u5e01usdt@trade","data":1})", ""}) {
    EXPECT_FALSE(find_stream_identity(Venue::kBinanceSpot, payload).is_known()) << payload;
  }
  const std::string late = "{" + std::string(400, ' ') + R"("stream":"btcusdt@trade"})";
  EXPECT_FALSE(find_stream_identity(Venue::kBinanceSpot, late).is_known());
}

}  // namespace
}  // namespace tapeworks::recorder
