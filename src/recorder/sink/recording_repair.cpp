#include "recorder/sink/recording_repair.h"

#include <algorithm>
#include <ranges>
#include <string_view>
#include <system_error>

#include <fcntl.h>

#include "base/calendar_day.h"
#include "base/messages.h"
#include "recorder/sink/checkpoint.h"
#include "recorder/sink/part_folder.h"
#include "recorder/sink/recording_manifest.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

constexpr size_t kDateBytes = std::string_view("2026-11-21").size();

/// "binance_spot/BTCUSDT/2026-11-21/07" and the shorter ones of the other layouts.
Layout layout_of_hour(std::string_view partition) {
  if (std::ranges::count(partition, '/') == 3) return Layout::kSymbol;
  const bool has_market = partition.substr(0, partition.find('/')).contains('_');
  return has_market ? Layout::kMarket : Layout::kExchange;
}

}  // namespace

Result<fs::path> set_aside_damaged(const fs::path& output_dir, const fs::path& path) {
  const fs::path folder = output_dir / kPartsFolder / kSetAsideFolder;
  const fs::path target = folder / path.lexically_relative(output_dir);
  return move_aside(path, target.parent_path(), target.filename().string() + ".damaged");
}

Result<WrittenFile> measure_file(const fs::path& path, const Certificate& certificate) {
  TW_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
  TW_ASSIGN(const StreamedContent content, hash_content(file, path, nullptr, {}));
  return WrittenFile{content.byte_count, content.xxh3, certificate.row_count};
}

Result<std::vector<FoundFile>> find_files_of_list(const fs::path& output_dir,
                                                  const std::string& list_name,
                                                  arrow::MemoryPool* pool) {
  std::vector<FoundFile> found;
  const std::string date = list_name.substr(0, kDateBytes);
  if (!parse_day(date)) return found;  // paths without a time have no certificate either
  std::error_code error;
  // What is not ours may be hidden from us: a file system of its own has a lost+found.
  constexpr auto kOptions = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(output_dir, kOptions, error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (entry->is_directory(error)) {
      const bool is_ours = name.starts_with(".") || name == kManifestFolder;
      if (is_ours || (parse_day(name) && name != date)) entry.disable_recursion_pending();
      continue;
    }
    if (!name.ends_with(kPublishedSuffix)) continue;
    std::string partition = entry->path().lexically_relative(output_dir).string();
    partition.resize(partition.size() - kPublishedSuffix.size());
    if (manifest_list_of(partition) != list_name) continue;
    auto certificate = read_certificate(entry->path(), pool);
    if (!certificate && certificate.error().kind != ErrorKind::kCorrupt) {
      return std::unexpected(std::move(certificate.error()));
    }
    if (!certificate || !*certificate || (*certificate)->partition != partition) {
      warn("{}: this file cannot be read and is not listed; make it again with tapeworks replay",
           entry->path().string());
      continue;
    }
    TW_ASSIGN(const WrittenFile file, measure_file(entry->path(), **certificate));
    found.push_back({std::move(**certificate), file});
  }
  if (error) return system_error("read folder", output_dir, error.value());
  return found;
}

Result<std::vector<std::string>> find_lists(const fs::path& output_dir) {
  std::vector<std::string> lists;
  std::error_code error;
  const fs::path folder = output_dir / kManifestFolder;
  if (!fs::is_directory(folder, error)) return lists;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_regular_file(error) || entry->path().extension() != ".json") continue;
    lists.push_back(entry->path().lexically_relative(folder).replace_extension().string());
  }
  if (error) return system_error("read folder", folder, error.value());
  std::ranges::sort(lists);
  return lists;
}

Result<std::optional<Layout>> find_layout(const fs::path& output_dir) {
  TW_ASSIGN(const auto lists, find_lists(output_dir));
  for (const std::string& list : std::views::reverse(lists)) {
    const auto entries = read_manifest_list(output_dir, list);
    if (!entries || !*entries) continue;
    for (const ManifestEntry& entry : **entries) {
      const auto time = parse_partition_time(entry.partition());
      if (time && time->table == TableKind::kRows) return layout_of_hour(entry.partition());
    }
  }
  return std::nullopt;
}

}  // namespace tapeworks::recorder
