#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/generation_store.h"
#include "storage/manifest.h"
#include "storage/object_address.h"

// A data directory in object storage. Nothing can be renamed there, so a generation has its last
// name from the beginning, and is current when one small object names it:
//
//   DIR.generations/current                       "000042-91c3f05a7be2d846\n"
//   DIR.generations/000042-91c3f05a7be2d846/...   manifest.json comes last
//   DIR.generations/000041-....superseded         when it stopped being current
//
// The part behind the number is random: two writers that do not know of each other never mix their
// objects. docs/formats/dataset.md describes it for other readers.
namespace tapeworks {

struct ObjectDirectory {
  std::string given;  ///< the plain address of the data directory
  std::string generations;

  std::string pointer() const { return generations + "/current"; }
  std::string generation(const std::string& name) const { return generations + "/" + name; }
  std::string superseded_mark(const std::string& name) const {
    return generation(name) + ".superseded";
  }
};

/// kInvalidArgument for an address that cannot be a data directory.
Result<ObjectDirectory> locate_object_directory(const std::string& data_dir);

/// "000042-91c3f05a7be2d846"; nothing for any other name.
std::string object_generation_name(uint64_t number, uint64_t random);
std::optional<uint64_t> parse_object_generation_name(const std::string& name);

/// The name of the current generation; nothing when there is none.
Result<std::optional<std::string>> current_object_generation(const ObjectDirectory& directory);

/// The names of all that look like generations, whole or not, by number.
Result<std::vector<std::string>> object_generation_names(const ObjectDirectory& directory);

/// Nothing when it has no manifest: it was never published, or is being removed.
Result<std::optional<Manifest>> read_object_manifest(const std::string& generation);

/// Makes a generation the current one. kIo, and nothing is changed, when `expected` is no longer
/// what is current: somebody else has published. The look and the change are two requests.
Status replace_object_pointer(const ObjectDirectory& directory,
                              const std::optional<std::string>& expected, const std::string& name);

struct ObjectGeneration {
  std::string address;
  uint64_t number = 0;
  Manifest manifest;
};
Result<ObjectGeneration> open_object_generation(const std::string& data_dir);
Result<std::vector<GenerationInfo>> list_object_generations(const std::string& data_dir);
Status back_to_object_generation(const std::string& data_dir, uint64_t number);

/// Sets what run.json says.
void take_run_info(const std::string& text, GenerationInfo& info);

}  // namespace tapeworks
