#include <algorithm>
#include <utility>

#include "storage/generation_tree_internal.h"
#include "storage/object_generation_internal.h"
#include "storage/object_store.h"

namespace tapeworks {
namespace {

constexpr std::string_view kGenerationsSuffix = ".generations";
constexpr size_t kRandomDigits = 16;
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr int kOpenAttemptsMax = 100;

std::string last_name(const std::string& address) { return address.substr(address.rfind('/') + 1); }

Status write_pointer(const ObjectDirectory& directory, const std::string& generation) {
  const std::string text = generation + "\n";
  return write_object(directory.pointer(), std::as_bytes(std::span(text)));
}

}  // namespace

Result<ObjectDirectory> locate_object_directory(const std::string& data_dir) {
  TW_ASSIGN(const std::string address, use_object_address(data_dir));
  TW_ASSIGN(const ObjectAddress parts, ObjectAddress::parse(address));
  if (parts.key.empty()) {
    return invalid_argument("{} is a whole bucket; name a data directory in it, like {}/data",
                            address, address);
  }
  if (parts.key.find(std::string(kGenerationsSuffix) + "/") != std::string::npos) {
    return invalid_argument(
        "{} is one generation of a data directory; name {} instead", address,
        address.substr(0, address.rfind(std::string(kGenerationsSuffix) + "/")));
  }
  return ObjectDirectory{address, address + std::string(kGenerationsSuffix)};
}

std::string object_generation_name(uint64_t number, uint64_t random) {
  return fmt::format("{}-{:016x}", generation_name(number), random);
}

std::optional<uint64_t> parse_object_generation_name(const std::string& name) {
  const size_t dash = name.find('-');
  if (dash == std::string::npos || name.size() - dash - 1 != kRandomDigits ||
      name.find_first_not_of(kHexDigits, dash + 1) != std::string::npos) {
    return std::nullopt;
  }
  return parse_generation_name(name.substr(0, dash));
}

Result<std::optional<std::string>> current_object_generation(const ObjectDirectory& directory) {
  TW_ASSIGN(const auto pointer, find_object(directory.pointer()));
  if (!pointer || pointer->is_folder) return std::nullopt;
  TW_ASSIGN(std::string name, read_object(directory.pointer()));
  while (name.ends_with('\n')) name.pop_back();
  if (parse_object_generation_name(name)) return name;
  return corrupt(
      "{} names no generation; choose one with `tapeworks generations --data {} --back-to N`",
      directory.pointer(), directory.given);
}

Result<std::vector<std::string>> object_generation_names(const ObjectDirectory& directory) {
  TW_ASSIGN(const auto entries, list_objects(directory.generations, ListDepth::kOneLevel));
  std::vector<std::string> names;
  for (const ObjectInfo& entry : entries) {
    std::string name = last_name(entry.address);
    if (entry.is_folder && parse_object_generation_name(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names, {}, [](const std::string& name) {
    return std::pair(*parse_object_generation_name(name), name);
  });
  return names;
}

Result<std::optional<Manifest>> read_object_manifest(const std::string& generation) {
  const std::string address = generation + "/" + kManifestName;
  TW_ASSIGN(const auto found, find_object(address));
  if (!found) return std::nullopt;
  TW_ASSIGN(const std::string text, read_object(address));
  TW_ASSIGN(Manifest manifest, Manifest::parse(text, address));
  return manifest;
}

Status replace_object_pointer(const ObjectDirectory& directory,
                              const std::optional<std::string>& expected, const std::string& name) {
  TW_ASSIGN(const auto current, current_object_generation(directory));
  if (current != expected) {
    return io_error(
        "{} was published by somebody else meanwhile (it is {} now); let one process write at a "
        "time, and run this again",
        directory.given, current.value_or("gone"));
  }
  return write_pointer(directory, name);
}

Result<ObjectGeneration> open_object_generation(const std::string& data_dir) {
  TW_ASSIGN(const ObjectDirectory directory, locate_object_directory(data_dir));
  std::string last_missing;
  for (int attempt = 0; attempt < kOpenAttemptsMax; ++attempt) {
    TW_ASSIGN(const auto name, current_object_generation(directory));
    if (!name) {
      return invalid_argument("there is no data directory {}; check the name given with --data",
                              directory.given);
    }
    TW_ASSIGN(auto manifest, read_object_manifest(directory.generation(*name)));
    if (manifest) {
      return ObjectGeneration{directory.generation(*name), *parse_object_generation_name(*name),
                              *std::move(manifest)};
    }
    // Collected since the pointer was read, unless it is still the same.
    if (*name == last_missing) {
      return invalid_argument(
          "{} leads to {}, which is gone; choose a generation with `tapeworks generations --data "
          "{} --back-to N`",
          directory.given, *name, directory.given);
    }
    last_missing = *name;
  }
  return io_error("{} changes faster than it can be opened; try again", directory.given);
}

Result<std::vector<GenerationInfo>> list_object_generations(const std::string& data_dir) {
  TW_ASSIGN(const ObjectDirectory directory, locate_object_directory(data_dir));
  TW_ASSIGN(const auto current, current_object_generation(directory));
  TW_ASSIGN(const auto names, object_generation_names(directory));
  if (!current && names.empty()) {
    return invalid_argument("there is no data directory {}; check the name given with --data",
                            directory.given);
  }
  std::vector<GenerationInfo> generations;
  for (const std::string& name : names) {
    GenerationInfo info;
    info.number = *parse_object_generation_name(name);
    info.path = directory.generation(name);
    info.current = current == name;
    const auto manifest = read_object_manifest(directory.generation(name));
    if (!manifest && manifest.error().kind != ErrorKind::kCorrupt) {
      return std::unexpected(manifest.error());
    }
    if (manifest && !*manifest) continue;
    if (manifest) {
      info.consistent = (*manifest)->consistent();
      info.byte_count = (*manifest)->byte_count();
    }
    if (const auto text = read_object(directory.generation(name) + "/" + kRunInfoName)) {
      take_run_info(*text, info);
    }
    generations.push_back(std::move(info));
  }
  return generations;
}

Status back_to_object_generation(const std::string& data_dir, uint64_t number) {
  TW_ASSIGN(const ObjectDirectory directory, locate_object_directory(data_dir));
  TW_ASSIGN(const auto names, object_generation_names(directory));
  if (names.empty()) {
    return invalid_argument("there is no data directory {}; check the name given with --data",
                            directory.given);
  }
  for (const std::string& name : names) {
    if (parse_object_generation_name(name) != number) continue;
    TW_ASSIGN(const auto manifest, read_object_manifest(directory.generation(name)));
    if (!manifest) continue;
    const auto current = current_object_generation(directory);
    if (!current && current.error().kind != ErrorKind::kCorrupt) {
      return std::unexpected(current.error());
    }
    if (current && *current && **current != name) {
      TW_TRY(write_object(directory.superseded_mark(**current), {}));
    }
    // Whatever a damaged pointer says, it is replaced.
    return write_pointer(directory, name);
  }
  return not_found("{} has no generation {}; `tapeworks generations --data {}` lists them",
                   directory.given, number, directory.given);
}

}  // namespace tapeworks
