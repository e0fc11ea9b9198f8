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
    app.add_flag("--incremental", incremental_,
                 "Read only what is new or changed in INPUT since the last run");
    app.add_option("--add", increment_.added,
                   "With --incremental, in place of INPUT: these files beside the known ones")
        ->type_name("FILE");
    app.add_option("--allow-vanished", increment_.vanished_max,
                   "With --incremental: up to N known inputs may be missing; their rows go")
        ->type_name("N");
    job_.describe(app);
  }

  Status check() override {
    TW_TRY(job_.check());
    TW_ASSIGN(options_, etl_.resolve(job_));
    return check_incremental();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, job_.work.make_budget());
    if (!incremental_) {
      TW_TRY(run_etl(options_, job_.place(), *budget));
      return 0;
    }
    TW_ASSIGN(const EtlOutcome outcome,
              run_incremental_etl(options_, increment_, job_.place(), *budget));
    if (outcome == EtlOutcome::kNothingNew) {
      std::puts("nothing new: the summary is that of these inputs");
    }
    return 0;
  }

 private:
  Status check_incremental() const {
    const bool has_added = !increment_.added.empty();
    if (!incremental_ && (has_added || increment_.vanished_max != 0)) {
      return invalid_argument("--add and --allow-vanished go with --incremental; add it");
    }
    if (incremental_ && is_compat(options_.scan.mode)) {
      return invalid_argument(
          "--compat {} has no incremental runs; leave --incremental away to read all inputs",
          to_string(options_.scan.mode));
    }
    if (has_added && !options_.inputs.empty()) {
      return invalid_argument("give either INPUT, the complete set, or --add with what is new");
    }
    if (!has_added && options_.inputs.empty()) {
      return invalid_argument("INPUT is required; name Parquet files, folders or patterns");
    }
    return {};
  }

  JobOptions job_;
  EtlArguments etl_;
  bool incremental_ = false;
  IncrementalEtlOptions increment_;
  EtlOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_etl_command() { return std::make_unique<EtlCommand>(); }

}  // namespace tapeworks
