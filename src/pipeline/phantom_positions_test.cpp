#include "pipeline/phantom_positions.h"

#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"

namespace tapeworks {
namespace {

using test::day;
using test::SummaryBuilder;

TEST(PhantomPositions, AreOpenLotsOfBrokersThatTradeNoMore) {
  PhantomPositions positions;
  SummaryBuilder first("1101");
  first.add("gone", day("2023-01-02"), {.buy_shares = 5, .buy_amount = 50});
  first.add("closed", day("2023-01-02"), {.buy_shares = 5, .buy_amount = 50});
  first.add("closed", day("2023-01-03"), {.sell_shares = 5, .sell_amount = 50});
  first.add("active elsewhere", day("2023-01-02"), {.buy_shares = 5, .buy_amount = 50});
  first.add("late", day("2023-03-31"), {.buy_shares = 5, .buy_amount = 50});
  positions.add(first.build(), day("2023-04-02"));
  SummaryBuilder second("2330");
  second.add("gone", day("2023-01-03"), {.sell_shares = 5, .sell_amount = 50});
  second.add("active elsewhere", day("2023-04-02"), {.buy_shares = 1, .buy_amount = 10});
  second.add("gone", day("2023-04-03"), {.buy_shares = 5, .buy_amount = 50});  // after `until`
  positions.add(second.build(), day("2023-04-02"));

  const auto phantoms = positions.silent_for(89);
  ASSERT_EQ(phantoms.size(), 1);
  EXPECT_EQ(phantoms[0].broker, "gone");
  EXPECT_EQ(phantoms[0].last_trade, day("2023-01-03"));
  EXPECT_EQ(phantoms[0].open_symbols, 2);
  EXPECT_TRUE(positions.silent_for(90).empty());
  EXPECT_EQ(positions.silent_for(2).size(), 2);
}

}  // namespace
}  // namespace tapeworks
