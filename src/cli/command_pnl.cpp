#include <memory>

#include "cli/command.h"
#include "cli/pipeline_options.h"

namespace tapeworks {
namespace {

class PnlCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    pnl_.describe(app);
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(options_, pnl_.resolve(job_));
    return {};
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    TW_TRY(run_pnl(options_, job_.place(), *budget));
    return 0;
  }

 private:
  JobOptions job_;
  PnlArguments pnl_;
  PnlRunOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_pnl_command() { return std::make_unique<PnlCommand>(); }

}  // namespace tapeworks
