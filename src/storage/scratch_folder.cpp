#include "storage/scratch_folder.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <stdlib.h>

namespace tapeworks {

Result<ScratchFolder> ScratchFolder::make(const std::filesystem::path& parent) {
  std::error_code error;
  const auto base = parent.empty() ? std::filesystem::temp_directory_path(error) : parent;
  std::string name = (base / "tapeworks-scratch-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    return io_error("{}: cannot make a folder for temporary data: {}; name another --temp-dir",
                    base.string(), error ? error.message() : std::strerror(errno));
  }
  return ScratchFolder(name);
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty()) std::filesystem::remove_all(path_, error);
}

}  // namespace tapeworks
