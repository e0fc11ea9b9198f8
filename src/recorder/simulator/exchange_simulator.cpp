#include "recorder/simulator/exchange_simulator.h"

#include <algorithm>
#include <utility>

#include "recorder/simulator/fault_script.h"
#include "recorder/simulator/ledger.h"
#include "recorder/simulator/stream_draw.h"
#include "recorder/simulator/venue_server.h"

namespace tapeworks::simulator {
namespace {

constexpr std::chrono::milliseconds kTick{2};
constexpr int64_t kLedgerFlushNs = 100'000'000;
constexpr int64_t kSecondNs = 1'000'000'000;
/// What a tick may catch up after a stall, in seconds of the rate.
constexpr int64_t kCatchUpNs = kSecondNs / 2;
constexpr size_t kClientMessageBytesMax = size_t{256} << 10;
/// Room for the largest message that a script may ask for.
constexpr size_t kSendQueueBytesMax = size_t{20} << 20;

int64_t nanoseconds(std::chrono::milliseconds duration) {
  return std::chrono::nanoseconds(duration).count();
}

}  // namespace

class ExchangeSimulator::State {
 public:
  State(net::EventLoop& loop, const SimulatorOptions& options, std::vector<Fault> script,
        Ledger ledger)
      : loop_(loop),
        options_(options),
        script_(std::move(script)),
        ledger_(std::move(ledger)),
        draw_(options.seed, options.activity_range, options.symbol_count),
        timer_(loop) {}

  Status open_venues() {
    for (size_t i = 0; i < options_.venues.size(); ++i) {
      VenueServer::Options venue;
      venue.venue = options_.venues[i];
      venue.symbol_count = options_.symbol_count;
      venue.seed = options_.seed;
      venue.server.listen = options_.listen;
      // Port 0 leaves the choice to the system, for each venue.
      if (options_.listen.port != 0) {
        if (options_.listen.port + i > UINT16_MAX) {
          return invalid_argument("--listen: port {} leaves too few ports above it for {} venues",
                                  options_.listen.port, options_.venues.size());
        }
        venue.server.listen.port = static_cast<uint16_t>(options_.listen.port + i);
      }
      venue.server.tls_cert_file = options_.tls_cert_file;
      venue.server.tls_key_file = options_.tls_key_file;
      venue.server.web_socket.message_bytes_max = kClientMessageBytesMax;
      venue.server.web_socket.send_queue_bytes_max = kSendQueueBytesMax;
      // Silence is judged by the rules of each venue.
      venue.server.web_socket.idle_timeout = std::chrono::milliseconds(0);
      TW_ASSIGN(auto server, VenueServer::start(loop_, venue, script_, ledger_));
      venues_.push_back(std::move(server));
    }
    return {};
  }

  std::string feeds_toml() const {
    std::string toml;
    for (const auto& venue : venues_) toml += (toml.empty() ? "" : "\n") + venue->feed_toml();
    return toml;
  }

  /// From now on a signal ends run(), also one that comes before it is called.
  void await_termination() {
    loop_.on_termination([this](int) { loop_.stop(); });
  }

  Status run() {
    start_ns_ = produced_until_ns_ = net::read_clocks().monotonic_ns;
    for (Fault& fault : script_) {
      if (fault.at || fault.every) {
        scheduled_.push_back({start_ns_ + nanoseconds(fault.at ? *fault.at : *fault.every), fault});
      }
    }
    tick();
    loop_.run();
    return ledger_.flush();
  }

 private:
  struct Scheduled {
    int64_t due_ns;
    Fault fault;
  };

  void tick() {
    const int64_t now_ns = net::read_clocks().monotonic_ns;
    play_script(now_ns);
    for (const auto& venue : venues_) venue->tick();
    produce(now_ns);
    if (now_ns >= ledger_flush_ns_) {
      ledger_flush_ns_ = now_ns + kLedgerFlushNs;
      // run() returns the failure, which the ledger keeps.
      if (!ledger_.flush()) return loop_.stop();
    }
    timer_.start(kTick, [this] { tick(); });
  }

  void play_script(int64_t now_ns) {
    for (Scheduled& scheduled : scheduled_) {
      if (scheduled.due_ns > now_ns) continue;
      for (const auto& venue : venues_) {
        if (scheduled.fault.venue.value_or(venue->venue()) == venue->venue()) {
          venue->inject(scheduled.fault);
        }
      }
      scheduled.due_ns = scheduled.fault.every
                             ? scheduled.due_ns + nanoseconds(*scheduled.fault.every)
                             : INT64_MAX;
    }
  }

  /// As many events as the rate allows since the last time, each of a random live stream.
  void produce(int64_t now_ns) {
    take_new_streams();
    produced_until_ns_ = std::max(produced_until_ns_, now_ns - kCatchUpNs);
    const int64_t interval_ns =
        std::max<int64_t>(1, kSecondNs / static_cast<int64_t>(options_.rate_per_second));
    if (draw_.size() == 0) {
      produced_until_ns_ = now_ns;
      return;
    }
    while (produced_until_ns_ + interval_ns <= now_ns) {
      // A market goes on when nobody listens, so an event without receivers costs its time, too.
      const size_t receivers = produce_one(draw_.next());
      produced_until_ns_ += interval_ns * static_cast<int64_t>(std::max<size_t>(receivers, 1));
    }
  }

  /// What is drawn from is the streams of all venues, one venue after the other; they only grow.
  void take_new_streams() {
    size_t stream_count = 0;
    for (const auto& venue : venues_) stream_count += venue->live_streams().size();
    if (stream_count == draw_.size()) return;
    draw_.clear();
    for (const auto& venue : venues_) {
      for (const StreamKey key : venue->live_streams()) draw_.add(key.symbol_index);
    }
  }

  size_t produce_one(size_t stream_number) {
    for (const auto& venue : venues_) {
      const auto& streams = venue->live_streams();
      if (stream_number < streams.size()) {
        const StreamKey key = streams[stream_number];
        return venue->is_listed(key) ? venue->produce(key, ++logical_id_) : 0;
      }
      stream_number -= streams.size();
    }
    return 0;
  }

  net::EventLoop& loop_;
  const SimulatorOptions options_;
  std::vector<Fault> script_;
  Ledger ledger_;
  StreamDraw draw_;
  std::vector<std::unique_ptr<VenueServer>> venues_;
  std::vector<Scheduled> scheduled_;
  net::Timer timer_;
  int64_t start_ns_ = 0;
  int64_t produced_until_ns_ = 0;
  int64_t ledger_flush_ns_ = 0;
  uint64_t logical_id_ = 0;
};

ExchangeSimulator::ExchangeSimulator(std::unique_ptr<State> state) : state_(std::move(state)) {}

ExchangeSimulator::~ExchangeSimulator() = default;

Result<std::unique_ptr<ExchangeSimulator>> ExchangeSimulator::start(
    net::EventLoop& loop, const SimulatorOptions& options) {
  TW_ASSIGN(auto script, parse_fault_script(options.script, options.script_name));
  TW_ASSIGN(auto ledger, Ledger::open(options.ledger_file));
  auto state = std::make_unique<State>(loop, options, std::move(script), std::move(ledger));
  TW_TRY(state->open_venues());
  state->await_termination();
  return std::unique_ptr<ExchangeSimulator>(new ExchangeSimulator(std::move(state)));
}

std::string ExchangeSimulator::feeds_toml() const { return state_->feeds_toml(); }

Status ExchangeSimulator::run() { return state_->run(); }

}  // namespace tapeworks::simulator
