#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tapeworks {

/// What one broker branch bought and sold of the report's symbol at one price.
struct BrokerRecord {
  std::string_view broker;       ///< code of the branch
  std::string_view broker_name;  ///< may be empty
  std::string_view price;        ///< as written: "1,105.00"; "-" where there was none
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
};

/// What is known of a report when all of it was read.
struct BrokerReportTotals {
  uint64_t record_count = 0;
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
  uint64_t missing_count = 0;  ///< sequence numbers below the highest that no record had
};

/// Reads a daily broker report of TWSE or TPEx line by line, without I/O.
/// docs/commands/import-bsr.md describes the form. A file that begins with a UTF-8 byte order mark
/// is UTF-8, any other Big5.
///
/// Memory: one line, and a bit a record. Errors: kCorrupt beginning with `where` and the line;
/// after one the object is of no further use. kIo where the system cannot read Big5.
/// Threads: one.
class BrokerReportParser {
 public:
  static constexpr size_t kLineBytesMax = size_t{64} * 1024;
  static constexpr uint64_t kRecordsMax = 10'000'000;

  explicit BrokerReportParser(std::string where);
  ~BrokerReportParser();
  BrokerReportParser(const BrokerReportParser&) = delete;
  BrokerReportParser& operator=(const BrokerReportParser&) = delete;

  /// The next line without its line feed. `is_terminated` is false for a last line that had none.
  Status add_line(std::string_view line_bytes, bool is_terminated);

  /// The records of the line just added: none, one or two. Valid until the next add_line().
  std::span<const BrokerRecord> records() const { return records_; }

  /// The symbol has been read.
  bool has_symbol() const { return !symbol_.empty(); }
  const std::string& symbol() const { return symbol_; }

  /// Call after the last line. A last line without line feed is taken for whole only when bought
  /// and sold shares agree, because a number may have been cut.
  Result<BrokerReportTotals> finish() const;

 private:
  class Decoder;
  enum class Part { kTitle, kSymbol, kHeader, kRecords };

  Result<std::string_view> decode(std::string_view bytes);
  Status split_fields(std::string_view line);
  Status take_symbol();
  Status take_header();
  Status take_records();
  Status take_record(std::span<const std::string> fields);
  Status note_sequence(std::string_view text);

  template <typename... Args>
  std::unexpected<Error> bad_line(fmt::format_string<Args...> format, Args&&... args) const {
    return corrupt("{}: line {}: {}", where_, line_number_,
                   fmt::format(format, std::forward<Args>(args)...));
  }

  std::string where_;
  Part part_ = Part::kTitle;
  uint64_t line_number_ = 0;
  bool is_utf8_ = false;
  bool is_terminated_ = true;
  std::unique_ptr<Decoder> decoder_;  ///< of Big5; made when needed
  std::string symbol_;
  std::vector<std::string> fields_;  ///< of this line; the first field_count_ count
  size_t field_count_ = 0;
  std::vector<BrokerRecord> records_;
  std::vector<bool> seen_sequences_;  ///< by sequence number
  BrokerReportTotals totals_;
};

}  // namespace tapeworks
