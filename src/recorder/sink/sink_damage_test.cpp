#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/sink_fixture_test_support.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;

/// What a sink does about files of the recording that were damaged behind its back.
class SinkDamageTest : public SinkTest {
 protected:
  /// Trades 1 to 3 are published before their hour is over, and their parts are gone.
  void publish_open_hour() {
    for (int id = 1; id <= 3; ++id) trade(id);
    log_.append(LogKind::kFrame, binance_trade("BBB", 1, log_.time_ns()), kSpot);
    log_.stop();
    run();
    log_.advance(2 * 60 * kSecondNs);
    log_.heartbeat();
    const auto sink = run();
    ASSERT_EQ(sink->status().parts, 0U);
    ASSERT_EQ(certificate(hour("22"))->revision, 1U);
  }
  /// As publish_open_hour(), but the parts stay.
  void publish_open_hour_with_parts() {
    for (int id = 1; id <= 3; ++id) trade(id);
    log_.stop();
    ASSERT_GT(run()->status().parts, 0U);
  }
  /// What run() warned of.
  std::string warnings_of_run() {
    testing::internal::CaptureStderr();
    run();
    return testing::internal::GetCapturedStderr();
  }
  fs::path list_path(const std::string& name) const {
    return manifest_list_path(options_.output_dir, name);
  }
  static void overwrite(const fs::path& path, const std::string& text) {
    fs::remove(path);
    ASSERT_TRUE(write_synced_file(path, text));
  }
  static void cut(const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); }
  std::vector<std::string> listed(const std::string& list) const {
    const auto entries = read_manifest_list(options_.output_dir, list);
    EXPECT_TRUE(entries) << entries.error().message;
    std::vector<std::string> paths;
    if (!entries || !*entries) return paths;
    for (const ManifestEntry& entry : **entries) paths.push_back(entry.path);
    return paths;
  }
  /// The file lacks a row that its certificate counts.
  void drop_a_row(const fs::path& path) {
    const auto rows = table(path);
    const Certificate made = *certificate(path);
    ParquetStreamWriter writer(arrow::default_memory_pool());
    fs::remove(path);
    ASSERT_TRUE(writer.open(path, arrow_schema_of(TableKind::kRows)));
    ASSERT_TRUE(writer.append_row_group(*rows->Slice(1)));
    ASSERT_TRUE(writer.finish(made.to_metadata()));
  }
  void expect_named(const std::string& said, const fs::path& path) const {
    EXPECT_TRUE(said.contains(path.string())) << said;
    EXPECT_TRUE(said.contains("tapeworks replay")) << said;
  }
  fs::path set_aside(const std::string& name) const {
    return options_.output_dir / ".parts/set_aside" / name;
  }

  static constexpr const char* kDamagedHour = "binance_spot/AAA/2023-11-14/22.parquet.damaged";
};

// ---- Published files

TEST_F(SinkDamageTest, AFileThatCannotBeReadIsSetAsideAndTheNextRevisionIsPartial) {
  publish_open_hour();
  cut(hour("22"));
  trade(4);
  next_hour();
  const std::string said = warnings_of_run();
  expect_named(said, hour("22"));
  EXPECT_TRUE(said.contains("3 rows")) << said;
  EXPECT_TRUE(said.contains(set_aside(kDamagedHour).string())) << said;
  EXPECT_TRUE(fs::exists(set_aside(kDamagedHour)));
  const auto made = certificate(hour("22"));
  EXPECT_EQ(made->revision, 2U);
  EXPECT_TRUE(made->partial);
  EXPECT_TRUE(made->complete);
  EXPECT_EQ(made->row_count, 1U);
}

TEST_F(SinkDamageTest, AFileThatIsMissingIsReplacedByAPartialOne) {
  publish_open_hour();
  fs::remove(hour("22"));  // as a crash leaves it that came after setting it aside
  trade(4);
  next_hour();
  const std::string said = warnings_of_run();
  expect_named(said, hour("22"));
  EXPECT_EQ(certificate(hour("22"))->revision, 2U);
  EXPECT_TRUE(certificate(hour("22"))->partial);
  // And those that follow say so as well.
  log_.set_time(SyntheticLog::kBeginNs + 20 * 60 * kSecondNs);
  trade(5);
  log_.set_time(SyntheticLog::kBeginNs + kHourNs);
  next_hour();
  EXPECT_EQ(warnings_of_run(), "");
  EXPECT_EQ(certificate(hour("22"))->revision, 3U);
  EXPECT_TRUE(certificate(hour("22"))->partial);
}

