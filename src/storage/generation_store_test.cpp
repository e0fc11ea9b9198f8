#include "storage/generation_store.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "storage/generation_store_test_support.h"

namespace tapeworks {
namespace {

// ---- publishing and reading

TEST_F(GenerationStoreTest, WhatWasPublishedIsReadThroughTheLink) {
  publish("one");
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
  const GenerationReader reader = open();
  EXPECT_EQ(reader.number(), 1u);
  EXPECT_EQ(reader.path(), generation(1));
  EXPECT_EQ(reader.manifest().mode, "default");
  ASSERT_EQ(reader.manifest().tables.at("a").files.size(), 1u);
  EXPECT_EQ(reader.manifest().tables.at("a").files[0].byte_count, 3u);
}

TEST_F(GenerationStoreTest, LinkIsRelative) {
  publish("one");
  EXPECT_EQ(fs::read_symlink(data()), "data.generations/000001");
}

TEST_F(GenerationStoreTest, OnlyTheTreeOfTheFormatIsThere) {
  publish("one");
  EXPECT_EQ(names_in(folder_.path()), (Names{"data", "data.generations"}));
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
  EXPECT_EQ(names_in(data()), (Names{"a", "manifest.json", "run.json"}));
}

TEST_F(GenerationStoreTest, RunInfoHoldsWhatEveryRunHasAndWhatTheCallerGave) {
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.publish("v1", {{"command", "etl"}, {"inputs", {"a\xff.parquet"}}}));
  const auto run = nlohmann::json::parse(read_file(data() / "run.json"));
  EXPECT_EQ(run.at("format"), 1);
  EXPECT_EQ(run.at("command"), "etl");
  EXPECT_EQ(run.at("created").get<std::string>().size(), 20u);
  EXPECT_FALSE(run.at("tapeworks_version").get<std::string>().empty());
  EXPECT_EQ(run.at("inputs").size(), 1u);
}

TEST_F(GenerationStoreTest, ManifestDoesNotDependOnTheOrderOfFiles) {
  for (const bool reversed : {false, true}) {
    GenerationWriter writer = begin();
    for (int i = 0; i < 20; ++i) {
      const std::string name = "a/" + std::to_string(reversed ? 19 - i : i);
      ASSERT_TRUE(writer.add_file("a", name, bytes_of(name), 1));
    }
    publish(writer);
  }
  EXPECT_EQ(read_file(generation(1) / "manifest.json"), read_file(generation(2) / "manifest.json"));
}

TEST_F(GenerationStoreTest, ManyThreadsAddFiles) {
  GenerationWriter writer = begin();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        EXPECT_TRUE(writer.add_file("t" + std::to_string(t), name, bytes_of(name), 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  publish(writer);
  EXPECT_EQ(read_file(data() / "3" / "99"), "3/99");
  EXPECT_EQ(open().manifest().tables.at("t2").row_count(), 100u);
}

TEST_F(GenerationStoreTest, RehearsalHasTheManifestAndStoresNothing) {
  publish("kept");
  GenerationWriter writer = begin();
  const Names before = names_in(writer.directory());
  {
    GenerationWriter rehearsal = writer.rehearse();
    ASSERT_TRUE(rehearsal.keep_table("a"));
    ASSERT_TRUE(rehearsal.add_file("b", "b/1", bytes_of("new"), 1));
    ASSERT_TRUE(rehearsal.add_checkpoint("b", bytes_of("state")));
    EXPECT_FALSE(rehearsal.add_file("b", "b/1", bytes_of("twice"), 1));
    EXPECT_EQ(names_in(writer.directory()), before);
    ASSERT_TRUE(writer.keep_table("a"));
    ASSERT_TRUE(writer.add_file("b", "b/1", bytes_of("new"), 1));
    EXPECT_EQ(rehearsal.manifest().to_text(), writer.manifest().to_text());
    EXPECT_FALSE(rehearsal.publish("default", {}));
  }
  publish(writer);
  EXPECT_EQ(read_file(data() / "b" / "1"), "new");
}

TEST_F(GenerationStoreTest, LinkAlwaysLeadsToAWholeGenerationWhileAnotherThreadPublishes) {
  publish("0");
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    for (int i = 1; i <= 50; ++i) publish(std::to_string(i));
    done = true;
  });
  uint64_t last_number = 0;
  while (!done) {
    const GenerationReader reader = open();
    EXPECT_GE(reader.number(), last_number);
    last_number = reader.number();
    EXPECT_EQ(read_file(reader.path() / "a" / "1"), std::to_string(last_number - 1));
    EXPECT_TRUE(fs::exists(data() / "manifest.json"));
  }
  publisher.join();
  EXPECT_EQ(read_file(data() / "a" / "1"), "50");
}

TEST_F(GenerationStoreTest, WriterSeesWhatIsCurrent) {
  EXPECT_FALSE(begin().base().has_value());
  publish("one");
  const GenerationWriter writer = begin();
  ASSERT_TRUE(writer.base().has_value());
  EXPECT_EQ(writer.base()->tables.count("a"), 1u);
  EXPECT_EQ(writer.base_path(), generation(1));
  EXPECT_EQ(writer.number(), 2u);
}

TEST_F(GenerationStoreTest, PublishedWriterAcceptsNothingMore) {
  GenerationWriter writer = begin();
  publish(writer);
  EXPECT_EQ(writer.add_file("a", "a/1", {}, 0).error().kind, ErrorKind::kInternal);
  EXPECT_EQ(writer.publish("default", {}).error().kind, ErrorKind::kInternal);
}

// ---- where the data directory is

TEST_F(GenerationStoreTest, MissingParentFoldersAreMade) {
  auto writer = GenerationWriter::begin(folder_ / "x/y/data", {});
  ASSERT_TRUE(writer) << writer.error().message;
  publish(*writer);
  EXPECT_TRUE(fs::exists(folder_ / "x/y/data/manifest.json"));
}

TEST_F(GenerationStoreTest, TrailingSlashesMeanTheSameDirectory) {
  const fs::path with_slashes = data().string() + "//";
  auto writer = GenerationWriter::begin(with_slashes, {});
  ASSERT_TRUE(writer) << writer.error().message;
  publish(*writer);
  EXPECT_TRUE(fs::is_symlink(data()));
  EXPECT_TRUE(GenerationReader::open(with_slashes));
}

TEST_F(GenerationStoreTest, NameInTheCurrentFolderIsEnough) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_.path());
  auto writer = GenerationWriter::begin("data", {});
  ASSERT_TRUE(writer) << writer.error().message;
  fs::current_path(before);  // The place was decided at the beginning.
  publish(*writer);
  EXPECT_TRUE(fs::exists(data() / "manifest.json"));
}

