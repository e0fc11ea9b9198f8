#include "recorder/sink/published_file_check.h"

#include <memory>
#include <string_view>
#include <system_error>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fcntl.h>

#include "base/interrupt.h"
#include "recorder/sink/row_checksum.h"
#include "recorder/sink/stream_summary.h"
#include "recorder/sink/table_schema.h"
#include "storage/parquet_read.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

/// The columns of a batch that are looked at; those that its table does not have are null.
struct BatchColumns {
  BatchColumns(const arrow::RecordBatch& batch, TableKind table)
      : lsn(find<arrow::UInt64Array>(batch, "lsn")),
        frame_index(find<arrow::Int32Array>(batch, "frame_index")),
        log_time(find<arrow::TimestampArray>(
            batch, table == TableKind::kGaps ? "to_time" : "receive_time")) {
    if (table != TableKind::kRows) return;
    event_time = find<arrow::TimestampArray>(batch, "event_time");
    exchange = find<arrow::StringArray>(batch, "exchange");
    market = find<arrow::StringArray>(batch, "market");
    symbol = find<arrow::StringArray>(batch, "symbol");
    source = find<arrow::StringArray>(batch, "source");
  }

  template <typename Array>
  static const Array* find(const arrow::RecordBatch& batch, const char* name) {
    return static_cast<const Array*>(batch.GetColumnByName(name).get());
  }

  const arrow::UInt64Array* lsn;
  const arrow::Int32Array* frame_index;
  const arrow::TimestampArray* log_time;
  const arrow::TimestampArray* event_time = nullptr;
  const arrow::StringArray* exchange = nullptr;
  const arrow::StringArray* market = nullptr;
  const arrow::StringArray* symbol = nullptr;
  const arrow::StringArray* source = nullptr;
};

/// Rows of one file in their order, against the file's path and against each other.
class RowCheck {
 public:
  RowCheck(Layout layout, std::string partition, PartitionTime time, FileFindings& findings)
      : layout_(layout), partition_(std::move(partition)), time_(time), findings_(findings) {}

  Status add(const arrow::Table& rows);
  void compare(const Certificate& certificate) const;

 private:
  struct Key {
    uint64_t lsn = 0;
    int32_t frame_index = 0;
    auto operator<=>(const Key&) const = default;
  };

  void check_key(Key key);
  void check_place(const BatchColumns& columns, int64_t row);
  void check_time(const BatchColumns& columns, int64_t row);

  Layout layout_;
  std::string partition_;
  PartitionTime time_;
  FileFindings& findings_;
  RowChecksum checksum_;
  StreamSummary streams_;
  uint64_t row_count_ = 0;
  uint64_t first_lsn_ = 0;
  Key last_;
  std::string names_;       ///< of the last row that was looked at
  std::string next_names_;  ///< used again
};

void RowCheck::check_key(Key key) {
  if (row_count_ == 0) first_lsn_ = key.lsn;
  if (row_count_ != 0 && key <= last_) {
    findings_.add(key == last_ ? fmt::format("row {}/{} is there twice", key.lsn, key.frame_index)
                               : fmt::format("row {}/{} follows {}/{}", key.lsn, key.frame_index,
                                             last_.lsn, last_.frame_index));
  }
  last_ = key;
  ++row_count_;
}

/// The names of neighbours are mostly the same, so a path is made for few rows.
void RowCheck::check_place(const BatchColumns& columns, int64_t row) {
  const std::string_view exchange = columns.exchange->GetView(row);
  const std::string_view market = columns.market->GetView(row);
  const std::string_view symbol = columns.symbol->GetView(row);
  next_names_.assign(exchange).append(1, '\0').append(market).append(1, '\0').append(symbol);
  if (next_names_ == names_) return;
  names_.swap(next_names_);
  const std::string path =
      partition_path(layout_, TableKind::kRows, {exchange, market, symbol}, time_.begin_ns);
  if (path == partition_) return;
  findings_.add(fmt::format("row {}/{} belongs to {}", last_.lsn, last_.frame_index, path));
}

void RowCheck::check_time(const BatchColumns& columns, int64_t row) {
  const bool is_backfill =
      columns.source != nullptr && columns.source->GetView(row) == kBackfillSource;
  const bool by_event = is_backfill && !columns.event_time->IsNull(row);
  const int64_t time_ns = (by_event ? columns.event_time : columns.log_time)->Value(row);
  if (time_.begin_ns <= time_ns && time_ns < time_.end_ns) return;
  findings_.add(
      fmt::format("row {}/{} lies outside the time of the file", last_.lsn, last_.frame_index));
}

Status RowCheck::add(const arrow::Table& rows) {
  TW_TRY(checksum_.add(rows));
  const bool has_market_rows = time_.table == TableKind::kRows;
  if (has_market_rows) TW_TRY(streams_.add(rows));
  arrow::TableBatchReader batches(rows);
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    const auto read = batches.ReadNext(&batch);
    if (!read.ok()) return internal_error("checking rows: {}", read.message());
    if (batch == nullptr) return {};
    const BatchColumns columns(*batch, time_.table);
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      check_key({columns.lsn->Value(row), columns.frame_index->Value(row)});
      if (has_market_rows) check_place(columns, row);
      check_time(columns, row);
    }
  }
}

