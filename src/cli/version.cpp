#include "cli/version.h"

#include <arrow/config.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tapeworks_version.h"

namespace tapeworks {

std::string version_text() {
  return fmt::format("tapeworks {} (commit {}, Arrow {}, SIMD {})\n", TAPEWORKS_VERSION,
                     TAPEWORKS_COMMIT, arrow::GetBuildInfo().version_string,
                     arrow::GetRuntimeInfo().simd_level);
}

std::string version_json() {
  const nlohmann::ordered_json version{{"version", TAPEWORKS_VERSION},
                                       {"commit", TAPEWORKS_COMMIT},
                                       {"arrow_version", arrow::GetBuildInfo().version_string},
                                       {"simd_level", arrow::GetRuntimeInfo().simd_level}};
  return version.dump() + "\n";
}

}  // namespace tapeworks
