#pragma once

#include <string>

#include <CLI/App.hpp>

#include "base/result.h"

namespace tapeworks {

/// --clock=script:FILE of the commands that keep time: a clock for tests (net/clock_script.h). Only
/// builds with TAPEWORKS_TEST_CLOCK have it; others do not know the option.
class TestClockOption {
 public:
  void describe(CLI::App& app);
  /// See recorder::use_test_clock().
  Status apply() const;

 private:
  std::string clock_;
};

}  // namespace tapeworks
