#include "cli/command.h"
#include "cli/output.h"
#include "cli/query_options.h"
#include "pipeline/query.h"
#include "pipeline/window_pnl.h"

namespace tapeworks {
namespace {

class SymbolCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("SYMBOL", symbol_, "The symbol, as in the data")->required();
    options_.describe(app);
    top_.describe(app);
    app.add_option("--from", from_text_, "First day of a window (default with --to: first trade)")
        ->type_name("DATE");
    app.add_option("--to", to_text_, "Last day of a window (default with --from: last trade)")
        ->type_name("DATE");
  }

  Status check() override {
    TW_TRY(options_.check());
    TW_ASSIGN(from_, parse_day_option("--from", from_text_));
    TW_ASSIGN(to_, parse_day_option("--to", to_text_));
    if (from_ && to_ && *from_ > *to_) {
      return invalid_argument("--from {} lies after --to {}", from_text_, to_text_);
    }
    return {};
  }

  Result<int> run() override {
    TW_ASSIGN(const OpenedQuery query, OpenedQuery::open(options_));
    const QueryContext context = query.context(options_);
    TW_ASSIGN(const auto brokers, from_ || to_ ? symbol_window_answer(context, symbol_, from_, to_)
                                               : symbol_answer(context, symbol_));
    TableNotes notes;
    const auto shown = top_.apply(brokers, notes);
    TW_TRY(print_table(*shown, notes));
    return 0;
  }

 private:
  QueryOptions options_;
  TopOption top_;
  std::string symbol_;
  std::string from_text_;
  std::string to_text_;
  std::optional<Day> from_;
  std::optional<Day> to_;
};

}  // namespace

std::unique_ptr<Command> make_symbol_command() { return std::make_unique<SymbolCommand>(); }

}  // namespace tapeworks
