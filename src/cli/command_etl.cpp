#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "cli/pipeline_options.h"

namespace tapeworks {
namespace {

class EtlCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    etl_.describe(app);
    increment_.describe(app);
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(options_, etl_.resolve(job_));
    TW_ASSIGN(increment_options_, increment_.resolve(options_, job_));
    return {};
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    if (!increment_.is_incremental) {
      TW_TRY(run_etl(options_, job_.place(), *budget));
      return 0;
    }
    TW_ASSIGN(const IncrementOutcome outcome,
              run_incremental_etl(options_, increment_options_, job_.place(), *budget));
    if (outcome == IncrementOutcome::kNothingNew) {
      std::puts("nothing new: the summary is that of these inputs");
    }
    return 0;
  }

 private:
  JobOptions job_;
  EtlArguments etl_;
  IncrementArguments increment_;
  EtlOptions options_;
  IncrementalEtlOptions increment_options_;
};

}  // namespace

std::unique_ptr<Command> make_etl_command() { return std::make_unique<EtlCommand>(); }

}  // namespace tapeworks
