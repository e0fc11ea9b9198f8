// Feeds arbitrary bytes to the parser of broker reports and checks what it promises of every
// record.
//
//   build/clang/src/pipeline/broker_report_fuzz -max_total_time=600

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "pipeline/broker_report.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void check(const tapeworks::BrokerRecord& record) {
  check(!record.broker.empty() && !record.price.empty());
  check(tapeworks::is_utf8(record.broker_name));
  check(record.buy_shares >= 0 && record.sell_shares >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tapeworks::BrokerReportParser parser("fuzz");
  uint64_t record_count = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const bool is_terminated = end != std::string_view::npos;
    if (!parser.add_line(text.substr(0, end), is_terminated)) return 0;
    check(parser.records().size() <= 2);
    for (const auto& record : parser.records()) check(record);
    record_count += parser.records().size();
    text.remove_prefix(is_terminated ? end + 1 : text.size());
  }
  if (const auto totals = parser.finish()) {
    check(totals->record_count == record_count && record_count > 0 && parser.has_symbol());
  }
  return 0;
}
