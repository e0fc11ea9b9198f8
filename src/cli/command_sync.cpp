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
    app.add_option("SOURCE", options_.prices.source, "Close prices: a Parquet or CSV file")
        ->required();
    app.add_option("--since", since_, "Leave rows of earlier days out")->type_name("DATE");
    const auto column = [&](const char* name, std::string& target, const char* usual_names) {
      app.add_option(name, target,
                     std::string("Name of this column in SOURCE (default: ") + usual_names + ")")
          ->type_name("NAME")
          ->group("Columns");
    };
    PriceColumnNames& columns = options_.prices.columns;
    column("--column-symbol", columns.symbol, "symbol_id, coid or symbol");
    column("--column-date", columns.date, "date or mdate");
    column("--column-close", columns.close, "close_price, close_d, close or adj_close");
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    if (!since_.empty()) {
      options_.prices.since = parse_day(since_);
      if (!options_.prices.since) {
        return invalid_argument("--since must be a day like 2021-01-01, not '{}'", since_);
      }
    }
    options_.prices.mode = job_.mode();
    options_.data_dir = job_.data.data_dir;
    options_.keep_generations_for = job_.place().keep_generations_for;
    return check_price_source(options_.prices.source);
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    TW_TRY(sync_prices(options_, *budget));
    return 0;
  }

 private:
  JobOptions job_;
  std::string since_;
  SyncOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_sync_command() { return std::make_unique<SyncCommand>(); }

}  // namespace tapeworks
