#include "storage/background_tasks.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

using namespace std::chrono_literals;

TEST(BackgroundTasks, DoesEverythingBeforeFinishReturns) {
  std::atomic<int> done{0};
  BackgroundTasks tasks(1000);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(tasks.add(10, [&]() -> Status {
      ++done;
      return {};
    }));
  }
  ASSERT_TRUE(tasks.finish());
  EXPECT_EQ(done, 500);
}

TEST(BackgroundTasks, HoldsNoMoreThanItMay) {
  std::atomic<int64_t> held{0};
  std::atomic<int64_t> most{0};
  BackgroundTasks tasks(100);
  const auto add = [&](int64_t bytes) {
    return tasks.add(static_cast<uint64_t>(bytes), [&, bytes]() -> Status {
      const int64_t now = held += bytes;
      for (int64_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
      std::this_thread::sleep_for(1ms);
      held -= bytes;
      return {};
    });
  };
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(add(40));
  EXPECT_LE(most, 100);
  EXPECT_GE(most, 40);
  // One that is larger than all that is allowed goes alone.
  ASSERT_TRUE(add(500));
  ASSERT_TRUE(tasks.finish());
  EXPECT_EQ(most, 500);
}

TEST(BackgroundTasks, KeepsTheFirstFailureAndDropsTheRest) {
  std::atomic<int> later{0};
  BackgroundTasks tasks(1000);
  ASSERT_TRUE(tasks.add(1, []() -> Status { return io_error("the store is gone"); }));
  const Status finished = tasks.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().message, "the store is gone");
  const Status added = tasks.add(1, [&]() -> Status {
    ++later;
    return {};
  });
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message, "the store is gone");
  EXPECT_EQ(later, 0);
}

TEST(BackgroundTasks, GivesUpWhatHasNotBegunWhenItEnds) {
  std::atomic<int> begun{0};
  {
    BackgroundTasks tasks(1000);
    for (size_t i = 0; i < BackgroundTasks::kThreadsMax + 40; ++i) {
      ASSERT_TRUE(tasks.add(1, [&]() -> Status {
        ++begun;
        std::this_thread::sleep_for(20ms);
        return {};
      }));
    }
  }
  EXPECT_LT(begun, static_cast<int>(BackgroundTasks::kThreadsMax + 40));
}

}  // namespace
}  // namespace tapeworks
