#include "cli/test_clock_option.h"

#include "recorder/test_clock.h"

namespace tapeworks {

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
  return recorder::use_test_clock(clock_);
}

}  // namespace tapeworks
