#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/messages.h"
#include "base/run_stats.h"
#include "cli/command.h"
#include "cli/number_range.h"
#include "cli/output.h"
#include "cli/work_options.h"
#include "recorder/sink/recording_path.h"
#include "recorder/sink/replay.h"

namespace tapeworks {
namespace {

class ReplayCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("--wal", options_.wal_dir, "Folder of the log")->type_name("DIR")->required();
    app.add_option("--out", options_.sink.output_dir, "Folder for the recording; made when missing")
        ->type_name("DIR")
        ->required();
    app.add_option("--from", options_.from_lsn,
                   "First record to make rows of (default: the oldest)")
        ->type_name("LSN")
        ->check(at_least(1));
    app.add_option("--to", options_.to_lsn, "Last record to make rows of (default: the newest)")
        ->type_name("LSN")
        ->check(at_least(1));
    app.add_option("--layout", layout_,
                   "How rows are divided into files: symbol, market, exchange (default: that of "
                   "the recording in --out, else as the recorder of the log did)")
        ->type_name("LAYOUT");
    work_.describe(app);
  }

  Status check() override {
    options_.layout = recorder::parse_layout(layout_);
    if (!options_.layout && !layout_.empty()) {
      return invalid_argument("--layout must be symbol, market or exchange, not '{}'", layout_);
    }
    if (options_.to_lsn != 0 && options_.to_lsn < options_.from_lsn) {
      return invalid_argument("--to {} lies before --from {}; exchange them", options_.to_lsn,
                              options_.from_lsn);
    }
    return work_.check();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_.make_budget());
    TW_ASSIGN(const Reservation rows, recorder::reserve_replay_buffer(*budget));
    options_.sink.buffer_bytes = rows.bytes();
    TW_ASSIGN(const recorder::ReplayResult result, replay_log(options_, budget->pool()));
    add_run_rows(result.row_count);
    if (result.missing_records != 0) {
      warn("the log has lost {} records; tapeworks wal verify {} says where",
           result.missing_records, options_.wal_dir.string());
    }
    if (result.whole_from_ns) {
      warn(
          "older records of the log are not kept; hours before {} {}:00 UTC cannot be made of it, "
          "and what is left of the last of them is marked partial{}",
          recorder::date_text(*result.whole_from_ns), recorder::hour_text(*result.whole_from_ns),
          result.is_exact ? ""
                          : "; no state file says what they had left, so later hours may differ "
                            "from what was recorded");
    }
    const std::vector<nlohmann::ordered_json> records{{{"records", result.record_count},
                                                       {"rows", result.row_count},
                                                       {"quarantined", result.quarantined_count},
                                                       {"files", result.published_files},
                                                       {"files_kept", result.kept_files},
                                                       {"missing_records", result.missing_records},
                                                       {"first_lsn", result.first_lsn},
                                                       {"last_lsn", result.last_lsn}}};
    TW_ASSIGN(const auto table, table_of_records(records));
    TW_TRY(print_table(*table));
    return 0;
  }

 private:
  recorder::ReplayOptions options_;
  std::string layout_;
  WorkOptions work_;
};

}  // namespace

std::unique_ptr<Command> make_replay_command() { return std::make_unique<ReplayCommand>(); }

}  // namespace tapeworks
