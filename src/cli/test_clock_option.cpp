#include "cli/test_clock_option.h"

#include <string_view>

#include "base/messages.h"
#include "recorder/net/clock_script.h"

namespace tapeworks {
namespace {

constexpr std::string_view kPrefix = "script:";

}  // namespace

void TestClockOption::describe(CLI::App& app) {
#ifdef TAPEWORKS_TEST_CLOCK
  app.add_option("--clock", clock_, "FOR TESTS: keep the time of a script instead of the real one")
      ->type_name("script:FILE");
#else
  static_cast<void>(app);
#endif
}

Status TestClockOption::apply() const {
  if (clock_.empty()) return {};
  if (!clock_.starts_with(kPrefix)) {
    return invalid_argument("--clock must be script:FILE, not '{}'", clock_);
  }
  TW_ASSIGN(const auto script, net::ClockScript::read(clock_.substr(kPrefix.size())));
  net::use_clock_script(script);
  warn("THE TIME IS NOT REAL: it is that of {}, {} times as fast", clock_.substr(kPrefix.size()),
       script.speed());
  return {};
}

}  // namespace tapeworks
