#include <memory>
#include <string>

#include "base/messages.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/recorder_options.h"
#include "cli/test_clock_option.h"
#include "cli/version.h"
#include "cli/work_options.h"
#include "recorder/recorder.h"

namespace tapeworks {
namespace {

class RecordCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    options_.describe(app);
    app.add_option("--for", duration_, "Stop after so long (default: at SIGINT or SIGTERM)")
        ->type_name("DURATION");
    app.add_option("--memory", memory_, "Limit of the resident memory, with its unit")
        ->type_name("SIZE")
        ->capture_default_str()
        ->group("Resources");
    work_.describe_without_memory(app);
    clock_.describe(app);
  }

  Status check() override {
    if (!duration_.empty()) {
      const auto duration = parse_duration(duration_);
      if (!duration) return invalid_argument("--for: {}", duration.error().message);
      if (*duration > recorder::kDurationMax) {
        return invalid_argument("--for {} is longer than {}h (100 years); leave it away", duration_,
                                recorder::kDurationMax.count());
      }
      record_.stop_after = *duration;
    }
    TW_TRY(work_.check_temp_dir());
    const auto memory = parse_byte_size(memory_);
    if (!memory) return invalid_argument("--memory: {}", memory.error().message);
    record_.memory_limit_bytes = *memory;
    TW_ASSIGN(record_.config, options_.read());
    record_.read_config = [this] { return options_.read(); };
    record_.api_key = RecorderOptions::api_key();
    record_.print_status = !is_quiet();
    record_.version = version_text();
    return {};
  }

  Result<int> run() override {
    TW_TRY(clock_.apply());
    return recorder::record(record_);
  }

 private:
  RecorderOptions options_;
  WorkOptions work_;  ///< but for --memory; what the recorder does needs neither
  TestClockOption clock_;
  std::string duration_;
  std::string memory_ = "192MiB";
  recorder::RecordOptions record_;
};

}  // namespace

std::unique_ptr<Command> make_record_command() { return std::make_unique<RecordCommand>(); }

}  // namespace tapeworks
