#include "pipeline/refresh_history.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/thread_tasks.h"
#include "storage/input_file.h"
#include "storage/object_store.h"

namespace tapeworks {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr double kFullUpToSeconds = 30 * 60;
constexpr double kConsiderUpToSeconds = 2 * 3600;
constexpr double kVerifiedUpToSeconds = 24 * 3600;

/// run.json of a generation; an empty object when it cannot be read.
json read_run_info(const std::filesystem::path& generation) {
  if (generation.empty()) return json::object();
  const auto text = read_input_text(generation / "run.json");
  if (!text) return json::object();
  json run = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return run.is_object() ? run : json::object();
}

std::optional<MeasuredRun> run_of(const json& refreshes, const char* name) {
  const auto found = refreshes.find(name);
  if (found == refreshes.end() || !found->is_object()) return std::nullopt;
  MeasuredRun run;
  const auto ended = found->find("ended_s");
  const auto seconds = found->find("seconds");
  const auto bytes = found->find("input_bytes");
  if (ended == found->end() || !ended->is_number_integer() || seconds == found->end() ||
      !seconds->is_number() || bytes == found->end() || !bytes->is_number_unsigned()) {
    return std::nullopt;
  }
  run.ended_s = ended->get<int64_t>();
  run.seconds = seconds->get<double>();
  run.input_bytes = bytes->get<uint64_t>();
  return run;
}

std::optional<int64_t> time_of(const json& refreshes, const char* name) {
  const auto found = refreshes.find(name);
  if (found == refreshes.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

ordered_json json_of(const MeasuredRun& run) {
  ordered_json entry;
  entry["ended_s"] = run.ended_s;
  entry["seconds"] = run.seconds;
  entry["input_bytes"] = run.input_bytes;
  return entry;
}

double expected_seconds(const MeasuredRun& run, uint64_t input_bytes) {
  if (run.input_bytes == 0) return run.seconds;
  return run.seconds * static_cast<double>(input_bytes) / static_cast<double>(run.input_bytes);
}

}  // namespace

uint64_t listed_input_bytes(const std::filesystem::path& generation) {
  const json run = read_run_info(generation);
  const std::string command = run.value("command", json()).dump();
  const auto inputs = run.find("inputs");
  if ((command != "\"run\"" && command != "\"etl\"") || inputs == run.end() ||
      !inputs->is_array()) {
    return 0;
  }
  std::vector<std::filesystem::path> paths;
  std::vector<uint64_t> sizes;  // as noted, until they are known as they are now
  for (const json& input : *inputs) {
    if (!input.is_object() || !input.contains("path") || !input["path"].is_string()) continue;
    paths.emplace_back(input["path"].get<std::string>());
    const auto noted = input.find("bytes");
    const bool is_noted = noted != input.end() && noted->is_number_unsigned();
    sizes.push_back(is_noted ? noted->get<uint64_t>() : 0);
  }
  const ImpatientRequests impatient;  // a store that does not answer is not worth waiting for
  const Status looked =
      run_tasks(paths.size(), opening_thread_count(paths), [&](size_t index, size_t) -> Status {
        TW_ASSIGN(const InputStatus status, status_of_input(paths[index]));
        sizes[index] = status.byte_count;
        return {};
      });
  static_cast<void>(looked);  // the sizes that were noted stand for those that nobody told
  return std::accumulate(sizes.begin(), sizes.end(), uint64_t{0});
}

RefreshHistory read_refresh_history(const std::filesystem::path& generation) {
  RefreshHistory history;
  const json run = read_run_info(generation);
  const auto refreshes = run.find("refreshes");
  if (refreshes == run.end() || !refreshes->is_object()) return history;
  history.full = run_of(*refreshes, "full");
  history.incremental = run_of(*refreshes, "incremental");
  history.summary_verified_s = time_of(*refreshes, "summary_verified_s");
  history.pnl_verified_s = time_of(*refreshes, "pnl_verified_s");
  return history;
}

std::optional<int64_t> RefreshHistory::all_verified_s() const {
  if (!summary_verified_s || !pnl_verified_s) return std::nullopt;
  return std::min(*summary_verified_s, *pnl_verified_s);
}

void add_refresh_history(const RefreshHistory& history, ordered_json& run_info) {
  ordered_json refreshes = ordered_json::object();
  if (history.full) refreshes["full"] = json_of(*history.full);
  if (history.incremental) refreshes["incremental"] = json_of(*history.incremental);
  if (history.summary_verified_s) refreshes["summary_verified_s"] = *history.summary_verified_s;
  if (history.pnl_verified_s) refreshes["pnl_verified_s"] = *history.pnl_verified_s;
  run_info["refreshes"] = std::move(refreshes);
}

bool is_verification_due(std::optional<int64_t> verified_s, int64_t now_s,
                         std::chrono::milliseconds verify_every) {
  if (!verified_s) return true;
  return std::chrono::seconds{now_s - *verified_s} >= verify_every;
}

std::string_view to_string(RefreshAdvice advice) {
  switch (advice) {
    case RefreshAdvice::kFull:
      return "full";
    case RefreshAdvice::kConsiderIncremental:
      return "full or incremental";
    case RefreshAdvice::kIncremental:
      return "incremental";
    case RefreshAdvice::kIncrementalOnly:
      break;
  }
  return "incremental only";
}

RefreshPlan plan_refresh(const RefreshHistory& history, uint64_t input_bytes) {
  RefreshPlan plan;
  if (history.incremental) {
    plan.incremental_seconds = expected_seconds(*history.incremental, input_bytes);
  }
  if (!history.full) {
    plan.reason = "no full run has been measured; the next one will be";
    return plan;
  }
  const double seconds = expected_seconds(*history.full, input_bytes);
  plan.full_seconds = seconds;
  if (seconds < kFullUpToSeconds) {
    plan.reason = "a full run takes less than 30 minutes and heals itself whatever was corrected";
  } else if (seconds < kConsiderUpToSeconds) {
    plan.advice = RefreshAdvice::kConsiderIncremental;
    plan.reason = "a full run takes between 30 minutes and 2 hours";
  } else if (seconds < kVerifiedUpToSeconds) {
    plan.advice = RefreshAdvice::kIncremental;
    plan.reason = "a full run takes more than 2 hours; let --incremental verify itself in between";
  } else {
    plan.advice = RefreshAdvice::kIncrementalOnly;
    plan.reason = "a full run takes more than a day, so that daily ones cannot keep up";
  }
  return plan;
}

int64_t unix_now_s() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace tapeworks