TEST_F(SinkDamageTest, AFileWithOtherRowsThanItsCertificateNamesIsSetAsideToo) {
  publish_open_hour();
  drop_a_row(hour("22"));
  trade(4);
  next_hour();
  expect_named(warnings_of_run(), hour("22"));
  EXPECT_TRUE(fs::exists(set_aside(kDamagedHour)));
  EXPECT_EQ(certificate(hour("22"))->revision, 2U);
  EXPECT_TRUE(certificate(hour("22"))->partial);
  EXPECT_EQ(certificate(hour("22"))->row_count, 1U);
}

TEST_F(SinkDamageTest, APageThatCannotBeReadIsDamageToo) {
  publish_open_hour();
  std::string bytes = read_text_file(hour("22")).value();
  std::fill(bytes.begin() + 4, bytes.begin() + 200, 'x');
  overwrite(hour("22"), bytes);
  trade(4);
  next_hour();
  expect_named(warnings_of_run(), hour("22"));
  EXPECT_EQ(certificate(hour("22"))->revision, 2U);
  EXPECT_TRUE(certificate(hour("22"))->partial);
}

TEST_F(SinkDamageTest, PartsThatLingerGiveTheirRowsAgain) {
  publish_open_hour_with_parts();
  cut(hour("22"));
  trade(4);
  next_hour();
  warnings_of_run();
  EXPECT_EQ(certificate(hour("22"))->row_count, 4U);
  EXPECT_EQ(certificate(hour("22"))->revision, 2U);
  EXPECT_TRUE(certificate(hour("22"))->partial) << "nobody has compared the rows";
}

TEST_F(SinkDamageTest, AReplayMakesADamagedFileAgain) {
  publish_open_hour();
  trade(4);
  next_hour();
  run();
  const auto whole = published_content(options_.output_dir);
  cut(hour("22"));
  options_.replay = true;
  testing::internal::CaptureStderr();
  run();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(said.contains(hour("22").string())) << said;
  EXPECT_TRUE(fs::exists(set_aside(kDamagedHour)));
  const std::string name = hour("22").lexically_relative(options_.output_dir).string();
  EXPECT_TRUE(published_content(options_.output_dir).at(name) == whole.at(name));
  EXPECT_FALSE(certificate(hour("22"))->partial);
}

// ---- The manifest

TEST_F(SinkDamageTest, AListThatCannotBeReadIsMadeAgainOfItsFiles) {
  publish_open_hour();
  for (const char* const text :
       {"", "{\"files\": [", "[]", "{}", "{\"files\": 1}", "{\"files\": [1]}",
        "{\"files\": [{\"path\": 1}]}", "{\"files\": [{\"path\": \"a\", \"revision\": -1}]}"}) {
    SCOPED_TRACE(text);
    overwrite(list_path("2023-11-14/22"), text);
    overwrite(list_path("2023-11-14/tables"), text);
    trade(static_cast<int64_t>(log_.next_lsn()));
    log_.stop();
    const std::string said = warnings_of_run();
    EXPECT_TRUE(said.contains(list_path("2023-11-14/22").string())) << said;
    EXPECT_EQ(listed("2023-11-14/22").size(), 2U);
    EXPECT_TRUE(fs::exists(set_aside("_manifest/2023-11-14/22.json.damaged")));
    expect_verified(options_.output_dir);
    log_.restart();
    log_.event(LogKind::kSubscription, {.symbols = {"AAA"}}, kSpot);
  }
}

