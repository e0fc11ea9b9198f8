#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/calendar_day.h"
#include "base/interrupt.h"
#include "base/messages.h"
#include "base/printable_text.h"
#include "cli/command.h"
#include "cli/number_range.h"
#include "cli/output.h"
#include "storage/log_check.h"
#include "storage/log_reader.h"
#include "storage/log_repair.h"

namespace tapeworks {
namespace {

constexpr uint64_t kRecordsShownByDefault = 1000;
/// The rows are one table in memory.
constexpr uint64_t kRecordsShownMax = 100'000;
constexpr size_t kPayloadBytesShown = 200;

constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

/// "2026-11-21T06:03:31.000000000Z".
std::string utc_text(int64_t time_ns) {
  const auto floor_divide = [](int64_t value, int64_t by) {
    return value / by - (value % by < 0 ? 1 : 0);
  };
  const int64_t seconds = floor_divide(time_ns, kNanosecondsPerSecond);
  const int64_t days = floor_divide(seconds, kSecondsPerDay);
  const int64_t in_day = seconds - days * kSecondsPerDay;
  return fmt::format("{}T{:02}:{:02}:{:02}.{:09}Z", to_string(Day{static_cast<int32_t>(days)}),
                     in_day / 3600, in_day / 60 % 60, in_day % 60,
                     time_ns - seconds * kNanosecondsPerSecond);
}

std::string hex_text(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return text;
}

/// Null where there is no number.
nlohmann::ordered_json lsn_or_null(uint64_t lsn) {
  return lsn == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(lsn);
}

nlohmann::ordered_json segment_row(const LogSegmentSummary& segment) {
  const bool empty = segment.record_count == 0;
  nlohmann::ordered_json row{{"segment", segment.name},
                             {"state", to_string(segment.state)},
                             {"first_lsn", segment.first_lsn},
                             {"last_lsn", lsn_or_null(segment.last_lsn)},
                             {"records", segment.record_count},
                             {"bytes", segment.file_bytes},
                             {"used_bytes", segment.used_bytes},
                             {"first_time", nullptr},
                             {"last_time", nullptr},
                             {"boot_id", nullptr}};
  if (!empty) row["first_time"] = utc_text(segment.first_wall_time_ns);
  if (!empty) row["last_time"] = utc_text(segment.last_wall_time_ns);
  if (segment.header) row["boot_id"] = hex_text(segment.header->boot_id);
  return row;
}

nlohmann::ordered_json record_row(const LogRecord& record) {
  const std::string_view payload(reinterpret_cast<const char*>(record.payload.data()),
                                 record.payload.size());
  return {{"lsn", record.lsn},
          {"time", utc_text(record.wall_time_ns)},
          {"monotonic_ns", record.monotonic_time_ns},
          {"source", record.source},
          {"connection", record.connection},
          {"kind", record.kind},
          {"flags", record.flags},
          {"payload_bytes", record.payload.size()},
          {"payload", printable_text(payload, kPayloadBytesShown)},
          {"hole", nullptr}};
}

nlohmann::ordered_json hole_row(const LogHole& hole) {
  return {{"lsn", hole.first_missing_lsn},
          {"time", nullptr},
          {"monotonic_ns", nullptr},
          {"source", nullptr},
          {"connection", nullptr},
          {"kind", nullptr},
          {"flags", nullptr},
          {"payload_bytes", nullptr},
          {"payload", nullptr},
          {"hole", fmt::format("{} records are missing: {} at byte {}: {}", hole.missing_count,
                               hole.segment, hole.byte_offset, hole.reason)}};
}

nlohmann::ordered_json finding_row(const LogFinding& finding) {
  return {{"segment", finding.segment},
          {"status", finding.accounted_for ? "noted" : "failed"},
          {"finding", to_string(finding.kind)},
          {"byte_offset", finding.byte_offset},
          {"lsn_before", lsn_or_null(finding.lsn_before)},
          {"lsn_after", lsn_or_null(finding.lsn_after)},
          {"missing_records", finding.missing_count},
          {"detail", finding.detail}};
}

nlohmann::ordered_json passed_row(const LogSegmentSummary& segment) {
  return {{"segment", segment.name}, {"status", "passed"},
          {"finding", nullptr},      {"byte_offset", nullptr},
          {"lsn_before", nullptr},   {"lsn_after", nullptr},
          {"missing_records", 0},    {"detail", fmt::format("{} records", segment.record_count)}};
}

/// A folder without a log is a slip of the pen; "nothing wrong" would hide it.
Status refuse_empty(const LogCheck& check, const std::filesystem::path& folder) {
  if (!check.segments.empty()) return {};
  return invalid_argument("{} holds no segment of a write-ahead log; name the folder of one",
                          folder.string());
}

/// A list also when there is only one.
Status print_list(const std::vector<nlohmann::ordered_json>& rows) {
  TW_ASSIGN(const auto table, table_of_records(rows));
  return print_table(*table);
}

class WalCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("ACTION", action_, "What to do: inspect, verify or repair")
        ->type_name("inspect|verify|repair")
        ->required()
        ->check(CLI::IsMember({"inspect", "verify", "repair"}));
    app.add_option("DIR", folder_, "The folder of the log")->required();
    app.add_flag("--records", records_, "inspect: show records, not segments");
    from_option_ = app.add_option("--from", from_lsn_, "With --records: the first LSN to show")
                       ->type_name("LSN")
                       ->check(at_least(0));
    to_option_ = app.add_option("--to", to_lsn_, "With --records: the last LSN to show")
                     ->type_name("LSN")
                     ->check(at_least(0));
    limit_option_ = app.add_option("--limit", limit_, "With --records: how many to show at most")
                        ->type_name("N")
                        ->check(CLI::Range(int64_t{1}, int64_t{kRecordsShownMax}))
                        ->capture_default_str();
  }

