#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "recorder/config/recorder_config.h"

namespace tapeworks::recorder {

/// A value as the file or a text override has it. Text can become any kind.
struct ConfigValue {
  std::variant<std::string, int64_t, bool, std::vector<std::string>> content;
  std::string origin;  ///< "recorder.toml:12"
};

/// A key with its value; `section` is "feed" for all feeds, `feed` says which.
struct ConfigEntry {
  std::string section;
  size_t feed = 0;
  std::string key;
  ConfigValue value;
};

/// A TOML document as a flat list. kInvalidArgument for bad syntax, a section of the wrong shape,
/// or a value of a kind that no key has.
struct TomlDocument {
  struct Section {
    std::string name;
    std::string origin;  ///< "recorder.toml:12"
  };
  std::vector<Section> sections;  ///< those of feeds apart; one without keys is here alone
  std::vector<ConfigEntry> entries;
  std::vector<uint64_t> feed_lines;  ///< where each [[feed]] begins
};
Result<TomlDocument> parse_toml(std::string_view text, const std::string& file_name);

template <typename Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};

/// The names of an enumeration's values; the first spelling of a value is the one that is shown.
std::span<const EnumName<OutputLayout>> names_of(OutputLayout);
std::span<const EnumName<WalSyncMode>> names_of(WalSyncMode);
std::span<const EnumName<WalArchive>> names_of(WalArchive);
std::span<const EnumName<LossPolicy>> names_of(LossPolicy);
std::span<const EnumName<BlockTimeoutAction>> names_of(BlockTimeoutAction);
std::span<const EnumName<DiskFullAction>> names_of(DiskFullAction);
std::span<const EnumName<StatusFormat>> names_of(StatusFormat);

template <typename Enum>
concept NamedEnum = requires(Enum value) { names_of(value); };

// Each sets `field` from `value`; the error is the rest of a sentence that begins with the key.
Status read_value(const ConfigValue& value, std::string& field);
Status read_value(const ConfigValue& value, std::filesystem::path& field);
Status read_value(const ConfigValue& value, ByteSize& field);
Status read_value(const ConfigValue& value, Duration& field);
Status read_value(const ConfigValue& value, uint64_t& field);
Status read_value(const ConfigValue& value, bool& field);
Status read_value(const ConfigValue& value, std::vector<std::string>& field);
Status read_value(const ConfigValue& value, std::vector<Stream>& field);
/// The text of a value that must be one.
Result<std::string> text_of(const ConfigValue& value);

template <NamedEnum Enum>
Status read_value(const ConfigValue& value, Enum& field) {
  TW_ASSIGN(const std::string text, text_of(value));
  std::string known;
  for (const auto& [candidate, name] : names_of(field)) {
    if (name == text) {
      field = candidate;
      return {};
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return invalid_argument("'{}' is not one of {}", text, known);
}

// Each shows a field as it would be written.
std::string show_value(const std::string& field);
std::string show_value(const std::filesystem::path& field);
std::string show_value(const ByteSize& field);
std::string show_value(const Duration& field);
std::string show_value(uint64_t field);
std::string show_value(bool field);
std::string show_value(const std::vector<std::string>& field);
std::string show_value(const std::vector<Stream>& field);

template <NamedEnum Enum>
std::string_view name_of(Enum value) {
  for (const auto& [candidate, name] : names_of(value)) {
    if (candidate == value) return name;
  }
  return "";
}

template <NamedEnum Enum>
std::string show_value(Enum field) {
  return show_value(std::string(name_of(field)));
}

/// Calls `visit(section, key, field)` for every key outside of feeds. The list of keys is this one.
template <typename Config, typename Visit>
void for_each_key(Config& config, Visit&& visit) {
  visit("output", "dir", config.output.dir);
  visit("output", "layout", config.output.layout);
  visit("output", "bucket", config.output.bucket);
  visit("output", "parts_linger", config.output.parts_linger);
  visit("output", "part_rows", config.output.part_rows);
  visit("output", "part_age", config.output.part_age);
  visit("output", "idle_close", config.output.idle_close);
  visit("output", "row_group_rows", config.output.row_group_rows);
  visit("output", "grace", config.output.grace);
  visit("wal", "dir", config.wal.dir);
  visit("wal", "sync", config.wal.sync);
  visit("wal", "sync_interval", config.wal.sync_interval);
  visit("wal", "sync_bytes", config.wal.sync_bytes);
  visit("wal", "buffer", config.wal.buffer);
  visit("wal", "segment", config.wal.segment);
  visit("wal", "keep", config.wal.keep);
  visit("wal", "max_bytes", config.wal.max_bytes);
  visit("wal", "archive", config.wal.archive);
  visit("disk", "reserve", config.disk.reserve);
  visit("disk", "min_free", config.disk.min_free);
  visit("disk", "on_disk_full", config.disk.on_disk_full);
  visit("retention", "hours", config.retention.hours);
  visit("retention", "binance_hours", config.retention.binance_hours);
  visit("retention", "kucoin_hours", config.retention.kucoin_hours);
  visit("retention", "gate_hours", config.retention.gate_hours);
  visit("retention", "disk_soft_limit", config.retention.disk_soft_limit);
  visit("retention", "allow_delete", config.retention.allow_delete);
  visit("status", "interval", config.status.interval);
  visit("status", "format", config.status.format);
  visit("metrics", "listen", config.metrics.listen);
  visit("metrics", "unhealthy_after", config.metrics.unhealthy_after);
}

/// Likewise `visit(key, field)` for every key of a feed.
template <typename Feed, typename Visit>
void for_each_feed_key(Feed& feed, Visit&& visit) {
  visit("exchange", feed.exchange);
  visit("market", feed.market);
  visit("transport", feed.transport);
  visit("symbols", feed.symbols);
  visit("streams", feed.streams);
  visit("loss_policy", feed.loss_policy);
  visit("priority", feed.priority);
  visit("legs", feed.legs);
  visit("backfill", feed.backfill);
  visit("list_interval", feed.list_interval);
  visit("top_by_volume", feed.top_by_volume);
  visit("volume_interval", feed.volume_interval);
  visit("backlog_limit", feed.backlog_limit);
  visit("block_timeout", feed.block_timeout);
  visit("on_block_timeout", feed.on_block_timeout);
  visit("max_time_skew", feed.max_time_skew);
  visit("dedupe_window", feed.dedupe_window);
  visit("endpoint", feed.endpoint);
  visit("rest_endpoint", feed.rest_endpoint);
  visit("route", feed.route);
  visit("ca_file", feed.ca_file);
  visit("proxy", feed.proxy);
  visit("compression", feed.compression);
}

/// Finds the venue of each feed and checks each by itself.
Status resolve_feeds(RecorderConfig& config, const std::string& file_name);
/// Checks sections, and feeds against each other.
Status check_config(const RecorderConfig& config, const std::string& file_name);

}  // namespace tapeworks::recorder