TEST_F(SinkDamageTest, AManifestThatCannotBeReadIsMadeAgainOfItsLists) {
  publish_open_hour();
  for (const char* const text :
       {"", "{", "[]", "{\"format_version\": \"1\"}", "{\"format_version\": 1}",
        "{\"format_version\": 1, \"layout\": 5, \"lists\": []}",
        "{\"format_version\": 1, \"layout\": \"symbol\"}",
        "{\"format_version\": 1, \"layout\": \"symbol\", \"lists\": {\"a\": 1}}",
        "{\"format_version\": 1, \"layout\": \"symbol\", \"lists\": [1]}"}) {
    SCOPED_TRACE(text);
    overwrite(options_.output_dir / kManifestFile, text);
    const std::string said = warnings_of_run();
    EXPECT_TRUE(said.contains(kManifestFile)) << said;
    const auto top = read_manifest_top(options_.output_dir);
    ASSERT_TRUE(top && *top);
    EXPECT_EQ((*top)->lists, (std::vector<std::string>{"2023-11-14/22", "2023-11-14/tables"}));
    EXPECT_EQ((*top)->layout, Layout::kSymbol);
    expect_verified(options_.output_dir);
  }
}

TEST_F(SinkDamageTest, AManifestDamagedMeanwhileIsMadeAgain) {
  publish_open_hour();
  const auto sink = open_sink(options_);
  overwrite(options_.output_dir / kManifestFile, "{}");
  overwrite(list_path("2023-11-14/22"), "{}");
  trade(4);
  next_hour();
  testing::internal::CaptureStderr();
  for (size_t i = 0; i < log_.size(); ++i) ASSERT_TRUE(feed(*sink, log_, i));
  ASSERT_TRUE(sink->finish());
  EXPECT_TRUE(testing::internal::GetCapturedStderr().contains(kManifestFile));
  expect_verified(options_.output_dir);
}

TEST_F(SinkDamageTest, AManifestOfAnotherVersionOrLayoutIsNoDamage) {
  publish_open_hour();
  const fs::path top = options_.output_dir / kManifestFile;
  overwrite(top, "{\"format_version\": 2, \"layout\": \"symbol\", \"lists\": []}");
  auto opened = Sink::open(options_, arrow::default_memory_pool());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kInvalidArgument);
  // The files still say which layout they have.
  overwrite(top, "{");
  options_.replay = true;
  options_.layout = Layout::kMarket;
  opened = Sink::open(options_, arrow::default_memory_pool());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kInvalidArgument);
}

// ---- Parts

TEST_F(SinkDamageTest, APartThatCannotBeReadIsSetAsideWhenItsRowsArePublished) {
  publish_open_hour_with_parts();
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator(options_.output_dir / ".parts")) {
    if (entry.path().extension() == ".part") parts.push_back(entry.path());
  }
  ASSERT_GT(parts.size(), 1U);
  for (const fs::path& part : parts) fs::resize_file(part, 10);
  trade(4);
  next_hour();
  const std::string said = warnings_of_run();
  for (const fs::path& part : parts) {
    EXPECT_TRUE(said.contains(part.filename().string())) << said;
    EXPECT_TRUE(fs::exists(set_aside(part.filename().string())));
  }
  EXPECT_EQ(certificate(hour("22"))->row_count, 4U);
  EXPECT_FALSE(certificate(hour("22"))->partial);
  expect_verified(options_.output_dir);
}

TEST_F(SinkDamageTest, APartWithRowsThatAreNowhereElseStopsTheSinkWithASentence) {
  for (int id = 1; id <= 3; ++id) trade(id);
  run();
  for (const auto& entry : fs::directory_iterator(options_.output_dir / ".parts")) {
    if (entry.path().extension() == ".part") fs::resize_file(entry.path(), 10);
  }
  const auto opened = Sink::open(options_, arrow::default_memory_pool());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(opened.error().message.contains(".part: ")) << opened.error().message;
}

// ---- Locks

TEST_F(SinkDamageTest, AReplayThatIsRefusedLeavesNothing) {
  trade(1);
  SinkOptions replay = options_;
  replay.replay = true;
  {
    const auto recorder = run();
    const auto refused = Sink::open(replay, arrow::default_memory_pool());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kIo);
    EXPECT_FALSE(fs::exists(options_.output_dir / ".replay-parts"));
  }
  next_hour();
  run();
  replay.layout = Layout::kMarket;
  EXPECT_FALSE(Sink::open(replay, arrow::default_memory_pool()));
  EXPECT_FALSE(fs::exists(options_.output_dir / ".replay-parts"));
}

}  // namespace
}  // namespace tapeworks::recorder
