#include "recorder/config/recorder_config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include <gtest/gtest.h>

#include "recorder/config/config_value_internal.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kFeed = R"(
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["BTCUSDT"]
)";

Result<RecorderConfig> parse(const std::string& toml, const ConfigOverrides& overrides = {}) {
  return parse_recorder_config(toml, "r.toml", overrides);
}

std::string message_of(const std::string& toml, const ConfigOverrides& overrides = {}) {
  const auto config = parse(toml, overrides);
  if (config) return "no error";
  EXPECT_EQ(config.error().kind, ErrorKind::kInvalidArgument);
  return config.error().message;
}

TEST(RecorderConfig, TheLogLiesBesideTheRecordingWhateverThatIsCalled) {
  const std::filesystem::path here = std::filesystem::current_path();
  EXPECT_EQ(default_log_dir("a"), "a-wal");
  EXPECT_EQ(default_log_dir("a/"), "a-wal");
  EXPECT_EQ(default_log_dir("b/../a/."), "a-wal");
  EXPECT_EQ(default_log_dir("/a/b"), "/a/b-wal");
  EXPECT_EQ(default_log_dir("."), here.string() + "-wal");
  EXPECT_EQ(default_log_dir("a/.."), here.string() + "-wal");
  EXPECT_EQ(default_log_dir(".."), here.parent_path().string() + "-wal");
}

TEST(RecorderConfig, AFeedWithoutAnythingElseIsEnough) {
  const auto config = parse(std::string(kFeed));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->output.dir, "recording");
  EXPECT_EQ(config->wal.dir, "recording-wal");
  EXPECT_EQ(config->wal.sync, WalSyncMode::kGroup);
  EXPECT_EQ(config->wal.sync_interval, 10ms);
  EXPECT_EQ(config->wal.buffer.bytes, 32 * kMiB);
  EXPECT_FALSE(config->retention.allow_delete);
  ASSERT_EQ(config->feeds.size(), 1U);
  EXPECT_EQ(config->feeds[0].venue, Venue::kBinanceSpot);
  EXPECT_EQ(config->feeds[0].streams.size(), 3U);
  EXPECT_EQ(config->feeds[0].loss_policy, LossPolicy::kWal);
}

TEST(RecorderConfig, AnyCharacterMayStandInQuotesAndComments) {
  const auto config = parse("\xEF\xBB\xBF# Börse \"\n" + std::string(kFeed) + R"(# 'Börse'
[[feed]]
exchange = 'gate'  # 现货
market = "spot"
symbols = ["币安人生\\_USDT", '币"安', """
币"安""""", '''币'安''']
)");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->feeds.size(), 2U);
  EXPECT_EQ(config->feeds[1].symbols,
            (std::vector<std::string>{"币安人生\\_USDT", "币\"安", "币\"安\"\"", "币'安"}));
}

TEST(RecorderConfig, EveryKeyIsRead) {
  const auto config = parse(R"(
[output]
dir = "out/"
layout = "market"
bucket = "1h"
parts_linger = "2s"
part_rows = 100
part_age = "3s"
idle_close = "4s"
row_group_rows = 1000
grace = "500ms"
[wal]
dir = "log"
sync = "every"
sync_interval = "5ms"
sync_bytes = "1MiB"
buffer = "8MiB"
segment = "1MiB"
keep = "2h"
max_bytes = "10GiB"
archive = "none"
[disk]
reserve = "1MiB"
min_free = "2MiB"
on_disk_full = "exit"
[retention]
hours = 24
binance_hours = 48
kucoin_hours = 12
gate_hours = 6
disk_soft_limit = "1GiB"
allow_delete = true
[status]
interval = "1s"
format = "json"
[metrics]
listen = "127.0.0.1:9464"
unhealthy_after = "90s"
[[feed]]
exchange = "binance"
market = "futures"
symbols = ["BTCUSDT", "1000*"]
streams = ["trade"]
loss_policy = "block"
priority = 3
legs = 2
backfill = true
list_interval = "1m"
top_by_volume = 20
volume_interval = "12h"
backlog_limit = "2GiB"
block_timeout = "1s"
on_block_timeout = "exit"
max_time_skew = "5m"
dedupe_window = 50
endpoint = "wss://example.com:9443"
rest_endpoint = "http://127.0.0.1:1"
route = "market"
ca_file = "ca.pem"
proxy = "http://proxy:3128"
compression = true
[[feed]]
exchange = "binance"
market = "spot"
transport = "sbe"
symbols = ["*"]
)");
  ASSERT_TRUE(config) << config.error().message;
  // What differs from the default shows that it was read; all do.
  for (const ConfigSetting& setting : effective_settings(*config)) {
    if (setting.key.starts_with("feed[1]") || setting.key == "feed[0].transport") continue;
    EXPECT_TRUE(setting.origin.starts_with("r.toml:")) << setting.key << " " << setting.origin;
  }
  EXPECT_EQ(config->output.layout, OutputLayout::kMarket);
  EXPECT_EQ(config->output.grace, 500ms);
  EXPECT_EQ(config->wal.archive, WalArchive::kNone);
  EXPECT_EQ(config->wal.max_bytes.bytes, 10 * kGiB);
  EXPECT_EQ(config->disk.on_disk_full, DiskFullAction::kExit);
  EXPECT_EQ(config->retention.hours, 24U);
  EXPECT_EQ(config->status.format, StatusFormat::kJson);
  const FeedConfig& feed = config->feeds[0];
  EXPECT_EQ(feed.venue, Venue::kBinanceUsdm);
  EXPECT_EQ(feed.market, "usdt_futures");
  EXPECT_EQ(feed.streams, std::vector{Stream::kTrade});
  EXPECT_EQ(feed.on_block_timeout, BlockTimeoutAction::kExit);
  EXPECT_TRUE(feed.compression);
  EXPECT_EQ(config->feeds[1].venue, Venue::kBinanceSpotSbe);
}

