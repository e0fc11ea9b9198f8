// What a log promises about crashes: a process killed at any moment, and a power cut that loses or
// keeps any of the sectors that were not synced. Nothing at or below the reported watermark is
// lost.

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/log_check.h"
#include "storage/log_reader.h"
#include "storage/log_test_support.h"
#include "storage/log_writer.h"

namespace tapeworks {
namespace {

using std::chrono::milliseconds;

/// The record with this number is a function of the number, so that whoever reads it can tell.
OwnedRecord record_for(uint64_t lsn) {
  const uint64_t key = derive_key(99, lsn);
  const size_t size =
      random_bits(key, 1) % 10 == 0 ? random_bits(key, 2) % 70000 : random_bits(key, 3) % 400;
  OwnedRecord owned = random_record(key, size);
  owned.record.lsn = lsn;
  return owned;
}

/// Appends by one thread, so that the next number is known before.
void append_next(LogWriter& writer) {
  const OwnedRecord owned = record_for(writer.end_lsn());
  const auto lsn = writer.append(entry_of(owned), std::chrono::minutes(1));
  if (!lsn || *lsn != owned.record.lsn) std::abort();
}

/// Numbers that must be there: [first, last].
struct Promise {
  uint64_t first = 0;
  uint64_t last = 0;
};

/// Every record is the one that was appended, and no promised one is missing.
void expect_kept(const ReadLog& read, const std::vector<Promise>& promises) {
  ASSERT_FALSE(read.error) << read.error->message;
  std::set<uint64_t> seen;
  for (const OwnedRecord& owned : read.records) {
    ASSERT_EQ(owned, record_for(owned.record.lsn)) << owned.record.lsn;
    ASSERT_TRUE(seen.insert(owned.record.lsn).second) << owned.record.lsn << " is there twice";
  }
  for (const Promise& promise : promises) {
    for (uint64_t lsn = promise.first; lsn <= promise.last; ++lsn) {
      ASSERT_TRUE(seen.contains(lsn)) << lsn << " was durable and is gone";
    }
  }
}

/// A process that appends and says over the pipe what is durable: {start, durable} each time.
[[noreturn]] void write_until_killed(const std::filesystem::path& folder, LogSync sync, int pipe) {
  auto writer = LogWriter::open(folder, {.sync = sync,
                                         .sync_interval = milliseconds(1),
                                         .sync_bytes = 20 * kKiB,
                                         .segment_bytes = 256 * kKiB});
  if (!writer) ::_exit(1);
  std::thread teller([&] {
    for (uint64_t told = 0;;) {
      if (!writer->wait_durable(told + 1, milliseconds(1000))) ::_exit(1);
      told = writer->durable_lsn();
      const std::array<uint64_t, 2> message{writer->start_lsn(), told};
      if (::write(pipe, message.data(), sizeof message) != sizeof message) ::_exit(1);
    }
  });
  while (true) append_next(*writer);
}

class LogCrashTest : public LogTest {
 protected:
  void kill_often(LogSync sync, uint64_t rounds) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer lets no forked process start threads";
#endif
    std::vector<Promise> promises;
    uint64_t last_start = 0;
    for (uint64_t round = 0; round < rounds; ++round) {
      std::array<int, 2> ends{};
      ASSERT_EQ(::pipe(ends.data()), 0);
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        ::close(ends[0]);
        write_until_killed(log(), sync, ends[1]);
      }
      ::close(ends[1]);
      std::thread killer([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(random_bits(seed_, round) % 40000));
        ::kill(child, SIGKILL);
      });
      std::array<uint64_t, 2> message{};
      Promise promise{1, 0};
      while (::read(ends[0], message.data(), sizeof message) == sizeof message) {
        promise = {message[0] + 1, message[1]};
      }
      killer.join();
      int status = 0;
      ::waitpid(child, &status, 0);
      ::close(ends[0]);
      ASSERT_TRUE(WIFSIGNALED(status)) << "the writer gave up by itself";
      if (promise.last > 0) {
        ASSERT_GE(promise.first, last_start + 1) << "a number was used twice";
        last_start = promise.last;
        promises.push_back(promise);
      }
    }
    ASSERT_GT(promises.size(), rounds / 4) << "killed too early to mean anything";
    const ReadLog read = read_log(log());
    EXPECT_TRUE(read.holes.empty());
    expect_kept(read, promises);
  }
};

TEST_F(LogCrashTest, KilledAtAnyMomentNothingDurableIsLost) { kill_often(LogSync::kGroup, 40); }