void RowCheck::compare(const Certificate& certificate) const {
  const auto expect = [&](std::string_view what, const auto& claimed, const auto& found) {
    if (claimed == found) return;
    findings_.add(
        fmt::format("the certificate claims {} {}, the rows give {}", what, claimed, found));
  };
  expect("rows", certificate.row_count, row_count_);
  expect("first LSN", certificate.first_lsn, first_lsn_);
  expect("last LSN", certificate.last_lsn, last_.lsn);
  expect("row checksum", checksum_text(certificate.row_checksum),
         checksum_text(checksum_.digest()));
  if (row_count_ != 0 && last_.lsn >= certificate.close_lsn) {
    findings_.add(fmt::format("row {}/{} is not below the LSN {} that closed the file", last_.lsn,
                              last_.frame_index, certificate.close_lsn));
  }
  const std::string streams = time_.table == TableKind::kRows ? streams_.to_json() : "[]";
  if (certificate.streams != streams) {
    findings_.add("the certificate's summary of streams is not that of the rows");
  }
}

void compare(const ManifestEntry& entry, const Certificate& certificate, FileFindings& findings) {
  if (certificate.partition != entry.partition()) {
    findings.add(fmt::format("its footer says that it is {}", certificate.partition));
  }
  const auto expect = [&](std::string_view what, const auto& listed, const auto& found) {
    if (listed == found) return;
    findings.add(
        fmt::format("the manifest lists {} {}, the certificate says {}", what, listed, found));
  };
  expect("revision", entry.revision, certificate.revision);
  expect("complete", entry.complete, certificate.complete);
  expect("partial", entry.partial, certificate.partial);
  expect("rows", entry.row_count, certificate.row_count);
  expect("row checksum", checksum_text(entry.row_checksum),
         checksum_text(certificate.row_checksum));
  expect("first LSN", entry.first_lsn, certificate.first_lsn);
  expect("last LSN", entry.last_lsn, certificate.last_lsn);
  expect("close LSN", entry.close_lsn, certificate.close_lsn);
}

/// False when the file is not there.
Result<bool> check_content(const fs::path& path, const ManifestEntry& entry,
                           FileFindings& findings) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    findings.add("the file is missing");
    return false;
  }
  TW_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
  TW_ASSIGN(const StreamedContent content, hash_content(file, path, nullptr, {}));
  if (content.byte_count != entry.byte_count) {
    findings.add(fmt::format("it has {} bytes, the manifest lists {}", content.byte_count,
                             entry.byte_count));
  } else if (content.xxh3 != entry.xxh3) {
    findings.add(fmt::format("its checksum is {}, the manifest lists {}",
                             checksum_text(content.xxh3), checksum_text(entry.xxh3)));
  }
  return true;
}

Status check_rows(const fs::path& path, Layout layout, const ManifestEntry& entry,
                  const PartitionTime& time, const std::function<void(const arrow::Table&)>& visit,
                  arrow::MemoryPool* pool, PublishedFileCheck& check) {
  TW_ASSIGN(const ParquetInfo info, read_parquet_info(path, pool));
  TW_ASSIGN(check.certificate, Certificate::from_metadata(info.metadata, path.string()));
  compare(entry, *check.certificate, check.findings);
  const auto& schema = arrow_schema_of(time.table);
  if (!info.schema->Equals(*schema, false)) {
    return corrupt("{}: its columns are not those of this table", path.string());
  }
  RowCheck rows(layout, entry.partition(), time, check.findings);
  for (int group = 0; group < static_cast<int>(info.row_group_rows.size()); ++group) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(const auto read, read_parquet_row_group(path, group, {}, pool));
    TW_TRY(rows.add(*read));
    visit(*read);
  }
  rows.compare(*check.certificate);
  return {};
}

}  // namespace

Result<PublishedFileCheck> check_published_file(
    const fs::path& output_dir, Layout layout, const ManifestEntry& entry,
    const std::function<void(const arrow::Table&)>& visit, arrow::MemoryPool* pool) {
  PublishedFileCheck check;
  const auto time = parse_partition_time(entry.partition());
  const fs::path relative(entry.path);
  if (!time || relative.is_absolute() || *relative.begin() == ".." ||
      relative.lexically_normal() != relative) {
    check.findings.add("the manifest lists it, and no file of a recording has such a path");
    return check;
  }
  const fs::path path = output_dir / relative;
  TW_ASSIGN(const bool is_there, check_content(path, entry, check.findings));
  if (!is_there) return check;
  const bool is_as_published = check.findings.count == 0;
  const Status rows = check_rows(path, layout, entry, *time, visit, pool, check);
  if (rows) return check;
  const ErrorKind kind = rows.error().kind;
  // Damage may claim any size.
  const bool is_damage =
      kind == ErrorKind::kCorrupt || (kind == ErrorKind::kMemoryBudget && !is_as_published);
  if (!is_damage) return std::unexpected(rows.error());
  check.findings.add(rows.error().message);
  return check;
}

}  // namespace tapeworks::recorder
