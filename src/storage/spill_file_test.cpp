#include "storage/spill_file.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace tapeworks {
namespace {

std::vector<std::byte> random_block(std::mt19937& random, size_t size) {
  std::vector<std::byte> block(size);
  for (std::byte& byte : block) byte = static_cast<std::byte>(random() % 5);
  return block;
}

class SpillFileTest : public testing::Test {
 protected:
  static Result<SpillBlock> append(SpillFile& file, SpillFile::Bytes block, SpillBuffer& buffer) {
    return file.append(std::span(&block, 1), buffer);
  }

  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("spill-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void expect_blocks_back(uint64_t cached_bytes_max);

  std::filesystem::path path() const { return folder_ / "runs.spill"; }

  std::filesystem::path folder_;
};

void SpillFileTest::expect_blocks_back(uint64_t cached_bytes_max) {
  std::mt19937 random(7);
  auto file = SpillFile::create(path(), cached_bytes_max);
  ASSERT_TRUE(file);
  std::vector<std::pair<SpillBlock, std::vector<std::byte>>> blocks;
  SpillBuffer buffer;
  for (const size_t size : {size_t{1}, size_t{0}, size_t{100}, size_t{70000}, size_t{3000000}}) {
    auto bytes = random_block(random, size);
    const auto written = append(*file, bytes, buffer);
    ASSERT_TRUE(written);
    blocks.emplace_back(*written, std::move(bytes));
  }
  const auto read_all = [&] {
    SpillBuffer own_buffer;
    for (size_t i = blocks.size(); i-- > 0;) {
      const auto read = file->read(blocks[i].first, own_buffer);
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_TRUE(std::ranges::equal(*read, blocks[i].second));
    }
  };
  std::thread other(read_all);
  read_all();
  other.join();
}

TEST_F(SpillFileTest, GivesBackEveryBlockInAnyOrderToAnyThread) {
  expect_blocks_back(SpillFile::kCachedBytesMax);
}

TEST_F(SpillFileTest, GivesBackBlocksThatWentPastThePageCache) {
  expect_blocks_back(0);
  expect_blocks_back(100'000);
}

TEST_F(SpillFileTest, NoticesEveryChangedByte) {
  std::mt19937 random(8);
  auto file = SpillFile::create(path());
  ASSERT_TRUE(file);
  SpillBuffer buffer;
  const auto block = append(*file, random_block(random, 200), buffer);
  ASSERT_TRUE(block);
  constexpr size_t kHeaderBytes = 16;
  const size_t end = block->offset + kHeaderBytes + block->stored_bytes;
  for (size_t at = block->offset; at < end; ++at) {
    std::fstream stream(path(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const char original = static_cast<char>(stream.get());
    const auto put = [&](char c) {
      stream.seekp(static_cast<std::streamoff>(at));
      stream.put(c);
      stream.flush();
    };
    put(static_cast<char>(original ^ 0x10));
    const auto read = file->read(*block, buffer);
    ASSERT_FALSE(read) << "byte " << at;
    EXPECT_EQ(read.error().kind, ErrorKind::kIo);
    put(original);
  }
  EXPECT_TRUE(file->read(*block, buffer));
}

TEST_F(SpillFileTest, ABlockOfPartsIsTheirBytesOneAfterTheOther) {
  std::mt19937 random(9);
  auto file = SpillFile::create(path());
  ASSERT_TRUE(file);
  SpillBuffer buffer;
  for (const uint32_t value_count : {5U, 256U}) {  // compressed and not
    std::vector<std::vector<std::byte>> pieces;
    std::vector<std::byte> expected;
    for (size_t i = 0; i < 3'000; ++i) {  // more than the system takes at once
      std::vector<std::byte>& piece = pieces.emplace_back(random() % 60);
      for (std::byte& byte : piece) byte = static_cast<std::byte>(random() % value_count);
      expected.insert(expected.end(), piece.begin(), piece.end());
    }
    const std::vector<SpillFile::Bytes> parts(pieces.begin(), pieces.end());
    const auto block = file->append(parts, buffer);
    ASSERT_TRUE(block) << block.error().message;
    EXPECT_EQ(block->raw_bytes, expected.size());
    EXPECT_EQ(block->stored_bytes < block->raw_bytes, value_count == 5);
    const auto bytes = file->read(*block, buffer);
    ASSERT_TRUE(bytes);
    EXPECT_TRUE(std::ranges::equal(*bytes, expected));
  }
}

TEST_F(SpillFileTest, AfterABlockThatHardlyShrinksTheNextAreNotTried) {
  std::mt19937 random(10);
  auto file = SpillFile::create(path());
  ASSERT_TRUE(file);
  SpillBuffer buffer;
  std::vector<std::byte> noise(10'000);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
  const std::vector<std::byte> zeros(10'000);
  const auto is_compressed = [&](const std::vector<std::byte>& bytes) {
    const SpillBlock block = append(*file, bytes, buffer).value();
    return block.stored_bytes < block.raw_bytes;
  };
  EXPECT_TRUE(is_compressed(zeros));
  EXPECT_FALSE(is_compressed(noise));
  for (uint32_t i = 0; i < SpillFile::kUntriedBlocks; ++i) EXPECT_FALSE(is_compressed(zeros));
  EXPECT_TRUE(is_compressed(zeros));
}

TEST_F(SpillFileTest, ThreadsMayAppendAtOnce) {
  auto file = SpillFile::create(path());
  ASSERT_TRUE(file);
  std::vector<std::vector<SpillBlock>> written(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < written.size(); ++t) {
    threads.emplace_back([&, t] {
      SpillBuffer buffer;
      for (size_t i = 0; i < 50; ++i) {
        const std::vector<std::byte> block(1 + i * 997, static_cast<std::byte>(t * 50 + i));
        written[t].push_back(append(*file, block, buffer).value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  SpillBuffer buffer;
  for (size_t t = 0; t < written.size(); ++t) {
    for (size_t i = 0; i < 50; ++i) {
      const auto bytes = file->read(written[t][i], buffer);
      ASSERT_TRUE(bytes);
      const std::vector<std::byte> expected(1 + i * 997, static_cast<std::byte>(t * 50 + i));
      EXPECT_TRUE(std::ranges::equal(*bytes, expected));
    }
  }
}

TEST_F(SpillFileTest, RemovesItsFileAtTheEnd) {
  {
    auto file = SpillFile::create(path());
    ASSERT_TRUE(file);
    EXPECT_TRUE(std::filesystem::exists(path()));
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SpillFileTest, NamesTheFolderThatIsNotThere) {
  const auto file = SpillFile::create(folder_ / "missing" / "runs.spill");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::kIo);
  EXPECT_NE(file.error().message.find("missing"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks
