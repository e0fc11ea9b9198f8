#include "recorder/protocol/sequence.h"

#include <algorithm>
#include <bit>

#include "base/random.h"

namespace tapeworks::recorder {
namespace {

/// Streams that hardly ever speak get no whole window.
constexpr size_t kSmallWindowRows = 16;

/// Adds values to a fingerprint one by one; each position counts.
class Fingerprint {
 public:
  void add(uint64_t bits) { state_ = mix_bits(state_ ^ bits) + 0x9e3779b97f4a7c15; }
  void add(std::string_view text) {
    add(text.size());
    uint64_t word = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      word = word << 8 | static_cast<unsigned char>(text[i]);
      if (i % 8 == 7) add(word);
    }
    add(word);
  }
  template <typename T>
  void add(const std::optional<T>& value) {
    add(uint64_t{value.has_value()});
    if (!value) return;
    if constexpr (std::is_same_v<T, double>) {
      add(std::bit_cast<uint64_t>(*value));
    } else {
      add(static_cast<uint64_t>(*value));
    }
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0x74617065776f726b;
};

}  // namespace

SequenceClass sequence_class_of(Venue venue, Stream stream) {
  const bool binance = venue == Venue::kBinanceSpot || venue == Venue::kBinanceSpotSbe ||
                       venue == Venue::kBinanceUsdm;
  if (binance && stream == Stream::kTrade) return SequenceClass::kContiguous;
  if (venue == Venue::kKucoinSpot && stream == Stream::kL5) return SequenceClass::kNone;
  return SequenceClass::kRising;
}

bool has_merge_key(Venue venue, Stream stream) {
  if (stream == Stream::kTrade) return true;
  // KuCoin's tickers are samples: two connections are sent different ones.
  return stream == Stream::kBook && venue != Venue::kKucoinSpot && venue != Venue::kKucoinFutures;
}

uint64_t row_fingerprint(const EventRow& row) {
  Fingerprint fingerprint;
  fingerprint.add(static_cast<uint64_t>(row.stream));
  fingerprint.add(std::string_view(row.symbol));
  fingerprint.add(row.event_time_ns);
  fingerprint.add(row.exchange_time_ns);
  fingerprint.add(row.sequence);
  fingerprint.add(std::string_view(row.trade_id));
  fingerprint.add(row.side);
  fingerprint.add(row.price);
  fingerprint.add(row.quantity);
  fingerprint.add(row.quantity_unit);
  for (const auto* side : {&row.bids, &row.asks}) {
    for (const Level& level : *side) {
      fingerprint.add(level.price);
      fingerprint.add(level.quantity);
    }
  }
  // Not the flags: the skew among them depends on when the copy arrived.
  fingerprint.add(std::string_view(row.raw));
  return std::max<uint64_t>(fingerprint.value(), 1);
}

bool SequenceTracker::was_seen(int64_t sequence, uint64_t fingerprint) const {
  return std::ranges::any_of(window_, [&](const Seen& seen) {
    return seen.sequence == sequence && seen.fingerprint == fingerprint;
  });
}

/// By doubling, windows of quiet streams would grow for hours and leave their old memory behind.
void SequenceTracker::add_to_window(Seen seen) {
  if (window_.size() == kSmallWindowRows) window_.reserve(window_rows_);
  window_.push_back(seen);
}

void SequenceTracker::remember(int64_t sequence, uint64_t fingerprint) {
  if (window_rows_ == 0 || fingerprint == 0) return;
  if (window_.size() < window_rows_) {
    add_to_window({sequence, fingerprint});
    return;
  }
  forgotten_to_ = std::max(forgotten_to_, window_[window_next_].sequence);
  window_[window_next_] = {sequence, fingerprint};
  window_next_ = (window_next_ + 1) % window_rows_;
}

bool SequenceTracker::misses(int64_t sequence) const {
  return std::ranges::any_of(holes_, [&](const MissingNumbers& hole) {
    return hole.from <= sequence && sequence <= hole.to;
  });
}

int64_t SequenceTracker::missing_count(int64_t from, int64_t to) const {
  int64_t count = 0;
  for (const MissingNumbers& hole : holes_) {
    count += std::max<int64_t>(0, std::min(hole.to, to) - std::max(hole.from, from) + 1);
  }
  return count;
}

bool SequenceTracker::has_seen(int64_t sequence) const {
  return std::ranges::any_of(window_, [&](const Seen& seen) { return seen.sequence == sequence; });
}

/// In its place, the oldest first. Gives the one that had to go because they were too many.
std::optional<MissingNumbers> SequenceTracker::add_hole(
    std::vector<MissingNumbers>::iterator before, MissingNumbers hole, size_t count_max) {
  holes_.insert(before, hole);
  if (holes_.size() <= count_max) return std::nullopt;
  const MissingNumbers oldest = holes_.front();
  holes_.erase(holes_.begin());
  return oldest;
}

/// The parts stand where the hole was, so that they are not younger than it.
bool SequenceTracker::fill_hole(int64_t sequence, std::optional<MissingNumbers>& forgotten) {
  auto hole = std::ranges::find_if(holes_, [&](const MissingNumbers& candidate) {
    return candidate.from <= sequence && sequence <= candidate.to;
  });
  if (hole == holes_.end()) return false;
  const int64_t from = hole->from;
  if (sequence == hole->to) {
    hole = holes_.erase(hole);
  } else {
    hole->from = sequence + 1;
  }
  if (from == sequence) return true;
  forgotten = add_hole(hole, {from, sequence - 1}, kHolePartsMax);
  return true;
}

SequenceFinding SequenceTracker::judge(int64_t sequence, uint64_t fingerprint,
                                       const std::optional<OtherCopy>& other) {
  using Kind = SequenceFinding::Kind;
  if (!any_) {
    any_ = true;
    first_ = sequence;
    last_ = sequence;
    return {};
  }
  if (sequence > last_) {
    SequenceFinding finding;
    // last_ + 1 cannot overflow, since something is greater.
    if (sequence_class_ == SequenceClass::kContiguous && sequence > last_ + 1) {
      finding = {Kind::kHole, last_ + 1, sequence - 1, connection_changed_};
      finding.forgotten = add_hole(holes_.end(), {finding.missing_from, finding.missing_to},
                                   std::max(holes_.size(), kHolesMax));
    }
    last_ = sequence;
    connection_changed_ = false;
    return finding;
  }
  if (fingerprint != 0 && was_seen(sequence, fingerprint)) return {Kind::kRepeat};
  if (sequence_class_ == SequenceClass::kContiguous) {
    SequenceFinding late{Kind::kLate};
    if (fill_hole(sequence, late.forgotten)) return late;
    // A placeholder has no values to compare; its number again is no news.
    if (fingerprint == 0 && sequence == last_) return {Kind::kRepeat};
    if (other && other->covers(sequence)) return {Kind::kRepeat};
    if (other && other->began_later && sequence < first_) return begin_earlier(sequence);
  } else if (sequence == last_ || other) {
    return judge_rising(sequence, other);
  }
  first_ = sequence;
  last_ = sequence;
  holes_.clear();
  return {Kind::kReset};
}

/// What is between the new first number and the old one is missing until it comes.
SequenceFinding SequenceTracker::begin_earlier(int64_t sequence) {
  SequenceFinding finding{SequenceFinding::Kind::kEarlier, sequence + 1, first_ - 1};
  if (finding.missing_from <= finding.missing_to) {
    finding.forgotten = add_hole(holes_.begin(), {finding.missing_from, finding.missing_to},
                                 std::max(holes_.size(), kHolesMax));
  }
  first_ = sequence;
  return finding;
}

/// A number that is not above the last one, of a row that the window does not have.
SequenceFinding SequenceTracker::judge_rising(int64_t sequence,
                                              const std::optional<OtherCopy>& other) const {
  using Kind = SequenceFinding::Kind;
  const bool is_last = sequence == last_;
  // Unchanged snapshots are pushed again, and each push counts.
  if (is_last && window_rows_ == 0) return {};
  // Where the window does not reach, only what a whole connection has brought tells a copy.
  const bool window_knows = window_rows_ > 0 && sequence > forgotten_to_;
  if (other && other->covers(sequence) && !window_knows) return {Kind::kRepeat};
  return {is_last ? Kind::kInOrder : Kind::kLate};
}

SequenceTracker::Snapshot SequenceTracker::snapshot() const {
  Snapshot snapshot{any_, connection_changed_, last_, {}, {}};
  for (size_t i = 0; i < window_.size(); ++i) {
    const Seen& seen = window_[(window_next_ + i) % window_.size()];
    snapshot.window.emplace_back(seen.sequence, seen.fingerprint);
  }
  for (const MissingNumbers& hole : holes_) snapshot.holes.emplace_back(hole.from, hole.to);
  return snapshot;
}

void SequenceTracker::restore(const Snapshot& snapshot) {
  any_ = snapshot.any;
  connection_changed_ = snapshot.connection_changed;
  last_ = snapshot.last;
  window_.clear();
  window_next_ = 0;
  for (const auto& [sequence, fingerprint] : snapshot.window) {
    add_to_window({sequence, fingerprint});
  }
  holes_.clear();
  for (const auto& [from, to] : snapshot.holes) holes_.push_back({from, to});
}

SequenceFinding SequenceTracker::observe(int64_t sequence, uint64_t fingerprint,
                                         const std::optional<OtherCopy>& other) {
  const SequenceFinding finding = judge(sequence, fingerprint, other);
  if (finding.kind != SequenceFinding::Kind::kRepeat) remember(sequence, fingerprint);
  return finding;
}

}  // namespace tapeworks::recorder
