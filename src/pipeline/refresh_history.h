#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace tapeworks {

/// How long a `run` took, up to its publication.
struct MeasuredRun {
  int64_t ended_s = 0;  ///< since 1970, UTC
  double seconds = 0;
  uint64_t input_bytes = 0;  ///< of all inputs, also those that were not read again
};

/// What is known of earlier runs: field `refreshes` of run.json, which every command that publishes
/// carries from one generation to the next.
struct RefreshHistory {
  std::optional<MeasuredRun> full;
  std::optional<MeasuredRun> incremental;
  /// When the summary was last made of the whole input, or compared with what is made of it.
  std::optional<int64_t> summary_verified_s;
  /// Likewise the tables of profit and loss, of the whole summary.
  std::optional<int64_t> pnl_verified_s;

  /// Both of them; nothing when one was never verified.
  std::optional<int64_t> all_verified_s() const;
};

/// Empty where a generation says nothing of it; never an error, because nothing depends on it but
/// advice and the day of the next verification.
RefreshHistory read_refresh_history(const std::filesystem::path& generation);
void add_refresh_history(const RefreshHistory& history, nlohmann::ordered_json& run_info);

/// The size now of the files and objects that run.json of a generation lists as inputs of `etl` or
/// `run`, or what it notes of those whose store does not answer; 0 where it lists none.
uint64_t listed_input_bytes(const std::filesystem::path& generation);

/// What has never been verified is due.
bool is_verification_due(std::optional<int64_t> verified_s, int64_t now_s,
                         std::chrono::milliseconds verify_every);

/// Whether to refresh in full or incrementally, by how long a full run is expected to take (design
/// D6): up to 30 minutes, up to 2 hours, up to a day, and above that.
enum class RefreshAdvice { kFull, kConsiderIncremental, kIncremental, kIncrementalOnly };
std::string_view to_string(RefreshAdvice advice);

struct RefreshPlan {
  RefreshAdvice advice = RefreshAdvice::kFull;
  std::string reason;
  std::optional<double> full_seconds;         ///< expected; nothing when none was measured
  std::optional<double> incremental_seconds;  ///< likewise
};
/// `input_bytes` is the size of the input now. Full runs grow with it, increments as well, because
/// they merge and encode everything that changed.
RefreshPlan plan_refresh(const RefreshHistory& history, uint64_t input_bytes);

/// Unix seconds now.
int64_t unix_now_s();

}  // namespace tapeworks
