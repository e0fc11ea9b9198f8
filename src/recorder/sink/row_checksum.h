#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks::recorder {

/// XXH3-64 over canonical row values: what stays the same when rows are written in another way.
///
/// For each row in order: a u64 whose bit i says that column i has a value; then those values in
/// the order of the columns: integers and times as 8 bytes, float64 as its 8 bytes, texts and bytes
/// as length (u32) and content; all little-endian. docs/formats/recording.md has it for other
/// readers. Threads: one.
class RowChecksum {
 public:
  RowChecksum();
  ~RowChecksum();
  RowChecksum(RowChecksum&&) noexcept;
  RowChecksum& operator=(RowChecksum&&) noexcept;

  /// kCorrupt for a column of a type that no table of ours has; then the digest means nothing.
  Status add(const arrow::Table& rows);
  uint64_t digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 16 hexadecimal digits.
std::string checksum_text(uint64_t checksum);

}  // namespace tapeworks::recorder
