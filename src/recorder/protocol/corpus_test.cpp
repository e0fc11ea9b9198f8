#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"
#include "recorder/protocol/corpus_test_support.h"

namespace tapeworks::recorder {
namespace {

std::vector<std::string> golden_lines(const CorpusFile& file) {
  DecodedFrame decoded;
  std::vector<std::string> golden;
  size_t number = 0;
  for (const std::string& payload : lines_of(file.path)) {
    ++number;
    for (const Json& outcome : outcome_of(file.venue, payload, decoded)) {
      Json line{{"line", number}};
      line.update(outcome);
      golden.push_back(line.dump());
    }
  }
  return golden;
}

// TAPEWORKS_WRITE_GOLDENS=1 writes the goldens anew; tests/recorder/test_decoders.py then judges
// them with a decoder that shares nothing with ours.
TEST(Corpus, EveryLineDecodesToItsGolden) {
  const bool write = std::getenv("TAPEWORKS_WRITE_GOLDENS") != nullptr;
  size_t frames = 0;
  for (const CorpusFile& file : corpus_files()) {
    const auto lines = golden_lines(file);
    auto path = file.path;
    path.replace_extension(".golden.jsonl");
    if (write) {
      std::ofstream golden(path);
      for (const std::string& line : lines) golden << line << '\n';
    }
    EXPECT_EQ(lines, lines_of(path)) << path;
    frames += lines_of(file.path).size();
  }
  EXPECT_EQ(frames, 1410u);
}

bool has_rows(Venue venue, std::string_view payload, DecodedFrame& decoded) {
  return decode_frame(venue, {.payload = payload, .receive_time_ns = {}}, {}, decoded) &&
         !decoded.rows().empty();
}

TEST(Corpus, AFrameCutShortGivesNoRow) {
  DecodedFrame decoded;
  for (const CorpusFile& file : corpus_files()) {
    for (const std::string& payload : lines_of(file.path)) {
      // All of a short frame; of a long one enough of both ends.
      constexpr size_t kEndBytes = 400;
      for (size_t bytes = 0; bytes < payload.size(); ++bytes) {
        if (bytes > kEndBytes && payload.size() - bytes > kEndBytes) continue;
        // A copy of just that size lets the sanitizer see a read past its end.
        const std::string cut(payload, 0, bytes);
        ASSERT_FALSE(has_rows(file.venue, cut, decoded)) << file.path << ": " << cut;
        ASSERT_TRUE(decoded.rows().empty());
      }
    }
  }
}

/// As another parser sees it; a number beyond float64 is valid JSON all the same.
bool is_json(const std::string& text) {
  try {
    return !nlohmann::json::parse(text).is_discarded();
  } catch (const nlohmann::json::out_of_range&) {
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

TEST(Corpus, AFlippedFrameGivesARowOnlyIfItIsStillJson) {
  constexpr uint64_t kSeed = 20261121;
  constexpr size_t kFlipsPerFrame = 24;
  DecodedFrame decoded;
  uint64_t index = 0;
  for (const CorpusFile& file : corpus_files()) {
    for (const std::string& payload : lines_of(file.path)) {
      if (payload.empty() || payload.size() > 20'000) continue;
      for (size_t i = 0; i < kFlipsPerFrame; ++i, ++index) {
        std::string flipped = payload;
        const uint64_t bits = random_bits(kSeed, index);
        const auto at = random_below(bits, static_cast<uint32_t>(payload.size()));
        flipped[at] = static_cast<char>(flipped[at] ^ (1 + (bits & 0xff) % 255));
        if (has_rows(file.venue, flipped, decoded)) {
          ASSERT_TRUE(is_json(flipped))
              << file.path << ", seed " << kSeed << ", flip " << index << ": " << flipped;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tapeworks::recorder
