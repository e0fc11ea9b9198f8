#include "pipeline/summary_merge.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/double_double.h"

namespace tapeworks {
namespace {

/// Rows [begin, end) of one broker that count for one code.
struct Piece {
  bool is_null = false;  ///< of the null broker, which comes first
  std::string_view code;
  size_t begin = 0;
  size_t end = 0;

  std::tuple<bool, std::string_view> order() const { return {!is_null, code}; }
};

/// A broker's rows ascend by date, so each of its codes has them in one piece.
void append_pieces(const DailySummary& summary, const BrokerMergers& mergers, size_t begin,
                   size_t end, std::vector<Piece>& pieces) {
  const uint32_t broker = summary.broker_index[begin];
  const std::string_view code = summary.brokers[broker];
  if (summary.has_null_broker && broker == 0) {
    pieces.push_back({true, code, begin, end});
    return;
  }
  const auto dates = std::span(summary.date);
  while (begin < end) {
    const Day last = mergers.last_day_of_successor(code, dates[begin]);
    const auto rest = dates.subspan(begin, end - begin);
    const auto next =
        begin + static_cast<size_t>(std::ranges::upper_bound(rest, last) - rest.begin());
    pieces.push_back({false, mergers.successor(code, dates[begin]), begin, next});
    begin = next;
  }
}

std::vector<Piece> pieces_of(const DailySummary& summary, const BrokerMergers& mergers) {
  std::vector<Piece> pieces;
  for (size_t begin = 0; begin < summary.row_count();) {
    const size_t end = summary.end_of_broker(begin);
    append_pieces(summary, mergers, begin, end, pieces);
    begin = end;
  }
  return pieces;
}

double rounded(const DoubleDouble& sum, AmountWidth width) {
  const double value = sum.value();
  return width == AmountWidth::kFloat32 ? static_cast<double>(static_cast<float>(value)) : value;
}

class Merger {
 public:
  Merger(const DailySummary& in, AmountWidth amounts) : in_(in), amounts_(amounts) {
    out_.symbol = in.symbol;
    out_.has_null_broker = in.has_null_broker;
    out_.reserve_rows(in.row_count());
  }

  /// The pieces of the next broker in order.
  Status add_broker(std::span<const Piece> pieces) {
    out_.brokers.emplace_back(pieces.front().code);
    if (pieces.size() == 1) {
      for (size_t row = pieces[0].begin; row < pieces[0].end; ++row) append_row(row);
      return {};
    }
    rows_.clear();
    for (const Piece& piece : pieces) {
      for (size_t row = piece.begin; row < piece.end; ++row) rows_.push_back(row);
    }
    std::ranges::sort(rows_, {}, [&](size_t row) { return std::pair(in_.date[row], row); });
    for (size_t begin = 0; begin < rows_.size();) {
      size_t end = begin + 1;
      while (end < rows_.size() && in_.date[rows_[end]] == in_.date[rows_[begin]]) ++end;
      TW_TRY(append_sum(std::span(rows_).subspan(begin, end - begin)));
      begin = end;
    }
    return {};
  }

  DailySummary take() { return std::move(out_); }

 private:
  void append(Day date, int32_t buy_shares, int32_t sell_shares, double buy_amount,
              double sell_amount) {
    out_.broker_index.push_back(static_cast<uint32_t>(out_.brokers.size() - 1));
    out_.date.push_back(date);
    out_.buy_shares.push_back(buy_shares);
    out_.sell_shares.push_back(sell_shares);
    out_.buy_amount.push_back(buy_amount);
    out_.sell_amount.push_back(sell_amount);
  }

  void append_row(size_t row) {
    append(in_.date[row], in_.buy_shares[row], in_.sell_shares[row], in_.buy_amount[row],
           in_.sell_amount[row]);
  }

  Status append_sum(std::span<const size_t> rows) {
    if (rows.size() == 1) {
      append_row(rows[0]);
      return {};
    }
    int64_t buy_shares = 0;
    int64_t sell_shares = 0;
    DoubleDouble buy_amount;
    DoubleDouble sell_amount;
    for (const size_t row : rows) {
      buy_shares += in_.buy_shares[row];
      sell_shares += in_.sell_shares[row];
      buy_amount.add(in_.buy_amount[row]);
      sell_amount.add(in_.sell_amount[row]);
    }
    const Day date = in_.date[rows[0]];
    for (const int64_t shares : {buy_shares, sell_shares}) {
      if (shares <= std::numeric_limits<int32_t>::max() &&
          shares >= std::numeric_limits<int32_t>::min()) {
        continue;
      }
      return corrupt(
          "symbol {}, merged broker {}, {}: {} shares do not fit 32 bits; check the map of mergers "
          "and the trades of that day",
          in_.symbol, out_.brokers.back(), to_string(date), shares);
    }
    append(date, static_cast<int32_t>(buy_shares), static_cast<int32_t>(sell_shares),
           rounded(buy_amount, amounts_), rounded(sell_amount, amounts_));
    return {};
  }

  const DailySummary& in_;
  AmountWidth amounts_;
  DailySummary out_;
  std::vector<size_t> rows_;
};

}  // namespace

Result<std::optional<DailySummary>> merge_summary(const DailySummary& summary,
                                                  const BrokerMergers& mergers,
                                                  AmountWidth amounts) {
  std::vector<Piece> pieces = pieces_of(summary, mergers);
  if (std::ranges::all_of(pieces, [&](const Piece& piece) {
        return piece.code == summary.brokers[summary.broker_index[piece.begin]];
      })) {
    return std::nullopt;
  }
  std::ranges::stable_sort(pieces, {}, &Piece::order);
  Merger merger(summary, amounts);
  for (auto begin = pieces.begin(); begin != pieces.end();) {
    auto end = begin + 1;
    while (end != pieces.end() && end->order() == begin->order()) ++end;
    TW_TRY(merger.add_broker(std::span(begin, end)));
    begin = end;
  }
  return merger.take();
}

}  // namespace tapeworks
