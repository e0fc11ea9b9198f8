#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/pipeline_options.h"
#include "pipeline/close_prices_sync.h"
#include "pipeline/price_increment.h"

namespace tapeworks {
namespace {

constexpr int32_t kOverlapDaysMax = 36'600;

class SyncCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("SOURCE", source_,
                   "Close prices: a Parquet or CSV file, s3://BUCKET/KEY, "
                   "adbc:DRIVER?uri=...&table=..., or "
                   "bigquery://PROJECT/DATASET.TABLE")
        ->required();
    app.add_flag("--incremental", increment_.is_incremental,
                 "Fetch only from some days before the last known close on");
    app.add_option("--overlap-days", increment_.overlap_days,
                   "With --incremental: days before the last known close that are fetched again")
        ->type_name("N")
        ->check(CLI::Range(int32_t{0}, kOverlapDaysMax))
        ->capture_default_str();
    app.add_flag("--keep", increment_.keeps_vanished, "Keep closes that SOURCE has no more");
    prices_.describe(app, "--");
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(options_.prices, prices_.resolve(source_, job_));
    if (is_compat(options_.prices.mode) &&
        (increment_.is_incremental || increment_.keeps_vanished)) {
      return invalid_argument(
          "--compat {} has no incremental runs; leave --incremental and --keep away",
          to_string(options_.prices.mode));
    }
    options_.data_dir = job_.data.data_dir;
    options_.keep_generations_for = job_.place().keep_generations_for;
    return check_price_source(source_);
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    if (!increment_.is_incremental && !increment_.keeps_vanished) {
      TW_TRY(sync_prices(options_, *budget));
      return 0;
    }
    TW_ASSIGN(const SyncOutcome outcome, sync_changed_prices(options_, increment_, *budget));
    if (outcome == SyncOutcome::kNothingNew) {
      std::puts("nothing new: the closes are those of this source");
    }
    return 0;
  }

 private:
  JobOptions job_;
  PriceArguments prices_;
  std::string source_;
  PriceIncrement increment_;
  SyncOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_sync_command() { return std::make_unique<SyncCommand>(); }

}  // namespace tapeworks
