#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/pipeline_options.h"
#include "cli/work_options.h"
#include "pipeline/verify.h"

namespace tapeworks {
namespace {

class VerifyCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    data_.describe(app);
    app.add_flag("--full", options_.full,
                 "Also compute the profit and loss of every symbol again and compare");
    app.add_option("--phantom-days", options_.phantom_days,
                   "Warn of open lots of brokers without a trade for so many days")
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--input", options_.inputs,
                   "Also sum these transactions again and compare: files, folders, patterns")
        ->type_name("INPUT");
    describe_columns(app, options_.columns);
    work_.describe(app);
  }

  Status check() override {
    options_.data_dir = data_.data_dir;
    options_.temp_dir = work_.temp_dir;
    options_.thread_count = work_.thread_count();
    return work_.check();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_.make_budget());
    TW_ASSIGN(const std::vector<CheckResult> results, verify_generation(options_, *budget));
    std::vector<nlohmann::ordered_json> records;
    for (const CheckResult& result : results) {
      records.push_back({{"check", result.check},
                         {"status", to_string(result.status)},
                         {"count", result.count},
                         {"detail", result.detail}});
    }
    // A list also when there is only one.
    TW_ASSIGN(const auto table, table_of_records(records));
    TW_TRY(print_table(*table));
    return all_passed(results) ? 0 : 1;
  }

 private:
  DataOption data_;
  WorkOptions work_;
  VerifyOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace tapeworks
