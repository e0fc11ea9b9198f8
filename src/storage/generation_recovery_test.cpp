#include <chrono>
#include <csignal>
#include <functional>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/interrupt.h"
#include "storage/generation_store.h"
#include "storage/generation_store_test_support.h"

namespace tapeworks {
namespace {

/// ThreadSanitizer allows no threads in a child of a process that has some, and Arrow has them.
bool can_fork() {
#if defined(__SANITIZE_THREAD__)
  return false;
#elif defined(__has_feature)
  return !__has_feature(thread_sanitizer);
#else
  return true;
#endif
}

/// Runs `body` in a process of its own, which ends without any clean-up, and returns its exit code.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) _exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

using GenerationRecoveryTest = GenerationStoreTest;

// ---- locks and collection

TEST_F(GenerationRecoveryTest, SecondWriterIsRefusedWithThePid) {
  const GenerationWriter writer = begin();
  const Error error = begin_error(data());
  EXPECT_EQ(error.kind, ErrorKind::kIo);
  const std::string owner = "is being written by process " + std::to_string(::getpid());
  EXPECT_TRUE(contains(error.message, owner)) << error.message;
}

TEST_F(GenerationRecoveryTest, SecondWriterMayBeginWhenTheFirstHasEnded) {
  begin();
  publish("one");
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
}

TEST_F(GenerationRecoveryTest, ReaderKeepsItsGenerationThroughPublications) {
  publish("one");
  const GenerationReader reader = open();
  for (const char* content : {"two", "three", "four"}) publish(content);
  EXPECT_EQ(read_file(reader.path() / "a" / "1"), "one");
  EXPECT_EQ(open().number(), 4u);
}

TEST_F(GenerationRecoveryTest, GenerationIsCollectedAfterItsLastReader) {
  publish("one");
  {
    const GenerationReader reader = open();
    publish("two");
    publish("three");
    EXPECT_TRUE(fs::exists(generation(1)));
  }
  publish("four");
  EXPECT_EQ(names_in(generations()), (Names{"000003", "000004", "lock"}));
}

TEST_F(GenerationRecoveryTest, YoungGenerationsAreKept) {
  for (int i = 0; i < 4; ++i) publish("x", {std::chrono::hours{1}});
  EXPECT_EQ(names_in(generations()), (Names{"000001", "000002", "000003", "000004", "lock"}));
}

TEST_F(GenerationRecoveryTest, AgeCountsFromWhenAGenerationWasLastCurrent) {
  publish("one");
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours{24};
  fs::last_write_time(generation(1) / "manifest.json", long_ago);
  publish("two", {std::chrono::hours{1}});
  publish("three", {std::chrono::hours{1}});
  EXPECT_TRUE(fs::exists(generation(1)));
  fs::last_write_time(generation(1) / "manifest.json", long_ago);
  publish("four", {std::chrono::hours{1}});
  EXPECT_FALSE(fs::exists(generation(1)));
  EXPECT_TRUE(fs::exists(generation(2)));
}

TEST_F(GenerationRecoveryTest, NewestGenerationInWhichAllTablesAgreeIsKept) {
  publish("consistent");
  for (int i = 0; i < 3; ++i) publish_inconsistent();
  EXPECT_EQ(names_in(generations()), (Names{"000001", "000003", "000004", "lock"}));
  publish("consistent");
  EXPECT_EQ(names_in(generations()), (Names{"000004", "000005", "lock"}));
}

TEST_F(GenerationRecoveryTest, CollectionLeavesAloneWhatHasNoManifest) {
  for (const char* content : {"one", "two"}) publish(content);
  fs::remove(generation(1) / "manifest.json");
  for (const char* content : {"three", "four", "five"}) publish(content);
  EXPECT_EQ(read_file(generation(1) / "a" / "1"), "one");
  EXPECT_EQ(list_generations(data())->size(), 2u);
}

// ---- crashes and failures

TEST_F(GenerationRecoveryTest, WhatACrashedWriterLeftIsRemovedByTheNext) {
  if (!can_fork()) GTEST_SKIP() << "ThreadSanitizer";
  publish("one");
  const TestFolder elsewhere;
  ASSERT_EQ(in_child([&] {
              GenerationWriter writer = begin();
              bool good = writer.add_file("a", "a/1", bytes_of("two"), 1).has_value();
              for (const fs::path& parent : {fs::path(), elsewhere.path()}) {
                const auto temp = writer.make_temp_folder(parent);
                good = good && temp.has_value();
                write_file(*temp / "spill", "rows");
              }
              _exit(good ? 7 : 1);  // Before any destructor.
              return 0;
            }),
            7);
  EXPECT_EQ(names_in(generations()).size(), 5u);
  EXPECT_EQ(names_in(elsewhere.path()).size(), 1u);
  write_file(folder_ / ".data.new-link", "");
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");

  begin();
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
  EXPECT_EQ(names_in(elsewhere.path()), Names{});
  EXPECT_EQ(names_in(folder_.path()), (Names{"data", "data.generations"}));
}

TEST_F(GenerationRecoveryTest, WriterKilledAtAnyMomentLeavesAWholeGeneration) {
  if (!can_fork()) GTEST_SKIP() << "ThreadSanitizer";
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> delay_us(0, 60'000);
  publish("first");
  uint64_t last_number = 1;
  for (int round = 0; round < 15; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0;; ++i) publish(std::to_string(i));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us(random)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const GenerationReader reader = open();
    EXPECT_GE(reader.number(), last_number);
    last_number = reader.number();
    const TableFile& file = reader.manifest().tables.at("a").files.at(0);
    const std::string content = read_file(reader.path() / "a" / "1");
    EXPECT_EQ(XXH3_64bits(content.data(), content.size()), file.xxh3);
  }
  publish("last");
  EXPECT_EQ(read_file(data() / "a" / "1"), "last");
  EXPECT_EQ(names_in(folder_.path()), (Names{"data", "data.generations"}));
  for (const std::string& name : names_in(generations())) EXPECT_FALSE(name.ends_with(".partial"));
}

TEST_F(GenerationRecoveryTest, TempFoldersOfOtherDataDirectoriesAreNotTouched) {
  const TestFolder shared;
  GenerationWriter writer = begin();
  auto other = GenerationWriter::begin(folder_ / "other", {});
  ASSERT_TRUE(other);
  const auto mine = writer.make_temp_folder(shared.path());
  const auto theirs = other->make_temp_folder(shared.path());
  ASSERT_TRUE(mine && theirs);
  EXPECT_NE(*mine, *theirs);
  // As in a copy of a data directory that was in use.
  fs::create_symlink(*theirs, generations() / "temp-1-1");
  publish(writer);
  begin();
  EXPECT_FALSE(fs::exists(*mine));
  EXPECT_TRUE(fs::exists(*theirs));
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
}

TEST_F(GenerationRecoveryTest, TempFoldersEndWithTheWriter) {
  const TestFolder elsewhere;
  GenerationWriter writer = begin();
  const auto inside = writer.make_temp_folder({});
  const auto outside = writer.make_temp_folder(elsewhere.path());
  ASSERT_TRUE(inside && outside);
  EXPECT_EQ(inside->parent_path(), generations());
  EXPECT_EQ(outside->parent_path(), elsewhere.path());
  write_file(*outside / "spill", "rows");
  publish(writer);
  EXPECT_FALSE(fs::exists(*inside));
  EXPECT_FALSE(fs::exists(*outside));
}

TEST_F(GenerationRecoveryTest, TempFolderInAMissingFolderIsAnErrorThatLeavesNothing) {
  GenerationWriter writer = begin();
  EXPECT_EQ(writer.make_temp_folder(folder_ / "missing").error().kind, ErrorKind::kIo);
  EXPECT_EQ(names_in(generations()), (Names{"000001.partial", "lock"}));
}

TEST_F(GenerationRecoveryTest, FirstWriterWithoutPublicationLeavesNothing) {
  {
    GenerationWriter writer = begin();
    ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("one"), 1));
    ASSERT_TRUE(writer.make_temp_folder({}));
  }
  EXPECT_EQ(names_in(folder_.path()), Names{});
}

