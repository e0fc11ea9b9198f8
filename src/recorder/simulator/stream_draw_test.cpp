#include "recorder/simulator/stream_draw.h"

#include <vector>

#include <gtest/gtest.h>

namespace tapeworks::simulator {
namespace {

constexpr int kDraws = 200'000;

/// How often each of `symbols` streams, one a symbol, is drawn.
std::vector<int> draw_counts(uint64_t activity_range, uint32_t symbols) {
  StreamDraw draw(1, activity_range, symbols);
  for (uint32_t i = 0; i < symbols; ++i) draw.add(i);
  std::vector<int> counts(symbols);
  for (int i = 0; i < kDraws; ++i) ++counts.at(draw.next());
  return counts;
}

TEST(StreamDraw, AllAreAlikeWithARangeOfOne) {
  for (const int count : draw_counts(1, 10)) EXPECT_NEAR(count, kDraws / 10, kDraws / 100);
}

TEST(StreamDraw, TheFirstIsSoManyTimesAsBusyAsTheLastAndTheOthersLieBetween) {
  const std::vector<int> counts = draw_counts(100, 3);  // 1 : 1/10 : 1/100
  EXPECT_NEAR(counts[0], kDraws / 1.11, kDraws / 100);
  EXPECT_NEAR(counts[1], kDraws / 11.1, kDraws / 100);
  EXPECT_NEAR(counts[2], kDraws / 111., kDraws / 500);
}

TEST(StreamDraw, ASymbolListedLaterIsAsQuietAsTheLast) {
  StreamDraw draw(1, 100, 2);
  for (const uint32_t symbol : {0U, 7U}) draw.add(symbol);
  int later = 0;
  for (int i = 0; i < kDraws; ++i) later += draw.next() == 1 ? 1 : 0;
  EXPECT_NEAR(later, kDraws / 101., kDraws / 500);
}

TEST(StreamDraw, OneSymbolIsDrawnWhateverTheRange) {
  EXPECT_EQ(draw_counts(1'000, 1), std::vector{kDraws});
}

}  // namespace
}  // namespace tapeworks::simulator
