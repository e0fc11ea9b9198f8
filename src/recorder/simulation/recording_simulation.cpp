#include "recorder/simulation/recording_simulation.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <arrow/memory_pool.h>

#include "recorder/config/recorder_config.h"
#include "recorder/feed_set.h"
#include "recorder/frame_log.h"
#include "recorder/simulation/simulated_network.h"
#include "recorder/simulator/exchange_simulator.h"
#include "recorder/sink/sink.h"
#include "storage/log_reader.h"
#include "storage/log_writer.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr int64_t kMidnightNs = 1'700'006'400 * kSecondNs;  // before 2023-11-15
constexpr auto kHeartbeatInterval = 1s;
constexpr auto kClosingMax = 2s;
constexpr auto kClosingCheckInterval = 20ms;
constexpr auto kLookInterval = 100ms;
/// So long a recorder lives that was started again. KuCoin's futures are asked for slowly.
constexpr auto kLifeMin = 8s;

/// What follows from the seed.
struct Scenario {
  explicit Scenario(uint64_t seed_number)
      : seed(seed_number), random(seed_number), legs(1 + draw(2)) {}

  uint64_t seed;
  std::mt19937_64 random;
  uint64_t legs;

  uint64_t draw(uint64_t below) { return random() % below; }
  /// One of `in` times.
  bool happens(uint64_t in) { return draw(in) == 0; }
  milliseconds draw_time(milliseconds from, milliseconds to) {
    return from + milliseconds(draw(static_cast<uint64_t>((to - from).count()) + 1));
  }
  template <typename Values>
  auto choose(const Values& values) {
    return values[draw(std::size(values))];
  }
};

/// No "reorder": on one connection a lower number of a stream whose numbers only rise is a
/// beginning anew, and what another connection brings again then cannot be told from something new.
std::string draw_script(Scenario& scenario, milliseconds duration) {
  constexpr std::array kFaults{R"("close", "code": 1001)",
                               R"("abort")",
                               R"("half_frame")",
                               R"("silence")",
                               R"("duplicate")",
                               R"("gap", "count": 3)",
                               R"("extra_keys")",
                               R"("malformed_json")",
                               R"("wrong_numbers")",
                               R"("scientific")",
                               R"("509")",
                               R"("server_shutdown")",
                               R"("day_cut")",
                               R"("expired_token")",
                               R"("token_failure")",
                               R"("slow_reading")",
                               R"("huge_message")",
                               R"("delay_acks", "duration": "1s")"};
  std::string script;
  for (milliseconds at = scenario.draw_time(1s, 6s); at < duration;
       at += scenario.draw_time(200ms, 5s)) {
    const std::string_view fault = scenario.choose(kFaults);
    script += fmt::format("{{\"at\": \"{}ms\", \"fault\": {}}}\n", at.count(), fault);
  }
  return script;
}

simulator::SimulatorOptions draw_exchanges(Scenario& scenario, milliseconds duration) {
  constexpr std::array kAll{simulator::Venue::kBinanceSpot,   simulator::Venue::kBinanceSpotSbe,
                            simulator::Venue::kBinanceUsdm,   simulator::Venue::kKucoinSpot,
                            simulator::Venue::kKucoinFutures, simulator::Venue::kGateSpot,
                            simulator::Venue::kGateFutures};
  simulator::SimulatorOptions options;
  options.listen = {"127.0.0.1", 0};
  const size_t venue_count = 1 + scenario.draw(3);
  while (options.venues.size() < venue_count) {
    const simulator::Venue venue = scenario.choose(kAll);
    if (std::ranges::find(options.venues, venue) == options.venues.end()) {
      options.venues.push_back(venue);
    }
  }
  options.symbol_count = 1 + scenario.draw(4);
  options.rate_per_second = 10 + scenario.draw(90);
  options.seed = scenario.seed;
  options.script = draw_script(scenario, duration);
  options.script_name = "drawn";
  return options;
}

