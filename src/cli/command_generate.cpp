#include <cstdint>
#include <memory>
#include <string>

#include "base/messages.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/number_range.h"
#include "cli/work_options.h"
#include "pipeline/generate.h"

namespace tapeworks {
namespace {

class GenerateCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("--out", options_.out_dir, "Folder for the files; made when missing")
        ->type_name("DIR")
        ->required();
    app.add_option("--rows", options_.row_count, "Rows of transactions")
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, int64_t{kGeneratedRowsMax}))
        ->capture_default_str();
    app.add_option("--symbols", options_.market.symbol_count, "Stocks")
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, int64_t{kSymbolCountMax}))
        ->capture_default_str();
    app.add_option("--brokers", options_.market.broker_count, "Broker branches and desks")
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, int64_t{kBrokerCountMax}))
        ->capture_default_str();
    app.add_option("--days", options_.market.day_count, "Trading days")
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, int64_t{kDayCountMax}))
        ->capture_default_str();
    app.add_option("--start", start_, "First day on which there may be trades")
        ->type_name("DATE")
        ->capture_default_str();
    app.add_option("--seed", options_.market.seed, "Another number gives another market")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--order", order_, "Order of the rows: date or shuffled")
        ->type_name("ORDER")
        ->capture_default_str();
    app.add_flag("--per-day", options_.per_day,
                 "Write broker_tx/broker_tx_YYYYMMDD.parquet, one file a day");
    app.add_option("--stamp", stamp_,
                   "Instant that stands for a day: taipei-midnight (16:00 UTC of the day before) "
                   "or utc-midnight")
        ->type_name("STAMP")
        ->capture_default_str();
    work_options_.describe(app);
  }

  Status check() override {
    const auto start = parse_day(start_);
    if (!start) return invalid_argument("--start must be a day like 2022-11-01, not '{}'", start_);
    options_.market.start = *start;
    if (order_ != "date" && order_ != "shuffled") {
      return invalid_argument("--order must be date or shuffled, not '{}'", order_);
    }
    options_.order = order_ == "date" ? RowOrder::kDate : RowOrder::kShuffled;
    if (stamp_ != "taipei-midnight" && stamp_ != "utc-midnight") {
      return invalid_argument("--stamp must be taipei-midnight or utc-midnight, not '{}'", stamp_);
    }
    options_.stamp = stamp_ == "utc-midnight" ? DayStamp::kUtcMidnight : DayStamp::kTaipeiMidnight;
    TW_TRY(check_generate_options(options_));
    return work_options_.check();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_options_.make_budget());
    options_.thread_count = work_options_.thread_count();
    TW_ASSIGN(const GenerateResult result, generate_transactions(options_, budget->pool()));
    note("{} rows in {} groups, {} to {}, {} in {}", result.row_count, result.group_count,
         to_string(result.first_day), to_string(result.last_day),
         format_byte_size(result.byte_count), options_.out_dir.string());
    return 0;
  }

 private:
  GenerateOptions options_;
  WorkOptions work_options_;
  std::string start_ = to_string(MarketSize{}.start);
  std::string order_ = "date";
  std::string stamp_ = "taipei-midnight";
};

}  // namespace

std::unique_ptr<Command> make_generate_command() { return std::make_unique<GenerateCommand>(); }

}  // namespace tapeworks
