#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "recorder/protocol/event.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// A size that is written with its unit ("64MiB").
struct ByteSize {
  uint64_t bytes = 0;
  bool operator==(const ByteSize&) const = default;
};

using Duration = std::chrono::milliseconds;

/// No duration of the configuration is longer: sums of it and the time of day fit into nanoseconds
/// of 64 bits, so that nothing that is kept "for ever" seems too old.
inline constexpr std::chrono::hours kDurationMax{876'600};  // 100 years

enum class OutputLayout { kSymbol, kMarket, kExchange };
enum class WalSyncMode { kEvery, kGroup, kNone };
enum class WalArchive { kZstd, kNone };
enum class LossPolicy { kWal, kBlock, kExit, kDrop };
enum class BlockTimeoutAction { kReconnect, kExit };
enum class DiskFullAction { kWait, kExit };
enum class StatusFormat { kText, kJson };

/// [output]: where files go and when they are made.
struct OutputConfig {
  std::filesystem::path dir = "recording";
  OutputLayout layout = OutputLayout::kSymbol;
  std::string bucket = "1h";  ///< no other value is accepted
  Duration parts_linger = std::chrono::minutes{1};
  uint64_t part_rows = 8192;
  Duration part_age = std::chrono::minutes{10};
  Duration idle_close = std::chrono::minutes{10};
  uint64_t row_group_rows = 65'536;
  Duration grace = std::chrono::seconds{5};
};

/// [wal]: the write-ahead log.
struct WalConfig {
  std::filesystem::path dir;  ///< empty in the file: default_log_dir()
  WalSyncMode sync = WalSyncMode::kGroup;
  Duration sync_interval{10};
  ByteSize sync_bytes{256 * kKiB};
  ByteSize buffer{32 * kMiB};
  ByteSize segment{64 * kMiB};
  Duration keep = std::chrono::hours{24};
  ByteSize max_bytes{0};  ///< 0: no limit
  WalArchive archive = WalArchive::kZstd;
};

/// [[feed]]: symbols of one market of one exchange.
struct FeedConfig {
  std::string exchange;
  std::string market;  ///< "spot" or "usdt_futures"; "futures" has become the latter
  std::string transport = "json";
  std::vector<std::string> symbols;  ///< in the exchange's spelling; * and ? are patterns
  std::vector<Stream> streams{kStreams.begin(), kStreams.end()};
  LossPolicy loss_policy = LossPolicy::kWal;
  uint64_t priority = 0;  ///< when the disk is full, feeds of the lowest stop first
  uint64_t legs = 1;
  bool backfill = false;
  Duration list_interval = std::chrono::minutes{5};  ///< patterns look for new listings so often
  uint64_t top_by_volume = 0;  ///< so many of what patterns find, by quote volume; 0: all
  Duration volume_interval = std::chrono::hours{24};  ///< they are chosen again so often
  ByteSize backlog_limit{kGiB};
  Duration block_timeout = std::chrono::seconds{20};
  BlockTimeoutAction on_block_timeout = BlockTimeoutAction::kReconnect;
  Duration max_time_skew = std::chrono::hours{1};
  uint64_t dedupe_window = 512;   ///< rows a stream; docs/decisions/0009
  std::string endpoint;           ///< empty: the exchange's own
  std::string rest_endpoint;      ///< likewise
  std::string route;              ///< USD-M futures: "public" or "market" for all streams
  std::filesystem::path ca_file;  ///< empty: the system's
  std::string proxy;              ///< http://host:port
  bool compression = false;

  // Not keys: what follows from them.
  Venue venue = Venue::kBinanceSpot;  ///< of exchange, market and transport
  uint64_t line = 0;                  ///< where the block begins in the file
};

/// Whether the exchange's list is needed to know what the feed records.
bool has_patterns(const FeedConfig& feed);

/// [disk]
struct DiskConfig {
  ByteSize reserve{256 * kMiB};
  ByteSize min_free{kGiB};
  DiskFullAction on_disk_full = DiskFullAction::kWait;
};

/// [retention]: nothing is deleted unless allow_delete says so.
struct RetentionConfig {
  uint64_t hours = 0;  ///< 0: for ever
  // For files of one exchange instead; 0: as `hours`.
  uint64_t binance_hours = 0;
  uint64_t kucoin_hours = 0;
  uint64_t gate_hours = 0;
  ByteSize disk_soft_limit{};  ///< 0: none
  bool allow_delete = false;
};

/// [status]: the line on stderr.
struct StatusConfig {
  Duration interval = std::chrono::seconds{5};
  StatusFormat format = StatusFormat::kText;
};

/// [metrics]
struct MetricsConfig {
  std::string listen;  ///< "127.0.0.1:9464"; empty: not served
  /// /healthz is red when nothing came, or nothing was made durable, for so long.
  Duration unhealthy_after = std::chrono::minutes{1};
};

struct RecorderConfig {
  OutputConfig output;
  WalConfig wal;
  DiskConfig disk;
  RetentionConfig retention;
  StatusConfig status;
  MetricsConfig metrics;
  std::vector<FeedConfig> feeds;

  /// Where each key that is not at its default was set: "output.dir" -> "recorder.toml:3".
  std::map<std::string, std::string> origins;
};

/// What the configuration is read from besides the file; later ones win.
struct ConfigOverrides {
  /// Variables of the environment: TAPEWORKS_WAL_SYNC sets wal.sync. Others are ignored.
  std::vector<std::pair<std::string, std::string>> environment;
  /// "wal.sync=every", as --set takes it. Feeds can be set in the file only.
  std::vector<std::string> settings;
};

/// Where the log of a recording is when nothing else was said: beside it, with "-wal" behind its
/// name, so that it can be another device.
std::filesystem::path default_log_dir(const std::filesystem::path& output_dir);

/// Reads TOML, then the environment, then the settings, and checks what can be checked without
/// network or files. `file_name` is for messages. Every key has a default but `exchange`, `market`
/// and `symbols` of a feed. Errors: kInvalidArgument, with file and line, for what does not parse,
/// is unknown (the nearest known key is named), or contradicts itself.
Result<RecorderConfig> parse_recorder_config(std::string_view toml, const std::string& file_name,
                                             const ConfigOverrides& overrides);

/// The same from a file. kInvalidArgument as well when it cannot be read.
Result<RecorderConfig> read_recorder_config(const std::filesystem::path& path,
                                            const ConfigOverrides& overrides);

/// kInvalidArgument when a feed needs a key and there is none; keys are never in the file.
Status check_api_key(const RecorderConfig& config, std::string_view api_key);

/// One line of the effective configuration.
struct ConfigSetting {
  std::string key;     ///< "wal.sync", "feed[0].symbols"
  std::string value;   ///< as it would be written
  std::string origin;  ///< "default", "recorder.toml:12", "TAPEWORKS_WAL_SYNC", "--set"
};
std::vector<ConfigSetting> effective_settings(const RecorderConfig& config);

/// Whether a recorder that runs with `old_config` can go on with `new_config`: only its feeds may
/// differ. kInvalidArgument names what needs a restart.
Status check_reload(const RecorderConfig& old_config, const RecorderConfig& new_config);

/// What `record` needs at least for so many symbols (a symbol counts once a feed): 96 MiB, 32 KiB
/// for each symbol above 450, what wal.buffer has above 32 MiB, and what windows against repeats of
/// more than 512 rows take.
uint64_t recorder_memory_floor_bytes(uint64_t symbol_count, uint64_t log_buffer_bytes,
                                     uint64_t dedupe_window_rows);
inline constexpr uint64_t kRecorderMemoryDefaultBytes = 192 * kMiB;

}  // namespace tapeworks::recorder
