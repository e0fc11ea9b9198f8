#include "recorder/sink/file_merge.h"

#include <algorithm>
#include <utility>

#include <arrow/array.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>

#include <nlohmann/json.hpp>

#include "recorder/sink/row_checksum.h"
#include "recorder/sink/stream_summary.h"
#include "storage/parquet_read.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;

struct FileMerge::State {
  MergeJob job;
  Inputs inputs;
  int64_t row_group_rows = 0;
  fs::path unfinished;
  ParquetStreamWriter* writer = nullptr;
  arrow::MemoryPool* pool = nullptr;

  int previous_row_groups = 0;
  int next_row_group = 0;
  size_t next_part = 0;
  std::vector<std::shared_ptr<arrow::Table>> pending;  // rows that make no full row group yet
  int64_t pending_rows = 0;
  Certificate certificate;
  RowChecksum checksum;
  StreamSummary streams;

  Status take(const fs::path& path, const arrow::Table& read);
  Status check_previous();
  Status write_row_group(int64_t rows);
};

namespace {

/// LSNs of the first and the last row.
Result<PartRange> range_of(const arrow::Table& rows, const fs::path& path) {
  const auto& chunks = rows.column(0)->chunks();
  if (chunks.empty() || chunks.front()->length() == 0 || chunks.back()->length() == 0) {
    return corrupt("{}: there are no rows in it; move it away", path.string());
  }
  const auto& first = static_cast<const arrow::UInt64Array&>(*chunks.front());
  const auto& last = static_cast<const arrow::UInt64Array&>(*chunks.back());
  return PartRange{first.Value(0), last.Value(last.length() - 1)};
}

/// Whether they are the same gap, of which the later one may know more.
bool is_same_gap(const nlohmann::ordered_json& one, const nlohmann::ordered_json& other) {
  constexpr std::array kKeys{"cause",  "connection", "from_time",     "to_time",
                             "symbol", "stream",     "from_sequence", "to_sequence"};
  return std::ranges::all_of(kKeys, [&](const char* key) {
    return one.value(key, nlohmann::ordered_json()) == other.value(key, nlohmann::ordered_json());
  });
}

/// What either knows, in that order, each once: of an old hour the sink knows only what is new.
std::string joined_gaps(const std::string& before, const std::string& added) {
  using Json = nlohmann::ordered_json;
  Json gaps = Json::parse(before, nullptr, false);
  const Json more = Json::parse(added, nullptr, false);
  if (!gaps.is_array() || !more.is_array()) return added;
  for (const Json& gap : more) {
    const auto known =
        std::ranges::find_if(gaps, [&](const Json& other) { return is_same_gap(other, gap); });
    if (known == gaps.end()) {
      gaps.push_back(gap);
    } else if (gap.contains("filled_by")) {
      *known = gap;
    }
  }
  return gaps.dump();
}

}  // namespace

Status FileMerge::State::take(const fs::path& path, const arrow::Table& read) {
  const auto& schema = arrow_schema_of(job.table);
  if (!read.schema()->Equals(*schema, false)) {
    return corrupt(
        "{}: the columns are not those of this version; publish it with the tapeworks "
        "that wrote it",
        path.string());
  }
  const auto& metadata = read.schema()->metadata();
  const auto partition = metadata == nullptr
                             ? arrow::Result<std::string>(arrow::Status::KeyError(""))
                             : metadata->Get(kPartitionKey);
  if (!partition.ok() || *partition != job.partition) {
    return corrupt("{}: belongs to {}, not to {}; move it away", path.string(),
                   partition.ok() ? *partition : "no partition", job.partition);
  }
  TW_ASSIGN(const PartRange range, range_of(read, path));
  if (certificate.row_count != 0 && range.first_lsn <= certificate.last_lsn) {
    // Row groups may cut a frame in two; parts never do.
    const bool same_frame = next_part == 0 && range.first_lsn == certificate.last_lsn;
    if (!same_frame) {
      return corrupt("{}: its rows do not follow LSN {}; move it away", path.string(),
                     certificate.last_lsn);
    }
  }
  auto rows = arrow::Table::Make(schema, read.columns(), read.num_rows());
  if (certificate.row_count == 0) certificate.first_lsn = range.first_lsn;
  certificate.last_lsn = range.last_lsn;
  certificate.row_count += static_cast<uint64_t>(rows->num_rows());
  TW_TRY(checksum.add(*rows));
  if (job.table == TableKind::kRows) TW_TRY(streams.add(*rows));
  pending_rows += rows->num_rows();
  pending.push_back(std::move(rows));
  while (pending_rows >= row_group_rows) TW_TRY(write_row_group(row_group_rows));
  return {};
}

