#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/simulator/venue.h"

namespace tapeworks::simulator {

enum class FaultKind : uint8_t {
  kClose,
  kAbort,
  kHalfFrame,
  kSilence,
  kSlowReading,
  kDuplicate,
  kGap,
  kReorder,
  kMalformedJson,
  kWrongNumbers,
  kHugeMessage,
  kScientific,
  kExtraKeys,
  kRefuse509,
  kExpiredToken,
  kTokenFailure,
  kDayCut,
  kServerShutdown,
  kCompression,
  kListSymbol,
  kDelistSymbol,
  kClockSkew,
  kDelayAcks,
  kRestFailure,
  kRestEmpty,
  kRestPartial,
};

/// One line of a script: docs/formats/simulator_script.md.
struct Fault {
  FaultKind kind = FaultKind::kClose;
  std::string name;  ///< of the kind, as written

  // When: exactly one of these.
  std::optional<std::chrono::milliseconds> at;     ///< since the start, once
  std::optional<std::chrono::milliseconds> every;  ///< the first time after so long
  std::optional<uint64_t> message;                 ///< before this market message of a connection

  // Where: everywhere when empty.
  std::optional<Venue> venue;
  std::optional<uint64_t> connection;  ///< of the venue, from 1 on

  // How; each kind uses some of them.
  uint64_t count = 1;
  uint16_t code = 1000;
  std::string reason;
  std::chrono::milliseconds duration{5'000};
  uint64_t bytes = 1 << 20;
  bool pings = true;
  bool on = true;
  int status = 500;
  std::string symbol;
};

/// Reads a script: JSON lines; empty lines and those that begin with # are skipped.
/// kInvalidArgument names the line and what is wrong with it.
Result<std::vector<Fault>> parse_fault_script(std::string_view text, std::string_view file_name);

}  // namespace tapeworks::simulator
