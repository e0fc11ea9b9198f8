#include "pipeline/broker_report_import.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <tuple>

#include <arrow/array/builder_dict.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "pipeline/broker_report_file.h"
#include "pipeline/broker_report_name.h"
#include "pipeline/input_files.h"
#include "pipeline/transaction_writer.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_file_writer.h"
#include "storage/staged_folder.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWhere = "making transactions";
constexpr int64_t kRowGroupRows = 500'000;
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kTaipeiAheadMs = 8 * 3'600'000;
/// Reports that are warned about one by one; the others are counted.
constexpr uint64_t kWarningsMax = 20;

/// One report that will be read.
struct PlannedReport {
  Day day;
  std::string symbol;
  fs::path path;
};

Result<Day> day_of(const fs::path& path, const BrokerReportName& name, std::optional<Day> given) {
  if (name.days.size() > 1 && !given) {
    return invalid_argument("{}: the name tells of {} and of {}; give the right one with --date",
                            path.string(), to_string(name.days[0]), to_string(name.days[1]));
  }
  if (name.days.empty() && !given) {
    return invalid_argument(
        "{}: the name tells no day like 20230103 or 2023-01-03; give it with --date",
        path.string());
  }
  if (!given) return name.days[0];
  if (!name.days.empty() && std::ranges::find(name.days, *given) == name.days.end()) {
    return invalid_argument(
        "{}: the name tells of {} and --date of {}; leave the file or the option out",
        path.string(), to_string(name.days[0]), to_string(*given));
  }
  return *given;
}

/// Opens every report as far as its symbol, so that what does not fit together is known before any
/// work, and the order of the rows does not depend on how the files are called.
Result<std::vector<PlannedReport>> plan_reports(const BrokerReportImportOptions& options) {
  TW_ASSIGN(const auto paths, expand_inputs(options.inputs, InputKind::kCsv));
  std::vector<PlannedReport> reports;
  for (const fs::path& path : paths) {
    const BrokerReportName name = parse_report_name(path.filename().string());
    TW_ASSIGN(const Day day, day_of(path, name, options.day));
    reports.push_back({day, {}, path});
  }
  for (PlannedReport& report : reports) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(auto file, BrokerReportFile::open(report.path));
    TW_ASSIGN(report.symbol, file.read_symbol());
    const BrokerReportName name = parse_report_name(report.path.filename().string());
    if (name.allows(report.symbol)) continue;
    return corrupt("{}: the report is of {}, but its name tells of {}; download it again",
                   report.path.string(), report.symbol, name.symbols.front());
  }
  std::ranges::sort(reports, [](const PlannedReport& a, const PlannedReport& b) {
    return std::tie(a.day, a.symbol, a.path) < std::tie(b.day, b.symbol, b.path);
  });
  const auto same = [](const PlannedReport& a, const PlannedReport& b) {
    return a.day == b.day && a.symbol == b.symbol;
  };
  if (const auto twice = std::ranges::adjacent_find(reports, same); twice != reports.end()) {
    return corrupt("{} and {} are both the report of {} on {}; leave one out", twice->path.string(),
                   std::next(twice)->path.string(), twice->symbol, to_string(twice->day));
  }
  return reports;
}

/// Writes the rows of one day, a row group at a time.
class DayWriter {
 public:
  static Result<DayWriter> open(const fs::path& path, Day day, arrow::MemoryPool* pool) {
    TW_ASSIGN(auto file, ParquetFileWriter::open(path, transaction_schema(), {}, pool));
    return DayWriter(std::move(file), day, pool);
  }

  Status add(const std::string& symbol, const BrokerRecord& record) {
    TW_TRY(from_arrow(append(symbol, record), kWhere));
    return builders_->stamp.length() < kRowGroupRows ? Status() : flush();
  }

  Result<uint64_t> close() {
    TW_TRY(flush());
    return file_.close();
  }

 private:
  struct Builders {
    Builders(const arrow::Schema& schema, arrow::MemoryPool* pool)
        : symbol(pool),
          stamp(schema.field(1)->type(), pool),
          broker(pool),
          broker_name(pool),
          price(pool),
          buy(pool),
          sell(pool) {}

    arrow::StringDictionary32Builder symbol;
    arrow::TimestampBuilder stamp;
    arrow::StringDictionary32Builder broker;
    arrow::StringDictionary32Builder broker_name;
    arrow::StringDictionary32Builder price;
    arrow::Int64Builder buy;
    arrow::Int64Builder sell;
  };

  DayWriter(ParquetFileWriter file, Day day, arrow::MemoryPool* pool)
      : file_(std::move(file)),
        stamp_ms_(day.days_since_epoch * kDayMs - kTaipeiAheadMs),
        builders_(std::make_unique<Builders>(*transaction_schema(), pool)) {}

