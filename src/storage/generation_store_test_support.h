#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/data_directory_test_support.h"
#include "storage/generation_store.h"

namespace tapeworks {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

inline constexpr GenerationWriterOptions kKeepNothing{std::chrono::milliseconds{0}};

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

inline ino_t inode_of(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_ino;
}

/// A data directory in a folder of its own, and the verbs of its tests.
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

}  // namespace tapeworks
