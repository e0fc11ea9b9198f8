#include <memory>
#include <string>

#include "base/messages.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/query_options.h"
#include "cli/work_options.h"
#include "pipeline/broker_report_import.h"

namespace tapeworks {
namespace {

class ImportBsrCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("INPUT", options_.inputs,
                   "Daily broker reports of TWSE or TPEx: files, folders with *.csv, patterns")
        ->required();
    app.add_option("--out", options_.out_dir, "Folder for broker_tx/; made when missing")
        ->type_name("DIR")
        ->required();
    app.add_option("--date", date_, "The day of all reports (default: each file's name tells)")
        ->type_name("DATE");
    work_options_.describe(app);
  }

  Status check() override {
    TW_ASSIGN(options_.day, parse_day_option("--date", date_));
    if (options_.out_dir.empty()) return invalid_argument("--out needs the name of a folder");
    return work_options_.check();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_options_.make_budget());
    TW_ASSIGN(const auto result, import_broker_reports(options_, budget->pool()));
    note("{} rows of {} reports, {} to {}, {} in {}", result.row_count, result.report_count,
         to_string(result.first_day), to_string(result.last_day),
         format_byte_size(result.byte_count), options_.out_dir.string());
    return 0;
  }

 private:
  BrokerReportImportOptions options_;
  WorkOptions work_options_;
  std::string date_;
};

}  // namespace

std::unique_ptr<Command> make_import_bsr_command() { return std::make_unique<ImportBsrCommand>(); }

}  // namespace tapeworks
