#include "recorder/sink/sampled_legs.h"

#include <algorithm>
#include <limits>

namespace tapeworks::recorder {
namespace {

// What follows in a checkpoint.
constexpr uint8_t kNoOwner = 0;
constexpr uint8_t kOwner = 1;
constexpr uint8_t kStandIn = 2;
constexpr uint8_t kNoBorder = 0;
constexpr uint8_t kBorder = 1;
constexpr uint8_t kBorderOfStandIn = 2;

void save_session(const LegMerge::Session& session, ByteWriter& out) {
  out.put(session.leg);
  out.put(session.lsn);
}

LegMerge::Session load_session(ByteReader& in) {
  const uint8_t leg = in.take_flag() ? 1 : 0;
  return {leg, in.take<uint64_t>()};
}

}  // namespace

SampledLegs::Verdict SampledLegs::judge(const Row& row, const LegMerge::Session& active,
                                        bool were_together) {
  // What was sent before a socket had asked for it comes of the other one only, so the active one
  // counts from its first row of the stream on.
  const bool has_spoken =
      row.session == active || (active.lsn != 0 && legs_[active.leg].session_lsn == active.lsn);
  const bool is_owner_gone =
      !were_together || (owner_ && row.session.leg == owner_->leg && row.session != *owner_);
  if (owner_ == active) {
    is_stand_in_ = false;
  } else if (has_spoken) {
    change_owner(row, active, were_together);
    is_stand_in_ = false;
  } else if (!owner_ || is_owner_gone) {
    change_owner(row, row.session, false);
    is_stand_in_ = true;
  }
  // The clock begins again with the machine; a border never outlives its sockets.
  if (border_ && (row.monotonic_ns < border_->from_ns ||
                  row.monotonic_ns - border_->from_ns > kOverlapNsMax)) {
    border_.reset();
  }
  const Position position = note(row);
  if (row.session == *owner_) {
    if (border_ && position <= border_->at) {
      if (border_->may_be_copy(row)) return Verdict::kLeftOut;
      // The numbers have begun again, or what came before is long past.
      if (!border_->may_be_older(row)) border_.reset();
    }
    taken_ = position;
    return Verdict::kTaken;
  }
  const bool is_owed = border_ && row.session.leg == border_->before.leg &&
                       position <= border_->at &&
                       (!border_->accounted || position > *border_->accounted);
  if (!is_owed) return Verdict::kLeftOut;
  // The leg's next socket may begin with it again.
  border_->accounted = position;
  return Verdict::kTakenLate;
}

/// Before `row` counts for any leg: it is the first one behind the change.
void SampledLegs::change_owner(const Row& row, const LegMerge::Session& next_owner,
                               bool were_together) {
  std::optional<Border> border;
  if (owner_ && were_together) {
    // What comes before the last border is the business of the legs before.
    std::optional<Position> accounted = taken_;
    if (border_) accounted = std::max(accounted, std::optional(border_->at));
    const Leg& next = legs_[next_owner.leg];
    const Position begin = next.session_lsn == next_owner.lsn
                               ? next.last
                               : Position{row.number - 1, std::numeric_limits<uint32_t>::max()};
    const Position at = accounted ? std::max(*accounted, begin) : begin;
    const Leg& before = legs_[owner_->leg];
    int64_t floor = before.session_lsn == owner_->lsn ? before.floor : kNoFloor;
    if (border_) floor = std::min(floor, border_->floor);
    border = Border{at, accounted, *owner_, row.monotonic_ns, floor, is_stand_in_};
  }
  border_ = border;
  owner_ = next_owner;
}

SampledLegs::Position SampledLegs::note(const Row& row) {
  Leg& own = legs_[row.session.leg];
  Position position{row.number, 0};
  if (own.session_lsn != row.session.lsn) {
    // What the leg's last socket has brought may come again, but what fell between the two is no
    // copy: better twice than never.
    own.begin_floor(row);
    // A socket that begins while a push is repeated begins with the one that came last.
    const Leg& other = legs_[1 - row.session.leg];
    if (other.session_lsn != 0 && other.last.number == row.number) position = other.last;
  } else if (row.number == own.last.number) {
    position.copy = own.last.copy + 1;
  } else if (row.number < own.last.number) {
    // The numbers have begun again, and those before mean nothing any more.
    border_.reset();
    own.begin_floor(row);
  }
  own.session_lsn = row.session.lsn;
  own.last = position;
  own.raise_floor(row);
  return position;
}

void SampledLegs::Leg::begin_floor(const Row& row) {
  floor = row.number;
  next_floor = row.number;
  next_floor_ns = row.monotonic_ns;
}

void SampledLegs::Leg::raise_floor(const Row& row) {
  if (row.monotonic_ns - next_floor_ns <= kLagNsMax) return;
  floor = next_floor;
  next_floor = row.number;
  next_floor_ns = row.monotonic_ns;
}

void SampledLegs::save_position(const std::optional<Position>& position, ByteWriter& out) {
  out.put(uint8_t{position.has_value()});
  out.put(position.value_or(Position()).number);
  out.put(position.value_or(Position()).copy);
}

std::optional<SampledLegs::Position> SampledLegs::load_position(ByteReader& in) {
  const bool is_there = in.take_flag();
  const auto number = in.take<int64_t>();
  const auto copy = in.take<uint32_t>();
  return is_there ? std::optional(Position{number, copy}) : std::nullopt;
}

void SampledLegs::save(ByteWriter& out) const {
  out.put(owner_ ? is_stand_in_ ? kStandIn : kOwner : kNoOwner);
  if (!owner_) return;
  save_session(*owner_, out);
  save_position(taken_, out);
  for (const Leg& leg : legs_) {
    out.put(leg.session_lsn);
    save_position(leg.last, out);
  }
  out.put(border_ ? border_->is_of_stand_in ? kBorderOfStandIn : kBorder : kNoBorder);
  if (!border_) return;
  save_position(border_->at, out);
  save_position(border_->accounted, out);
  save_session(border_->before, out);
  out.put(border_->from_ns);
}

SampledLegs SampledLegs::load(ByteReader& in) {
  SampledLegs legs;
  const uint64_t owner_kind = in.take_varint_below(kStandIn + 1);
  if (owner_kind == kNoOwner) return legs;
  legs.is_stand_in_ = owner_kind == kStandIn;
  legs.owner_ = load_session(in);
  legs.taken_ = load_position(in);
  for (Leg& leg : legs.legs_) {
    leg.session_lsn = in.take<uint64_t>();
    leg.last = load_position(in).value_or(Position());
  }
  const uint64_t border_kind = in.take_varint_below(kBorderOfStandIn + 1);
  if (border_kind == kNoBorder) return legs;
  Border border;
  border.is_of_stand_in = border_kind == kBorderOfStandIn;
  border.at = load_position(in).value_or(Position());
  border.accounted = load_position(in);
  border.before = load_session(in);
  border.from_ns = in.take<int64_t>();
  legs.border_ = border;
  return legs;
}

void SampledLegs::save_floors(ByteWriter& out) const {
  for (const Leg& leg : legs_) {
    out.put(leg.floor);
    out.put(leg.next_floor);
    out.put(leg.next_floor_ns);
  }
  out.put(border_ ? border_->floor : kNoFloor);
}

void SampledLegs::load_floors(ByteReader& in) {
  for (Leg& leg : legs_) {
    leg.floor = in.take<int64_t>();
    leg.next_floor = in.take<int64_t>();
    leg.next_floor_ns = in.take<int64_t>();
  }
  const auto border_floor = in.take<int64_t>();
  if (border_) border_->floor = border_floor;
}

}  // namespace tapeworks::recorder
