#include "recorder/sink/recording_manifest.h"

#include <algorithm>
#include <system_error>

#include <nlohmann/json.hpp>

#include "recorder/sink/row_checksum.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTopName = "_manifest.json";
constexpr const char* kFolderName = "_manifest";

/// "2026-11-21/07" of a file with rows, "2026-11-21/tables" of another table's.
std::string list_name_of(const std::string& partition) {
  const auto time = parse_partition_time(partition);
  if (!time) return "unknown";
  const std::string date = date_text(time->begin_ns);
  return date + (time->table == TableKind::kRows ? "/" + hour_text(time->begin_ns) : "/tables");
}

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
  return {{"path", certificate.partition + ".parquet"},
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

std::string text_of(const Json& json) { return json.dump(1) + "\n"; }

}  // namespace

Status RecordingManifest::check() const {
  const fs::path path = output_dir_ / kTopName;
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
  const fs::path path = output_dir_ / kTopName;
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
  const std::string list_name = list_name_of(certificate.partition);
  const fs::path path = output_dir_ / kFolderName / (list_name + ".json");
  TW_ASSIGN(Json list, read_json(path));
  const bool is_new = list.is_null();
  if (is_new) list = {{"files", Json::array()}};
  Json& files = list["files"];
  Json entry = to_json(certificate, file);
  const auto known = find_path(files, entry["path"]);
  if (known != files.end()) {
    *known = std::move(entry);
  } else {
    const auto place = std::ranges::lower_bound(
        files, entry["path"], {}, [](const Json& other) -> const Json& { return other["path"]; });
    files.insert(place, std::move(entry));
  }
  if (is_new) TW_TRY(make_folders(path.parent_path()));
  TW_TRY(replace_text_file(path, scratch, text_of(list)));
  // A crash may have come between the two files, so this looks each time.
  return add_list(list_name, scratch);
}

Result<bool> RecordingManifest::knows(const Certificate& certificate) const {
  const std::string list_name = list_name_of(certificate.partition);
  TW_ASSIGN(Json top, read_json(output_dir_ / kTopName));
  if (top.is_null() || std::ranges::find(top["lists"], Json(list_name)) == top["lists"].end()) {
    return false;
  }
  TW_ASSIGN(Json list, read_json(output_dir_ / kFolderName / (list_name + ".json")));
  if (list.is_null()) return false;
  const auto entry = find_path(list["files"], certificate.partition + ".parquet");
  return entry != list["files"].end() && (*entry)["revision"] == certificate.revision &&
         (*entry)["close_lsn"] == certificate.close_lsn;
}

}  // namespace tapeworks::recorder
