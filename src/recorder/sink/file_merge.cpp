#include "recorder/sink/file_merge.h"

#include <algorithm>
#include <utility>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "recorder/sink/page_rows.h"
#include "recorder/sink/row_checksum.h"
#include "recorder/sink/stream_summary.h"
#include "storage/parquet_read.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;

namespace {

// Where a page ends, and a row group. Part of the format, because they decide about bytes: nothing
// but the rows may count (docs/decisions/0020).
/// As many as most parts have, so that a part is a page.
constexpr int64_t kPageRows = 8192;
/// Texts and binary values of a page; ordinary rows have 1 MiB, those of _quarantine may have 1 MiB
/// each. A page is copied several times while it is encoded.
constexpr int64_t kPageTextBytesMax = 4 * static_cast<int64_t>(kMiB);
constexpr int64_t kRowGroupTextBytesMax = 16 * static_cast<int64_t>(kMiB);

}  // namespace

struct FileMerge::State {
  MergeJob job;
  Inputs inputs;
  int64_t row_group_rows = 0;
  fs::path unfinished;
  FastFileReader* reader = nullptr;
  ParquetStreamWriter* writer = nullptr;

  std::optional<ParquetBatches> replaced;  // what is left to read of that file
  size_t next_part = 0;
  arrow::RecordBatchVector page;  // the page that is not full yet
  int64_t page_rows = 0;
  int64_t page_text_bytes = 0;
  int64_t group_rows = 0;  // in full pages of the row group that is open
  int64_t group_text_bytes = 0;
  Certificate certificate;
  RowChecksum checksum;
  StreamSummary streams;

  Status take(const fs::path& path, const arrow::Table& read);
  Status check_previous();
  Status add(const arrow::RecordBatch& rows);
  int64_t page_rows_max() const { return std::min(kPageRows, row_group_rows - group_rows); }
  Status write_page();
  Status end_row_group();
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
    return invalid_argument(
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
    // What is read at once may cut a frame in two; parts never do.
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
  arrow::TableBatchReader batches(*rows);
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    const auto next = batches.ReadNext(&batch);
    if (!next.ok()) return internal_error("{}: {}", path.string(), next.message());
    if (batch == nullptr) return {};
    TW_TRY(add(*batch));
  }
}

Status FileMerge::State::add(const arrow::RecordBatch& rows) {
  for (int64_t begin = 0; begin < rows.num_rows();) {
    const int64_t most = std::min(page_rows_max() - page_rows, rows.num_rows() - begin);
    const int64_t count = rows_that_fill(rows, begin, most, kPageTextBytesMax - page_text_bytes);
    page.push_back(rows.Slice(begin, count));
    page_rows += count;
    page_text_bytes += text_bytes(rows, begin, count);
    begin += count;
    const bool is_full = page_rows == page_rows_max() || page_text_bytes >= kPageTextBytesMax;
    if (is_full) TW_TRY(write_page());
  }
  return {};
}

Status FileMerge::State::write_page() {
  const auto rows = arrow::Table::FromRecordBatches(page);
  if (!rows.ok()) return internal_error("joining parts: {}", rows.status().message());
  TW_TRY(writer->append_page(**rows));
  page.clear();
  group_rows += std::exchange(page_rows, 0);
  group_text_bytes += std::exchange(page_text_bytes, 0);
  const bool is_full = group_rows == row_group_rows || group_text_bytes >= kRowGroupTextBytesMax;
  return is_full ? end_row_group() : Status();
}

Status FileMerge::State::end_row_group() {
  group_rows = 0;
  group_text_bytes = 0;
  return writer->end_row_group();
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

Result<FileMerge> FileMerge::begin(MergeJob job, Inputs inputs, const fs::path& unfinished,
                                   FastFileReader& reader, ParquetStreamWriter& writer) {
  auto state = std::make_unique<State>();
  state->job = std::move(job);
  state->inputs = std::move(inputs);
  state->row_group_rows = job.row_group_rows;
  state->unfinished = unfinished;
  state->reader = &reader;
  state->writer = &writer;
  if (state->inputs.previous) {
    TW_ASSIGN(state->replaced, ParquetBatches::open(state->inputs.previous_path, reader.pool()));
  }
  TW_TRY(writer.open(unfinished, arrow_schema_of(state->job.table)));
  return FileMerge(std::move(state));
}

Result<bool> FileMerge::step() {
  State& state = *state_;
  if (state.replaced) {
    TW_ASSIGN(const auto rows, state.replaced->next());
    if (rows != nullptr) {
      TW_TRY(state.take(state.inputs.previous_path, *rows));
    } else {
      TW_TRY(state.check_previous());
      state.replaced.reset();
    }
    return true;
  }
  if (state.next_part == state.inputs.parts.size()) return false;
  const fs::path& path = state.inputs.parts[state.next_part];
  auto rows = state.reader->read(path, arrow_schema_of(state.job.table));
  if (rows == nullptr) {
    TW_ASSIGN(rows, read_parquet(path, {}, state.reader->pool()));
  }
  ++state.next_part;
  TW_TRY(state.take(path, *rows));
  return true;
}

Result<FileMerge::Outcome> FileMerge::finish() {
  State& state = *state_;
  if (state.page_rows > 0) TW_TRY(state.write_page());
  if (state.group_rows > 0) TW_TRY(state.end_row_group());
  Certificate& certificate = state.certificate;
  certificate.partition = state.job.partition;
  const uint32_t last_revision =
      state.inputs.previous ? state.inputs.previous->revision : state.inputs.lost_revision;
  certificate.revision = last_revision + 1;
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

bool FileMerge::reads_previous() const { return state_->replaced.has_value(); }
const MergeJob& FileMerge::job() const { return state_->job; }
const fs::path& FileMerge::unfinished() const { return state_->unfinished; }

}  // namespace tapeworks::recorder