TEST_F(GenerationStoreTest, LinkOfTheUserToAPlaceThatDoesNotExistYetIsFollowed) {
  fs::create_symlink(folder_ / "disk" / "real", data());
  publish("one");
  EXPECT_EQ(fs::read_symlink(data()), folder_ / "disk" / "real");
  EXPECT_EQ(fs::read_symlink(folder_ / "disk" / "real"), "real.generations/000001");
  publish("two");
  EXPECT_EQ(read_file(open().path() / "a" / "1"), "two");
}

TEST_F(GenerationStoreTest, LinkInACircleIsRefused) {
  fs::create_symlink("data", data());
  EXPECT_EQ(open_error(data()).kind, ErrorKind::kInvalidArgument);
}

TEST_F(GenerationStoreTest, RealFolderIsRefusedWithTheHintToAdoptIt) {
  fs::create_directory(data());
  for (const Error& error : {open_error(data()), begin_error(data())}) {
    EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
    EXPECT_TRUE(contains(error.message, "tapeworks adopt " + data().string())) << error.message;
  }
  EXPECT_EQ(begin_error(folder_ / "data/.").kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(begin_error("/").kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(names_in(folder_.path()), Names{"data"});
}

TEST_F(GenerationStoreTest, OneGenerationIsRefusedWithTheNameOfItsDirectory) {
  publish("one");
  const Error error = open_error(generation(1));
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(contains(error.message, "name " + data().string() + " instead")) << error.message;
}

TEST_F(GenerationStoreTest, FileIsRefusedAsDirectoryAndAsParent) {
  write_file(data(), "text");
  EXPECT_EQ(begin_error(data()).kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(open_error(data() / "below").kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(begin_error(data() / "below").kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(read_file(data()), "text");
}

TEST_F(GenerationStoreTest, MissingDirectoryIsWrongUsageForAReader) {
  const Error error = open_error(data());
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(contains(error.message, "--data")) << error.message;
}

TEST_F(GenerationStoreTest, LinkRenamedWithoutItsGenerationsIsReadButNotWritten) {
  publish("one");
  fs::rename(data(), folder_ / "other");
  EXPECT_TRUE(GenerationReader::open(folder_ / "other"));
  const Error error = begin_error(folder_ / "other");
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(contains(error.message, "together")) << error.message;
}

TEST_F(GenerationStoreTest, GenerationThatIsGoneIsNamed) {
  publish("one");
  fs::remove_all(generation(1));
  const Error error = open_error(data());
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(contains(error.message, "000001, which is gone")) << error.message;
}

TEST_F(GenerationStoreTest, MissingManifestIsCorrupt) {
  publish("one");
  fs::remove(generation(1) / "manifest.json");
  for (const Error& error : {open_error(data()), begin_error(data())}) {
    EXPECT_EQ(error.kind, ErrorKind::kCorrupt);
    EXPECT_TRUE(contains(error.message, "has no manifest.json")) << error.message;
  }
}

TEST_F(GenerationStoreTest, DamagedManifestIsCorrupt) {
  publish("one");
  write_file(generation(1) / "manifest.json", "{");
  EXPECT_EQ(open_error(data()).kind, ErrorKind::kCorrupt);
  EXPECT_EQ(begin_error(data()).kind, ErrorKind::kCorrupt);
}

// ---- files and tables

TEST_F(GenerationStoreTest, PathThatLeadsOutOrIsReservedIsABug) {
  GenerationWriter writer = begin();
  const std::string long_name(209, 'x');
  const std::string with_nul("a\0b", 3);
  for (const std::string& path :
       {std::string("../a"), std::string("/a"), std::string("a/../b"), std::string(),
        std::string("manifest.json"), std::string("run.json"), "a/" + long_name, with_nul}) {
    const Status status = writer.add_file("a", path, {}, 0);
    ASSERT_FALSE(status) << path;
    EXPECT_EQ(status.error().kind, ErrorKind::kInternal) << path;
  }
}

TEST_F(GenerationStoreTest, TwoFilesOfOnePathAreABug) {
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("x"), 1));
  const Status status = writer.add_file("b", "a/1", bytes_of("y"), 1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kInternal);
}

TEST_F(GenerationStoreTest, FileNamesMayBeAnyBytesOfFullLength) {
  const std::string name = "a/\xff\n\"\\" + std::string(204, '\xfe');
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.add_file("a", name, bytes_of("x"), 1));
  publish(writer);
  EXPECT_EQ(read_file(data() / name), "x");
  EXPECT_EQ(open().manifest().tables.at("a").files.at(0).path, name);
}

TEST_F(GenerationStoreTest, OptionThatIsNoUtf8IsRefused) {
  GenerationWriter writer = begin();
  EXPECT_EQ(writer.describe_table("a", {{"column", "\xff"}}, {}, {}).error().kind,
            ErrorKind::kInvalidArgument);
}

TEST_F(GenerationStoreTest, KeptTableIsTheSameFileAndTheSameTable) {
  GenerationWriter first = begin();
  ASSERT_TRUE(first.add_file("a", "a/x/1", bytes_of("one"), 5));
  ASSERT_TRUE(first.describe_table("a", {{"o", "p"}}, {{"b", "0"}}, {{"n", 3}}));
  publish(first);
  GenerationWriter second = begin();
  ASSERT_TRUE(second.keep_table("a"));
  ASSERT_TRUE(second.keep_table("a"));
  ASSERT_TRUE(second.keep_table("nothing"));
  publish(second);
  EXPECT_EQ(inode_of(generation(1) / "a/x/1"), inode_of(generation(2) / "a/x/1"));
  EXPECT_EQ(read_file(generation(1) / "manifest.json"), read_file(generation(2) / "manifest.json"));
}

TEST_F(GenerationStoreTest, TableThatIsNotKeptIsGone) {
  publish("one");
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.add_file("b", "b/1", bytes_of("x"), 1));
  publish(writer);
  EXPECT_FALSE(fs::exists(data() / "a"));
  EXPECT_EQ(open().manifest().find("a"), nullptr);
}

TEST_F(GenerationStoreTest, TableOfThisGenerationIsNotReplacedByKeepTable) {
  publish("one");
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("two"), 1));
  ASSERT_TRUE(writer.keep_table("a"));
  publish(writer);
  EXPECT_EQ(read_file(data() / "a" / "1"), "two");
}