SinkOptions draw_sink(Scenario& scenario, const std::filesystem::path& folder, Layout layout) {
  SinkOptions options;
  options.output_dir = folder / "out";
  options.log_dir = folder / "log";
  options.layout = layout;
  options.buffer_bytes = 8 * kKiB << scenario.draw(8);
  options.part_rows = 1 + scenario.draw(200);
  options.part_age_ns = static_cast<int64_t>(1 + scenario.draw(20)) * kSecondNs;
  options.idle_close_ns = static_cast<int64_t>(5 + scenario.draw(20)) * kSecondNs;
  options.parts_linger_ns = static_cast<int64_t>(scenario.draw(10)) * kSecondNs;
  options.checkpoint_interval_ns = static_cast<int64_t>(1 + scenario.draw(10)) * kSecondNs;
  return options;
}

/// The disk of a process that is killed: from then on nothing of it arrives.
class MortalDisk final : public LogFileOperations {
 public:
  void die() { is_dead_ = true; }

  Result<FileDescriptor> create(const std::filesystem::path& path) override {
    TW_TRY(check());
    return LogFileOperations::create(path);
  }
  Status preallocate(const FileDescriptor& file, uint64_t byte_count,
                     const std::filesystem::path& path) override {
    TW_TRY(check());
    return LogFileOperations::preallocate(file, byte_count, path);
  }
  Status write_at(const FileDescriptor& file, std::span<const std::byte> bytes, uint64_t offset,
                  const std::filesystem::path& path) override {
    TW_TRY(check());
    return LogFileOperations::write_at(file, bytes, offset, path);
  }
  Status truncate(const FileDescriptor& file, uint64_t byte_count,
                  const std::filesystem::path& path) override {
    TW_TRY(check());
    return LogFileOperations::truncate(file, byte_count, path);
  }
  Status sync(const FileDescriptor& file, const std::filesystem::path& path) override {
    TW_TRY(check());
    return LogFileOperations::sync(file, path);
  }
  Status sync_folder(const std::filesystem::path& folder) override {
    TW_TRY(check());
    return LogFileOperations::sync_folder(folder);
  }

 private:
  Status check() const {
    if (is_dead_) return io_error("the process was killed");
    return {};
  }
  std::atomic<bool> is_dead_ = false;  // the log's thread asks
};

/// One message, as the network handed it over.
struct Delivered {
  std::string payload;
  bool is_binary = false;
  net::ClockReading time;
  uint64_t connection = 0;  ///< its number at the exchange
};

/// A recorder from its start to its end: what recorder.cpp puts together, with the threads' work
/// done in turns.
class Life {
 public:
  static Result<std::unique_ptr<Life>> begin(net::EventLoop& loop, Scenario& scenario,
                                             const std::filesystem::path& folder,
                                             const RecorderConfig& config, Layout layout) {
    auto life = std::unique_ptr<Life>(new Life(loop, scenario));
    SinkOptions sink_options = draw_sink(scenario, folder, layout);
    sink_options.probe = [raw = life.get()](std::string_view step) { return raw->probe(step); };
    TW_ASSIGN(life->sink_, Sink::open(std::move(sink_options), arrow::default_memory_pool()));
    LogWriterOptions log;
    // Only flush() writes: what a crash leaves must follow from the seed.
    log.sync_interval = 1h;
    log.sync_bytes = 1 * kGiB;
    log.segment_bytes = LogWriterOptions::kSegmentBytesMin << scenario.draw(5);
    log.lsn_floor = life->sink_->highest_known_lsn();
    log.operations = &life->disk_;
    log.now = [] {
      const net::ClockReading now = net::read_clocks();
      return LogTimes{now.wall_ns, now.monotonic_ns};
    };
    TW_ASSIGN(LogWriter writer, LogWriter::open(folder / "log", std::move(log)));
    life->writer_.emplace(std::move(writer));
    TW_ASSIGN(LogReader reader, LogReader::open(folder / "log", life->sink_->next_lsn()));
    life->reader_.emplace(std::move(reader));
    life->start(config);
    return life;
  }
  ~Life() {
    // The sockets first: their ends are no events of a process that is gone.
    die();
    feeds_.reset();
  }

  /// From here on nothing of it arrives anywhere.
  void die() {
    disk_.die();
    beat_timer_.cancel();
    work_timer_.cancel();
  }

  /// The sink fails at the step that many from now, as if the process were killed there.
  void kill_at_sink_step(uint64_t steps) { sink_steps_left_ = steps; }
  bool is_killed() const { return is_killed_; }
  const Status& failure() const { return failure_; }

