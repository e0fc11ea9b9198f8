#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar_day.h"

namespace tapeworks {

/// What the name of a report's file tells about it: "2330_20230103.csv", "BSR-2023-01-03-00632r".
struct BrokerReportName {
  /// The days that stand in it as YYYYMMDD or YYYY-MM-DD (1990 to 2199), each once, ascending.
  std::vector<Day> days;
  /// Words that look like a symbol: four to six digits and up to two letters. In upper case.
  std::vector<std::string> symbols;

  /// False when the name tells of another symbol than this one.
  bool allows(std::string_view symbol) const;
};

BrokerReportName parse_report_name(std::string_view file_name);

}  // namespace tapeworks