TEST_F(LogCrashTest, KilledAtAnyMomentNothingWrittenIsLostWithoutSyncsEither) {
  kill_often(LogSync::kNone, 20);
}

/// Remembers what a power cut at this moment could leave: contents and names as of the last sync,
/// and the writes since, of which any sector may have reached the disk.
class PowerCutOperations : public LogFileOperations {
 public:
  static constexpr size_t kSectorBytes = 512;

  Result<FileDescriptor> create(const std::filesystem::path& path) override {
    const std::lock_guard lock(mutex_);
    files_[path.filename().string()] = {};
    return LogFileOperations::create(path);
  }
  Status preallocate(const FileDescriptor&, uint64_t byte_count,
                     const std::filesystem::path& path) override {
    const std::lock_guard lock(mutex_);
    files_[path.filename().string()].now.resize(byte_count);
    return {};  // the real file grows as it is written; only the image matters here
  }
  Status write_at(const FileDescriptor& file, std::span<const std::byte> bytes, uint64_t offset,
                  const std::filesystem::path& path) override {
    {
      const std::lock_guard lock(mutex_);
      std::string& now = files_[path.filename().string()].now;
      now.resize(std::max<size_t>(now.size(), offset + bytes.size()));
      std::ranges::copy(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                        now.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    return LogFileOperations::write_at(file, bytes, offset, path);
  }
  Status truncate(const FileDescriptor& file, uint64_t byte_count,
                  const std::filesystem::path& path) override {
    {
      const std::lock_guard lock(mutex_);
      files_[path.filename().string()].now.resize(byte_count);
    }
    return LogFileOperations::truncate(file, byte_count, path);
  }
  Status sync(const FileDescriptor&, const std::filesystem::path& path) override {
    const std::lock_guard lock(mutex_);
    File& file = files_[path.filename().string()];
    file.synced = file.now;
    return {};
  }
  Status sync_folder(const std::filesystem::path&) override {
    const std::lock_guard lock(mutex_);
    for (auto& [name, file] : files_) file.name_synced = true;
    return {};
  }

  /// One of the folders that a power cut now could leave.
  void leave_in(const std::filesystem::path& folder, uint64_t key) {
    const std::lock_guard lock(mutex_);
    uint64_t draw = 0;
    const auto coin = [&] { return random_bits(key, draw++) % 2 == 0; };
    for (const auto& [name, file] : files_) {
      if (!file.name_synced && coin()) continue;
      std::string content = file.synced;
      if (file.now.size() != file.synced.size() && coin()) content.resize(file.now.size());
      for (size_t at = 0; at < std::min(content.size(), file.now.size()); at += kSectorBytes) {
        const size_t size = std::min({kSectorBytes, content.size() - at, file.now.size() - at});
        if (content.compare(at, size, file.now, at, size) != 0 && coin()) {
          content.replace(at, size, file.now, at, size);
        }
      }
      write_file(folder / name, content);
    }
  }

 private:
  struct File {
    std::string synced;
    std::string now;
    bool name_synced = false;
  };
  std::mutex mutex_;
  std::map<std::string, File> files_;
};

TEST_F(LogCrashTest, APowerCutAtAnyMomentLosesNothingDurable) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const TestFolder folder;
    PowerCutOperations operations;
    auto writer = LogWriter::open(folder.path(), {.sync_interval = milliseconds(1),
                                                  .sync_bytes = 10 * kKiB,
                                                  .segment_bytes = 128 * kKiB,
                                                  .operations = &operations})
                      .value();
    for (uint64_t cut = 0; cut < 40; ++cut) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", cut " + std::to_string(cut));
      for (uint64_t i = random_bits(seed, cut) % 40; i > 0; --i) append_next(writer);
      const Promise promise{writer.start_lsn() + 1, writer.durable_lsn()};
      const TestFolder left;
      operations.leave_in(left.path(), derive_key(seed, cut));
      const ReadLog read = read_log(left.path());
      expect_kept(read, {promise});
      for (const LogHole& hole : read.holes) EXPECT_GT(hole.first_missing_lsn, promise.last);
      // The next start goes on behind everything that may have been there.
      auto next = LogWriter::open(left.path()).value();
      EXPECT_GT(next.start_lsn(), promise.last);
      for (int i = 0; i < 3; ++i) append_next(next);
      ASSERT_TRUE(next.close());
      expect_kept(read_log(left.path()), {promise, {next.start_lsn() + 1, next.start_lsn() + 3}});
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace tapeworks