TEST_F(GenerationRecoveryTest, LaterWriterWithoutPublicationLeavesThePublished) {
  publish("one");
  {
    GenerationWriter writer = begin();
    ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("two"), 1));
  }
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
}

TEST_F(GenerationRecoveryTest, FullDiskLeavesThePublishedAndSaysWhatToDo) {
  publish("one");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  {
    GenerationWriter writer = begin();
    ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("two"), 1));
    rlimit limit = before;
    limit.rlim_cur = 4096;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const std::string content(100000, 'x');
    const Status added = writer.add_file("a", "a/2", bytes_of(content), 1);
    const Status published = writer.publish("default", {});
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().kind, ErrorKind::kIo);
    EXPECT_TRUE(contains(added.error().message, "cannot write")) << added.error().message;
    EXPECT_TRUE(contains(added.error().message, "a/2: File too large; raise"))
        << added.error().message;
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().message, added.error().message);
  }
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
}

TEST_F(GenerationRecoveryTest, FileCutBehindOurBackIsNotPublished) {
  publish("one");
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("two"), 1));
  fs::resize_file(writer.directory() / "a" / "1", 1);
  EXPECT_EQ(writer.publish("default", {}).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
}

TEST_F(GenerationRecoveryTest, FolderPutAtThePlaceOfTheLinkIsNotReplaced) {
  GenerationWriter writer = begin();
  write_file(data() / "mine", "text");
  EXPECT_EQ(writer.publish("default", {}).error().kind, ErrorKind::kIo);
  EXPECT_EQ(read_file(data() / "mine"), "text");
  EXPECT_EQ(names_in(folder_.path()), Names{"data"});
}

TEST_F(GenerationRecoveryTest, SignalBeforePublicationPublishesNothing) {
  if (!can_fork()) GTEST_SKIP() << "ThreadSanitizer";
  publish("one");
  EXPECT_EQ(in_child([&] {
              install_interrupt_handler();
              GenerationWriter writer = begin();
              if (!writer.add_file("a", "a/1", bytes_of("two"), 1)) return 1;
              ::raise(SIGINT);
              const Status status = writer.publish("default", {});
              return status ? 0 : exit_code(status.error().kind);
            }),
            130);
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
}

TEST_F(GenerationRecoveryTest, MoreSpaceThanThereIsIsRefusedWithBothNumbers) {
  const GenerationWriter writer = begin();
  EXPECT_TRUE(writer.check_free_space(1));
  const Status status = writer.check_free_space(uint64_t{1} << 60);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
  EXPECT_TRUE(contains(status.error().message, "are free")) << status.error().message;
}

}  // namespace
}  // namespace tapeworks
