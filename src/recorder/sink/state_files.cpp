#include "recorder/sink/state_files.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/messages.h"
#include "storage/log_segment_file.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFolder = "states";
constexpr std::string_view kSuffix = ".state";
constexpr const char* kUnfinished = "state.unfinished";

struct StateFile {
  uint64_t lsn = 0;
  fs::path path;
};

/// Ascending.
Result<std::vector<StateFile>> list_states(const fs::path& folder) {
  std::vector<StateFile> states;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return states;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    uint64_t lsn = 0;
    const char* const digits_end = name.data() + name.size() - kSuffix.size();
    const auto [stop, failed] = std::from_chars(name.data(), digits_end, lsn);
    if (failed == std::errc() && stop == digits_end) states.push_back({lsn, entry->path()});
  }
  if (error) return system_error("read folder", folder, error.value());
  std::ranges::sort(states, {}, &StateFile::lsn);
  return states;
}

}  // namespace

Status write_state_file(const fs::path& log_dir, Layout layout, const LogState& state) {
  const fs::path folder = log_dir / kFolder;
  TW_TRY(make_folders(folder));
  const Status written =
      replace_text_file(folder / fmt::format("{:020}{}", state.lsn, kSuffix), folder / kUnfinished,
                        encode_checkpoint(layout, state, {}, {}));
  if (!written && written.error().kind == ErrorKind::kNoSpace) {
    return remove_file(folder / kUnfinished);
  }
  TW_TRY(written);
  TW_ASSIGN(const auto first_lsn, first_lsn_of_log(log_dir));
  TW_ASSIGN(std::vector<StateFile> states, list_states(folder));
  const auto useful = std::ranges::lower_bound(states, first_lsn.value_or(1), {},
                                               [](const StateFile& file) { return file.lsn + 1; });
  for (auto file = states.begin(); file != useful; ++file) TW_TRY(remove_file(file->path));
  states.erase(states.begin(), useful);
  if (states.size() <= kStateFilesMax) return {};
  for (size_t i = 1; i + 1 < states.size(); i += 2) TW_TRY(remove_file(states[i].path));
  return {};
}

Result<std::optional<Checkpoint>> find_state(const fs::path& log_dir) {
  TW_ASSIGN(const auto first_lsn, first_lsn_of_log(log_dir));
  TW_ASSIGN(const std::vector<StateFile> states, list_states(log_dir / kFolder));
  for (const StateFile& file : states) {
    if (file.lsn + 1 < first_lsn.value_or(1)) continue;
    const auto bytes = read_text_file(file.path);
    std::error_code error;
    if (!bytes && !fs::exists(file.path, error)) continue;  // the log has outlived it just now
    if (!bytes) return std::unexpected(bytes.error());
    auto checkpoint = decode_checkpoint(*bytes, std::nullopt);
    if (checkpoint && checkpoint->state.lsn == file.lsn) return std::move(*checkpoint);
    warn("{}: this state is damaged and not used; a later one is, if there is one",
         file.path.string());
  }
  return std::nullopt;
}

}  // namespace tapeworks::recorder
