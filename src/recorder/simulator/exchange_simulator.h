#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "recorder/net/endpoint.h"
#include "recorder/net/event_loop.h"
#include "recorder/simulator/venue.h"

namespace tapeworks::simulator {

inline constexpr uint64_t kRatePerSecondMax = 1'000'000;
inline constexpr size_t kSymbolCountMax = 5'000;

struct SimulatorOptions {
  net::ListenAddress listen;  ///< of the first venue; each further one has the next port
  std::vector<Venue> venues;
  size_t symbol_count = 10;
  uint64_t rate_per_second = 100;  ///< messages over all connections
  uint64_t activity_range = 1;     ///< of a venue's symbols; stream_draw.h
  uint64_t seed = 1;
  std::string script;  ///< the text of a script; docs/formats/simulator_script.md
  std::string script_name;
  std::optional<std::filesystem::path> ledger_file;
  std::filesystem::path tls_cert_file;
  std::filesystem::path tls_key_file;
};

/// Exchanges on local ports: invents markets, sends them to who subscribed, plays a script of
/// faults and keeps a ledger.
///
/// Failure: start() fails before anything is served when a port is taken, the script is wrong or
/// the ledger exists; run() when the ledger cannot be written. Threads: that of the loop.
class ExchangeSimulator {
 public:
  static Result<std::unique_ptr<ExchangeSimulator>> start(net::EventLoop& loop,
                                                          const SimulatorOptions& options);
  ~ExchangeSimulator();

  /// The configuration of a recorder that records all of it: one [[feed]] a venue.
  std::string feeds_toml() const;

  /// Serves until SIGINT or SIGTERM, also one since start(), then writes the rest of the ledger.
  Status run();

 private:
  class State;
  explicit ExchangeSimulator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapeworks::simulator
