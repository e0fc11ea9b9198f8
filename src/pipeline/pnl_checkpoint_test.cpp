#include "pipeline/pnl_checkpoint.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

PnlCheckpoint some_checkpoint() {
  AccountState busy;
  busy.open_shares = -300;
  busy.realized = {1.5, 1e-20};
  busy.buy_amount = {1e9, 0};
  busy.sell_amount = {2e9, -0.0};
  busy.opening_unrealized_pnl = -0.25;
  busy.timing = TimingSums(-7, (TimingSums::Squares{3} << 64) | 5, {0.125, 0});
  PnlCheckpoint checkpoint;
  checkpoint.symbol = "00632R";
  checkpoint.sources = {.summary_xxh3 = 1,
                        .closes_xxh3 = ~uint64_t{0},
                        .mergers_xxh3 = 3,
                        .rules_version = 1,
                        .start = Day{19358},
                        .as_of = Day{19400},
                        .last_day = Day{-4},
                        .daily = true,
                        .ledger = true};
  checkpoint.files = {7, 8, 9, 10};
  checkpoint.ends = {{Day{-4}, true}, {Day{-1000}, false}, {}};
  checkpoint.states = {{{Day{19388}, {busy, AccountState{}}}, 11}, {{Day{19399}, {}}, 12}};
  return checkpoint;
}

TEST(PnlCheckpoint, ReadsBackAsWritten) {
  const std::string bytes = encode_pnl_checkpoint(some_checkpoint());
  const auto checkpoint = decode_pnl_checkpoint(bytes);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->symbol, "00632R");
  EXPECT_EQ(checkpoint->sources.last_day, Day{-4});
  EXPECT_TRUE(checkpoint->sources.daily && checkpoint->sources.ledger);
  EXPECT_EQ(checkpoint->files[2], 9U);
  EXPECT_EQ(checkpoint->ends, some_checkpoint().ends);
  ASSERT_EQ(checkpoint->states.size(), 2U);
  const AccountState& account = checkpoint->states[0].state.accounts.at(0);
  EXPECT_EQ(account.open_shares, -300);
  EXPECT_EQ(account.timing.sum_x(), -7);
  EXPECT_EQ(static_cast<uint64_t>(account.timing.sum_xx() >> 64), 3U);
  // All of it, negative zero included, since the same bytes come out again.
  EXPECT_EQ(encode_pnl_checkpoint(*checkpoint), bytes);
}

TEST(PnlCheckpoint, EveryFlippedOrMissingByteIsFound) {
  const std::string bytes = encode_pnl_checkpoint(some_checkpoint());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x41);
    EXPECT_FALSE(decode_pnl_checkpoint(flipped)) << at;
    EXPECT_FALSE(decode_pnl_checkpoint(std::string_view(bytes).substr(0, at))) << at;
  }
}

TEST(PnlSources, TheDayOfValuationMattersWhereItCutsRowsOff) {
  PnlSources before;
  before.last_day = Day{10};
  before.as_of = Day{12};
  PnlSources now = before;
  EXPECT_TRUE(before.gives_same_tables(now));
  now.as_of = Day{20};
  EXPECT_TRUE(before.gives_same_tables(now)) << "all rows are seen on both days";
  now.as_of = Day{9};
  EXPECT_FALSE(before.gives_same_tables(now)) << "the last row is cut off";
  before.as_of = Day{9};
  now.as_of = Day{12};
  EXPECT_FALSE(before.gives_same_tables(now)) << "the last row was cut off";
}

TEST(PnlSources, EveryOtherSourceMatters) {
  const PnlSources before = some_checkpoint().sources;
  const auto differs = [&](auto change) {
    PnlSources now = before;
    change(now);
    return !before.gives_same_tables(now);
  };
  EXPECT_TRUE(differs([](PnlSources& now) { ++now.summary_xxh3; }));
  EXPECT_TRUE(differs([](PnlSources& now) { ++now.closes_xxh3; }));
  EXPECT_TRUE(differs([](PnlSources& now) { ++now.mergers_xxh3; }));
  EXPECT_TRUE(differs([](PnlSources& now) { ++now.rules_version; }));
  EXPECT_TRUE(differs([](PnlSources& now) { now.start = Day{1}; }));
  EXPECT_TRUE(differs([](PnlSources& now) { now.daily = false; }));
}

}  // namespace
}  // namespace tapeworks