/// /dev/shm is another file system than the temporary folder, or this says nothing.
TEST_F(GenerationStoreTest, TableIsCopiedWhereHardLinksAreImpossible) {
  if (!fs::exists("/dev/shm")) GTEST_SKIP() << "there is no second file system";
  publish("one");
  const TestFolder other_disk("/dev/shm");
  fs::copy(generation(1), other_disk / "moved", fs::copy_options::recursive);
  fs::remove_all(generation(1));
  fs::create_directory_symlink(other_disk / "moved", generation(1));
  GenerationWriter writer = begin({std::chrono::hours{1}});
  ASSERT_TRUE(writer.keep_table("a"));
  publish(writer);
  EXPECT_EQ(read_file(generation(2) / "a" / "1"), "one");

  write_file(other_disk / "moved" / "a" / "1", "eno");
  ASSERT_TRUE(back_to_generation(data(), 1));
  GenerationWriter second = begin({std::chrono::hours{1}});
  const Status status = second.keep_table("a");
  if (inode_of(generation(2) / "a/1") == inode_of(generation(1) / "a/1")) GTEST_SKIP();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
}

// ---- going back

TEST_F(GenerationStoreTest, GoingBackChangesTheLinkOnly) {
  for (const char* content : {"one", "two"}) publish(content);
  ASSERT_TRUE(back_to_generation(data(), 1));
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
  EXPECT_EQ(names_in(generations()), (Names{"000001", "000002", "lock"}));
  ASSERT_TRUE(back_to_generation(data(), 2));
  EXPECT_EQ(read_file(data() / "a" / "1"), "two");
}

