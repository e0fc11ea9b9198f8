#include "pipeline/rebuild_check.h"

#include <set>
#include <string>
#include <vector>

#include "base/messages.h"
#include "base/printable_text.h"
#include "base/thread_tasks.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace {

/// The names of tables, and of files whose bytes are others than the manifest of `rebuilt` says.
Result<std::vector<std::string>> different_names(GenerationWriter& generation,
                                                 const Manifest& rebuilt, size_t thread_count) {
  TW_TRY(generation.wait_until_readable());
  std::set<std::string> names;
  const auto tables = generation.manifest().to_json().at("tables");
  const auto rebuilt_tables = rebuilt.to_json().at("tables");
  for (const auto& [table, entry] : tables.items()) {
    if (!rebuilt_tables.contains(table) || rebuilt_tables.at(table) != entry) names.insert(table);
  }
  for (const auto& [table, entry] : rebuilt_tables.items()) {
    if (!tables.contains(table)) names.insert(table);
  }
  std::vector<const TableFile*> files;
  for (const auto& [table, entry] : rebuilt.tables) {
    if (names.contains(table)) continue;
    for (const TableFile& file : entry.files) files.push_back(&file);
  }
  std::vector<char> is_different(files.size());  // each is set by one thread
  TW_TRY(run_tasks(files.size(), thread_count, [&](size_t index, size_t) -> Status {
    const auto path = generation.directory() / files[index]->path;
    TW_ASSIGN(const StreamedContent content, hash_input(path));
    is_different[index] = content.xxh3 != files[index]->xxh3 ? 1 : 0;
    return {};
  }));
  for (size_t i = 0; i < files.size(); ++i) {
    if (is_different[i] != 0) names.insert(files[i]->path);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

Result<bool> equals_generation(GenerationWriter& generation, const Manifest& rebuilt,
                               size_t thread_count) {
  TW_ASSIGN(const auto names, different_names(generation, rebuilt, thread_count));
  if (names.empty()) return true;
  warn(
      "the verification that was due found a difference between the increment and what the whole "
      "input gives, in {}; nothing was published, run once without --incremental",
      first_names(names));
  return false;
}

}  // namespace tapeworks