TEST(RecorderConfig, TheEnvironmentWinsOverTheFileAndSettingsOverBoth) {
  const std::string toml = "[wal]\nsync = \"none\"\nkeep = \"1h\"\n" + std::string(kFeed);
  ConfigOverrides overrides;
  overrides.environment = {{"TAPEWORKS_WAL_SYNC", "every"},
                           {"TAPEWORKS_WAL_KEEP", "3h"},
                           {"TAPEWORKS_OUTPUT_PART_ROWS", "77"},
                           {"TAPEWORKS_BINARY", "not ours"},
                           {"PATH", "/bin"}};
  overrides.settings = {"wal.keep=4h", "retention.allow_delete=true"};
  const auto config = parse(toml, overrides);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->wal.sync, WalSyncMode::kEvery);
  EXPECT_EQ(config->wal.keep, 4h);
  EXPECT_EQ(config->output.part_rows, 77U);
  EXPECT_TRUE(config->retention.allow_delete);
  EXPECT_EQ(config->origins.at("wal.sync"), "TAPEWORKS_WAL_SYNC");
  EXPECT_EQ(config->origins.at("wal.keep"), "--set");
}

TEST(RecorderConfig, WhatIsWrittenOutReadsBackAsTheSame) {
  const std::string toml = "[output]\npart_age = \"90s\"\n[wal]\nsync_bytes = \"300KiB\"\n" +
                           std::string(kFeed) + "streams = [\"book\", \"trade\"]\n";
  const auto config = parse(toml);
  ASSERT_TRUE(config);
  std::string written;
  std::string section;
  std::string feed = "[[feed]]\n";
  for (const auto& [key, value, origin] : effective_settings(*config)) {
    const size_t dot = key.find('.');
    if (key.starts_with("feed[0].")) {
      if (value != "\"\"") feed += key.substr(dot + 1) + " = " + value + "\n";
      continue;
    }
    if (key.substr(0, dot) != section) {
      section = key.substr(0, dot);
      written += "[" + section + "]\n";
    }
    written += key.substr(dot + 1) + " = " + value + "\n";
  }
  const auto again = parse(written + feed);
  ASSERT_TRUE(again) << again.error().message << "\n" << written << feed;
  const auto before = effective_settings(*config);
  const auto after = effective_settings(*again);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].value, after[i].value);
}

struct BadConfig {
  std::string toml;
  std::string message;  ///< begins so
};

