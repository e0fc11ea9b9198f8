#include "recorder/sink/recording_manifest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "storage/posix_file.h"
#include "storage/scratch_folder.h"

namespace tapeworks::recorder {
namespace {

class RecordingManifestTest : public testing::Test {
 protected:
  static Certificate certificate(const std::string& symbol, const std::string& hour,
                                 uint32_t revision = 1) {
    Certificate made;
    made.partition = "binance_spot/" + symbol + "/2026-11-21/" + hour;
    made.revision = revision;
    return made;
  }
  void add(RecordingManifest& manifest, const Certificate& made) const {
    const Status added = manifest.add(made, {10, 20, 30}, scratch_.path() / "unfinished");
    ASSERT_TRUE(added) << added.error().message;
  }
  /// Path and revision of each file of a list, in its order.
  std::vector<std::pair<std::string, uint32_t>> files_of(const std::string& list_name) const {
    const auto entries = read_manifest_list(scratch_.path(), list_name);
    std::vector<std::pair<std::string, uint32_t>> files;
    if (!entries || !*entries) return files;
    for (const ManifestEntry& entry : **entries) files.emplace_back(entry.path, entry.revision);
    return files;
  }

  ScratchFolder scratch_ = *ScratchFolder::make({});
  RecordingManifest manifest_{scratch_.path(), Layout::kSymbol};
};

using Files = std::vector<std::pair<std::string, uint32_t>>;

TEST_F(RecordingManifestTest, AFileIsAddedInItsPlaceOrReplaced) {
  for (const char* const symbol : {"B", "A", "C"}) add(manifest_, certificate(symbol, "07"));
  add(manifest_, certificate("A", "08"));
  add(manifest_, certificate("B", "07", 2));
  EXPECT_EQ(files_of("2026-11-21/07"), (Files{{"binance_spot/A/2026-11-21/07.parquet", 1},
                                              {"binance_spot/B/2026-11-21/07.parquet", 2},
                                              {"binance_spot/C/2026-11-21/07.parquet", 1}}));
  EXPECT_EQ(files_of("2026-11-21/08").size(), 1U);
}

TEST_F(RecordingManifestTest, WhatWasRemovedDoesNotComeBack) {
  add(manifest_, certificate("A", "07"));
  add(manifest_, certificate("B", "07"));
  ManifestEntry removed;
  removed.path = "binance_spot/A/2026-11-21/07.parquet";
  ASSERT_TRUE(manifest_.remove_files("2026-11-21/07", {removed}, scratch_.path() / "unfinished"));
  add(manifest_, certificate("C", "07"));
  EXPECT_EQ(files_of("2026-11-21/07"), (Files{{"binance_spot/B/2026-11-21/07.parquet", 1},
                                              {"binance_spot/C/2026-11-21/07.parquet", 1}}));
  ASSERT_TRUE(manifest_.remove_list("2026-11-21/07", scratch_.path() / "unfinished"));
  add(manifest_, certificate("D", "07"));
  EXPECT_EQ(files_of("2026-11-21/07"), (Files{{"binance_spot/D/2026-11-21/07.parquet", 1}}));
}

TEST_F(RecordingManifestTest, AListHasTheTextOfItsWholeValue) {
  for (const char* const symbol : {"B", "quote\"and\\", "new\nline", "\u4e2d\u6587"}) {
    add(manifest_, certificate(symbol, "07"));
    RecordingManifest next(scratch_.path(), Layout::kSymbol);
    add(next, certificate("A", "07"));
    const auto path = scratch_.path() / kManifestFolder / "2026-11-21/07.json";
    const std::string text = read_text_file(path).value();
    EXPECT_EQ(text, nlohmann::ordered_json::parse(text).dump(1) + "\n");
  }
  EXPECT_EQ(files_of("2026-11-21/07").size(), 5U);
}

TEST_F(RecordingManifestTest, AListWithADamagedEntryIsSetAsideAndMadeAgain) {
  add(manifest_, certificate("A", "07"));
  const auto path = scratch_.path() / kManifestFolder / "2026-11-21/07.json";
  const auto unfinished = scratch_.path() / "unfinished";
  ASSERT_TRUE(replace_text_file(path, unfinished, R"({"files": [{"rows": 1}]})"));
  EXPECT_TRUE(
      read_manifest_list(scratch_.path(), "2026-11-21/07").error().message.contains("entry 1"));
  RecordingManifest next(scratch_.path(), Layout::kSymbol);
  add(next, certificate("B", "07"));
  // Of A there is no file.
  EXPECT_EQ(files_of("2026-11-21/07"), (Files{{"binance_spot/B/2026-11-21/07.parquet", 1}}));
}

TEST_F(RecordingManifestTest, AnotherOneGoesOnWithWhatIsThere) {
  add(manifest_, certificate("A", "07"));
  RecordingManifest next(scratch_.path(), Layout::kSymbol);
  add(next, certificate("B", "07"));
  EXPECT_EQ(files_of("2026-11-21/07").size(), 2U);
}

TEST_F(RecordingManifestTest, AListThatCouldNotBeWrittenIsReadAgain) {
  add(manifest_, certificate("A", "07"));
  EXPECT_FALSE(manifest_.add(certificate("B", "07"), {}, scratch_.path() / "missing" / "folder"));
  add(manifest_, certificate("C", "07"));
  EXPECT_EQ(files_of("2026-11-21/07"), (Files{{"binance_spot/A/2026-11-21/07.parquet", 1},
                                              {"binance_spot/C/2026-11-21/07.parquet", 1}}));
}

}  // namespace
}  // namespace tapeworks::recorder
