#include "recorder/config/recorder_config.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/lower_case.h"
#include "base/nearest_name.h"
#include "recorder/config/config_value_internal.h"
#include "recorder/protocol/instrument_list.h"

namespace tapeworks::recorder {
namespace {

constexpr std::string_view kEnvironmentPrefix = "TAPEWORKS_";
/// A configuration of ten thousand symbols has a fraction of this.
constexpr uintmax_t kFileBytesMax = 16 * kMiB;

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  RecorderConfig config;
  for_each_key(config, [&](std::string_view section, std::string_view, auto&) {
    if (names.empty() || names.back() != section) names.emplace_back(section);
  });
  names.emplace_back("feed");
  return names;
}

std::vector<std::string> key_names(std::string_view section) {
  std::vector<std::string> names;
  if (section == "feed") {
    FeedConfig feed;
    for_each_feed_key(feed, [&](std::string_view key, auto&) { names.emplace_back(key); });
    return names;
  }
  RecorderConfig config;
  for_each_key(config, [&](std::string_view of, std::string_view key, auto&) {
    if (of == section) names.emplace_back(key);
  });
  return names;
}

std::string did_you_mean(std::string_view text, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(text, known);
  if (!nearest.empty()) return "did you mean " + nearest + "?";
  std::string all;
  for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
  return "there are " + all;
}

Status check_section(const std::string& section, const std::string& origin) {
  const auto known = section_names();
  if (std::ranges::find(known, section) != known.end()) return {};
  return invalid_argument("{}: there is no section [{}]; {}", origin, section,
                          did_you_mean(section, known));
}

Status unknown_key(const ConfigEntry& entry) {
  TW_TRY(check_section(entry.section, entry.value.origin));
  return invalid_argument("{}: there is no key {} in [{}]; {}", entry.value.origin, entry.key,
                          entry.section, did_you_mean(entry.key, key_names(entry.section)));
}

std::string feed_key(size_t feed, std::string_view key) {
  return fmt::format("feed[{}].{}", feed, key);
}

/// Sets one key. The error names where the value comes from and the key.
Status apply(const ConfigEntry& entry, RecorderConfig& config) {
  bool is_known = false;
  Status outcome;
  const auto set = [&](std::string_view key, auto& field, std::string full_key) {
    if (key != entry.key) return;
    is_known = true;
    outcome = read_value(entry.value, field);
    config.origins[std::move(full_key)] = entry.value.origin;
  };
  if (entry.section == "feed") {
    for_each_feed_key(config.feeds[entry.feed], [&](std::string_view key, auto& field) {
      set(key, field, feed_key(entry.feed, key));
    });
  } else {
    for_each_key(config, [&](std::string_view section, std::string_view key, auto& field) {
      if (section == entry.section) set(key, field, fmt::format("{}.{}", section, key));
    });
  }
  if (!is_known) return unknown_key(entry);
  if (outcome) return {};
  return invalid_argument("{}: {}.{} {}", entry.value.origin, entry.section, entry.key,
                          outcome.error().message);
}

/// TAPEWORKS_WAL_SYNC -> wal.sync; nothing for variables of no section.
std::optional<ConfigEntry> entry_of_variable(const std::string& name, const std::string& value) {
  if (!name.starts_with(kEnvironmentPrefix)) return std::nullopt;
  const std::string key = lower_case(std::string_view(name).substr(kEnvironmentPrefix.size()));
  for (const std::string& section : section_names()) {
    if (section == "feed" || !key.starts_with(section + "_")) continue;
    return ConfigEntry{section, 0, key.substr(section.size() + 1), {value, name}};
  }
  return std::nullopt;
}

Result<ConfigEntry> entry_of_setting(const std::string& setting) {
  const size_t dot = setting.find('.');
  const size_t equals = setting.find('=');
  if (dot == std::string::npos || equals == std::string::npos || dot > equals) {
    return invalid_argument("--set must be SECTION.KEY=VALUE, not '{}'", setting);
  }
  ConfigEntry entry{setting.substr(0, dot),
                    0,
                    setting.substr(dot + 1, equals - dot - 1),
                    {setting.substr(equals + 1), "--set"}};
  if (entry.section == "feed") {
    return invalid_argument("--set {}: feeds are set in the file only", setting);
  }
  return entry;
}

}  // namespace

std::filesystem::path default_log_dir(const std::filesystem::path& output_dir) {
  const auto without_slash = [](const std::filesystem::path& path) {
    return (path.lexically_normal() / ".").parent_path();
  };
  std::filesystem::path folder = without_slash(output_dir);
  if (folder == "." || folder.filename() == "..") {
    std::error_code error;
    const auto whole = std::filesystem::absolute(folder, error);
    if (!error) folder = without_slash(whole);
  }
  return folder.string() + "-wal";
}

