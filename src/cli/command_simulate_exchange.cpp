#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/ranges.h>

#include "base/printable_text.h"
#include "cli/command.h"
#include "cli/number_range.h"
#include "cli/output.h"
#include "cli/test_clock_option.h"
#include "recorder/simulator/exchange_simulator.h"
#include "recorder/simulator/stream_draw.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

/// "20000/s".
Result<uint64_t> parse_rate(std::string_view text) {
  uint64_t rate = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  const bool has_unit = std::string_view(end, text.data() + text.size()) == "/s";
  if (error != std::errc{} || !has_unit || rate == 0 || rate > simulator::kRatePerSecondMax) {
    return invalid_argument("--rate must be messages per second from 1/s to {}/s, not '{}'",
                            simulator::kRatePerSecondMax, printable_text(text, 40));
  }
  return rate;
}

class SimulateExchangeCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("--listen", listen_,
                   "Address of the first venue; each further one has the next port")
        ->type_name("ADDRESS:PORT")
        ->required();
    app.add_option("--exchange", exchange_, "Only this one: binance, kucoin or gate")
        ->type_name("EXCHANGE");
    app.add_option("--market", market_, "Only this one: spot or usdt_futures")->type_name("MARKET");
    app.add_option("--symbols", options_.symbol_count, "Symbols of each venue")
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, int64_t{simulator::kSymbolCountMax}))
        ->capture_default_str();
    app.add_option("--rate", rate_, "Messages per second over all connections")
        ->type_name("N/s")
        ->capture_default_str();
    app.add_option("--activity-range", options_.activity_range,
                   "A venue's first symbol has so many times the messages of its last one")
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, int64_t{simulator::kActivityRangeMax}))
        ->capture_default_str();
    app.add_option("--script", script_file_, "Faults to play, as JSON lines")->type_name("FILE");
    app.add_option("--seed", options_.seed, "Another number gives other markets")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--ledger", ledger_file_, "New file that lists every message sent")
        ->type_name("FILE");
    app.add_option("--tls-cert", options_.tls_cert_file, "Certificate chain in PEM form: serve TLS")
        ->type_name("FILE");
    app.add_option("--tls-key", options_.tls_key_file, "Private key of the certificate, PEM")
        ->type_name("FILE");
    clock_.describe(app);
  }

  Status check() override {
    TW_ASSIGN(options_.listen, net::parse_listen_address(listen_));
    TW_ASSIGN(options_.rate_per_second, parse_rate(rate_));
    if (options_.tls_cert_file.empty() != options_.tls_key_file.empty()) {
      return invalid_argument("--tls-cert and --tls-key belong together; give both or none");
    }
    TW_TRY(check_filter("--exchange", exchange_, {"binance", "kucoin", "gate"}));
    TW_TRY(check_filter("--market", market_, {"spot", "usdt_futures", "futures"}));
    const std::string market = market_ == "futures" ? "usdt_futures" : market_;
    for (const simulator::Venue venue : simulator::kVenues) {
      const simulator::VenueFacts& facts = simulator::facts_of(venue);
      if ((exchange_.empty() || exchange_ == facts.exchange) &&
          (market.empty() || market == facts.market)) {
        options_.venues.push_back(venue);
      }
    }
    return {};
  }

  Result<int> run() override {
    TW_TRY(clock_.apply());
    if (!script_file_.empty()) {
      auto script = read_text_file(script_file_);
      if (!script) return invalid_argument("{}", script.error().message);
      options_.script = std::move(*script);
      options_.script_name = script_file_;
    }
    if (!ledger_file_.empty()) options_.ledger_file = ledger_file_;
    net::EventLoop loop;
    TW_ASSIGN(const auto simulator, simulator::ExchangeSimulator::start(loop, options_));
    // Whoever starts us waits for this text to know that the ports are open.
    TW_TRY(print_text(simulator->feeds_toml()));
    std::fflush(stdout);
    TW_TRY(simulator->run());
    return 0;
  }

 private:
  static Status check_filter(std::string_view option, std::string_view value,
                             std::initializer_list<std::string_view> known) {
    if (value.empty() || std::ranges::find(known, value) != known.end()) return {};
    return invalid_argument("{}: there is no '{}'; it is one of {}", option,
                            printable_text(value, 40), fmt::join(known, ", "));
  }

  simulator::SimulatorOptions options_;
  std::string listen_;
  std::string exchange_;
  std::string market_;
  std::string rate_ = "100/s";
  std::string script_file_;
  std::string ledger_file_;
  TestClockOption clock_;
};

}  // namespace

std::unique_ptr<Command> make_simulate_exchange_command() {
  return std::make_unique<SimulateExchangeCommand>();
}

}  // namespace tapeworks
