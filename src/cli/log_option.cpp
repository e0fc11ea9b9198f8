#include "cli/log_option.h"

#include <system_error>

#include "recorder/config/recorder_config.h"

namespace tapeworks {

std::vector<CLI::Option*> LogOption::describe(CLI::App& app, const std::string& without_log) {
  return {app.add_option("--wal", log_dir,
                         "Folder of its log (default: that of the recording with -wal behind)")
              ->type_name("DIR"),
          app.add_flag("--without-log", is_left_out, without_log)};
}

Status LogOption::check() const {
  if (!is_left_out || log_dir.empty()) return {};
  return invalid_argument("--without-log does not read the log; leave --wal away");
}

Result<std::filesystem::path> LogOption::find(const std::filesystem::path& recording_dir) const {
  std::error_code error;
  if (is_left_out) return std::filesystem::path();
  if (!log_dir.empty()) {
    if (std::filesystem::is_directory(log_dir, error)) return log_dir;
    return invalid_argument("--wal {} is no folder; name that of the log", log_dir.string());
  }
  const std::filesystem::path beside = recorder::default_log_dir(recording_dir);
  return std::filesystem::is_directory(beside, error) ? beside : std::filesystem::path();
}

}  // namespace tapeworks