Result<RecorderConfig> parse_recorder_config(std::string_view toml, const std::string& file_name,
                                             const ConfigOverrides& overrides) {
  TW_ASSIGN(const TomlDocument document, parse_toml(toml, file_name));
  RecorderConfig config;
  for (const uint64_t line : document.feed_lines) config.feeds.emplace_back().line = line;
  for (const auto& [section, origin] : document.sections) TW_TRY(check_section(section, origin));
  for (const ConfigEntry& entry : document.entries) TW_TRY(apply(entry, config));
  for (const auto& [name, value] : overrides.environment) {
    if (const auto entry = entry_of_variable(name, value)) TW_TRY(apply(*entry, config));
  }
  for (const std::string& setting : overrides.settings) {
    TW_ASSIGN(const ConfigEntry entry, entry_of_setting(setting));
    TW_TRY(apply(entry, config));
  }
  if (config.wal.dir.empty()) config.wal.dir = default_log_dir(config.output.dir);
  TW_TRY(resolve_feeds(config, file_name));
  TW_TRY(check_config(config, file_name));
  return config;
}

Result<RecorderConfig> read_recorder_config(const std::filesystem::path& path,
                                            const ConfigOverrides& overrides) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    return invalid_argument("{}: the configuration cannot be read: {}", path.string(),
                            error ? error.message() : "permission denied");
  }
  if (bytes > kFileBytesMax) {
    return invalid_argument("{}: a configuration of {} is none; the limit is {}", path.string(),
                            format_byte_size(bytes), format_byte_size(kFileBytesMax));
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_recorder_config(text, path.string(), overrides);
}

bool has_patterns(const FeedConfig& feed) {
  return std::ranges::any_of(feed.symbols,
                             [](const auto& symbol) { return is_symbol_pattern(symbol); });
}

std::vector<ConfigSetting> effective_settings(const RecorderConfig& config) {
  std::vector<ConfigSetting> settings;
  const auto add = [&](const std::string& key, const auto& field) {
    const auto origin = config.origins.find(key);
    settings.push_back(
        {key, show_value(field), origin == config.origins.end() ? "default" : origin->second});
  };
  for_each_key(config, [&](std::string_view section, std::string_view key, const auto& field) {
    add(fmt::format("{}.{}", section, key), field);
  });
  for (size_t i = 0; i < config.feeds.size(); ++i) {
    for_each_feed_key(config.feeds[i], [&](std::string_view key, const auto& field) {
      add(feed_key(i, key), field);
    });
  }
  return settings;
}

Status check_reload(const RecorderConfig& old_config, const RecorderConfig& new_config) {
  // Both lists have the same keys in the same order, up to the feeds.
  const auto before = effective_settings(old_config);
  const auto after = effective_settings(new_config);
  for (size_t i = 0; i < before.size() && !before[i].key.starts_with("feed["); ++i) {
    if (before[i].value == after[i].value) continue;
    return invalid_argument("{}: {} cannot be changed from {} to {} without a restart",
                            after[i].origin, before[i].key, before[i].value, after[i].value);
  }
  // One sink makes the rows of all feeds, by the largest of each.
  const auto largest = [](const RecorderConfig& config, auto key) {
    return std::ranges::max(config.feeds, {}, key).*key;
  };
  if (largest(old_config, &FeedConfig::dedupe_window) !=
      largest(new_config, &FeedConfig::dedupe_window)) {
    return invalid_argument("the largest feed.dedupe_window cannot be changed without a restart");
  }
  if (largest(old_config, &FeedConfig::max_time_skew) !=
      largest(new_config, &FeedConfig::max_time_skew)) {
    return invalid_argument("the largest feed.max_time_skew cannot be changed without a restart");
  }
  return {};
}

uint64_t recorder_memory_floor_bytes(uint64_t symbol_count, uint64_t log_buffer_bytes,
                                     uint64_t dedupe_window_rows) {
  constexpr uint64_t kSymbolsIncluded = 450;
  constexpr uint64_t kWindowRowsIncluded = 512;
  constexpr uint64_t kWindowRowBytes = 16;
  // Rows in memory and names, and the windows of two of its streams.
  const auto bytes_of_symbol = [](uint64_t window_rows) {
    return 16 * kKiB + 2 * kWindowRowBytes * window_rows;
  };
  const uint64_t of_symbols = std::max(symbol_count, kSymbolsIncluded) *
                              bytes_of_symbol(std::max(dedupe_window_rows, kWindowRowsIncluded));
  const uint64_t included = kSymbolsIncluded * bytes_of_symbol(kWindowRowsIncluded);
  return 64 * kMiB + std::max(log_buffer_bytes, 32 * kMiB) + of_symbols - included;
}

}  // namespace tapeworks::recorder
