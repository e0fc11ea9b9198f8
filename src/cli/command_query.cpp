#include "cli/command.h"
#include "cli/output.h"
#include "cli/query_options.h"
#include "pipeline/query.h"

namespace tapeworks {
namespace {

class QueryCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("BROKER", broker_, "Code of the broker, as in the data")->required();
    options_.describe(app);
    app.add_flag("--breakdown", breakdown_, "Its symbols, by what it bought for");
    top_.describe(app);
  }

  Status check() override { return options_.check(); }

  Result<int> run() override {
    TW_ASSIGN(const OpenedQuery query, OpenedQuery::open(options_));
    const QueryContext context = query.context(options_);
    // Programs get one kind of rows: the broker's, or its symbols'.
    if (!breakdown_ || output_format() == OutputFormat::kTable) {
      TW_ASSIGN(const auto record, broker_answer(context, broker_));
      TW_TRY(print_table(*record, {.footnotes = {}, .single_thing = true}));
    }
    if (!breakdown_) return 0;
    if (output_format() == OutputFormat::kTable) TW_TRY(print_text("\n"));
    TW_ASSIGN(const auto symbols, breakdown_answer(context, broker_));
    TableNotes notes;
    const auto shown = top_.apply(symbols, notes);
    TW_TRY(print_table(*shown, notes));
    return 0;
  }

 private:
  QueryOptions options_;
  TopOption top_;
  std::string broker_;
  bool breakdown_ = false;
};

}  // namespace

std::unique_ptr<Command> make_query_command() { return std::make_unique<QueryCommand>(); }

}  // namespace tapeworks
