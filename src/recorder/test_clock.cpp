#include "recorder/test_clock.h"

#include <string_view>

#include "base/messages.h"
#include "recorder/net/clock_script.h"

namespace tapeworks::recorder {
namespace {

constexpr std::string_view kPrefix = "script:";

}  // namespace

Status use_test_clock(const std::string& clock) {
  if (!clock.starts_with(kPrefix)) {
    return invalid_argument("--clock must be script:FILE, not '{}'", clock);
  }
  const std::string file = clock.substr(kPrefix.size());
  TW_ASSIGN(const auto script, net::ClockScript::read(file));
  net::use_clock_script(script);
  warn("THE TIME IS NOT REAL: it is that of {}, {} times as fast", file, script.speed());
  return {};
}

}  // namespace tapeworks::recorder