  /// Makes durable what there is, and rows of it.
  Status work() {
    TW_TRY(writer_->flush());
    durable_count_ = delivered_count_;
    return consume(writer_->durable_lsn());
  }

  void note_delivered() { ++delivered_count_; }
  /// Of those that the network has handed to this recorder.
  uint64_t durable_count() const { return durable_count_; }

  void stop() { feeds_->stop(); }
  bool is_done() const { return feeds_->is_done(); }
  /// After stop().
  Status finish() {
    if (!feeds_->store_all_refused()) return internal_error("the log has refused a frame");
    TW_TRY(frames_->append(LogKind::kStop, std::nullopt, 0, {.cause = "time"}, net::read_clocks()));
    const uint64_t last_lsn = writer_->end_lsn() - 1;
    TW_TRY(writer_->close());
    durable_count_ = delivered_count_;
    TW_TRY(consume(last_lsn));
    return sink_->finish();
  }

 private:
  Life(net::EventLoop& loop, Scenario& scenario)
      : loop_(loop), scenario_(scenario), beat_timer_(loop), work_timer_(loop) {}

  void start(const RecorderConfig& config) {
    frames_.emplace(*writer_);
    const auto fail = [this](const Error& error) {
      if (failure_) failure_ = std::unexpected(error);
    };
    feeds_.emplace(
        FeedSet::Host{loop_, *frames_, RecorderMemory{.limit_bytes = kRecorderMemoryDefaultBytes},
                      [this] { return sink_->next_lsn() - 1; }, fail,
                      [fail](const std::string& why) { fail({ErrorKind::kInternal, why}); },
                      [](std::string_view) {}},
        "any", scenario_.random());
    Status begun = frames_->append(LogKind::kStart, std::nullopt, 0, {.version = "simulation"},
                                   net::read_clocks());
    if (begun) begun = writer_->flush();
    if (!begun) fail(begun.error());
    beat();
    work_later();
    feeds_->start(config.feeds);
  }

  Status probe(std::string_view step) {
    if (sink_steps_left_ == 0) {
      is_killed_ = true;
      return io_error("killed at {}", step);
    }
    if (sink_steps_left_) --*sink_steps_left_;
    return {};
  }

  Status consume(uint64_t limit_lsn) {
    while (true) {
      TW_ASSIGN(const LogReader::Step step, reader_->next(limit_lsn));
      if (const auto* record = std::get_if<LogRecord>(&step)) {
        TW_TRY(sink_->consume(*record));
      } else if (const auto* hole = std::get_if<LogHole>(&step)) {
        TW_TRY(sink_->consume(*hole));
      } else {
        break;
      }
    }
    if (sink_->next_lsn() <= limit_lsn) {
      return internal_error("the log is durable up to {} and was read up to {}", limit_lsn,
                            sink_->next_lsn() - 1);
    }
    // As much as there is time for.
    for (uint64_t rounds = scenario_.draw(6); rounds > 0; --rounds) {
      TW_ASSIGN(const bool has_more, sink_->work());
      if (!has_more) break;
    }
    return {};
  }

  void beat() {
    if (const Status written = frames_->heartbeat(net::read_clocks()); !written) {
      failure_ = written;
    }
    feeds_->mark_backlogs(writer_->end_lsn());
    feeds_->pause_and_resume();
    beat_timer_.start(kHeartbeatInterval, [this] { beat(); });
  }

  void work_later() {
    work_timer_.start(scenario_.draw_time(5ms, 400ms), [this] {
      const Status done = work();
      if (done) return work_later();
      if (!is_killed_) failure_ = done;
    });
  }

  net::EventLoop& loop_;
  Scenario& scenario_;
  MortalDisk disk_;
  std::unique_ptr<Sink> sink_;
  std::optional<LogWriter> writer_;
  std::optional<LogReader> reader_;
  std::optional<FrameLog> frames_;
  std::optional<FeedSet> feeds_;
  net::Timer beat_timer_;
  net::Timer work_timer_;
  std::optional<uint64_t> sink_steps_left_;
  bool is_killed_ = false;
  Status failure_;
  uint64_t delivered_count_ = 0;
  uint64_t durable_count_ = 0;
};

