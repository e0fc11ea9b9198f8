#include <algorithm>
#include <charconv>
#include <system_error>

#include <fmt/format.h>

#include "storage/generation_tree_internal.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr int kLinksFollowedMax = 40;
constexpr std::string_view kGenerationsSuffix = ".generations";

/// Absolute, with every link above the last name resolved. Parts that do not exist yet stay.
Result<fs::path> resolve_parent(fs::path path) {
  std::error_code error;
  path = fs::absolute(path, error);
  while (!error && !path.has_filename() && path.has_relative_path()) path = path.parent_path();
  if (path.filename() == "." || path.filename() == "..") path = fs::weakly_canonical(path, error);
  const fs::path parent = error ? fs::path() : fs::weakly_canonical(path.parent_path(), error);
  if (error) return system_error("resolve", path, error.value());
  return path.has_filename() ? parent / path.filename() : path;
}

/// A folder can be made at `path`, as far as the names above it are concerned.
Status check_parents(const fs::path& path, const fs::path& given) {
  for (fs::path parent = path.parent_path();; parent = parent.parent_path()) {
    std::error_code error;
    const fs::file_status status = fs::status(parent, error);
    if (fs::is_directory(status) || parent == parent.parent_path()) return {};
    if (fs::exists(status)) {
      return invalid_argument("{} cannot be a data directory, because {} is no folder",
                              given.string(), parent.string());
    }
  }
}

Result<fs::file_type> type_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::none) return system_error("look at", path, error.value());
  return status.type();
}

}  // namespace

fs::path DataDirectory::generation(uint64_t number) const {
  return generations / generation_name(number);
}

fs::path DataDirectory::partial_generation(uint64_t number) const {
  return generations / (generation_name(number) + ".partial");
}

std::string generation_name(uint64_t number) { return fmt::format("{:06}", number); }

std::optional<uint64_t> parse_generation_name(const std::string& name) {
  uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc() || stop != end || generation_name(number) != name) return std::nullopt;
  return number;
}

bool names_generation(const fs::path& path) {
  return parse_generation_name(path.filename().string()).has_value() &&
         path.parent_path().filename().string().ends_with(kGenerationsSuffix);
}

Result<DataDirectory> locate_data_directory(const fs::path& data_dir) {
  if (data_dir.empty()) return invalid_argument("the name of the data directory is empty");
  DataDirectory directory;
  directory.given = data_dir;
  fs::path next = data_dir;
  for (int followed = 0; followed < kLinksFollowedMax; ++followed) {
    TW_ASSIGN(directory.link, resolve_parent(next));
    TW_TRY(check_parents(directory.link, data_dir));
    directory.generations = directory.link.string() + std::string(kGenerationsSuffix);
    TW_ASSIGN(const fs::file_type type, type_of(directory.link));
    if (type != fs::file_type::symlink) {
      directory.kind = type == fs::file_type::not_found   ? DataDirectory::Kind::kMissing
                       : type == fs::file_type::directory ? DataDirectory::Kind::kFolder
                                                          : DataDirectory::Kind::kOther;
      return directory;
    }
    std::error_code error;
    const fs::path target = fs::read_symlink(directory.link, error);
    if (error) return system_error("read the link", directory.link, error.value());
    next = directory.link.parent_path() / target;
    if (names_generation(next)) {
      directory.kind = DataDirectory::Kind::kLink;
      directory.current = next.lexically_normal();
      return directory;
    }
  }
  return invalid_argument("{} is a link that leads in a circle", data_dir.string());
}

Status require_link_or_nothing(const DataDirectory& directory) {
  const std::string given = directory.given.string();
  if (directory.kind == DataDirectory::Kind::kOther) {
    return invalid_argument("{} is a file, not a data directory; name another place", given);
  }
  if (directory.kind != DataDirectory::Kind::kFolder) return {};
  if (names_generation(directory.link)) {
    std::string owner = directory.link.parent_path().string();
    owner.resize(owner.size() - kGenerationsSuffix.size());
    return invalid_argument(
        "{} is one generation of a data directory; name {} instead, and choose the generation with "
        "`tapeworks generations --back-to N`",
        given, owner);
  }
  return invalid_argument(
      "{} is a real folder, not a data directory; make it one with `tapeworks adopt {}`, or name "
      "another place",
      given, given);
}

Result<std::vector<uint64_t>> generation_numbers(const DataDirectory& directory) {
  std::vector<uint64_t> numbers;
  std::error_code error;
  fs::directory_iterator entries(directory.generations, error);
  if (error == std::errc::no_such_file_or_directory) return numbers;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const auto number = parse_generation_name(entries->path().filename().string());
    if (number) numbers.push_back(*number);
  }
  if (error) return system_error("list", directory.generations, error.value());
  std::ranges::sort(numbers);
  return numbers;
}

Status require_wholly_adopted(const DataDirectory& directory) {
  if (directory.kind != DataDirectory::Kind::kMissing) return {};
  TW_ASSIGN(const std::vector<uint64_t> numbers, generation_numbers(directory));
  for (const uint64_t number : numbers) {
    TW_ASSIGN(const fs::file_type type, type_of(directory.generation(number) / kManifestName));
    if (type != fs::file_type::not_found) continue;
    const std::string given = directory.given.string();
    return invalid_argument("{} was not adopted completely; run `tapeworks adopt {}` again", given,
                            given);
  }
  return {};
}

}  // namespace tapeworks
