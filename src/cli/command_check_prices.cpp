#include <memory>
#include <vector>

#include "base/messages.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/query_options.h"
#include "cli/work_options.h"
#include "pipeline/price_quality.h"
#include "pipeline/query.h"
#include "storage/generation_store.h"

namespace tapeworks {
namespace {

/// More are only counted, so that a source that is wrong all over fits in memory too.
constexpr size_t kFindingsMax = 200'000;

class CheckPricesCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    data_.describe(app);
    top_.describe(app);
    work_.describe(app);
  }

  Status check() override { return work_.check(); }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_.make_budget());
    TW_ASSIGN(const GenerationReader generation, GenerationReader::open(data_.data_dir));
    const QueryContext context{generation, data_.data_dir, true, budget->pool()};
    TW_TRY(require_table(context, "price"));
    TW_ASSIGN(const ClosePrices prices,
              load_close_prices(generation.path() / "price/close_prices.parquet", budget->pool()));
    Reservation memory;
    if (!budget->try_reserve(prices.byte_count() + kFindingsMax * sizeof(PriceFinding), memory)) {
      return over_budget("the closes of {} do not fit in memory; give a larger --memory",
                         data_.data_dir.string());
    }

    std::vector<PriceFinding> findings;
    uint64_t finding_count = 0;
    const auto keep = [&](const PriceFinding& finding) {
      if (++finding_count <= kFindingsMax) findings.push_back(finding);
    };
    const std::vector<std::string> traded = traded_symbols(generation.manifest());
    if (generation.manifest().find("daily_summary") != nullptr) {
      visit_coverage_flaws(prices, traded, keep);
    }
    visit_close_flaws(prices, keep);
    TW_ASSIGN(const auto table, price_findings_table(findings, budget->pool()));
    TableNotes notes = footnotes(generation.manifest());
    if (finding_count > kFindingsMax) {
      warn("{} more findings are not shown", finding_count - kFindingsMax);
    }
    TW_TRY(print_table(*top_.apply(table, notes), notes));
    return finding_count == 0 ? 0 : 1;
  }

 private:
  static TableNotes footnotes(const Manifest& manifest) {
    TableNotes notes;
    const Table& price = *manifest.find("price");
    if (price.options.contains("adjusted")) {
      notes.footnotes.emplace_back(
          "The closes were declared as adjusted; docs/commands/fifo.md tells what that means.");
    }
    const auto zero = price.counts.find("closes_zero");
    if (zero != price.counts.end() && zero->second > 0 && manifest.mode == "default") {
      notes.footnotes.push_back(
          fmt::format("{} closes of zero in the source were taken as no close.", zero->second));
    }
    if (manifest.find("daily_summary") == nullptr) {
      notes.footnotes.emplace_back("There are no trades to compare the symbols with.");
    }
    return notes;
  }

  DataOption data_;
  TopOption top_;
  WorkOptions work_;
};

}  // namespace

std::unique_ptr<Command> make_check_prices_command() {
  return std::make_unique<CheckPricesCommand>();
}

}  // namespace tapeworks
