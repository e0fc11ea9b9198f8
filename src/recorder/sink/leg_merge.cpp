#include "recorder/sink/leg_merge.h"

#include <algorithm>

namespace tapeworks::recorder {

std::optional<OtherCopy> LegMerge::other_copy(const Session& session, int64_t sequence) const {
  const Leg& own = legs_[session.leg];
  const Leg& other = legs_[1 - session.leg];
  if (other.session_lsn == 0) return std::nullopt;
  for (const Brought& brought : earlier_[1 - session.leg]) {
    const OtherCopy copy{brought.first, brought.last};
    if (brought.behind_session_lsn == session.lsn && copy.covers(sequence)) return copy;
  }
  const OtherCopy copy{other.first, other.last, other.first_lsn > session.lsn};
  const bool is_first = own.session_lsn != session.lsn;
  const bool is_in_order = !is_first && sequence > own.last;
  // Where the other leg was there already when this socket was made, all that it is sent is newer,
  // and a lower number the first one after a reset.
  const bool begins_earlier = is_first && copy.began_later && sequence < copy.first;
  if (is_in_order || begins_earlier || copy.covers(sequence)) return copy;
  return std::nullopt;
}

void LegMerge::note(const Session& session, int64_t sequence, uint64_t lsn,
                    uint64_t other_session_lsn) {
  Leg& leg = legs_[session.leg];
  const Leg& other = legs_[1 - session.leg];
  if (leg.session_lsn != session.lsn) {
    const bool has_passed = other.session_lsn == other_session_lsn && other.last >= leg.last;
    if (leg.session_lsn != 0 && other_session_lsn != 0 && !has_passed) {
      std::vector<Brought>& own = earlier_[session.leg];
      if (own.size() >= kEarlierMax) own.erase(own.begin());
      own.push_back({leg.first, leg.last, other_session_lsn});
    }
    leg = {session.lsn, sequence, sequence, lsn};
  }
  leg.last = std::max(leg.last, sequence);
  std::erase_if(earlier_[1 - session.leg], [&](const Brought& brought) {
    return brought.behind_session_lsn != session.lsn || brought.last <= leg.last;
  });
}

bool LegMerge::await(const Session& session, uint64_t other_session_lsn,
                     const SequenceFinding& hole) {
  const Leg& other = legs_[1 - session.leg];
  // A leg that has brought nothing yet begins somewhere; only one that has goes on from there.
  if (other_session_lsn == 0 || other.session_lsn != other_session_lsn) return false;
  if (holes_.size() == kHolesMax) return false;
  holes_.push_back({hole.missing_from, hole.missing_to,
                    Session{static_cast<uint8_t>(1 - session.leg), other_session_lsn},
                    hole.across_connections});
  return true;
}

bool LegMerge::await_between(const Session& session, const SequenceFinding& earlier) {
  if (holes_.size() == kHolesMax) return false;
  holes_.push_back({earlier.missing_from, earlier.missing_to, session, false});
  return true;
}

bool LegMerge::fill(int64_t sequence) {
  const auto found = std::ranges::find_if(
      holes_, [&](const OpenHole& hole) { return hole.from <= sequence && sequence <= hole.to; });
  if (found == holes_.end()) return false;
  OpenHole before = *found;
  OpenHole after = *found;
  before.to = sequence - 1;
  after.from = sequence + 1;
  holes_.erase(found);
  for (const OpenHole& rest : {before, after}) {
    if (rest.from <= rest.to) holes_.push_back(rest);
  }
  return true;
}

std::vector<LegMerge::OpenHole> LegMerge::take_lost(const Session& session, int64_t sequence,
                                                    const std::array<uint64_t, 2>& session_lsns) {
  std::vector<OpenHole> lost;
  std::erase_if(holes_, [&](const OpenHole& hole) {
    const bool is_passed =
        hole.awaited.leg == session.leg && hole.awaited.lsn == session.lsn && sequence > hole.to;
    if (!is_passed && session_lsns[hole.awaited.leg] == hole.awaited.lsn) return false;
    lost.push_back(hole);
    return true;
  });
  return lost;
}

void LegMerge::save_begins(ByteWriter& out) const {
  for (const Leg& leg : legs_) out.put(leg.first_lsn);
}

void LegMerge::load_begins(ByteReader& in) {
  for (Leg& leg : legs_) leg.first_lsn = in.take<uint64_t>();
}

void LegMerge::save_earlier(ByteWriter& out) const {
  for (const std::vector<Brought>& of_leg : earlier_) {
    out.put(static_cast<uint32_t>(of_leg.size()));
    for (const Brought& brought : of_leg) {
      out.put(brought.first);
      out.put(brought.last);
      out.put(brought.behind_session_lsn);
    }
  }
}

void LegMerge::load_earlier(ByteReader& in) {
  for (std::vector<Brought>& of_leg : earlier_) {
    of_leg.resize(in.take_count(2 * sizeof(int64_t) + sizeof(uint64_t)));
    for (Brought& brought : of_leg) {
      brought.first = in.take<int64_t>();
      brought.last = in.take<int64_t>();
      brought.behind_session_lsn = in.take<uint64_t>();
    }
  }
}

void LegMerge::save(ByteWriter& out) const {
  for (const Leg& leg : legs_) {
    out.put(leg.session_lsn);
    out.put(leg.first);
    out.put(leg.last);
  }
  out.put(static_cast<uint32_t>(holes_.size()));
  for (const OpenHole& hole : holes_) {
    out.put(hole.from);
    out.put(hole.to);
    out.put(hole.awaited.leg);
    out.put(hole.awaited.lsn);
    out.put(uint8_t{hole.across_connections});
  }
}

LegMerge LegMerge::load(ByteReader& in) {
  LegMerge merge;
  for (Leg& leg : merge.legs_) {
    leg.session_lsn = in.take<uint64_t>();
    leg.first = in.take<int64_t>();
    leg.last = in.take<int64_t>();
  }
  const size_t count = in.take_count(8 + 8 + 1 + 8 + 1);
  for (size_t i = 0; i < count; ++i) {
    OpenHole& hole = merge.holes_.emplace_back();
    hole.from = in.take<int64_t>();
    hole.to = in.take<int64_t>();
    hole.awaited.leg = in.take_flag() ? 1 : 0;
    hole.awaited.lsn = in.take<uint64_t>();
    hole.across_connections = in.take_flag();
  }
  return merge;
}

}  // namespace tapeworks::recorder
