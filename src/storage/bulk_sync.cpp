#include "storage/bulk_sync.h"

#include <utility>

namespace tapeworks {

Status BulkSync::add(FileDescriptor file, std::filesystem::path path) {
  return tasks_.add(0, [file = std::move(file), path = std::move(path)]() mutable -> Status {
    TW_TRY(sync_file(file, path));
    return file.close(path);
  });
}

}  // namespace tapeworks
