#include "recorder/sink/trade_holes.h"

#include <algorithm>
#include <utility>

namespace tapeworks::recorder {

bool TradeHoles::add(TradeHole hole, int64_t began_ns, int64_t now_ns) {
  if (now_ns - began_ns > kKeptNs) return false;
  if (holes_.size() == kHolesMax) {
    const auto done =
        std::ranges::find_if(holes_, [&](const TradeHole& old) { return !is_open(old, now_ns); });
    if (done == holes_.end()) return false;
    holes_.erase(done);
  }
  hole.next = hole.from;
  hole.fetched_from = hole.from;
  holes_.push_back(std::move(hole));
  return true;
}

void TradeHoles::give_up(int64_t from, int64_t to) {
  for (TradeHole& hole : holes_) hole.is_over |= hole.from <= to && from <= hole.to;
}

TradeHole* TradeHoles::find_open(int64_t from, int64_t to, int64_t now_ns) {
  const auto found = std::ranges::find_if(holes_, [&](const TradeHole& hole) {
    return hole.from == from && hole.to == to && is_open(hole, now_ns);
  });
  return found == holes_.end() ? nullptr : &*found;
}

bool TradeHoles::covers(int64_t sequence, int64_t now_ns) const {
  return std::ranges::any_of(holes_, [&](const TradeHole& hole) {
    return hole.covers(sequence) && now_ns - hole.to_ns <= kLateNs;
  });
}

void TradeHoles::save(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(holes_.size()));
  for (const TradeHole& hole : holes_) {
    out.put(hole.from);
    out.put(hole.to);
    out.put(hole.next);
    out.put(hole.row_count);
    out.put(uint8_t{hole.is_over});
    out.put(hole.connection);
    out.put(hole.cause);
    out.put(uint8_t{hole.from_ns.has_value()});
    out.put(hole.from_ns.value_or(0));
    out.put(hole.to_ns);
  }
}

TradeHoles TradeHoles::load(ByteReader& in) {
  constexpr size_t kHoleBytesMin = 8 + 8 + 8 + 8 + 1 + 4 + 4 + 1 + 8 + 8;
  TradeHoles holes;
  const size_t count = in.take_count(kHoleBytesMin);
  for (size_t i = 0; i < count; ++i) {
    TradeHole& hole = holes.holes_.emplace_back();
    hole.from = in.take<int64_t>();
    hole.to = in.take<int64_t>();
    hole.next = in.take<int64_t>();
    hole.fetched_from = hole.from;  // as far as an earlier version knew
    hole.row_count = in.take<uint64_t>();
    hole.is_over = in.take_flag();
    hole.connection = in.take<uint32_t>();
    hole.cause = in.take_text();
    const bool has_from = in.take_flag();
    const auto from_ns = in.take<int64_t>();
    if (has_from) hole.from_ns = from_ns;
    hole.to_ns = in.take<int64_t>();
    hole.search_from_ns = hole.from_ns.value_or(hole.to_ns);  // as far as an earlier version knew
  }
  return holes;
}

void TradeHoles::save_bounds(ByteWriter& out) const {
  out.put(static_cast<uint32_t>(holes_.size()));
  for (const TradeHole& hole : holes_) {
    out.put(hole.fetched_from);
    out.put(hole.search_from_ns);
  }
}

void TradeHoles::load_bounds(ByteReader& in) {
  constexpr size_t kHoleBytes = 8 + 8;
  const size_t count = in.take_count(kHoleBytes);
  for (size_t i = 0; i < count; ++i) {
    TradeHole unknown;
    TradeHole& hole = i < holes_.size() ? holes_[i] : unknown;
    hole.fetched_from = in.take<int64_t>();
    hole.search_from_ns = in.take<int64_t>();
  }
}

}  // namespace tapeworks::recorder
