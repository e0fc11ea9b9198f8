#include "recorder/sink/recording_manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "recorder/sink/row_checksum.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFileSuffix = ".parquet";

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
  return {{"path", certificate.partition + std::string(kFileSuffix)},
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

Json::iterator find_path(Json& files, const std::string& path) {
  return std::ranges::find_if(files, [&](const Json& entry) { return entry["path"] == path; });
}

std::optional<uint64_t> parse_checksum(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Nothing when a member is missing or of another type.
std::optional<ManifestEntry> entry_of(const Json& json) {
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
  if (!is_good || !entry.path.ends_with(kFileSuffix)) return std::nullopt;
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
    auto entry = entry_of(file);
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

std::string text_of(const Json& json) { return json.dump(1) + "\n"; }

}  // namespace

std::string ManifestEntry::partition() const {
  return path.substr(0, path.size() - std::min(path.size(), kFileSuffix.size()));
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
  const fs::path path = output_dir / kManifestFolder / (list_name + ".json");
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

  static Result<std::unique_ptr<List>> read(const fs::path& path);
  void put(const Json& entry);
  std::string text() const;
};

Result<std::unique_ptr<RecordingManifest::List>> RecordingManifest::List::read(
    const fs::path& path) {
  auto list = std::make_unique<List>(path);
  TW_TRY(read_entries(path, [&](const Json& json, ManifestEntry) { list->put(json); }));
  return list;
}

void RecordingManifest::List::put(const Json& entry) {
  // What is inside the list's array stands two further to the right.
  std::string text = "  ";
  for (const char c : entry.dump(1)) {
    text += c;
    if (c == '\n') text += "  ";
  }
  entries[entry["path"].get<std::string>()] = std::move(text);
}

/// As text_of() has it.
std::string RecordingManifest::List::text() const {
  std::string text = "{\n \"files\": [";
  std::string_view separator = "\n";
  for (const auto& [path_text, entry] : entries) {
    text.append(separator).append(entry);
    separator = ",\n";
  }
  return text + (entries.empty() ? "]\n}\n" : "\n ]\n}\n");
}

RecordingManifest::RecordingManifest(fs::path output_dir, Layout layout)
    : output_dir_(std::move(output_dir)), layout_(layout) {}
RecordingManifest::RecordingManifest(RecordingManifest&&) noexcept = default;
RecordingManifest& RecordingManifest::operator=(RecordingManifest&&) noexcept = default;
RecordingManifest::~RecordingManifest() = default;

Status RecordingManifest::check() const {
  const fs::path path = output_dir_ / kManifestFile;
  TW_ASSIGN(const Json top, read_json(path));
  if (top.is_null()) return {};
  if (top.value("format_version", 0) != kRecordingFormatVersion) {
    return invalid_argument("{}: a recording of another format version; use another folder",
                            path.string());
  }
  const std::string layout = top.value("layout", "");
  if (layout != name_of(layout_)) {
    return invalid_argument("{}: this recording has the layout '{}', not '{}'; use another folder",
                            path.string(), layout, name_of(layout_));
  }
  return {};
}

Status RecordingManifest::add_list(const std::string& list_name, const fs::path& scratch) {
  const fs::path path = output_dir_ / kManifestFile;
  TW_ASSIGN(Json top, read_json(path));
  if (top.is_null()) {
    top = {{"format_version", kRecordingFormatVersion},
           {"layout", name_of(layout_)},
           {"lists", Json::array()}};
  }
  Json& lists = top["lists"];
  const auto place = std::ranges::lower_bound(lists, Json(list_name));
  if (place != lists.end() && *place == list_name) return {};
  lists.insert(place, list_name);
  return replace_text_file(path, scratch, text_of(top));
}

Status RecordingManifest::add(const Certificate& certificate, const WrittenFile& file,
                              const fs::path& scratch) {
  const std::string list_name = manifest_list_of(certificate.partition);
  const fs::path path = output_dir_ / kManifestFolder / (list_name + ".json");
  // What is not written in the end is not known either.
  std::unique_ptr<List> list = std::move(latest_);
  if (!list || list->path != path) {
    TW_ASSIGN(list, List::read(path));
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
  const fs::path path = output_dir_ / kManifestFolder / (list_name + ".json");
  TW_TRY(remove_file(path));
  TW_TRY(remove_empty_folder(path.parent_path()));
  TW_TRY(sync_folder(output_dir_ / kManifestFolder));
  TW_ASSIGN(Json top, read_json(output_dir_ / kManifestFile));
  if (top.is_null()) return {};
  Json& lists = top["lists"];
  const auto place = std::ranges::find(lists, Json(list_name));
  if (place == lists.end()) return {};
  lists.erase(place);
  return replace_text_file(output_dir_ / kManifestFile, scratch, text_of(top));
}

Status RecordingManifest::remove_files(const std::string& list_name,
                                       const std::vector<ManifestEntry>& files,
                                       const fs::path& scratch) {
  latest_.reset();
  const fs::path path = output_dir_ / kManifestFolder / (list_name + ".json");
  TW_ASSIGN(const auto list, List::read(path));
  if (list->entries.empty()) return {};
  for (const ManifestEntry& file : files) list->entries.erase(file.path);
  return replace_text_file(path, scratch, list->text());
}

Result<bool> RecordingManifest::knows(const Certificate& certificate) const {
  const std::string list_name = manifest_list_of(certificate.partition);
  TW_ASSIGN(Json top, read_json(output_dir_ / kManifestFile));
  if (top.is_null() || std::ranges::find(top["lists"], Json(list_name)) == top["lists"].end()) {
    return false;
  }
  TW_ASSIGN(Json list, read_json(output_dir_ / kManifestFolder / (list_name + ".json")));
  if (list.is_null()) return false;
  const auto entry = find_path(list["files"], certificate.partition + ".parquet");
  return entry != list["files"].end() && (*entry)["revision"] == certificate.revision &&
         (*entry)["close_lsn"] == certificate.close_lsn;
}

}  // namespace tapeworks::recorder
