#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/messages.h"
#include "base/run_stats.h"
#include "cli/command.h"
#include "cli/coverage_table.h"
#include "cli/log_option.h"
#include "cli/number_range.h"
#include "cli/output.h"
#include "cli/pipeline_options.h"
#include "cli/work_options.h"
#include "pipeline/verify.h"
#include "recorder/sink/log_comparison.h"
#include "recorder/sink/recording_check.h"
#include "recorder/sink/replay.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

class VerifyCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    data_.describe(app);
    CLI::Option* const full =
        app.add_flag("--full", options_.full,
                     "Also compute the profit and loss of every symbol again and compare");
    CLI::Option* const phantom_days =
        app.add_option("--phantom-days", options_.phantom_days,
                       "Warn of open lots of brokers without a trade for so many days")
            ->type_name("N")
            ->check(at_least(1))
            ->capture_default_str();
    CLI::Option* const input =
        app.add_option("--input", options_.inputs,
                       "Also sum these transactions again and compare: files, folders, patterns")
            ->type_name("INPUT");
    CLI::Option* const recording =
        app.add_option("--recording", recording_dir_,
                       "Check a recording instead: files, certificates, gaps, and the log")
            ->type_name("DIR")
            ->excludes(app.get_option("--data"))
            ->excludes(full)
            ->excludes(phantom_days)
            ->excludes(input);
    for (CLI::Option* const option :
         log_.describe(app, "Check the files of the recording alone: less, and sooner")) {
      option->needs(recording);
    }
    describe_columns(app, options_.columns);
    work_.describe(app);
  }

  Status check() override {
    options_.data_dir = data_.data_dir;
    options_.temp_dir = work_.temp_dir;
    options_.thread_count = work_.thread_count();
    TW_TRY(log_.check());
    return work_.check();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_.make_budget());
    return recording_dir_.empty() ? check_data(*budget) : check_recording(*budget);
  }

 private:
  Result<int> check_data(MemoryBudget& budget) const {
    TW_ASSIGN(const std::vector<CheckResult> results, verify_generation(options_, budget));
    std::vector<nlohmann::ordered_json> records;
    records.reserve(results.size());
    for (const CheckResult& result : results) {
      records.push_back({{"check", result.check},
                         {"status", to_string(result.status)},
                         {"count", result.count},
                         {"detail", result.detail}});
    }
    // A list also when there is only one.
    TW_ASSIGN(const auto table, table_of_records(records));
    TW_TRY(print_table(*table));
    return all_passed(results) ? 0 : 1;
  }

  /// What the log in `log_dir` gives, made in `scratch`.
  Result<recorder::LogComparison> read_log(const std::filesystem::path& log_dir,
                                           const ScratchFolder& scratch,
                                           MemoryBudget& budget) const {
    recorder::LogComparisonOptions options;
    options.output_dir = recording_dir_;
    options.wal_dir = log_dir;
    options.scratch_dir = scratch.path();
    TW_ASSIGN(const Reservation rows, recorder::reserve_replay_buffer(budget));
    options.buffer_bytes = rows.bytes();
    TW_ASSIGN(auto log, recorder::LogComparison::make(options, budget.pool()));
    if (log.lost_records() != 0) {
      warn("the log has lost {} records; tapeworks wal verify {} says where", log.lost_records(),
           log_dir.string());
    }
    return log;
  }

  /// Nothing without a log, or when one that was not named cannot be read.
  Result<std::optional<recorder::LogComparison>> find_and_read_log(
      std::optional<ScratchFolder>& scratch, MemoryBudget& budget) const {
    TW_ASSIGN(const auto log_dir, log_.find(recording_dir_));
    if (log_dir.empty()) return std::nullopt;
    TW_ASSIGN(ScratchFolder made, ScratchFolder::make(work_.temp_dir));
    scratch.emplace(std::move(made));
    auto log = read_log(log_dir, *scratch, budget);
    if (log) return std::move(*log);
    const bool was_named = !log_.log_dir.empty();
    if (was_named || log.error().kind == ErrorKind::kCancelled) {
      return std::unexpected(std::move(log.error()));
    }
    warn("the files are checked without their log: {}", log.error().message);
    return std::nullopt;
  }

  Result<int> check_recording(MemoryBudget& budget) const {
    TW_ASSIGN(CoverageTable coverage, CoverageTable::make(budget.pool()));
    const auto take = [&](const recorder::CoverageRow& row) { return coverage.add(row); };
    std::optional<ScratchFolder> scratch;
    TW_ASSIGN(const auto log, find_and_read_log(scratch, budget));
    TW_ASSIGN(const recorder::RecordingCheck check,
              recorder::check_recording(recording_dir_, budget, take, log ? &*log : nullptr));
    add_run_rows(check.row_count);
    if (log && check.as_in_log_count == 0) {
      warn(
          "the log gives none of these files whole, so they were checked by themselves; name "
          "another log with --wal if it is not theirs");
    }
    TW_ASSIGN(const auto table, coverage.finish());
    TW_TRY(print_table(*table));
    if (coverage.left_out_count() != 0) {
      warn("{} rows of the coverage were checked and are not shown, because {} are the most",
           coverage.left_out_count(), CoverageTable::kRowsMax);
    }
    return check.failed_count == 0 ? 0 : 1;
  }

  std::filesystem::path recording_dir_;
  LogOption log_;
  DataOption data_;
  WorkOptions work_;
  VerifyOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() { return std::make_unique<VerifyCommand>(); }

}  // namespace tapeworks
