#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/pipeline_options.h"

namespace tapeworks {
namespace {

class RunCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    etl_.describe(app);
    increment_.describe(app);
    app.add_option("--prices", source_,
                   "Close prices: a Parquet or CSV file, an object or a database, as for sync")
        ->type_name("SOURCE")
        ->required();
    prices_.describe(app, "--prices-");
    pnl_.describe(app);
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(etl_options_, etl_.resolve(job_));
    TW_ASSIGN(increment_options_, increment_.resolve(etl_options_, job_));
    TW_ASSIGN(pnl_options_, pnl_.resolve(job_));
    TW_ASSIGN(price_options_, prices_.resolve(source_, job_));
    price_options_.amounts = etl_options_.scan.amounts;
    return check_price_source(source_);
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    if (!increment_.is_incremental) {
      TW_TRY(run_all(etl_options_, price_options_, pnl_options_, job_.place(), *budget));
      return 0;
    }
    TW_ASSIGN(const IncrementOutcome outcome,
              run_all_incremental(etl_options_, increment_options_, price_options_, pnl_options_,
                                  job_.place(), *budget));
    if (outcome == IncrementOutcome::kNothingNew) {
      std::puts("nothing new: the tables are those of these inputs");
    }
    return 0;
  }

 private:
  JobOptions job_;
  EtlArguments etl_;
  IncrementArguments increment_;
  PriceArguments prices_;
  PnlArguments pnl_;
  std::string source_;
  EtlOptions etl_options_;
  IncrementalEtlOptions increment_options_;
  PnlRunOptions pnl_options_;
  PriceReadOptions price_options_;
};

}  // namespace

std::unique_ptr<Command> make_run_command() { return std::make_unique<RunCommand>(); }

}  // namespace tapeworks
