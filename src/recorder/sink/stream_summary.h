#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks::recorder {

/// Collects what the certificate of a file says of each stream in it: rows, first and last
/// sequence, and what the sequence can prove. Memory: about 200 bytes a symbol and stream of the
/// file. Threads: one.
class StreamSummary {
 public:
  /// Rows of the table kRows.
  Status add(const arrow::Table& rows);
  /// A JSON array, sorted, so that it is a function of the rows.
  std::string to_json() const;

 private:
  struct Stream {
    uint64_t row_count = 0;
    std::optional<int64_t> first_sequence;
    std::optional<int64_t> last_sequence;
    bool has_live_rows = false;  ///< with a number; then fetched ones, out of order, do not count
  };
  /// "exchange market transport stream" and the symbol behind them.
  std::map<std::string, Stream, std::less<>> streams_;
};

}  // namespace tapeworks::recorder
