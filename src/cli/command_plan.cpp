#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/chrono.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/pipeline_options.h"
#include "pipeline/refresh_history.h"
#include "storage/generation_store.h"

namespace tapeworks {
namespace {

std::string utc_text(int64_t unix_s) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_s)));
}

class PlanCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    data_.describe(app);
    verify_every_option_.describe(app);
  }

  Status check() override {
    TW_ASSIGN(const auto every, verify_every_option_.resolve());
    verify_every_ = std::chrono::duration_cast<std::chrono::seconds>(every);
    return {};
  }

  Result<int> run() override {
    TW_ASSIGN(const GenerationReader generation, GenerationReader::open(data_.data_dir));
    const RefreshHistory history = read_refresh_history(generation.path());
    const RefreshPlan plan = plan_refresh(history, input_bytes_now(generation.path(), history));
    nlohmann::ordered_json record;
    record["refresh"] = to_string(plan.advice);
    record["reason"] = plan.reason;
    if (plan.full_seconds) record["expected_full_seconds"] = *plan.full_seconds;
    if (plan.incremental_seconds) {
      record["expected_incremental_seconds"] = *plan.incremental_seconds;
    }
    if (history.full) record["last_full"] = utc_text(history.full->ended_s);
    // Where only etl is used there are no other tables to verify.
    const bool has_pnl = generation.manifest().find("pnl") != nullptr;
    const auto verified_s = has_pnl ? history.all_verified_s() : history.summary_verified_s;
    const bool is_due = is_verification_due(verified_s, unix_now_s(), verify_every_);
    record["next_verification"] = is_due ? "due" : utc_text(*verified_s + verify_every_.count());
    TW_TRY(print_records({record}));
    return 0;
  }

 private:
  /// The recorded inputs as they are now; what was added beside them is not known here.
  static uint64_t input_bytes_now(const std::filesystem::path& generation,
                                  const RefreshHistory& history) {
    const uint64_t listed = listed_input_bytes(generation);
    if (listed != 0) return listed;
    const auto& full = history.full;
    const auto& last = history.incremental;
    if (last && (!full || last->ended_s >= full->ended_s)) return last->input_bytes;
    return full ? full->input_bytes : 0;
  }

  DataOption data_;
  VerifyEveryOption verify_every_option_;
  std::chrono::seconds verify_every_{};
};

}  // namespace

std::unique_ptr<Command> make_plan_command() { return std::make_unique<PlanCommand>(); }

}  // namespace tapeworks
