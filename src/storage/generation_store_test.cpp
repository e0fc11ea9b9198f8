#include "storage/generation_store.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "storage/data_directory_test_support.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr GenerationWriterOptions kKeepNothing{std::chrono::milliseconds{0}};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

ino_t inode_of(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_ino;
}

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

class GenerationStoreTest : public testing::Test {
 protected:
  fs::path data() const { return folder_ / "data"; }
  fs::path generations() const { return folder_ / "data.generations"; }
  fs::path generation(int number) const {
    return generations() / ("00000" + std::to_string(number));
  }

  GenerationWriter begin(GenerationWriterOptions options = kKeepNothing) {
    auto writer = GenerationWriter::begin(data(), options);
    EXPECT_TRUE(writer) << writer.error().message;
    return std::move(*writer);
  }

  /// A generation with the one file a/1 in table a.
  void publish(std::string_view content, GenerationWriterOptions options = kKeepNothing) {
    GenerationWriter writer = begin(options);
    EXPECT_TRUE(writer.add_file("a", "a/1", bytes_of(content), 1));
    publish(writer);
  }
  /// A generation in which table b was made from another table a.
  void publish_inconsistent() {
    GenerationWriter writer = begin();
    EXPECT_TRUE(writer.add_file("a", "a/1", bytes_of("x"), 1));
    EXPECT_TRUE(writer.describe_table("b", {}, {{"a", "0000000000000000"}}, {}));
    publish(writer);
  }
  void publish(GenerationWriter& writer) {
    const Status status = writer.publish("default", {{"command", "test"}});
    EXPECT_TRUE(status) << status.error().message;
  }

  GenerationReader open() {
    auto reader = GenerationReader::open(data());
    EXPECT_TRUE(reader) << reader.error().message;
    return std::move(*reader);
  }
  Error open_error(const fs::path& path) {
    const auto reader = GenerationReader::open(path);
    EXPECT_FALSE(reader);
    return reader ? Error{} : reader.error();
  }
  Error begin_error(const fs::path& path) {
    const auto writer = GenerationWriter::begin(path, {});
    EXPECT_FALSE(writer);
    return writer ? Error{} : writer.error();
  }

  const TestFolder folder_;
};

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

// ---- locks and collection

TEST_F(GenerationStoreTest, SecondWriterIsRefusedWithThePid) {
  const GenerationWriter writer = begin();
  const Error error = begin_error(data());
  EXPECT_EQ(error.kind, ErrorKind::kIo);
  const std::string owner = "is being written by process " + std::to_string(::getpid());
  EXPECT_TRUE(contains(error.message, owner)) << error.message;
}

TEST_F(GenerationStoreTest, SecondWriterMayBeginWhenTheFirstHasEnded) {
  begin();
  publish("one");
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
}

TEST_F(GenerationStoreTest, ReaderKeepsItsGenerationThroughPublications) {
  publish("one");
  const GenerationReader reader = open();
  for (const char* content : {"two", "three", "four"}) publish(content);
  EXPECT_EQ(read_file(reader.path() / "a" / "1"), "one");
  EXPECT_EQ(open().number(), 4u);
}

TEST_F(GenerationStoreTest, GenerationIsCollectedAfterItsLastReader) {
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

TEST_F(GenerationStoreTest, YoungGenerationsAreKept) {
  for (int i = 0; i < 4; ++i) publish("x", {std::chrono::hours{1}});
  EXPECT_EQ(names_in(generations()), (Names{"000001", "000002", "000003", "000004", "lock"}));
}

TEST_F(GenerationStoreTest, AgeCountsFromWhenAGenerationWasLastCurrent) {
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

TEST_F(GenerationStoreTest, NewestGenerationInWhichAllTablesAgreeIsKept) {
  publish("consistent");
  for (int i = 0; i < 3; ++i) publish_inconsistent();
  EXPECT_EQ(names_in(generations()), (Names{"000001", "000003", "000004", "lock"}));
  publish("consistent");
  EXPECT_EQ(names_in(generations()), (Names{"000004", "000005", "lock"}));
}

TEST_F(GenerationStoreTest, CollectionLeavesAloneWhatHasNoManifest) {
  for (const char* content : {"one", "two"}) publish(content);
  fs::remove(generation(1) / "manifest.json");
  for (const char* content : {"three", "four", "five"}) publish(content);
  EXPECT_EQ(read_file(generation(1) / "a" / "1"), "one");
  EXPECT_EQ(list_generations(data())->size(), 2u);
}

// ---- crashes and failures

TEST_F(GenerationStoreTest, WhatACrashedWriterLeftIsRemovedByTheNext) {
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

TEST_F(GenerationStoreTest, TempFoldersOfOtherDataDirectoriesAreNotTouched) {
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

TEST_F(GenerationStoreTest, TempFoldersEndWithTheWriter) {
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

TEST_F(GenerationStoreTest, TempFolderInAMissingFolderIsAnErrorThatLeavesNothing) {
  GenerationWriter writer = begin();
  EXPECT_EQ(writer.make_temp_folder(folder_ / "missing").error().kind, ErrorKind::kIo);
  EXPECT_EQ(names_in(generations()), (Names{"000001.partial", "lock"}));
}

TEST_F(GenerationStoreTest, FirstWriterWithoutPublicationLeavesNothing) {
  {
    GenerationWriter writer = begin();
    ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("one"), 1));
    ASSERT_TRUE(writer.make_temp_folder({}));
  }
  EXPECT_EQ(names_in(folder_.path()), Names{});
}

TEST_F(GenerationStoreTest, LaterWriterWithoutPublicationLeavesThePublished) {
  publish("one");
  {
    GenerationWriter writer = begin();
    ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("two"), 1));
  }
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
}

TEST_F(GenerationStoreTest, FullDiskLeavesThePublishedAndSaysWhatToDo) {
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

TEST_F(GenerationStoreTest, FileCutBehindOurBackIsNotPublished) {
  publish("one");
  GenerationWriter writer = begin();
  ASSERT_TRUE(writer.add_file("a", "a/1", bytes_of("two"), 1));
  fs::resize_file(writer.directory() / "a" / "1", 1);
  EXPECT_EQ(writer.publish("default", {}).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(read_file(data() / "a" / "1"), "one");
  EXPECT_EQ(names_in(generations()), (Names{"000001", "lock"}));
}

TEST_F(GenerationStoreTest, FolderPutAtThePlaceOfTheLinkIsNotReplaced) {
  GenerationWriter writer = begin();
  write_file(data() / "mine", "text");
  EXPECT_EQ(writer.publish("default", {}).error().kind, ErrorKind::kIo);
  EXPECT_EQ(read_file(data() / "mine"), "text");
  EXPECT_EQ(names_in(folder_.path()), Names{"data"});
}

TEST_F(GenerationStoreTest, SignalBeforePublicationPublishesNothing) {
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

TEST_F(GenerationStoreTest, MoreSpaceThanThereIsIsRefusedWithBothNumbers) {
  const GenerationWriter writer = begin();
  EXPECT_TRUE(writer.check_free_space(1));
  const Status status = writer.check_free_space(uint64_t{1} << 60);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
  EXPECT_TRUE(contains(status.error().message, "are free")) << status.error().message;
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