/// Everything of one seed.
class Simulation {
 public:
  Simulation(uint64_t seed, std::filesystem::path folder)
      : scenario_(seed), folder_(std::move(folder)), next_(loop_), cut_timer_(loop_) {}
  ~Simulation() { net::simulated::tap_clients({}); }

  Result<SimulationCounts> run() {
    const milliseconds duration = scenario_.draw_time(8s, 40s);
    simulator::SimulatorOptions exchanges = draw_exchanges(scenario_, duration);
    exchanges.ledger_file = folder_ / "ledger.jsonl";
    TW_ASSIGN(const auto simulator, simulator::ExchangeSimulator::start(loop_, exchanges));
    TW_TRY(configure(simulator->feeds_toml()));
    net::simulated::tap_clients(
        [this](const net::ReceivedFrame& frame, uint64_t connection) { note(frame, connection); });
    end_ns_ = net::read_clocks().monotonic_ns + std::chrono::nanoseconds(duration).count();
    TW_TRY(begin_life());
    disturb_network();
    live_on();
    TW_TRY(simulator->run());
    TW_TRY(outcome_);
    TW_TRY(compare_log());
    TW_TRY(write_sockets());
    counts_.durable_messages = kept_.size();
    return counts_;
  }

 private:
  Status configure(const std::string& feeds_toml) {
    constexpr std::array kLayouts{std::pair{Layout::kSymbol, "symbol"},
                                  std::pair{Layout::kMarket, "market"},
                                  std::pair{Layout::kExchange, "exchange"}};
    const auto layout = scenario_.choose(kLayouts);
    layout_ = layout.first;
    counts_.layout = layout.second;
    counts_.legs = scenario_.legs;
    std::string toml = fmt::format(
        "[output]\ndir = \"out\"\nlayout = \"{}\"\n[wal]\ndir = \"log\"\n", layout.second);
    for (size_t at = 0; at < feeds_toml.size();) {
      const size_t end = feeds_toml.find('\n', at) + 1;
      const std::string line = feeds_toml.substr(at, end - at);
      toml += line;
      if (line.starts_with("[[feed]]")) toml += fmt::format("legs = {}\n", scenario_.legs);
      at = end;
    }
    TW_ASSIGN(config_, parse_recorder_config(toml, "simulation.toml", {}));
    return {};
  }

  void note(const net::ReceivedFrame& frame, uint64_t connection) {
    if (life_ == nullptr) return;  // to one that was just killed
    ++counts_.messages;
    delivered_.push_back(
        {std::string(frame.payload), frame.opcode == net::Opcode::kBinary, frame.time, connection});
    life_->note_delivered();
  }

  Status begin_life() {
    TW_ASSIGN(life_, Life::begin(loop_, scenario_, folder_, config_, layout_));
    if (scenario_.happens(3)) life_->kill_at_sink_step(scenario_.draw(300));
    return {};
  }

  /// What the network had handed over and no disk had is gone with the process.
  void end_life() {
    delivered_.resize(life_->durable_count());
    std::ranges::move(delivered_, std::back_inserter(kept_));
    delivered_.clear();
    life_->die();
    // Not destroyed before what it has posted.
    loop_.post([ended = std::shared_ptr<Life>(std::move(life_))] {});
  }

  void end(Status outcome) {
    outcome_ = std::move(outcome);
    if (life_ != nullptr) end_life();
    cut_timer_.cancel();
    loop_.post([this] { loop_.stop(); });
  }

  /// Looks at the recorder now and then, and may kill it.
  void live_on() {
    const int64_t now_ns = net::read_clocks().monotonic_ns;
    if (!life_->failure()) return end(life_->failure());
    const bool may_be_killed = now_ns < end_ns_;
    if (life_->is_killed() || (may_be_killed && scenario_.happens(200))) return start_again();
    if (now_ns < end_ns_) {
      next_.start(kLookInterval, [this] { live_on(); });
      return;
    }
    life_->stop();
    wait_for_end(now_ns + std::chrono::nanoseconds(kClosingMax).count());
  }