  Status check() override {
    if (records_ && action_ != "inspect") {
      return invalid_argument("--records belongs to `wal inspect`, not to `wal {}`", action_);
    }
    for (const CLI::Option* option : {from_option_, to_option_, limit_option_}) {
      if (option->count() > 0 && !records_) {
        return invalid_argument("{} belongs to --records", option->get_name());
      }
    }
    if (from_lsn_ > to_lsn_) {
      return invalid_argument("--from {} lies behind --to {}", from_lsn_, to_lsn_);
    }
    return {};
  }

  Result<int> run() override {
    if (action_ == "repair") return repair();
    if (action_ == "verify") return verify();
    return records_ ? show_records() : show_segments();
  }

 private:
  Result<int> show_segments() const {
    TW_ASSIGN(const LogCheck check, check_log(folder_));
    TW_TRY(refuse_empty(check, folder_));
    std::vector<nlohmann::ordered_json> rows;
    rows.reserve(check.segments.size());
    for (const LogSegmentSummary& segment : check.segments) rows.push_back(segment_row(segment));
    TW_TRY(print_list(rows));
    return 0;
  }

  Result<int> show_records() const {
    TW_ASSIGN(LogReader reader, LogReader::open(folder_, from_lsn_));
    std::vector<nlohmann::ordered_json> rows;
    while (true) {
      TW_TRY(check_interrupt());
      TW_ASSIGN(const LogReader::Step step, reader.next(to_lsn_));
      if (std::holds_alternative<LogReadEnd>(step)) break;
      const auto* record = std::get_if<LogRecord>(&step);
      if (rows.size() == limit_) {
        warn("--limit {} is reached; the next records begin with --from {}", limit_,
             record != nullptr ? record->lsn : std::get<LogHole>(step).first_missing_lsn);
        break;
      }
      rows.push_back(record != nullptr ? record_row(*record) : hole_row(std::get<LogHole>(step)));
    }
    TW_TRY(print_list(rows));
    return 0;
  }

  Result<int> verify() const {
    TW_ASSIGN(const LogCheck check, check_log(folder_));
    TW_TRY(refuse_empty(check, folder_));
    std::vector<nlohmann::ordered_json> rows;
    for (const LogSegmentSummary& segment : check.segments) {
      for (const LogFinding& finding : segment.findings) rows.push_back(finding_row(finding));
      if (segment.findings.empty()) rows.push_back(passed_row(segment));
    }
    TW_TRY(print_list(rows));
    return check.passed() ? 0 : 1;
  }

  Result<int> repair() const {
    TW_ASSIGN(const LogRepair done, repair_log(folder_));
    for (const std::string& name : done.rewritten) {
      note("{} was rewritten; the original is in {}", name, (folder_ / kDamagedFolder).string());
    }
    TW_TRY(print_records({{{"rewritten_segments", done.rewritten.size()},
                           {"added_segments", done.added.size()},
                           {"kept_records", done.kept_record_count},
                           {"lost_records", done.lost_record_count}}}));
    return 0;
  }

  std::string action_;
  std::filesystem::path folder_;
  bool records_ = false;
  uint64_t from_lsn_ = 0;
  uint64_t to_lsn_ = std::numeric_limits<uint64_t>::max();
  uint64_t limit_ = kRecordsShownByDefault;
  CLI::Option* from_option_ = nullptr;
  CLI::Option* to_option_ = nullptr;
  CLI::Option* limit_option_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> make_wal_command() { return std::make_unique<WalCommand>(); }

}  // namespace tapeworks
