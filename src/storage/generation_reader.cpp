#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include "storage/generation_store.h"
#include "storage/generation_tree_internal.h"
#include "storage/object_generation_internal.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// How often a reader may lose the race against publication and collection before it gives up.
constexpr int kOpenAttemptsMax = 1000;

std::unexpected<Error> nothing_there(const DataDirectory& directory) {
  const std::string given = directory.given.string();
  if (Status adopted = require_wholly_adopted(directory); !adopted) {
    return std::unexpected(std::move(adopted).error());
  }
  const auto numbers = generation_numbers(directory);
  if (numbers && !numbers->empty()) {
    return invalid_argument(
        "there is no link {}, only its generations; choose one with `tapeworks generations --data "
        "{} "
        "--back-to {}`",
        given, given, numbers->back());
  }
  return invalid_argument("there is no data directory {}; check the name given with --data", given);
}

std::unexpected<Error> unreadable(const DataDirectory& directory) {
  std::error_code error;
  const bool exists = fs::exists(directory.current, error);
  if (const auto manifest = read_manifest(directory.current); exists && !manifest) {
    return std::unexpected(manifest.error());
  }
  const std::string given = directory.given.string();
  return invalid_argument(
      "{} leads to {}, which is gone; choose a generation with `tapeworks generations --data {} "
      "--back-to N`",
      given, directory.current.string(), given);
}

GenerationInfo describe_generation(const DataDirectory& directory, uint64_t number) {
  GenerationInfo info;
  info.number = number;
  info.path = directory.generation(number);
  std::error_code error;
  info.current = directory.kind == DataDirectory::Kind::kLink &&
                 fs::equivalent(info.path, directory.current, error);
  if (const auto manifest = read_manifest(info.path)) {
    info.consistent = manifest->consistent();
    info.byte_count = manifest->byte_count();
  }
  if (const auto text = read_text_file(info.path / kRunInfoName)) take_run_info(*text, info);
  return info;
}

}  // namespace

void take_run_info(const std::string& text, GenerationInfo& info) {
  const auto run = nlohmann::json::parse(text, nullptr, false);
  if (!run.is_object()) return;
  const auto text_of = [&](const char* name) {
    const auto field = run.find(name);
    return field != run.end() && field->is_string() ? field->get<std::string>() : std::string();
  };
  info.created = text_of("created");
  info.command = text_of("command");
}

struct GenerationReader::State {
  fs::path path;
  uint64_t number = 0;
  Manifest manifest;
  FileDescriptor manifest_file;  ///< holds the shared lock; none in object storage
};

GenerationReader::GenerationReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
GenerationReader::GenerationReader(GenerationReader&&) noexcept = default;
GenerationReader& GenerationReader::operator=(GenerationReader&&) noexcept = default;
GenerationReader::~GenerationReader() = default;

const fs::path& GenerationReader::path() const { return state_->path; }
uint64_t GenerationReader::number() const { return state_->number; }
const Manifest& GenerationReader::manifest() const { return state_->manifest; }

Result<GenerationReader> GenerationReader::open(const fs::path& data_dir) {
  if (is_object_address(data_dir.native())) {
    TW_ASSIGN(ObjectGeneration generation, open_object_generation(data_dir.string()));
    auto state = std::make_unique<State>();
    state->path = std::move(generation.address);
    state->number = generation.number;
    state->manifest = std::move(generation.manifest);
    return GenerationReader(std::move(state));
  }
  fs::path last_missing;
  for (int attempt = 0; attempt < kOpenAttemptsMax; ++attempt) {
    TW_ASSIGN(const DataDirectory directory, locate_data_directory(data_dir));
    TW_TRY(require_link_or_nothing(directory));
    if (directory.kind == DataDirectory::Kind::kMissing) return nothing_there(directory);

    const fs::path manifest_path = directory.current / kManifestName;
    auto file = open_file(manifest_path, O_RDONLY);
    if (!file) {
      std::error_code error;
      if (fs::exists(manifest_path, error)) return std::unexpected(file.error());
      // Collected since the link was read, unless the link leads there still.
      if (directory.current == last_missing) return unreadable(directory);
      last_missing = directory.current;
      continue;
    }
    // Where there are no locks, only the age protects a generation.
    TW_TRY(lock_file(*file, LOCK_SH, manifest_path));
    if (!is_same_file(*file, manifest_path)) continue;

    auto state = std::make_unique<State>();
    std::error_code error;
    state->path = fs::canonical(directory.current, error);
    if (error) return system_error("resolve", directory.current, error.value());
    state->number = *parse_generation_name(directory.current.filename().string());
    TW_ASSIGN(const std::string text, read_to_end(*file, manifest_path));
    TW_ASSIGN(state->manifest, Manifest::parse(text, manifest_path.string()));
    state->manifest_file = std::move(*file);
    return GenerationReader(std::move(state));
  }
  return io_error("{} changes faster than it can be opened; try again", data_dir.string());
}

Result<std::vector<GenerationInfo>> list_generations(const fs::path& data_dir) {
  if (is_object_address(data_dir.native())) return list_object_generations(data_dir.string());
  TW_ASSIGN(const DataDirectory directory, locate_data_directory(data_dir));
  TW_TRY(require_link_or_nothing(directory));
  TW_ASSIGN(const std::vector<uint64_t> numbers, generation_numbers(directory));
  if (directory.kind == DataDirectory::Kind::kMissing && numbers.empty()) {
    return nothing_there(directory);
  }
  std::vector<GenerationInfo> generations;
  for (const uint64_t number : numbers) {
    std::error_code error;
    if (!fs::exists(directory.generation(number) / kManifestName, error)) continue;
    generations.push_back(describe_generation(directory, number));
  }
  return generations;
}

}  // namespace tapeworks
