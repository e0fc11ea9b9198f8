#include "storage/table_file_check.h"

#include "storage/input_file.h"

namespace tapeworks {

Status check_table_file(const std::filesystem::path& folder, const TableFile& file) {
  const std::filesystem::path path = folder / file.path;
  TW_ASSIGN(const StreamedContent content, hash_input(path));
  if (content.byte_count == file.byte_count && content.xxh3 == file.xxh3) return {};
  return corrupt("{} is damaged: it does not have the checksum of its manifest", path.string());
}

Status check_source_file(const std::filesystem::path& folder, const TableFile& file) {
  Status status = check_table_file(folder, file);
  if (status || status.error().kind != ErrorKind::kCorrupt) return status;
  return corrupt(
      "{}; make it again from its source without --incremental and --keep (`tapeworks verify` "
      "names all such files)",
      status.error().message);
}

Status check_source_table(const std::filesystem::path& folder, const Table& table) {
  for (const TableFile& file : table.files) TW_TRY(check_source_file(folder, file));
  return {};
}

}  // namespace tapeworks
