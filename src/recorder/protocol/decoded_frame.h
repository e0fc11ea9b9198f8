#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/protocol/event.h"
#include "recorder/protocol/json_document.h"

namespace tapeworks::recorder {

/// What a frame turned out to be.
enum class FrameKind : uint8_t {
  kRows,         ///< market data that was asked for; possibly no row, when the list sent is empty
  kPlaceholder,  ///< consumes a trade's number, is no trade
  kWelcome,      ///< the connection may be used now
  kAck,          ///< a subscription was accepted, which proves nothing
  kError,        ///< a request failed, or the server complains
  kPong,
  kShutdown,  ///< the server is about to close: reconnect now
  kIgnored,   ///< known and not recorded; ignored_kind says what it is
};

constexpr std::string_view name_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::kRows:
      return "rows";
    case FrameKind::kPlaceholder:
      return "placeholder";
    case FrameKind::kWelcome:
      return "welcome";
    case FrameKind::kAck:
      return "ack";
    case FrameKind::kError:
      return "error";
    case FrameKind::kPong:
      return "pong";
    case FrameKind::kShutdown:
      return "shutdown";
    case FrameKind::kIgnored:
      return "ignored";
  }
  return {};
}

/// What a control frame says; texts are empty where nothing was sent.
struct ControlReply {
  std::string_view id;       ///< of the request it answers
  std::string_view channel;  ///< Gate: which subscription it answers
  std::optional<int64_t> code;
  std::string_view message;
};

/// A number of a stream that was used up by something that is no row.
struct SequenceMark {
  Stream stream = Stream::kTrade;
  std::string symbol;
  int64_t sequence = 0;
};

/// What decoding a frame gave, and the memory for it, used again for frame after frame.
///
/// Views in `reply` point into it or into the frame, and are valid until the next frame.
/// Memory: at most about 12 MiB of rows, besides the JsonDocument's.
/// Threads: one at a time.
class DecodedFrame {
 public:
  static constexpr size_t kRowsMax = 8192;

  FrameKind kind = FrameKind::kIgnored;
  /// One of a fixed set of names (docs/formats/exchange_messages.md), so it may name a counter.
  std::string_view ignored_kind;
  ControlReply reply;
  SequenceMark placeholder;

  std::span<const EventRow> rows() const { return {rows_.data(), row_count_}; }
  std::span<EventRow> rows() { return {rows_.data(), row_count_}; }

  /// A new row, empty but for its stream. kCorrupt when the frame has too many.
  Result<EventRow*> add_row(Stream stream) {
    if (row_count_ == kRowsMax) return corrupt("the frame has more than {} rows", kRowsMax);
    if (row_count_ == rows_.size()) rows_.emplace_back();
    EventRow& row = rows_[row_count_++];
    row.clear();
    row.stream = stream;
    return &row;
  }

  void clear() {
    kind = FrameKind::kIgnored;
    ignored_kind = {};
    reply = {};
    row_count_ = 0;
  }

  void ignore(std::string_view what) {
    kind = FrameKind::kIgnored;
    ignored_kind = what;
  }

  /// The tokens of a JSON frame, for the decoders.
  JsonDocument& document() { return document_; }

 private:
  JsonDocument document_;
  std::vector<EventRow> rows_;
  size_t row_count_ = 0;
};

}  // namespace tapeworks::recorder
