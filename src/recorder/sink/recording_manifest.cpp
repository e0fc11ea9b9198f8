#include "recorder/sink/recording_manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/messages.h"
#include "recorder/sink/recording_repair.h"
#include "recorder/sink/row_checksum.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

/// Null when there is no such file.
Result<Json> read_json(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return Json();
  TW_ASSIGN(const std::string text, read_text_file(path));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return corrupt("{}: no manifest of a recording; move it away", path.string());
  }
  return json;
}

Json to_json(const Certificate& certificate, const WrittenFile& file) {
  return {{"path", certificate.partition + std::string(kPublishedSuffix)},
          {"revision", certificate.revision},
          {"complete", certificate.complete},
          {"partial", certificate.partial},
          {"rows", certificate.row_count},
          {"bytes", file.byte_count},
          {"xxh3", checksum_text(file.xxh3)},
          {"row_xxh3", checksum_text(certificate.row_checksum)},
          {"first_lsn", certificate.first_lsn},
          {"last_lsn", certificate.last_lsn},
          {"close_lsn", certificate.close_lsn}};
}

std::optional<uint64_t> parse_checksum(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Nothing when a member is missing or of another type.
std::optional<ManifestEntry> parse_entry(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  bool is_good = true;
  const auto number = [&](const char* key) -> uint64_t {
    const auto found = json.find(key);
    if (found != json.end() && found->is_number_unsigned()) return found->get<uint64_t>();
    is_good = false;
    return 0;
  };
  const auto text = [&](const char* key) -> std::string {
    const auto found = json.find(key);
    if (found != json.end() && found->is_string()) return found->get<std::string>();
    is_good = false;
    return {};
  };
  const auto flag = [&](const char* key) {
    const auto found = json.find(key);
    if (found != json.end() && found->is_boolean()) return found->get<bool>();
    is_good = false;
    return false;
  };
  const auto checksum = [&](const char* key) -> uint64_t {
    const auto value = parse_checksum(text(key));
    if (!value) is_good = false;
    return value.value_or(0);
  };
  ManifestEntry entry;
  entry.path = text("path");
  const uint64_t revision = number("revision");
  if (revision > std::numeric_limits<uint32_t>::max()) is_good = false;
  entry.revision = static_cast<uint32_t>(revision);
  entry.complete = flag("complete");
  entry.partial = flag("partial");
  entry.row_count = number("rows");
  entry.byte_count = number("bytes");
  entry.xxh3 = checksum("xxh3");
  entry.row_checksum = checksum("row_xxh3");
  entry.first_lsn = number("first_lsn");
  entry.last_lsn = number("last_lsn");
  entry.close_lsn = number("close_lsn");
  if (!is_good || !entry.path.ends_with(kPublishedSuffix)) return std::nullopt;
  return entry;
}

/// Gives each entry of a list to `take`, as it is there and what it says. False without such a
/// file.
template <typename Take>
Result<bool> read_entries(const fs::path& path, Take&& take) {
  TW_ASSIGN(const Json json, read_json(path));
  if (json.is_null()) return false;
  const auto files = json.find("files");
  if (files == json.end() || !files->is_array()) {
    return corrupt(
        "{}: it lists no files; move it away and make the recording again with tapeworks replay",
        path.string());
  }
  size_t number = 0;
  for (const Json& file : *files) {
    ++number;
    auto entry = parse_entry(file);
    if (!entry) {
      return corrupt(
          "{}: entry {} is not as a manifest has it; move the file away and make the recording "
          "again with tapeworks replay",
          path.string(), number);
    }
    take(file, std::move(*entry));
  }
  return true;
}

bool names_list(const ManifestTop& top, const std::string& name) {
  return std::ranges::find(top.lists, name) != top.lists.end();
}

std::string text_of(const ManifestTop& top) {
  const Json json = {{"format_version", kRecordingFormatVersion},
                     {"layout", name_of(top.layout)},
                     {"lists", top.lists}};
  // Names of lists come from a file, which may hold anything.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string ManifestEntry::partition() const {
  return path.substr(0, path.size() - std::min(path.size(), kPublishedSuffix.size()));
}

fs::path manifest_list_path(const fs::path& output_dir, const std::string& list_name) {
  return output_dir / kManifestFolder / (list_name + ".json");
}

std::string manifest_list_of(const std::string& partition) {
  const auto time = parse_partition_time(partition);
  if (!time) return "unknown";
  const std::string date = date_text(time->begin_ns);
  return date + (time->table == TableKind::kRows ? "/" + hour_text(time->begin_ns) : kTablesList);
}

Result<std::optional<ManifestTop>> read_manifest_top(const fs::path& output_dir) {
  const fs::path path = output_dir / kManifestFile;
  TW_ASSIGN(const Json json, read_json(path));
  if (json.is_null()) return std::nullopt;
  const auto wrong = [&](std::string_view what) {
    return corrupt("{}: {}; make the recording again with tapeworks replay", path.string(), what);
  };
  const auto version = json.find("format_version");
  if (version == json.end() || *version != kRecordingFormatVersion) {
    return wrong("the format version is not known");
  }
  const auto layout = json.find("layout");
  if (layout == json.end() || !layout->is_string()) return wrong("it names no layout");
  const auto known = parse_layout(layout->get<std::string>());
  if (!known) return wrong("its layout is not known");
  ManifestTop top{*known, {}};
  const auto lists = json.find("lists");
  if (lists == json.end() || !lists->is_array()) return wrong("it has no lists");
  for (const Json& name : *lists) {
    if (!name.is_string()) return wrong("the name of a list is no text");
    top.lists.push_back(name.get<std::string>());
  }
  return top;
}

Result<std::optional<std::vector<ManifestEntry>>> read_manifest_list(const fs::path& output_dir,
                                                                     const std::string& list_name) {
  const fs::path path = manifest_list_path(output_dir, list_name);
  std::vector<ManifestEntry> entries;
  TW_ASSIGN(const bool exists, read_entries(path, [&](const Json&, ManifestEntry entry) {
              entries.push_back(std::move(entry));
            }));
  if (!exists) return std::nullopt;
  return entries;
}

/// A list as it is on disk: an hour of thousands of symbols is neither to be read again for each of
/// its files, nor to be made text again.
struct RecordingManifest::List {
  fs::path path;
  std::map<std::string, std::string> entries = {};  // the text of each, by its path
  bool is_named = false;                            // in the manifest

  void put(const Json& entry);
  std::string text() const;
};

void RecordingManifest::List::put(const Json& entry) {
  // What is inside the list's array stands two further to the right.
  std::string text = "  ";
  for (const char c : entry.dump(1, ' ', false, Json::error_handler_t::replace)) {
    text += c;
    if (c == '\n') text += "  ";
  }
  entries[entry["path"].get<std::string>()] = std::move(text);
}

/// As text_of() has the manifest.
std::string RecordingManifest::List::text() const {
  std::string text = "{\n \"files\": [";
  std::string_view separator = "\n";
  for (const auto& [path_text, entry] : entries) {
    text.append(separator).append(entry);
    separator = ",\n";
  }
  return text + (entries.empty() ? "]\n}\n" : "\n ]\n}\n");
}

RecordingManifest::RecordingManifest(fs::path output_dir, Layout layout, arrow::MemoryPool* pool)
    : output_dir_(std::move(output_dir)), layout_(layout), pool_(pool) {}
RecordingManifest::RecordingManifest(RecordingManifest&&) noexcept = default;
RecordingManifest& RecordingManifest::operator=(RecordingManifest&&) noexcept = default;
RecordingManifest::~RecordingManifest() = default;

Status RecordingManifest::check() const {
  const fs::path path = output_dir_ / kManifestFile;
  const auto json = read_json(path);
  if (!json && json.error().kind != ErrorKind::kCorrupt) return std::unexpected(json.error());
  if (json && json->is_null()) return {};
  std::optional<Layout> layout;
  if (json) {
    const auto version = json->find("format_version");
    if (version != json->end() && version->is_number_integer() &&
        *version != kRecordingFormatVersion) {
      return invalid_argument("{}: a recording of another format version; use another folder",
                              path.string());
    }
    const auto text = json->find("layout");
    if (text != json->end() && text->is_string()) layout = parse_layout(text->get<std::string>());
  }
  if (!layout) {
    TW_ASSIGN(layout, find_layout(output_dir_));
  }
  if (layout.value_or(layout_) == layout_) return {};
  return invalid_argument("{}: this recording has the layout '{}', not '{}'; use another folder",
                          path.string(), name_of(*layout), name_of(layout_));
}

Result<ManifestTop> RecordingManifest::read_top(const fs::path& scratch) {
  auto top = read_manifest_top(output_dir_);
  if (top && *top) return std::move(**top);
  const bool is_damaged = !top;
  if (is_damaged && top.error().kind != ErrorKind::kCorrupt) return std::unexpected(top.error());
  ManifestTop made{layout_, {}};
  TW_ASSIGN(made.lists, find_lists(output_dir_));
  if (!is_damaged) return made;
  const fs::path path = output_dir_ / kManifestFile;
  TW_ASSIGN(const fs::path aside, set_aside_damaged(output_dir_, path));
  warn("{}: this file is damaged and was moved to {}; it is made again of the lists in {}/",
       path.string(), aside.string(), kManifestFolder);
  TW_TRY(replace_text_file(path, scratch, text_of(made)));
  return made;
}

Status RecordingManifest::add_list(const std::string& list_name, const fs::path& scratch) {
  const fs::path path = output_dir_ / kManifestFile;
  TW_ASSIGN(ManifestTop top, read_top(scratch));
  const bool is_named = names_list(top, list_name);
  std::error_code error;
  if (is_named && fs::exists(path, error)) return {};
  if (!is_named) top.lists.insert(std::ranges::lower_bound(top.lists, list_name), list_name);
  return replace_text_file(path, scratch, text_of(top));
}

/// One that is missing is made again as well, when the manifest names it: a crash may have come
/// after it was set aside.
Result<std::unique_ptr<RecordingManifest::List>> RecordingManifest::read_list(
    const std::string& list_name, const fs::path& scratch) {
  auto list = std::make_unique<List>(manifest_list_path(output_dir_, list_name));
  const auto exists =
      read_entries(list->path, [&](const Json& json, ManifestEntry) { list->put(json); });
  if (exists && *exists) return list;
  if (!exists && exists.error().kind != ErrorKind::kCorrupt) {
    return std::unexpected(exists.error());
  }
  if (exists) {
    const auto top = read_manifest_top(output_dir_);
    const bool is_named = top && *top && names_list(**top, list_name);
    if (is_named) TW_TRY(make_list_again(*list, list_name, scratch));
    return list;
  }
  TW_ASSIGN(const fs::path aside, set_aside_damaged(output_dir_, list->path));
  warn("{}: this list is damaged and was moved to {}; it is made again of the files of its hour",
       list->path.string(), aside.string());
  TW_TRY(make_list_again(*list, list_name, scratch));
  return list;
}

Status RecordingManifest::make_list_again(List& list, const std::string& list_name,
                                          const fs::path& scratch) const {
  list.entries.clear();
  TW_ASSIGN(const auto files, find_files_of_list(output_dir_, list_name, pool_));
  for (const FoundFile& found : files) list.put(to_json(found.certificate, found.file));
  if (files.empty()) return {};
  TW_TRY(make_folders(list.path.parent_path()));
  return replace_text_file(list.path, scratch, list.text());
}

Status RecordingManifest::add(const Certificate& certificate, const WrittenFile& file,
                              const fs::path& scratch) {
  const std::string list_name = manifest_list_of(certificate.partition);
  const fs::path path = manifest_list_path(output_dir_, list_name);
  // What is not written in the end is not known either.
  std::unique_ptr<List> list = std::move(latest_);
  if (!list || list->path != path) {
    TW_ASSIGN(list, read_list(list_name, scratch));
  }
  if (list->entries.empty()) TW_TRY(make_folders(path.parent_path()));
  list->put(to_json(certificate, file));
  TW_TRY(replace_text_file(path, scratch, list->text()));
  // A crash may have come between the two files, so this looks also where the list is not new.
  if (!list->is_named) TW_TRY(add_list(list_name, scratch));
  list->is_named = true;
  latest_ = std::move(list);
  return {};
}

Status RecordingManifest::remove_list(const std::string& list_name, const fs::path& scratch) {
  latest_.reset();
  const fs::path path = manifest_list_path(output_dir_, list_name);
  TW_TRY(remove_file(path));
  TW_TRY(remove_empty_folder(path.parent_path()));
  TW_TRY(sync_folder(output_dir_ / kManifestFolder));
  TW_ASSIGN(ManifestTop top, read_top(scratch));
  if (std::erase(top.lists, list_name) == 0) return {};
  return replace_text_file(output_dir_ / kManifestFile, scratch, text_of(top));
}

Status RecordingManifest::remove_files(const std::string& list_name,
                                       const std::vector<ManifestEntry>& files,
                                       const fs::path& scratch) {
  latest_.reset();
  TW_ASSIGN(const auto list, read_list(list_name, scratch));
  if (list->entries.empty()) return {};
  for (const ManifestEntry& file : files) list->entries.erase(file.path);
  return replace_text_file(list->path, scratch, list->text());
}

Result<std::optional<ManifestEntry>> RecordingManifest::entry_of(const std::string& partition,
                                                                 const fs::path& scratch) {
  const std::string list_name = manifest_list_of(partition);
  const fs::path path = manifest_list_path(output_dir_, list_name);
  if (!latest_ || latest_->path != path) {
    std::error_code error;
    if (!fs::exists(path, error)) return std::nullopt;
    TW_ASSIGN(latest_, read_list(list_name, scratch));
  }
  const auto found = latest_->entries.find(partition + std::string(kPublishedSuffix));
  if (found == latest_->entries.end()) return std::nullopt;
  return parse_entry(Json::parse(found->second, nullptr, false));
}

Result<bool> RecordingManifest::knows(const Certificate& certificate, const fs::path& scratch) {
  TW_ASSIGN(const ManifestTop top, read_top(scratch));
  if (!names_list(top, manifest_list_of(certificate.partition))) return false;
  TW_ASSIGN(const auto entry, entry_of(certificate.partition, scratch));
  return entry && entry->revision == certificate.revision &&
         entry->close_lsn == certificate.close_lsn;
}

}  // namespace tapeworks::recorder
