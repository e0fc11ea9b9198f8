#include "pipeline/pnl_checkpoint_folder.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"
#include "pipeline/price_test_support.h"
#include "pipeline/table_writer.h"
#include "storage/generation_store.h"

namespace tapeworks {
namespace {

using test::value_of;

/// A data directory whose generation has the table pnl of one symbol, and its checkpoint.
class PnlCheckpointFolderTest : public PriceFilesTest {
 protected:
  PnlCheckpointFolderTest() {
    auto generation = value_of(GenerationWriter::begin(path("data"), {}));
    const std::string_view rows = "rows";
    EXPECT_TRUE(generation.add_file("pnl", symbol_file_path("pnl", kSymbol),
                                    std::as_bytes(std::span(rows)), 1));
    PnlCheckpoint checkpoint;
    checkpoint.symbol = kSymbol;
    EXPECT_TRUE(PnlCheckpointFolder(generation, budget(), "pnl").save(checkpoint));
    EXPECT_TRUE(generation.publish("default", {}));
  }

  static std::string warnings_of(const PnlCheckpointFolder& checkpoints) {
    testing::internal::CaptureStderr();
    checkpoints.warn();
    return testing::internal::GetCapturedStderr();
  }

  static constexpr const char* kSymbol = "2330";
};

TEST_F(PnlCheckpointFolderTest, LoadsWhatWasSaved) {
  auto generation = value_of(GenerationWriter::begin(path("data"), {}));
  PnlCheckpointFolder checkpoints(generation, budget(), "pnl");
  const auto loaded = checkpoints.load(kSymbol);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->checkpoint.symbol, kSymbol);
  EXPECT_EQ(warnings_of(checkpoints), "");
}

TEST_F(PnlCheckpointFolderTest, OneThatMemoryHasNoRoomForIsWarnedAboutButNotRejected) {
  auto generation = value_of(GenerationWriter::begin(path("data"), {}));
  PnlCheckpointFolder checkpoints(generation, budget(), "pnl");
  Reservation everything;
  ASSERT_TRUE(budget().try_reserve(budget().available_bytes(), everything));
  EXPECT_FALSE(checkpoints.load(kSymbol));
  EXPECT_EQ(checkpoints.rejected_count(), 0U);
  EXPECT_EQ(warnings_of(checkpoints),
            "tapeworks: warning: 1 checkpoint of pnl found no room in --memory; computed anew from "
            "the first trade on\n");
}

TEST_F(PnlCheckpointFolderTest, OneThatIsGoneIsRejected) {
  auto generation = value_of(GenerationWriter::begin(path("data"), {}));
  ASSERT_TRUE(std::filesystem::remove(generation.base_path() /
                                      checkpoint_path(pnl_checkpoint_name("pnl", kSymbol))));
  PnlCheckpointFolder checkpoints(generation, budget(), "pnl");
  EXPECT_FALSE(checkpoints.load(kSymbol));
  EXPECT_EQ(checkpoints.rejected_count(), 1U);
  EXPECT_PRED2(contains, warnings_of(checkpoints),
               "(the first is that of symbol 2330: it is missing)");
}

}  // namespace
}  // namespace tapeworks
