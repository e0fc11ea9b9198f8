#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks::simulator {

/// What a ledger says about one frame, or about a fault that is none.
struct LedgerEntry {
  std::string_view venue;
  uint64_t connection = 0;
  uint64_t number = 0;  ///< of the frame on its connection, from 1 on; 0: no whole frame was sent
  uint64_t logical_id = 0;  ///< of the market's event; 0: none
  std::string_view kind;    ///< event, control, placeholder, repeat or fault
  std::string fault;        ///< its name, where one shaped the frame
  std::string details;      ///< more members, beginning with a comma; may be empty
  int64_t sent_time_ns = 0;
  size_t byte_count = 0;
  std::string rows = "[]";
};

/// The list of what was really handed to the system for each connection, as JSON lines.
///
/// Memory: at most 256 KiB wait to be written. Durability: what flush() wrote is with the system;
/// the file is not synced, because it is the judge of a test and not its subject. Failure: the
/// first failed write is kept and returned by each later flush().
class Ledger {
 public:
  /// Without a path all entries are thrown away. A file that exists is an error.
  static Result<Ledger> open(const std::optional<std::filesystem::path>& path);

  void add(const LedgerEntry& entry);
  Status flush();

 private:
  Ledger() = default;

  std::filesystem::path path_;
  std::optional<FileDescriptor> file_;
  std::string buffer_;
  Status failure_;
};

}  // namespace tapeworks::simulator
