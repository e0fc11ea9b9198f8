#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// New files of one folder that become visible only when all of them are complete. They are made in
/// the hidden folder ".JOB.partial" inside it and get their names by publish().
///
/// Visibility: each file appears whole, in one step, replacing what had its name. A crash within
///   publish() itself can leave some of them published, never half of one.
/// Failure: when destroyed without publish(), what was made is removed, with the folders that
///   begin() had to make. What a killed process left behind is removed by the next begin().
/// Threads: one.
class StagedFolder {
 public:
  /// Makes `folder` where it is missing and locks it. kIo when another process is at work there.
  static Result<StagedFolder> begin(const std::filesystem::path& folder, std::string_view job);

  StagedFolder(StagedFolder&& other) noexcept = default;
  StagedFolder& operator=(StagedFolder&&) = delete;
  ~StagedFolder();

  /// Where the file that will be called `name` has to be written, and synced, before publish().
  std::filesystem::path add_file(const std::string& name);

  /// Gives all files their names. When it has returned ok, the names survive a power cut.
  Status publish();

 private:
  StagedFolder(std::filesystem::path folder, std::filesystem::path staging,
               std::vector<std::filesystem::path> made, FileDescriptor lock)
      : folder_(std::move(folder)),
        staging_(std::move(staging)),
        made_(std::move(made)),
        lock_(std::move(lock)) {}

  std::filesystem::path folder_;
  std::filesystem::path staging_;            ///< empty once moved from
  std::vector<std::filesystem::path> made_;  ///< by begin(), innermost first
  FileDescriptor lock_;
  std::vector<std::string> names_;
  bool published_ = false;
};

}  // namespace tapeworks
