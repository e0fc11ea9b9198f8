// Feeds arbitrary answers about past trades to the decoder and to the search for a gap, and checks
// what both promise.
//
//   build/clang/src/recorder/protocol/trade_page_fuzz -max_total_time=600
//
// An input is the place of a venue, the gap's first number, its length in tens, its minutes, and
// answers, one a line. A line that begins with '!' is a status, of the character behind it.

#include <algorithm>
#include <array>
#include <charconv>

#include "recorder/protocol/decode_fuzz_test_support.h"
#include "recorder/protocol/trade_backfill.h"
#include "recorder/protocol/trade_page.h"

using namespace tapeworks::recorder;
using std::chrono::seconds;

namespace {

constexpr size_t kHeaderBytes = 4;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kEpoch = 1'700'000'000;  // seconds
constexpr std::array kStatuses{400, 403, 408, 418, 429, 500};

TradeGap gap_of(const uint8_t* header) {
  TradeGap gap;
  gap.venue = kVenues[header[0] % kVenues.size()];
  gap.symbol = "BTC_USDT";
  gap.from = 1 + header[1];
  gap.to = gap.from + 10 * header[2];
  gap.from_ns = kEpoch * kSecondNs;
  gap.to_ns = gap.from_ns + header[3] * 60 * kSecondNs;
  return gap;
}

void require_page(Venue venue, std::string_view body) {
  static DecodedFrame decoded;
  const bool is_page = decode_trade_page(venue, "BTC_USDT", body, decoded).has_value();
  const auto rows = decoded.rows();
  require(is_page || rows.empty());
  require(std::ranges::is_sorted(rows, {}, [](const EventRow& row) { return *row.sequence; }));
  for (const EventRow& row : rows) {
    require(row.stream == Stream::kTrade);
    require_sound(row, TradeId::kOptional);  // KuCoin's answers may lack it
  }
}

/// The number behind `name` in a query.
std::optional<int64_t> number_of(std::string_view target, std::string_view name) {
  const size_t begin = target.find(name);
  if (begin == std::string_view::npos) return std::nullopt;
  int64_t number = 0;
  std::from_chars(target.data() + begin + name.size(), target.data() + target.size(), number);
  return number;
}

/// Requests stay inside the gap and never go back.
class TargetJudge {
 public:
  explicit TargetJudge(const TradeGap& gap) : gap_(gap) {}

  void judge(std::string_view target) {
    for (const std::string_view name : {"fromId=", "last_id="}) {
      const auto number = number_of(target, name);
      if (!number) continue;
      require(gap_.from - 1 <= *number && *number <= gap_.to && last_number_ <= *number);
      last_number_ = *number;
    }
    const auto from = number_of(target, "&from=");
    const auto to = number_of(target, "&to=");
    if (!from || !to) return;
    require(*from < *to && *from >= last_second_);
    require(*from >= kEpoch - 60 && *to <= gap_.to_ns / kSecondNs + 60);
    last_second_ = *from;
  }

 private:
  const TradeGap& gap_;
  int64_t last_number_ = 0;
  int64_t last_second_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kHeaderBytes) return 0;
  const TradeGap gap = gap_of(data);
  std::string_view rest(reinterpret_cast<const char*>(data) + kHeaderBytes, size - kHeaderBytes);
  HistoryBudget budget = history_budget_of(gap.venue);
  TradeBackfill backfill(gap.venue, budget);
  TargetJudge targets(gap);
  SteadyTime now{0};
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    require_page(gap.venue, line);
    backfill.set_open_gaps({&gap, 1}, now);
    now += TradeBackfill::kBanPauseMin;
    const auto request = backfill.next_request(now);
    require(request && !backfill.next_request(now));
    targets.judge(request->target);
    RestReply reply{200, line};
    if (line.size() > 1 && line[0] == '!') {
      reply.status = kStatuses[static_cast<unsigned char>(line[1]) % kStatuses.size()];
    }
    const auto outcome = backfill.on_reply(reply, now);
    require(!outcome.has_rows || reply.status == 200);
    require(!outcome.end || *outcome.end == BackfillEnd::kFilled || !outcome.why.empty());
    if (!outcome.end) continue;
    // It is over, though the gap is said to be open.
    backfill.set_open_gaps({&gap, 1}, now);
    require(backfill.waiting_count() == 0 && !backfill.next_request(now + seconds(3600)));
    break;
  }
  return 0;
}