TEST(RecorderConfig, EachMistakeIsNamedWithItsLine) {
  const std::string feed(kFeed);
  for (const auto& [toml, message] : std::vector<BadConfig>{
           {"[wal]\nsink = 1\n" + feed,
            "r.toml:2: there is no key sink in [wal]; did you mean sync?"},
           {"[outputs]\ndir = \"x\"\n" + feed,
            "r.toml:1: there is no section [outputs]; did you mean output?"},
           {"[output]\n[output2]\n" + feed,
            "r.toml:2: there is no section [output2]; did you mean output?"},
           {"dir = \"x\"\n" + feed, "r.toml:1: the key dir stands in no section"},
           {"[wal\n", "r.toml:1:5: "},
           {"[wal]\nsync = \"always\"\n" + feed,
            "r.toml:2: wal.sync 'always' is not one of every, group, none"},
           {"[wal]\nbuffer = 32\n" + feed, "r.toml:2: wal.buffer must be a size with its unit"},
           {"[wal]\nbuffer = \"32\"\n" + feed,
            "r.toml:2: wal.buffer '32' is not a size with its unit"},
           {"[wal]\nsync_interval = 10\n" + feed,
            "r.toml:2: wal.sync_interval must be a duration with its unit"},
           {"[wal]\nsegment = \"1KiB\"\n" + feed, "r.toml:2: wal.segment must be at least 64KiB"},
           {"[[= \"spot\"\n" + feed, "r.toml:1:"},
           {"# \u00e9 '\n[wal]\nsegm\u00e9nt = 1\n" + feed, "r.toml:3:5: "},
           {"\u2003[wal]\n" + feed, "r.toml:1:1: "},
           {"[wal]\ndir = 2[\"A\u00e4\"\"\"p\nd\n\"\n", "r.toml:2:"},
           {"[wal]\nkeep = 1.5\n" + feed, "r.toml:2: wal.keep must be text, a whole number"},
           {"[output]\nbucket = \"5m\"\n" + feed, "r.toml:2: output.bucket must be \"1h\""},
           {"[output]\npart_rows = -1\n" + feed,
            "r.toml:2: output.part_rows must be a number that is not negative"},
           {"[output]\ndir = \"\"\n" + feed, "r.toml:2: output.dir must not be empty"},
           {"[output]\ndir = \"x\"\n[wal]\ndir = \"x/wal\"\n" + feed,
            "r.toml:4: wal.dir must not lie in output.dir"},
           {"[output]\ndir = \"x/y\"\n[wal]\ndir = \"x\"\n" + feed,
            "r.toml:2: output.dir must not lie in wal.dir"},
           {"[retention]\nhours = 1\n" + feed, "r.toml:2: retention.hours would delete files"},
           {"[retention]\ngate_hours = 1\n" + feed,
            "r.toml:2: retention.gate_hours would delete files"},
           {"[retention]\ndisk_soft_limit = \"1GiB\"\n" + feed,
            "r.toml:2: retention.disk_soft_limit would delete"},
           {"[wal]\nkeep = \"9999999h\"\n" + feed,
            "r.toml:2: wal.keep must be at most 876600h (100 years), not '9999999h'"},
           {feed + "max_time_skew = \"36526d\"\n",
            "r.toml:6: feed.max_time_skew must be at most 876600h (100 years), not '36526d'"},
           {"[retention]\nhours = 9999999\nallow_delete = true\n" + feed,
            "r.toml:2: retention.hours must be at most 876600 (100 years)"},
           {"[retention]\nallow_delete = true\nkucoin_hours = 876601\n" + feed,
            "r.toml:3: retention.kucoin_hours must be at most 876600 (100 years)"},
           {"[metrics]\nlisten = \"9464\"\n" + feed,
            "r.toml:2: metrics.listen '9464' is no address to listen on; write ADDRESS:PORT"},
           {"[metrics]\nlisten = \"localhost:9465\"\n" + feed,
            "r.toml:2: metrics.listen 'localhost:9465' is no address to listen on"},
           {"[metrics]\nlisten = \"foo:80\"\n" + feed,
            "r.toml:2: metrics.listen 'foo:80' is no address to listen on"},
           {"[metrics]\nlisten = \"127.0.0.1:99999\"\n" + feed,
            "r.toml:2: metrics.listen '127.0.0.1:99999' is no address to listen on"},
           {"[metrics]\nunhealthy_after = \"999ms\"\n" + feed,
            "r.toml:2: metrics.unhealthy_after must be at least 1s"},
           {"[output]\n", "r.toml: there is no [[feed]]"},
           {"[feed]\nexchange = \"gate\"\n",
            "r.toml:1: feeds are written as blocks that begin with [[feed]]"},
           {feed + feed, "r.toml:7: binance spot BTCUSDT of book is in another feed already"},
           {feed + "exchnage = \"gate\"\n",
            "r.toml:6: there is no key exchnage in [feed]; did you mean exchange?"},
           {feed + "legs = 3\n", "r.toml:2: in this feed legs must be 1 or 2, not 3"},
           {feed + "streams = [\"trades\"]\n",
            "r.toml:6: feed.streams has the stream 'trades', which is not one of"},
           {feed + "streams = [\"book\", \"book\"]\n",
            "r.toml:6: feed.streams names the stream book twice"},
           {feed + "streams = [\"book\"]\nbackfill = true\n",
            "r.toml:2: in this feed backfill fetches trades, and the feed does not record any"},
           {feed + "streams = []\n", "r.toml:2: in this feed streams is empty"},
           {feed + "top_by_volume = 5\n",
            "r.toml:2: in this feed top_by_volume chooses among what patterns find, and symbols "
            "has none"},
           {"[[feed]]\nexchange = \"gate\"\nmarket = \"spot\"\nsymbols = [\"*_USDT\"]\n"
            "top_by_volume = 5\n[[feed]]\nexchange = \"gate\"\nmarket = \"spot\"\n"
            "symbols = [\"*\"]\nstreams = [\"trade\"]\n",
            "r.toml:1: a feed with top_by_volume must be the only one with patterns for trade of "
            "gate spot, and that in line 6 has some too"},
           {feed + "volume_interval = \"999ms\"\n",
            "r.toml:2: in this feed volume_interval must be at least 1s"},
           {feed + "route = \"public\"\n",
            "r.toml:2: in this feed route is for binance usdt_futures only"},
           {feed + "transport = \"fix\"\n",
            "r.toml:2: in this feed binance spot has no transport 'fix'; there are json, sbe"},
           {feed + "endpoint = \"ws://stream.example.com\"\n",
            "r.toml:2: in this feed endpoint 'ws://stream.example.com' is without TLS"},
           {feed + "endpoint = \"https://x\"\n",
            "r.toml:2: in this feed endpoint must be wss://HOST[:PORT], not 'https://x'"},
           {feed + "rest_endpoint = \"http://10.0.0.1\"\n",
            "r.toml:2: in this feed rest_endpoint 'http://10.0.0.1' is without TLS"},
           {feed + "endpoint = \"ws://127.0.0.1.evil.com\"\n",
            "r.toml:2: in this feed endpoint 'ws://127.0.0.1.evil.com' is without TLS"},
           {feed + "endpoint = \"ws://127.0.0.1@evil.com\"\n",
            "r.toml:2: in this feed endpoint 'ws://127.0.0.1@evil.com' is no address to connect "
            "to: the host is missing or misspelled"},
           {feed + "endpoint = \"ws://127.0.0.1:abc\"\n",
            "r.toml:2: in this feed endpoint 'ws://127.0.0.1:abc' is no address to connect to: the "
            "port must be a number from 1 to 65535"},
           {feed + "rest_endpoint = \"https://h:99999\"\n",
            "r.toml:2: in this feed rest_endpoint 'https://h:99999' is no address to connect to"},
           {feed + "proxy = \"http://h:0\"\n",
            "r.toml:2: in this feed proxy 'http://h:0' is no address to connect to"},
           {"[[feed]]\nexchange = \"kraken\"\nmarket = \"spot\"\nsymbols = [\"X\"]\n",
            "r.toml:1: in this feed there is no exchange 'kraken'; there are binance, kucoin, "
            "gate"},
           {"[[feed]]\nexchange = \"gate\"\nmarket = \"options\"\nsymbols = [\"X\"]\n",
            "r.toml:1: in this feed gate has no market 'options'; there are spot, usdt_futures"},
           {"[[feed]]\nexchange = \"gate\"\nmarket = \"spot\"\n",
            "r.toml:1: in this feed symbols is missing"},
           {"[[feed]]\nexchange = \"gate\"\nsymbols = [\"X\"]\n",
            "r.toml:1: in this feed market is missing"},
       }) {
    SCOPED_TRACE(toml);
    EXPECT_TRUE(message_of(toml).starts_with(message))
        << message_of(toml) << "\nexpected " << message;
  }
}

