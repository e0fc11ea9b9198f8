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
                                                 const Manifest& rebuilt,
                                                 const std::set<std::string>& tables,
                                                 size_t thread_count) {
  TW_TRY(generation.wait_until_readable());
  std::set<std::string> names;
  const auto made_tables = generation.manifest().to_json().at("tables");
  const auto rebuilt_tables = rebuilt.to_json().at("tables");
  for (const std::string& table : tables) {
    const auto made = made_tables.find(table);
    const auto expected = rebuilt_tables.find(table);
    const bool is_made = made != made_tables.end();
    if (is_made != (expected != rebuilt_tables.end()) || (is_made && *made != *expected)) {
      names.insert(table);
    }
  }
  std::vector<const TableFile*> files;
  for (const std::string& table : tables) {
    const Table* const entry = names.contains(table) ? nullptr : rebuilt.find(table);
    if (entry == nullptr) continue;
    for (const TableFile& file : entry->files) files.push_back(&file);
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

Status check_equals_rebuild(GenerationWriter& generation, const Manifest& rebuilt,
                            const std::set<std::string>& tables, size_t thread_count) {
  TW_ASSIGN(const auto names, different_names(generation, rebuilt, tables, thread_count));
  if (names.empty()) return {};
  return not_found(
      "the verification that was due found a difference between the increment and what the whole "
      "input gives, in {}; nothing was published, run once without --incremental",
      first_names(names));
}

}  // namespace tapeworks
