#include "recorder/sink/part_folder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPartSuffix = ".part";
constexpr std::string_view kUnfinishedSuffix = ".unfinished";

std::string part_name(uint64_t hash, PartRange range) {
  return fmt::format("{:016x}-{:020}-{:020}{}", hash, range.first_lsn, range.last_lsn, kPartSuffix);
}

struct ParsedPartName {
  uint64_t hash = 0;
  PartRange range;
};

std::optional<ParsedPartName> parse_part_name(std::string_view name) {
  constexpr size_t kBytes = 16 + 1 + 20 + 1 + 20 + kPartSuffix.size();
  if (name.size() != kBytes || !name.ends_with(kPartSuffix)) return std::nullopt;
  ParsedPartName parsed;
  const auto number = [&](size_t at, size_t digits, int base, uint64_t& value) {
    const char* const end = name.data() + at + digits;
    const auto [stop, error] = std::from_chars(name.data() + at, end, value, base);
    return error == std::errc() && stop == end;
  };
  if (!number(0, 16, 16, parsed.hash) || !number(17, 20, 10, parsed.range.first_lsn) ||
      !number(38, 20, 10, parsed.range.last_lsn)) {
    return std::nullopt;
  }
  // Only names that are made again in the same way are ours.
  if (part_name(parsed.hash, parsed.range) != name) return std::nullopt;
  return parsed;
}

}  // namespace

Result<PartFolder> PartFolder::open(const fs::path& folder, StepProbe probe) {
  PartFolder parts(folder, std::move(probe));
  TW_TRY(make_folders(folder));
  TW_TRY(parts.list());
  return parts;
}

Status PartFolder::list() {
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (const auto part = parse_part_name(name)) {
      parts_[part->hash].push_back(part->range);
      ++part_count_;
    } else if (name.ends_with(kUnfinishedSuffix) || name.ends_with("_inprogress")) {
      leftovers.push_back(entry->path());
    }
  }
  if (error) return system_error("read folder", folder_, error.value());
  for (auto& [hash, ranges] : parts_) {
    std::ranges::sort(ranges, {}, &PartRange::first_lsn);
    for (size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].first_lsn <= ranges[i - 1].last_lsn) {
        return corrupt("{}: two parts hold the same rows ({} and {}); move one of them away",
                       folder_.string(), part_name(hash, ranges[i - 1]),
                       part_name(hash, ranges[i]));
      }
    }
  }
  for (const fs::path& leftover : leftovers) TW_TRY(set_aside(leftover));
  return {};
}

Result<fs::path> move_aside(const fs::path& path, const fs::path& folder, const std::string& name) {
  TW_TRY(make_folders(folder));
  fs::path target = folder / name;
  std::error_code error;
  for (int number = 2; fs::exists(fs::symlink_status(target, error)); ++number) {
    target = folder / fmt::format("{}.{}", name, number);
  }
  TW_TRY(rename_file(path, target));
  TW_TRY(sync_folder(folder));
  return target;
}

Result<fs::path> PartFolder::set_aside(const fs::path& path) {
  return move_aside(path, folder_ / kSetAsideFolder, path.filename().string());
}

Result<fs::path> PartFolder::set_aside_part(const Listed& part) {
  TW_ASSIGN(fs::path aside, set_aside(part.path));
  const auto found = parts_.find(part.hash);
  if (found == parts_.end()) return aside;
  part_count_ -= std::erase_if(found->second, [&](const PartRange& range) {
    return range.first_lsn == part.range.first_lsn;
  });
  if (found->second.empty()) parts_.erase(found);
  return aside;
}

fs::path PartFolder::unfinished_path(std::string_view name) const {
  return folder_ / fmt::format("{}{}", name, kUnfinishedSuffix);
}