TEST_F(GenerationStoreTest, NumbersGrowAlsoAfterGoingBack) {
  for (const char* content : {"one", "two"}) publish(content);
  ASSERT_TRUE(back_to_generation(data(), 1));
  publish("three");
  EXPECT_EQ(open().number(), 3u);
  EXPECT_EQ(read_file(data() / "a" / "1"), "three");
  EXPECT_TRUE(fs::exists(generation(1))) << "it was current before this publication";
}

TEST_F(GenerationStoreTest, GoingBackToAnUnknownGenerationIsNotFound) {
  publish("one");
  const Status status = back_to_generation(data(), 7);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(back_to_generation(folder_ / "nothing", 1).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(names_in(folder_.path()), (Names{"data", "data.generations"}));
}

TEST_F(GenerationStoreTest, GoingBackToADamagedGenerationIsRefused) {
  for (const char* content : {"one", "two"}) publish(content);
  fs::remove(generation(1) / "a" / "1");
  EXPECT_EQ(back_to_generation(data(), 1).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(read_file(data() / "a" / "1"), "two");
}

TEST_F(GenerationStoreTest, GoingBackWaitsForNoWriter) {
  publish("one");
  const GenerationWriter writer = begin();
  EXPECT_EQ(back_to_generation(data(), 1).error().kind, ErrorKind::kIo);
}

TEST_F(GenerationStoreTest, GoingBackHealsALostLink) {
  publish("one");
  fs::remove(data());
  EXPECT_TRUE(contains(open_error(data()).message, "--back-to 1"));
  ASSERT_TRUE(back_to_generation(data(), 1));
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
}

TEST_F(GenerationStoreTest, ListNamesWholeGenerationsOldestFirst) {
  publish("one");
  publish_inconsistent();
  write_file(generations() / "000009.partial" / "a", "");
  const auto list = list_generations(data());
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 2u);
  const GenerationInfo& old = list->front();
  EXPECT_EQ(old.number, 1u);
  EXPECT_EQ(old.path, generation(1));
  EXPECT_FALSE(old.current);
  EXPECT_TRUE(old.consistent);
  EXPECT_EQ(old.byte_count, 3u);
  EXPECT_EQ(old.command, "test");
  EXPECT_EQ(old.created.size(), 20u);
  EXPECT_TRUE(list->back().current);
  EXPECT_FALSE(list->back().consistent);
}

TEST_F(GenerationStoreTest, ListOfAMissingDirectoryIsWrongUsage) {
  EXPECT_EQ(list_generations(data()).error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace tapeworks
