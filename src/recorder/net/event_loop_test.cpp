#include "recorder/net/event_loop.h"

#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks::net {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, RunsWhatOtherThreadsPost) {
  EventLoop loop;
  Timer guard(loop);  // keeps the loop busy until the task has come
  guard.start(std::chrono::minutes(1), [] {});
  bool ran = false;
  std::thread poster([&] {
    loop.post([&] {
      ran = true;
      loop.stop();
    });
  });
  loop.run();
  poster.join();
  EXPECT_TRUE(ran);
}

TEST(EventLoop, TurnsSignalsIntoCallbacks) {
  EventLoop loop;
  std::vector<int> seen;
  loop.on_termination([&](int signal_number) {
    seen.push_back(signal_number);
    if (seen.size() == 2) {
      loop.stop();
    } else {
      std::raise(SIGTERM);
    }
  });
  std::raise(SIGINT);
  loop.run();
  EXPECT_EQ(seen, (std::vector<int>{SIGINT, SIGTERM}));
}

TEST(Timer, CallsBackInTheOrderOfTime) {
  EventLoop loop;
  Timer late(loop);
  Timer early(loop);
  std::vector<int> order;
  late.start(milliseconds(20), [&] { order.push_back(2); });
  early.start(milliseconds(1), [&] { order.push_back(1); });
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Timer, ForgetsTheOldCallbackWhenItIsStartedAgainOrCancelled) {
  EventLoop loop;
  Timer restarted(loop);
  Timer cancelled(loop);
  int calls = 0;
  restarted.start(milliseconds(1), [&] { calls += 100; });
  restarted.start(milliseconds(2), [&] { ++calls; });
  cancelled.start(milliseconds(1), [&] { calls += 100; });
  cancelled.cancel();
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(Timer, MayStartAndDestroyItselfInItsCallback) {
  EventLoop loop;
  auto timer = std::make_unique<Timer>(loop);
  int calls = 0;
  timer->start(milliseconds(1), [&] {
    ++calls;
    timer->start(milliseconds(1), [&] {
      ++calls;
      timer.reset();
    });
  });
  loop.run();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(timer, nullptr);
}

}  // namespace
}  // namespace tapeworks::net