Status PartFolder::write(const std::string& partition, TableKind table, PartRange range,
                         const arrow::Table& rows, ParquetStreamWriter& writer) {
  const uint64_t hash = hash_of(partition);
  std::vector<PartRange>& ranges = parts_[hash];
  if (!ranges.empty() && ranges.back().last_lsn >= range.first_lsn) {
    return internal_error("{}: rows from LSN {} on are in a part already", partition,
                          range.first_lsn);
  }
  const std::string name = part_name(hash, range);
  const fs::path unfinished = unfinished_path(name);
  if (probe_) TW_TRY(probe_("write part"));
  TW_TRY(writer.open(unfinished, arrow_schema_of(table)));
  TW_TRY(writer.append_row_group(rows));
  if (probe_) TW_TRY(probe_("sync part"));
  TW_TRY(writer.finish({{kPartitionKey, partition}}));
  if (probe_) TW_TRY(probe_("name part"));
  TW_TRY(rename_file(unfinished, folder_ / name));
  names_changed_ = true;
  ranges.push_back(range);
  ++part_count_;
  if (probe_) TW_TRY(probe_("part named"));
  return {};
}

uint64_t PartFolder::hash_of(std::string_view partition) {
  return XXH3_64bits(partition.data(), partition.size());
}

Result<std::vector<PartFolder::Listed>> PartFolder::list_parts(const fs::path& folder) {
  std::vector<Listed> parts;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return parts;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto part = parse_part_name(entry->path().filename().string());
    if (part) parts.push_back({entry->path(), part->hash, part->range});
  }
  if (error) return system_error("read folder", folder, error.value());
  return parts;
}

Status PartFolder::discard_unfinished() {
  std::vector<fs::path> unfinished;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == kUnfinishedSuffix) unfinished.push_back(entry->path());
  }
  if (error) return system_error("read folder", folder_, error.value());
  for (const fs::path& path : unfinished) TW_TRY(remove_file(path));
  return {};
}

std::span<const PartRange> PartFolder::parts_of(const std::string& partition) const {
  const auto found = parts_.find(hash_of(partition));
  if (found == parts_.end()) return {};
  return found->second;
}

fs::path PartFolder::path_of(const std::string& partition, PartRange range) const {
  return folder_ / part_name(hash_of(partition), range);
}

Status PartFolder::remove_through(const std::string& partition, uint64_t last_lsn) {
  const auto found = parts_.find(hash_of(partition));
  if (found == parts_.end()) return {};
  std::vector<PartRange>& ranges = found->second;
  size_t count = 0;
  while (count < ranges.size() && ranges[count].last_lsn <= last_lsn) ++count;
  for (size_t i = 0; i < count; ++i) {
    if (probe_) TW_TRY(probe_("remove part"));
    TW_TRY(remove_file(path_of(partition, ranges[i])));
  }
  ranges.erase(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(count));
  part_count_ -= count;
  if (ranges.empty()) parts_.erase(found);
  return {};
}

Status PartFolder::sync() {
  if (!names_changed_) return {};
  if (probe_) TW_TRY(probe_("sync parts"));
  TW_TRY(sync_folder(folder_));
  names_changed_ = false;
  return {};
}

uint64_t PartFolder::highest_lsn() const {
  uint64_t highest = 0;
  for (const auto& [hash, ranges] : parts_) highest = std::max(highest, ranges.back().last_lsn);
  return highest;
}

std::vector<PartFolder::Listed> PartFolder::parts_of_hash(uint64_t hash) const {
  std::vector<Listed> parts;
  const auto found = parts_.find(hash);
  if (found == parts_.end()) return parts;
  for (const PartRange& range : found->second) {
    parts.push_back({folder_ / part_name(hash, range), hash, range});
  }
  return parts;
}

std::vector<uint64_t> PartFolder::hashes() const {
  std::vector<uint64_t> hashes;
  hashes.reserve(parts_.size());
  for (const auto& [hash, ranges] : parts_) hashes.push_back(hash);
  return hashes;
}

}  // namespace tapeworks::recorder
