#include "base/idle_list.h"

#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(IdleList, GivesWhatCameBackLastAndNothingTwice) {
  IdleList<std::unique_ptr<int>> list;
  EXPECT_FALSE(list.take().has_value());
  list.give_back(std::make_unique<int>(1));
  list.give_back(std::make_unique<int>(2));
  EXPECT_EQ(**list.take(), 2);
  EXPECT_EQ(**list.take(), 1);
  EXPECT_FALSE(list.take().has_value());
}

TEST(IdleList, IsEmptyAfterClear) {
  IdleList<int> list;
  list.give_back(1);
  list.clear();
  EXPECT_FALSE(list.take().has_value());
}

TEST(IdleList, AnObjectIsWithOneThreadAtATime) {
  IdleList<std::unique_ptr<int>> list;
  constexpr int kRounds = 2000;
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        auto object = list.take().value_or(nullptr);
        if (object == nullptr) object = std::make_unique<int>(0);
        ++*object;
        list.give_back(std::move(object));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int uses = 0;
  int objects = 0;
  for (auto object = list.take(); object; object = list.take(), ++objects) uses += **object;
  EXPECT_EQ(uses, kRounds * kThreads);
  EXPECT_LE(objects, kThreads);
}

}  // namespace
}  // namespace tapeworks
