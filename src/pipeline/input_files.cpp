#include "pipeline/input_files.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include <fnmatch.h>
#include <glob.h>

#include "base/lower_case.h"
#include "base/messages.h"
#include "storage/object_store.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

bool is_skipped_name(const std::string& name) {
  return name.starts_with('.') || name.starts_with('_');
}

/// The pattern of `kind`, for messages.
std::string_view name_pattern(InputKind kind) {
  return kind == InputKind::kParquet ? "*.parquet" : "*.csv";
}

bool is_of_kind(const fs::path& path, InputKind kind) {
  const std::string extension = path.extension().string();
  return kind == InputKind::kParquet ? extension == ".parquet" : lower_case(extension) == ".csv";
}

bool is_pattern(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

/// Frees what glob(3) allocates, on every way out.
class GlobMatches {
 public:
  explicit GlobMatches(const std::string& pattern)
      : status_(::glob(pattern.c_str(), GLOB_ERR, nullptr, &matches_)) {}
  GlobMatches(const GlobMatches&) = delete;
  GlobMatches& operator=(const GlobMatches&) = delete;
  ~GlobMatches() { ::globfree(&matches_); }

  bool failed() const { return status_ != 0 && status_ != GLOB_NOMATCH; }
  std::vector<fs::path> paths() const {
    if (status_ != 0) return {};
    return {matches_.gl_pathv, matches_.gl_pathv + matches_.gl_pathc};
  }

 private:
  glob_t matches_{};
  int status_;
};

/// Collects files argument by argument.
class InputCollector {
 public:
  explicit InputCollector(InputKind kind) : kind_(kind) {}

  Status add_argument(const std::string& argument) {
    if (is_object_address(argument)) return add_objects(argument);
    std::error_code error;
    const fs::file_status status = fs::status(argument, error);
    if (fs::exists(status)) return add_path(argument, status);
    if (status.type() != fs::file_type::not_found) {
      return io_error("input {} cannot be read: {}", argument, error.message());
    }
    if (!is_pattern(argument)) {
      return invalid_argument("input {} does not exist; check the path", argument);
    }
    return add_matches(argument);
  }

  std::vector<fs::path> take() {
    std::ranges::sort(files_, {}, [](const fs::path& path) { return path.native(); });
    return std::move(files_);
  }

 private:
  Status add_matches(const std::string& pattern) {
    const GlobMatches matches(pattern);
    if (matches.failed()) {
      return io_error("input {}: a folder of the pattern cannot be read; check its permissions",
                      pattern);
    }
    const std::vector<fs::path> paths = matches.paths();
    if (paths.empty()) {
      return invalid_argument("input {} matches no file; check the pattern", pattern);
    }
    for (const fs::path& path : paths) {
      std::error_code error;
      TW_TRY(add_path(path, fs::status(path, error)));
    }
    return {};
  }

  Status add_objects(const std::string& argument) {
    TW_ASSIGN(const std::string address, use_object_address(argument));
    if (is_pattern(address)) return add_matching_objects(address);
    TW_ASSIGN(const auto object, find_object(address));
    if (!object) {
      return invalid_argument("input {} does not exist; check bucket and key", address);
    }
    if (!object->is_folder) return add_object(address);
    TW_ASSIGN(const size_t found, add_objects_below(address));
    if (found != 0) return {};
    return corrupt("input {} has no {} object below it; an empty folder is no data set", address,
                   name_pattern(kind_));
  }

  Result<size_t> add_objects_below(const std::string& folder) {
    TW_ASSIGN(const auto objects, list_objects(folder, ListDepth::kAllObjects));
    size_t found = 0;
    for (const ObjectInfo& object : objects) {
      const fs::path below = object.address.substr(folder.size());
      const bool is_skipped = std::ranges::any_of(
          below, [](const fs::path& name) { return is_skipped_name(name.string()); });
      if (is_skipped || !is_of_kind(below, kind_)) continue;
      TW_TRY(add_object(object.address));
      ++found;
    }
    return found;
  }

  /// As in a shell, a star stops at a slash.
  Status add_matching_objects(const std::string& pattern) {
    const std::string above = pattern.substr(0, pattern.rfind('/', pattern.find_first_of("*[")));
    TW_ASSIGN(const auto objects, list_objects(above, ListDepth::kAllObjects));
    bool is_matched = false;
    for (const ObjectInfo& object : objects) {
      if (::fnmatch(pattern.c_str(), object.address.c_str(), FNM_PATHNAME | FNM_PERIOD) != 0) {
        continue;
      }
      is_matched = true;
      TW_TRY(add_object(object.address));
    }
    if (is_matched) return {};
    return invalid_argument("input {} matches no object; check the pattern", pattern);
  }

  Status add_object(const std::string& address) {
    if (seen_.insert(address).second) {
      files_.emplace_back(address);
    } else {
      warn("input {} was given twice; it is read once", address);
    }
    return {};
  }

  Status add_path(const fs::path& path, const fs::file_status& status) {
    if (fs::is_regular_file(status)) return add_file(path);
    if (!fs::is_directory(status)) {
      return invalid_argument("input {} is neither a file nor a folder", path.string());
    }
    std::set<fs::path> open_folders;
    TW_ASSIGN(const size_t found, add_folder(path, open_folders));
    if (found == 0) {
      return corrupt("input {} has no {} file in it; an empty folder is no data set", path.string(),
                     name_pattern(kind_));
    }
    return {};
  }

  /// `open_folders` are the folders around this one, so that a link upwards ends the descent.
  Result<size_t> add_folder(const fs::path& folder, std::set<fs::path>& open_folders) {
    std::error_code error;
    const fs::path canonical = fs::canonical(folder, error);
    if (error) return unreadable(folder, error);
    if (!open_folders.insert(canonical).second) return 0;
    size_t found = 0;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      TW_ASSIGN(const size_t found_here, add_entry(entry->path(), open_folders));
      found += found_here;
    }
    if (error) return unreadable(folder, error);
    open_folders.erase(canonical);
    return found;
  }

  Result<size_t> add_entry(const fs::path& path, std::set<fs::path>& open_folders) {
    if (is_skipped_name(path.filename().string())) return 0;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) return add_folder(path, open_folders);
    if (!is_of_kind(path, kind_)) return 0;
    if (status.type() == fs::file_type::not_found) {
      return corrupt("input {} is a link to nothing; restore the file or remove the link",
                     path.string());
    }
    if (!fs::is_regular_file(status)) {
      return invalid_argument("input {} is neither a file nor a folder", path.string());
    }
    TW_TRY(add_file(path));
    return 1;
  }

  Status add_file(const fs::path& path) {
    std::error_code error;
    fs::path canonical = fs::canonical(path, error);
    if (error) return unreadable(path, error);
    if (!seen_.insert(std::move(canonical)).second) {
      warn("input {} was given twice; it is read once", path.string());
      return {};
    }
    files_.push_back(path);
    return {};
  }

  static std::unexpected<Error> unreadable(const fs::path& path, const std::error_code& error) {
    return io_error("input {} cannot be read: {}", path.string(), error.message());
  }

  InputKind kind_;
  std::vector<fs::path> files_;
  std::set<fs::path> seen_;
};

}  // namespace

Result<std::vector<fs::path>> expand_inputs(const std::vector<std::string>& inputs,
                                            InputKind kind) {
  if (inputs.empty()) {
    return invalid_argument("no input was given; name files, folders or patterns");
  }
  InputCollector collector(kind);
  for (const std::string& input : inputs) TW_TRY(collector.add_argument(input));
  return collector.take();
}

}  // namespace tapeworks