TEST(RecorderConfig, WhatIsKeptForAHundredYearsIsNotTooOld) {
  const auto config = parse(
      "[wal]\nkeep = \"876600h\"\n[retention]\nhours = 876600\n"
      "allow_delete = true\n" +
      std::string(kFeed));
  ASSERT_TRUE(config) << config.error().message;
  constexpr int64_t kIn2100 = 4'102'444'800'000'000'000;
  const int64_t keep_ns = std::chrono::nanoseconds(config->wal.keep).count();
  EXPECT_GT(keep_ns, 0);
  EXPECT_LT(keep_ns, std::numeric_limits<int64_t>::max() - kIn2100);
}

TEST(RecorderConfig, MistakesInOverridesNameTheOverride) {
  const std::string feed(kFeed);
  EXPECT_EQ(message_of(feed, {{{"TAPEWORKS_WAL_SINK", "x"}}, {}}),
            "TAPEWORKS_WAL_SINK: there is no key sink in [wal]; did you mean sync?");
  EXPECT_TRUE(message_of(feed, {{}, {"wal.sync"}}).starts_with("--set must be SECTION.KEY=VALUE"));
  EXPECT_TRUE(message_of(feed, {{}, {"feed.legs=2"}}).ends_with("feeds are set in the file only"));
  EXPECT_TRUE(message_of(feed, {{}, {"wal.sync=x"}}).starts_with("--set: wal.sync 'x' is not"));
}

