#include "cli/command.h"
#include "cli/output.h"
#include "cli/query_options.h"
#include "pipeline/query.h"
#include "pipeline/window_pnl.h"

namespace tapeworks {
namespace {

constexpr int kYearsMax = 1000;

class RollingCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("--years", years_, "Length of the window")
        ->type_name("N")
        ->required()
        ->check(CLI::Range(1, kYearsMax));
    app.add_option("--end", end_text_, "Last day of the window (default: last trade of the data)")
        ->type_name("DATE");
    options_.describe(app);
    top_.describe(app);
  }

  Status check() override {
    TW_TRY(options_.check());
    TW_ASSIGN(end_, parse_day_option("--end", end_text_));
    return {};
  }

  Result<int> run() override {
    TW_ASSIGN(const OpenedQuery query, OpenedQuery::open(options_));
    const QueryContext context = query.context(options_);
    const size_t thread_count = options_.work.thread_count();
    if (!end_) {
      TW_ASSIGN(end_, last_trade_date(context, thread_count));
    }
    const DayWindow window{years_before(*end_, years_), *end_};
    TW_ASSIGN(const auto ranking, rolling_answer(context, window, *query.budget, thread_count));
    TableNotes notes;
    const auto shown = top_.apply(ranking, notes);
    notes.footnotes.push_back(
        fmt::format("Window from {} to {}.", to_string(window.from), to_string(window.to)));
    TW_TRY(print_table(*shown, notes));
    return 0;
  }

 private:
  QueryOptions options_;
  TopOption top_;
  int years_ = 0;
  std::string end_text_;
  std::optional<Day> end_;
};

}  // namespace

std::unique_ptr<Command> make_rolling_command() { return std::make_unique<RollingCommand>(); }

}  // namespace tapeworks