Status FileMerge::State::write_row_group(int64_t row_count) {
  const auto joined = arrow::ConcatenateTables(pending);
  if (!joined.ok()) return internal_error("joining parts: {}", joined.status().message());
  TW_TRY(writer->append_row_group(*(*joined)->Slice(0, row_count)));
  pending.clear();
  pending_rows -= row_count;
  if (pending_rows > 0) pending.push_back((*joined)->Slice(row_count));
  return {};
}

Status FileMerge::State::check_previous() {
  const Certificate& previous = *inputs.previous;
  if (certificate.row_count == previous.row_count && checksum.digest() == previous.row_checksum) {
    return {};
  }
  return corrupt(
      "{}: its rows are not those that its certificate names; move it away and make the "
      "hour again with tapeworks replay",
      inputs.previous_path.string());
}

FileMerge::FileMerge(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileMerge::FileMerge(FileMerge&&) noexcept = default;
FileMerge& FileMerge::operator=(FileMerge&&) noexcept = default;
FileMerge::~FileMerge() = default;

Result<FileMerge> FileMerge::begin(MergeJob job, Inputs inputs, int64_t row_group_rows,
                                   const fs::path& unfinished, ParquetStreamWriter& writer,
                                   arrow::MemoryPool* pool) {
  auto state = std::make_unique<State>();
  state->job = std::move(job);
  state->inputs = std::move(inputs);
  state->row_group_rows = row_group_rows;
  state->unfinished = unfinished;
  state->writer = &writer;
  state->pool = pool;
  if (state->inputs.previous) {
    TW_ASSIGN(const ParquetInfo info, read_parquet_info(state->inputs.previous_path, pool));
    state->previous_row_groups = static_cast<int>(info.row_group_rows.size());
  }
  TW_TRY(writer.open(unfinished, arrow_schema_of(state->job.table)));
  return FileMerge(std::move(state));
}

Result<bool> FileMerge::step() {
  State& state = *state_;
  if (state.next_row_group < state.previous_row_groups) {
    const fs::path& path = state.inputs.previous_path;
    TW_ASSIGN(const auto rows,
              read_parquet_row_group(path, state.next_row_group++, {}, state.pool));
    TW_TRY(state.take(path, *rows));
    if (state.next_row_group == state.previous_row_groups) TW_TRY(state.check_previous());
    return true;
  }
  if (state.next_part == state.inputs.parts.size()) return false;
  const fs::path& path = state.inputs.parts[state.next_part];
  TW_ASSIGN(const auto rows, read_parquet(path, {}, state.pool));
  ++state.next_part;
  TW_TRY(state.take(path, *rows));
  return true;
}

Result<FileMerge::Outcome> FileMerge::finish() {
  State& state = *state_;
  if (state.pending_rows > 0) TW_TRY(state.write_row_group(state.pending_rows));
  Certificate& certificate = state.certificate;
  certificate.partition = state.job.partition;
  certificate.revision = state.inputs.previous ? state.inputs.previous->revision + 1 : 1;
  certificate.complete = state.job.complete;
  certificate.partial = state.job.partial;
  certificate.close_lsn = state.job.close_lsn;
  certificate.row_checksum = state.checksum.digest();
  certificate.streams = state.job.table == TableKind::kRows ? state.streams.to_json() : "[]";
  certificate.gaps = state.inputs.previous
                         ? joined_gaps(state.inputs.previous->gaps, state.job.gaps)
                         : state.job.gaps;
  TW_ASSIGN(const WrittenFile file, state.writer->finish(certificate.to_metadata()));
  return Outcome{certificate, file};
}

const MergeJob& FileMerge::job() const { return state_->job; }
const fs::path& FileMerge::unfinished() const { return state_->unfinished; }

}  // namespace tapeworks::recorder