  arrow::Status append(const std::string& symbol, const BrokerRecord& record) {
    ARROW_RETURN_NOT_OK(builders_->symbol.Append(symbol));
    ARROW_RETURN_NOT_OK(builders_->stamp.Append(stamp_ms_));
    ARROW_RETURN_NOT_OK(builders_->broker.Append(record.broker));
    ARROW_RETURN_NOT_OK(builders_->broker_name.Append(record.broker_name));
    ARROW_RETURN_NOT_OK(builders_->price.Append(record.price));
    ARROW_RETURN_NOT_OK(builders_->buy.Append(record.buy_shares));
    return builders_->sell.Append(record.sell_shares);
  }

  Status flush() {
    const int64_t row_count = builders_->stamp.length();
    if (row_count == 0) return {};
    const std::array<arrow::ArrayBuilder*, 7> builders{
        &builders_->symbol, &builders_->stamp, &builders_->broker, &builders_->broker_name,
        &builders_->price,  &builders_->buy,   &builders_->sell};
    arrow::ArrayVector columns(builders.size());
    for (size_t i = 0; i < builders.size(); ++i) {
      TW_TRY(from_arrow(builders[i]->Finish(&columns[i]), kWhere));
    }
    // Finish() alone keeps what a dictionary has seen for the next row group.
    builders_->symbol.ResetFull();
    builders_->broker.ResetFull();
    builders_->broker_name.ResetFull();
    builders_->price.ResetFull();
    return file_.write(*arrow::RecordBatch::Make(transaction_schema(), row_count, columns));
  }

  ParquetFileWriter file_;
  int64_t stamp_ms_;
  std::unique_ptr<Builders> builders_;
};

/// Warns about what a report may have without being wrong.
class ReportWarnings {
 public:
  void look_at(const PlannedReport& report, const BrokerReportTotals& totals) {
    if (totals.buy_shares != totals.sell_shares && ++unbalanced_count_ <= kWarningsMax) {
      warn("{}: {} shares were bought and {} sold; they should be the same", report.path.string(),
           totals.buy_shares, totals.sell_shares);
    }
    if (totals.missing_count > 0 && ++incomplete_count_ <= kWarningsMax) {
      warn("{}: {} sequence numbers have no record; is the report whole?", report.path.string(),
           totals.missing_count);
    }
  }

  void finish() const {
    if (unbalanced_count_ > kWarningsMax) {
      warn("bought and sold shares differ in {} more reports", unbalanced_count_ - kWarningsMax);
    }
    if (incomplete_count_ > kWarningsMax) {
      warn("sequence numbers are missing in {} more reports", incomplete_count_ - kWarningsMax);
    }
  }

 private:
  uint64_t unbalanced_count_ = 0;
  uint64_t incomplete_count_ = 0;
};

/// Returns the number of rows.
Result<uint64_t> copy_report(const PlannedReport& report, DayWriter& writer,
                             ReportWarnings& warnings) {
  TW_TRY(check_interrupt());
  TW_ASSIGN(auto file, BrokerReportFile::open(report.path));
  while (true) {
    TW_ASSIGN(const bool has_records, file.next());
    if (!has_records) break;
    for (const BrokerRecord& record : file.parser().records()) {
      TW_TRY(writer.add(report.symbol, record));
    }
  }
  TW_ASSIGN(const BrokerReportTotals totals, file.parser().finish());
  if (file.parser().symbol() != report.symbol) {
    return corrupt("{}: the file changed while it was read; run again when it is complete",
                   report.path.string());
  }
  warnings.look_at(report, totals);
  return totals.record_count;
}

}  // namespace

Result<BrokerReportImportResult> import_broker_reports(const BrokerReportImportOptions& options,
                                                       arrow::MemoryPool* pool) {
  PhaseTimer timer("import");
  TW_ASSIGN(const std::vector<PlannedReport> reports, plan_reports(options));
  TW_ASSIGN(auto staged, StagedFolder::begin(options.out_dir / "broker_tx", "import-bsr"));
  Progress progress("import-bsr", reports.size());
  ReportWarnings warnings;
  BrokerReportImportResult result{.report_count = reports.size(),
                                  .first_day = reports.front().day,
                                  .last_day = reports.back().day};
  for (auto report = reports.begin(); report != reports.end();) {
    const Day day = report->day;
    const fs::path path = staged.add_file("broker_tx_" + to_compact_string(day) + ".parquet");
    TW_ASSIGN(DayWriter writer, DayWriter::open(path, day, pool));
    for (; report != reports.end() && report->day == day; ++report) {
      TW_ASSIGN(const uint64_t row_count, copy_report(*report, writer, warnings));
      result.row_count += row_count;
      progress.add(1);
    }
    TW_ASSIGN(const uint64_t byte_count, writer.close());
    result.byte_count += byte_count;
    ++result.day_count;
  }
  TW_TRY(staged.publish());
  warnings.finish();
  timer.add_rows(result.row_count);
  add_run_rows(result.row_count);
  return result;
}

}  // namespace tapeworks
