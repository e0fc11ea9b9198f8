#include "pipeline/input_files.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

class InputFilesTest : public testing::Test {
 protected:
  InputFilesTest() {
    std::string name = testing::TempDir() + "tapeworks-inputs-XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~InputFilesTest() override { fs::remove_all(root_); }

  fs::path touch(const std::string& name) {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "x";
    return path;
  }

  /// The result as paths below the root, in its order.
  std::vector<std::string> names(const std::vector<std::string>& inputs) {
    std::vector<std::string> arguments;
    for (const std::string& input : inputs) arguments.push_back((root_ / input).string());
    const auto files = expand_inputs(arguments);
    if (!files) return {"error: " + files.error().message};
    std::vector<std::string> result;
    for (const fs::path& file : *files) result.push_back(file.lexically_relative(root_).string());
    return result;
  }

  Error error_of(const std::string& input) {
    const auto files = expand_inputs({(root_ / input).string()});
    EXPECT_FALSE(files.has_value());
    return files ? Error{ErrorKind::kInternal, ""} : files.error();
  }

  fs::path root_;
};

using Names = std::vector<std::string>;

TEST_F(InputFilesTest, ANamedFileIsTakenWhateverItsNameIs) {
  touch("trades.data");
  EXPECT_EQ(names({"trades.data"}), Names{"trades.data"});
}

TEST_F(InputFilesTest, AFolderGivesItsParquetFilesAtEveryDepthSortedBytewise) {
  touch("in/b.parquet");
  touch("in/B.parquet");
  touch("in/2023/01/a.parquet");
  touch("in/readme.txt");
  EXPECT_EQ(names({"in"}), (Names{"in/2023/01/a.parquet", "in/B.parquet", "in/b.parquet"}));
}

TEST_F(InputFilesTest, HiddenAndUnderscoredNamesAreLeftOut) {
  touch("in/a.parquet");
  touch("in/.b.parquet");
  touch("in/_c.parquet");
  touch("in/_temporary/d.parquet");
  EXPECT_EQ(names({"in"}), Names{"in/a.parquet"});
}

TEST_F(InputFilesTest, AFolderWithTheNameOfAFileIsDescendedInto) {
  touch("in/day.parquet/part-0.parquet");
  EXPECT_EQ(names({"in"}), Names{"in/day.parquet/part-0.parquet"});
}

TEST_F(InputFilesTest, APatternTheShellLeftIsExpanded) {
  touch("in/tx_20230103.parquet");
  touch("in/tx_20230104.parquet");
  touch("in/close.parquet");
  touch("in/tx_folder/x.parquet");
  EXPECT_EQ(names({"in/tx_*"}),
            (Names{"in/tx_20230103.parquet", "in/tx_20230104.parquet", "in/tx_folder/x.parquet"}));
}

TEST_F(InputFilesTest, AFileWhoseNameLooksLikeAPatternIsThatFile) {
  touch("a[1].parquet");
  touch("a1.parquet");
  EXPECT_EQ(names({"a[1].parquet"}), Names{"a[1].parquet"});
}

TEST_F(InputFilesTest, AFileGivenTwiceIsTakenOnce) {
  touch("in/a.parquet");
  touch("in/b.parquet");
  fs::create_symlink(root_ / "in/a.parquet", root_ / "link.parquet");
  EXPECT_EQ(names({"in/a.parquet", "in", "link.parquet"}), (Names{"in/a.parquet", "in/b.parquet"}));
}

TEST_F(InputFilesTest, ALinkToAFolderAroundItEndsTheDescent) {
  touch("in/sub/a.parquet");
  fs::create_directory_symlink(root_ / "in", root_ / "in/sub/up");
  EXPECT_EQ(names({"in"}), Names{"in/sub/a.parquet"});
}

TEST_F(InputFilesTest, ALinkToAFolderIsFollowed) {
  touch("store/a.parquet");
  fs::create_directory(root_ / "in");
  fs::create_directory_symlink(root_ / "store", root_ / "in/link");
  EXPECT_EQ(names({"in"}), Names{"in/link/a.parquet"});
}

TEST_F(InputFilesTest, AMissingPathIsAUsageErrorThatNamesIt) {
  const Error error = error_of("nowhere.parquet");
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(error.message.find("nowhere.parquet does not exist"), std::string::npos);
}

TEST_F(InputFilesTest, APatternWithoutMatchIsAUsageError) {
  const Error error = error_of("none_*.parquet");
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(error.message.find("none_*.parquet matches no file"), std::string::npos);
}

TEST_F(InputFilesTest, NoArgumentIsAUsageError) {
  EXPECT_EQ(expand_inputs({}).error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(InputFilesTest, AFolderWithoutParquetFilesIsWrongData) {
  touch("in/notes.txt");
  touch("in/_hidden.parquet");
  const Error error = error_of("in");
  EXPECT_EQ(error.kind, ErrorKind::kCorrupt);
  EXPECT_NE(error.message.find("no *.parquet file"), std::string::npos);
}

TEST_F(InputFilesTest, ALinkToNothingInAFolderIsAnErrorNotASilentGap) {
  touch("in/a.parquet");
  fs::create_symlink(root_ / "gone", root_ / "in/b.parquet");
  const Error error = error_of("in");
  EXPECT_EQ(error.kind, ErrorKind::kCorrupt);
  EXPECT_NE(error.message.find("b.parquet is a link to nothing"), std::string::npos);
}

TEST_F(InputFilesTest, APipeIsRefusedNamedOrInAFolder) {
  fs::create_directory(root_ / "in");
  ASSERT_EQ(mkfifo((root_ / "in/pipe.parquet").c_str(), 0600), 0);
  EXPECT_EQ(error_of("in/pipe.parquet").kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(error_of("in").kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace tapeworks
