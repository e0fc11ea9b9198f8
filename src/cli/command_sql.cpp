#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include <sys/resource.h>

#include "base/messages.h"
#include "base/run_stats.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/log_option.h"
#include "cli/output.h"
#include "cli/recording_query.h"
#include "cli/work_options.h"
#include "recorder/config/recorder_config.h"
#include "recorder/sink/recording_snapshot.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

constexpr const char* kLibraryVariable = "TAPEWORKS_DUCKDB_LIBRARY";
constexpr const char* kLibraryDefault = "libduckdb.so";

/// A part takes a descriptor, and thousands of them may be waiting.
void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Where that is refused the error of a file that cannot be opened says what to do.
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

class SqlCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("--recording", options_.output_dir, "Folder of the recording")
        ->type_name("DIR")
        ->required();
    log_.describe(
        app, "End at the recorder's last checkpoint instead of reading the log: less, and sooner");
    app.add_option("query", query_, "A query, in DuckDB's SQL")->type_name("QUERY")->required();
    work_.describe(app);
  }

  Status check() override {
    TW_TRY(log_.check());
    return work_.check();
  }

  Result<int> run() override {
    TW_ASSIGN(const auto budget, work_.make_budget());
    TW_TRY(find_log());
    allow_many_files();
    TW_ASSIGN(const ScratchFolder scratch, ScratchFolder::make(work_.temp_dir));
    options_.scratch_dir = scratch.path();
    options_.buffer_bytes = budget->capacity_bytes() / 16;
    TW_ASSIGN(const recorder::RecordingSnapshot snapshot,
              recorder::take_recording_snapshot(options_, budget->pool()));
    add_run_rows(snapshot.tail_rows);
    if (snapshot.lost_records != 0) {
      warn("the log has lost {} records behind the checkpoint; tapeworks wal verify {} says where",
           snapshot.lost_records, options_.log_dir.string());
    }
    RecordingQueryOptions query;
    const char* const library = std::getenv(kLibraryVariable);
    query.library = library == nullptr || *library == '\0' ? kLibraryDefault : library;
    query.scratch_dir = scratch.path();
    // The rest is this program, DuckDB itself, and the answer.
    query.memory_bytes = budget->capacity_bytes() / 4;
    query.answer_bytes_max = budget->capacity_bytes() / 8;
    query.thread_count = work_.thread_count();
    TW_ASSIGN(const auto connection, RecordingQuery::open(snapshot, std::move(query)));
    TW_ASSIGN(const auto answer, connection->run(query_));
    TW_TRY(print_table(*answer));
    return 0;
  }

 private:
  Status find_log() {
    TW_ASSIGN(options_.log_dir, log_.find(options_.output_dir));
    std::error_code error;
    const bool has_recorder = std::filesystem::is_directory(options_.output_dir / ".parts", error);
    if (options_.log_dir.empty() && !log_.is_left_out && has_recorder) {
      warn("{} is no folder, so what only the log has is left out; name it with --wal",
           recorder::default_log_dir(options_.output_dir).string());
    }
    return {};
  }

  recorder::SnapshotOptions options_;
  LogOption log_;
  std::string query_;
  WorkOptions work_;
};

}  // namespace

std::unique_ptr<Command> make_sql_command() { return std::make_unique<SqlCommand>(); }

}  // namespace tapeworks
