#include "storage/posix_file.h"

#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

TEST(ReadTextFile, ReadsFilesOfAnySize) {
  const ScratchFolder scratch = *ScratchFolder::make({});
  for (const size_t size : {0, 1, 4095, 4096, 4097, 3'000'000}) {
    const std::string text(size, 'x');
    const auto path = scratch.path() / std::to_string(size);
    ASSERT_TRUE(write_synced_file(path, text));
    const auto read = read_text_file(path);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, text);
  }
}

TEST(ReadTextFile, ReadsFilesThatDoNotTellTheirSize) {
  const auto status = read_text_file("/proc/self/status");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(status->starts_with("Name:"));
  EXPECT_TRUE(status->ends_with("\n"));
}

TEST(ReadToEnd, ReadsAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor out(ends[0]);
  const std::string text(100'000, 'x');
  std::thread writer([&] {
    for (size_t at = 0; at < text.size();) {
      const ssize_t count =
          ::write(ends[1], text.data() + at, std::min<size_t>(777, text.size() - at));
      if (count < 0) break;
      at += static_cast<size_t>(count);
    }
    ::close(ends[1]);
  });
  const auto read = read_to_end(out, "pipe");
  writer.join();
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, text);
}

}  // namespace
}  // namespace tapeworks