  void start_again() {
    ++counts_.crashes;
    end_life();
    next_.start(scenario_.draw_time(0ms, 3s), [this] {
      if (Status begun = begin_life(); !begun) return end(std::move(begun));
      // Long enough to connect: what the one before missed is known then.
      const int64_t now_ns = net::read_clocks().monotonic_ns;
      end_ns_ = std::max(end_ns_, now_ns + std::chrono::nanoseconds(kLifeMin).count());
      live_on();
    });
  }

  void wait_for_end(int64_t until_ns) {
    if (!life_->failure()) return end(life_->failure());
    if (life_->is_killed()) return start_again();
    if (!life_->is_done() && net::read_clocks().monotonic_ns < until_ns) {
      next_.start(kClosingCheckInterval, [this, until_ns] { wait_for_end(until_ns); });
      return;
    }
    Status finished = life_->finish();
    if (!finished && life_->is_killed()) return start_again();
    end(std::move(finished));
  }

  void disturb_network() {
    cut_timer_.start(scenario_.draw_time(200ms, 8s), [this] {
      if (net::simulated::cut_a_connection()) ++counts_.cuts;
      if (scenario_.happens(4)) {
        net::simulated::refuse_connections_for(scenario_.draw_time(0ms, 3s));
      }
      disturb_network();
    });
  }

  /// What was durable is in the log, and nothing that was never handed over.
  Status compare_log() {
    TW_ASSIGN(LogReader reader, LogReader::open(folder_ / "log"));
    size_t index = 0;
    while (true) {
      TW_ASSIGN(const LogReader::Step step, reader.next());
      if (std::holds_alternative<LogHole>(step)) return internal_error("the log has a hole");
      const auto* const record = std::get_if<LogRecord>(&step);
      if (record == nullptr) break;
      if (record->kind != static_cast<uint8_t>(LogKind::kFrame)) continue;
      if (index == kept_.size()) {
        return internal_error("record {} was not handed over, or twice", record->lsn);
      }
      const Delivered& message = kept_[index++];
      const std::string_view payload(reinterpret_cast<const char*>(record->payload.data()),
                                     record->payload.size());
      if (payload != message.payload || record->wall_time_ns != message.time.wall_ns ||
          record->monotonic_time_ns != message.time.monotonic_ns ||
          ((record->flags & kLogFlagBinary) != 0) != message.is_binary) {
        return internal_error("record {} is another message than the {}th that was handed over",
                              record->lsn, index);
      }
      if (const auto source = decode_source(record->source)) {
        sockets_.insert({source->venue, message.connection, record->connection, source->leg});
      }
    }
    if (index == kept_.size()) return {};
    return internal_error("{} messages were durable and {} are in the log", kept_.size(), index);
  }

  Status write_sockets() const {
    std::string lines;
    for (const auto& [venue, connection, number, leg] : sockets_) {
      const VenueName name = name_of(venue);
      lines += fmt::format(
          R"({{"exchange":"{}","market":"{}","transport":"{}","connection":{},"number":{},"leg":{}}})"
          "\n",
          name.exchange, name.market, name.transport, connection, number, leg);
    }
    return write_synced_file(folder_ / "legs.jsonl", lines);
  }

  Scenario scenario_;
  std::filesystem::path folder_;
  net::EventLoop loop_;
  RecorderConfig config_;
  Layout layout_ = Layout::kSymbol;
  std::unique_ptr<Life> life_;
  net::Timer next_;
  net::Timer cut_timer_;
  int64_t end_ns_ = 0;
  std::vector<Delivered> delivered_;  ///< to this life
  std::vector<Delivered> kept_;       ///< to those before, and durable
  /// Venue, number at the exchange, number and leg at the recorder.
  std::set<std::tuple<Venue, uint64_t, uint32_t, uint8_t>> sockets_;
  SimulationCounts counts_;
  Status outcome_;
};

}  // namespace

Result<SimulationCounts> simulate_recording(uint64_t seed, const std::filesystem::path& folder) {
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15);
  net::simulated::WorldOptions world;
  world.seed = seed;
  // The hour, and with it the day, changes somewhere inside or would soon after.
  world.begin_wall_ns = kMidnightNs - static_cast<int64_t>(random() % 30) * kSecondNs;
  net::simulated::begin_world(world);
  return Simulation(seed, folder).run();
}

}  // namespace tapeworks::recorder