TEST(RecorderConfig, TheSameSymbolMayComeOverTwoTransports) {
  EXPECT_TRUE(parse(std::string(kFeed) + std::string(kFeed) + "transport = \"sbe\"\n"));
}

TEST(RecorderConfig, EveryKeyIsInTheManual) {
  const std::string page =
      std::string(TAPEWORKS_TEST_DATA) + "/../../docs/commands/configuration.md";
  std::ifstream file(page);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(text.empty()) << page;
  const auto config = parse(std::string(kFeed));
  ASSERT_TRUE(config);
  for (const ConfigSetting& setting : effective_settings(*config)) {
    const bool of_feed = setting.key.starts_with("feed");
    const std::string key = of_feed ? setting.key.substr(setting.key.find('.') + 1) : setting.key;
    EXPECT_NE(text.find("| `" + key + "` |"), std::string::npos) << key;
    // What follows from other keys, and what has no default, has no value in the table.
    if (setting.origin != "default" || setting.value == "\"\"" || setting.key == "wal.dir")
      continue;
    const std::string row_begin = "| `" + key + "` | `" + setting.value + "` |";
    EXPECT_NE(text.find(row_begin), std::string::npos) << row_begin;
  }
}

TEST(RecorderConfig, TheMemoryFloorGrowsWithTheSymbols) {
  EXPECT_EQ(recorder_memory_floor_bytes(0, 32 * kMiB, 512), 96 * kMiB);
  EXPECT_EQ(recorder_memory_floor_bytes(450, 32 * kMiB, 512), 96 * kMiB);
  EXPECT_EQ(recorder_memory_floor_bytes(460, 32 * kMiB, 512), 96 * kMiB + 320 * kKiB);
  EXPECT_EQ(recorder_memory_floor_bytes(450, 1 * kMiB, 1), 96 * kMiB);
  EXPECT_EQ(recorder_memory_floor_bytes(450, 132 * kMiB, 512), 196 * kMiB);
  EXPECT_EQ(recorder_memory_floor_bytes(512, 32 * kMiB, 512 + 32 * 1024),
            96 * kMiB + 62 * 32 * kKiB + 512 * kMiB);
}

std::string reload_refusal(const std::string& before, const std::string& after) {
  const Status outcome = check_reload(parse(before).value(), parse(after).value());
  return outcome ? "no error" : outcome.error().message;
}

TEST(ReloadCheck, FeedsMayDiffer) {
  const std::string before(kFeed);
  EXPECT_EQ(reload_refusal(before, before), "no error");
  EXPECT_EQ(reload_refusal(before, before + "loss_policy = \"drop\"\nlegs = 2\n"), "no error");
  EXPECT_EQ(reload_refusal(before, R"(
[[feed]]
exchange = "gate"
market = "spot"
symbols = ["*"]
list_interval = "1m"
)"),
            "no error");
}

TEST(ReloadCheck, WhatNeedsARestartIsNamed) {
  const std::string before(kFeed);
  EXPECT_EQ(reload_refusal(before, "[wal]\nsync = \"every\"\n" + before),
            "r.toml:2: wal.sync cannot be changed from \"group\" to \"every\" without a restart");
  EXPECT_EQ(reload_refusal(before, before + "dedupe_window = 100\n"),
            "the largest feed.dedupe_window cannot be changed without a restart");
  EXPECT_EQ(reload_refusal(before, before + "max_time_skew = \"2h\"\n"),
            "the largest feed.max_time_skew cannot be changed without a restart");
}

}  // namespace
}  // namespace tapeworks::recorder
