#include <memory>

#include "cli/command.h"
#include "cli/pipeline_options.h"

namespace tapeworks {
namespace {

class PnlCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    pnl_.describe(app);
    app.add_flag("--incremental", is_incremental_,
                 "Take over the tables of symbols of which nothing changed, and go on from "
                 "checkpoints for the others");
    verify_every_.describe(app);
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(options_, pnl_.resolve(job_));
    options_.is_incremental = is_incremental_;
    TW_TRY(verify_every_.check_given_with(is_incremental_));
    TW_ASSIGN(options_.verify_every, verify_every_.resolve());
    return is_incremental_ ? job_.check_incremental() : Status{};
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    TW_TRY(run_pnl(options_, job_.place(), *budget));
    return 0;
  }

 private:
  JobOptions job_;
  PnlArguments pnl_;
  bool is_incremental_ = false;
  VerifyEveryOption verify_every_;
  PnlRunOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_pnl_command() { return std::make_unique<PnlCommand>(); }

}  // namespace tapeworks
