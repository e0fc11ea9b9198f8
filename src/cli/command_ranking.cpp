#include "cli/command.h"
#include "cli/output.h"
#include "cli/query_options.h"
#include "pipeline/broker_activity.h"
#include "pipeline/query.h"

namespace tapeworks {
namespace {

class RankingCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    options_.describe(app);
    top_.describe(app);
    app.add_option("--sort", sort_column_,
                   "Order by this column, numbers descending, text ascending (default: total_pnl)")
        ->type_name("COLUMN");
    app.add_option("--phantom-days", phantom_days_,
                   "Show as phantom positions the open lots of brokers without a trade for so many "
                   "days")
        ->type_name("N")
        ->capture_default_str();
  }

  Status check() override { return options_.check(); }

  Result<int> run() override {
    TW_ASSIGN(const OpenedQuery query, OpenedQuery::open(options_));
    const QueryContext context = query.context(options_);
    TW_ASSIGN(const auto ranking, ranking_answer(context, sort_column_, phantom_days_));
    TableNotes notes;
    const auto shown = top_.apply(ranking, notes);
    if (output_format() == OutputFormat::kTable) {
      TW_TRY(add_footnotes(context, notes));
    }
    TW_TRY(print_table(*shown, notes));
    return 0;
  }

 private:
  /// What the numbers rest on. Only people are told: reading it takes longer than the ranking.
  Status add_footnotes(const QueryContext& context, TableNotes& notes) const {
    const Manifest& manifest = context.generation.manifest();
    const TradeDateRange dates = trade_date_range(manifest);
    if (dates.first && dates.last) {
      notes.footnotes.push_back(fmt::format("Trades from {} to {}, mode {}.",
                                            to_string(*dates.first), to_string(*dates.last),
                                            manifest.mode));
    } else {
      notes.footnotes.push_back(fmt::format("Mode {}.", manifest.mode));
    }
    if (manifest.find(context.table_name("symbol_broker")) == nullptr) return {};
    TW_ASSIGN(const auto share, uncovered_short_share(context, options_.work.thread_count()));
    if (share) {
      notes.footnotes.push_back(
          fmt::format("{:.1f} % of all profit and loss (absolute, per broker and symbol) stands in "
                      "accounts with "
                      "shorts never covered; docs/commands/fifo.md tells why.",
                      100 * *share));
    }
    return {};
  }

  QueryOptions options_;
  TopOption top_;
  std::string sort_column_;
  uint32_t phantom_days_ = kPhantomDays;
};

}  // namespace

std::unique_ptr<Command> make_ranking_command() { return std::make_unique<RankingCommand>(); }

}  // namespace tapeworks
