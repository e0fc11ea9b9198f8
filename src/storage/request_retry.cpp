#include "storage/request_retry.h"

#include <algorithm>
#include <cstdlib>

#include "base/units.h"

namespace tapeworks {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultPatience{30'000};
constexpr milliseconds kFirstPause{100};
constexpr int64_t kDoublingsMax = 5;

}  // namespace

Result<milliseconds> request_patience() {
  const char* const text = std::getenv("TAPEWORKS_STORE_PATIENCE");
  if (text == nullptr) return kDefaultPatience;
  auto duration = parse_duration(text);
  if (!duration) {
    return invalid_argument("TAPEWORKS_STORE_PATIENCE: {}", duration.error().message);
  }
  return *duration;
}

milliseconds pause_after(int64_t attempt) {
  return kFirstPause * (int64_t{1} << std::min(attempt, kDoublingsMax));
}

bool is_worth_another_attempt(int64_t attempt, milliseconds patience) {
  milliseconds waited{0};
  for (int64_t i = 0; i <= attempt && waited <= patience; ++i) waited += pause_after(i);
  return waited <= patience;
}

}  // namespace tapeworks
