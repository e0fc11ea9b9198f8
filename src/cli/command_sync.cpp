#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/pipeline_options.h"
#include "pipeline/close_prices_sync.h"

namespace tapeworks {
namespace {

class SyncCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option(
           "SOURCE", source_,
           "Close prices: a Parquet or CSV file, s3://BUCKET/KEY, or adbc:DRIVER?uri=...&table=...")
        ->required();
    prices_.describe(app, "--");
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(options_.prices, prices_.resolve(job_));
    options_.prices.source = source_;
    options_.data_dir = job_.data.data_dir;
    options_.keep_generations_for = job_.place().keep_generations_for;
    return check_price_source(source_);
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    TW_TRY(sync_prices(options_, *budget));
    return 0;
  }

 private:
  JobOptions job_;
  PriceArguments prices_;
  std::string source_;
  SyncOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_sync_command() { return std::make_unique<SyncCommand>(); }

}  // namespace tapeworks
