#include "recorder/sink/sink.h"

#include <algorithm>
#include <limits>

#include <arrow/memory_pool.h>

#include <nlohmann/json.hpp>

#include "recorder/sink/state_files.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
/// Parts for their age alone, a second: many partitions grow old together.
constexpr int kAgedPartsPerSecond = 16;
/// Smaller steps backward are waited for.
constexpr int64_t kClockBackNs = kHourNs;
constexpr size_t kRecentMax = 50'000;
/// Rows of so many bytes become a part however few they are: while it is encoded, and again while
/// it is joined, there are several copies of it.
constexpr uint64_t kPartBytesMax = 4 * kMiB;
/// With less for a partition, parts would be of a few rows each, whatever else needs the memory.
constexpr uint64_t kPartitionBytesMin = 2 * ChunkPool::kChunkBytes;

/// Whether a log's first record is its very first: nothing was there before.
bool begins_a_log(const LogRecord& record) {
  if (record.kind != kLogKindStart) return false;
  const auto start = parse_log_start(record.payload);
  return start && start->last_lsn == 0 && start->floor_lsn == 0;
}

}  // namespace

Sink::Sink(SinkOptions options, std::filesystem::path parts_dir, LogLock lock,
           std::optional<LogLock> recorder_lock, PartFolder parts, LogState state,
           arrow::MemoryPool* pool)
    : options_(std::move(options)),
      pool_(pool),
      parts_dir_(std::move(parts_dir)),
      lock_(std::move(lock)),
      recorder_lock_(std::move(recorder_lock)),
      parts_(std::move(parts)),
      manifest_(options_.output_dir, options_.layout, pool),
      retention_(options_.output_dir),
      state_(std::move(state)),
      maker_(state_, *this),
      part_writer_(pool, PagePacking::kFast),
      part_reader_(pool),
      merge_writer_(pool),
      next_close_ns_(kNever) {}

Sink::~Sink() {
  // Of a replay that was given up; the next one begins anew. Failing to tidy up loses nothing.
  if (options_.replay) (void)remove_tree(parts_dir_);
}

// ---- Records

Status Sink::consume(const LogRecord& record) {
  if (record.lsn <= state_.lsn) return {};
  if (state_.lsn == 0 && !begins_a_log(record)) begin_late();
  if (state_.whole_from_ns == kNever) {
    state_.whole_from_ns = floor_time(record.wall_time_ns, kHourNs) + kHourNs;
  }
  TW_TRY(begin_record(record.lsn, record.wall_time_ns));
  if (state_.lsn != 0 && state_.lsn < options_.rows_from_lsn &&
      record.lsn >= options_.rows_from_lsn) {
    // The files of this hour lack what came before.
    state_.whole_from_ns =
        std::max(state_.whole_from_ns, floor_time(state_.log_time_ns, kHourNs) + kHourNs);
  }
  TW_TRY(maker_.take(record));
  if (record.kind == static_cast<uint8_t>(LogKind::kStop)) {
    // The record's own row is in the files as well.
    TW_TRY(close_all(record.lsn + 1, false));
  }
  return end_record(record.lsn);
}

Status Sink::consume(const LogHole& hole) {
  const uint64_t last_missing = hole.first_missing_lsn + hole.missing_count - 1;
  if (hole.missing_count == 0 || last_missing <= state_.lsn) return {};
  if (state_.lsn == 0) {
    // Where the log begins later than asked for, nothing is known of the time before.
    begin_late();
    state_.lsn = last_missing;
    return {};
  }
  TW_TRY(begin_record(last_missing, state_.log_time_ns));
  TW_TRY(maker_.take(hole));
  return end_record(last_missing);
}

void Sink::adopt(LogState state) {
  state_ = std::move(state);
  state_.whole_from_ns =
      std::max(state_.whole_from_ns, floor_time(state_.log_time_ns, kHourNs) + kHourNs);
  begins_late_ = false;
}

void Sink::begin_late() {
  begins_late_ = true;
  state_.whole_from_ns = kNever;  // until the first record says when that is
}

Status Sink::begin_record(uint64_t lsn, int64_t time_ns) {
  current_lsn_ = lsn;
  return advance_time(time_ns, lsn);
}

Status Sink::end_record(uint64_t lsn) {
  state_.lsn = lsn;
  for (Partition* const partition : full_) TW_TRY(flush(*partition));
  full_.clear();
  while (chunks_.used_bytes() > row_limit_bytes()) TW_TRY(flush_best());
  chunks_.trim(row_limit_bytes());
  if (!orphans_.empty() && lsn > orphans_until_lsn_) TW_TRY(adopt_orphans(lsn));
  if (!options_.replay && !snapshot_ && state_.log_time_ns >= next_snapshot_ns_) {
    next_snapshot_ns_ = state_.log_time_ns + options_.checkpoint_interval_ns;
    snapshot_ = make_snapshot();
  }
  return {};
}

Status Sink::advance_time(int64_t time_ns, uint64_t lsn) {
  if (!options_.log_dir.empty() && state_.lsn != 0 &&
      floor_time(time_ns, kHourNs) > floor_time(state_.log_time_ns, kHourNs)) {
    TW_TRY(write_state_file(options_.log_dir, options_.layout, state_));
  }
  if (time_ns + kClockBackNs < state_.log_time_ns) set_time_back(time_ns);
  state_.log_time_ns = std::max(state_.log_time_ns, time_ns);
  if (state_.log_time_ns >= next_close_ns_) TW_TRY(close_due(lsn));
  if (state_.log_time_ns < next_flush_check_ns_) return {};
  next_flush_check_ns_ = state_.log_time_ns + kSecondNs;
  counts_.state_bytes = state_.memory_bytes_about();
  TW_TRY(flush_old());
  if (snapshot_ && durable_rows_lsn() >= snapshot_->lsn) {
    TW_TRY(write_checkpoint(*snapshot_));
    snapshot_.reset();
  }
  return {};
}

/// A clock that was far ahead for a moment must not keep hours open until that time comes.
void Sink::set_time_back(int64_t time_ns) {
  state_.log_time_ns = time_ns;
  for (auto& [path, partition] : partitions_) {
    OpenPartition& open = partition->open;
    open.close_time_ns = std::min(open.close_time_ns, next_close_time(open));
    next_close_ns_ = std::min(next_close_ns_, open.close_time_ns);
  }
  for (Removal& removal : removals_) {
    removal.due_ns = std::min(removal.due_ns, time_ns + options_.parts_linger_ns);
  }
  next_flush_check_ns_ = std::min(next_flush_check_ns_, time_ns);
  next_snapshot_ns_ = std::min(next_snapshot_ns_, time_ns + options_.checkpoint_interval_ns);
}

// ---- Rows

Status Sink::take(TableKind table, const PartitionName& name, int64_t time_ns,
                  std::span<const std::byte> row) {
  if (current_lsn_ < options_.rows_from_lsn) return {};
  TW_ASSIGN(Partition* const partition, partition_for(table, name, time_ns));
  partition->open.has_new_rows = true;
  if (current_lsn_ <= partition->covered_lsn) return {};
  RowBuffer& rows = partition->buffer;
  const uint64_t bytes_before = rows.byte_count();
  rows.append(row, current_lsn_, state_.log_time_ns);
  const bool is_large = bytes_before < kPartBytesMax && rows.byte_count() >= kPartBytesMax;
  if (is_large || rows.row_count() == options_.part_rows) full_.push_back(partition);
  return {};
}

/// Where a file has one symbol, it is published as it is; its hour may still add to it.
Status Sink::end_symbol(const PartitionName& name) {
  if (options_.layout != Layout::kSymbol) return {};
  for (const auto& [path, partition] : partitions_) {
    const OpenPartition& open = partition->open;
    if (open.table != TableKind::kRows || open.symbol != name.symbol) continue;
    if (open.exchange != name.exchange || open.market != name.market) continue;
    bool is_over = false;
    TW_TRY(close(*partition, current_lsn_, false, is_over));
    next_close_ns_ = std::min(next_close_ns_, partition->open.close_time_ns);
  }
  return {};
}

Result<Sink::Partition*> Sink::partition_for(TableKind table, const PartitionName& name,
                                             int64_t time_ns) {
  if (table == TableKind::kRows) {
    recent_key_.assign(name.exchange).append(name.market).append(name.symbol);
    const auto found = recent_.find(recent_key_);
    if (found != recent_.end() && found->second.begin_ns <= time_ns &&
        time_ns < found->second.end_ns) {
      return found->second.partition;
    }
  }
  std::string path = partition_path(options_.layout, table, name, time_ns);
  const auto known = partitions_.find(path);
  Partition* partition = known == partitions_.end() ? nullptr : known->second.get();
  if (partition == nullptr) {
    const int64_t unit_ns = table == TableKind::kRows ? kHourNs : kDayNs;
    OpenPartition open;
    open.path = std::move(path);
    open.table = table;
    open.exchange = name.exchange;
    if (options_.layout != Layout::kExchange) open.market = name.market;
    if (options_.layout == Layout::kSymbol) open.symbol = name.symbol;
    open.begin_ns = floor_time(time_ns, unit_ns);
    open.end_ns = open.begin_ns + unit_ns;
    open.close_time_ns = next_close_time(open);
    TW_ASSIGN(partition, add_partition(std::move(open)));
  }
  if (table == TableKind::kRows) {
    if (recent_.size() >= kRecentMax) recent_.clear();
    recent_[recent_key_] = {partition->open.begin_ns, partition->open.end_ns, partition};
  }
  return partition;
}

Result<Sink::Partition*> Sink::add_partition(OpenPartition open) {
  const std::string path = open.path;
  auto partition = std::make_unique<Partition>(std::move(open), chunks_);
  const auto parts = parts_.parts_of(path);
  if (!parts.empty()) partition->covered_lsn = parts.back().last_lsn;
  if (!options_.replay) {
    TW_ASSIGN(const auto certificate, published(path));
    if (certificate) {
      partition->covered_lsn = std::max(partition->covered_lsn, certificate->last_lsn);
    }
  }
  next_close_ns_ = std::min(next_close_ns_, partition->open.close_time_ns);
  orphans_.erase(path);
  return partitions_.emplace(path, std::move(partition)).first->second.get();
}

// ---- Closing

int64_t Sink::next_close_time(const OpenPartition& partition) const {
  const int64_t next_hour_ns = floor_time(state_.log_time_ns, kHourNs) + kHourNs;
  const bool is_late = partition.end_ns + state_.rules().grace_ns <= state_.log_time_ns;
  if (is_late) return next_hour_ns + state_.rules().grace_ns;
  if (partition.table == TableKind::kRows) return partition.end_ns + state_.rules().grace_ns;
  // A day's table shows what each hour added.
  return std::min(partition.end_ns, next_hour_ns) + state_.rules().grace_ns;
}

Status Sink::close_due(uint64_t lsn) {
  next_close_ns_ = kNever;
  for (auto entry = partitions_.begin(); entry != partitions_.end();) {
    Partition& partition = *entry->second;
    bool is_over = false;
    if (partition.open.close_time_ns <= state_.log_time_ns) {
      TW_TRY(close(partition, lsn, false, is_over));
    }
    if (is_over) {
      entry = partitions_.erase(entry);
      recent_.clear();
    } else {
      next_close_ns_ = std::min(next_close_ns_, partition.open.close_time_ns);
      ++entry;
    }
  }
  constexpr int64_t kKeepGapsNs = 3 * kHourNs;
  state_.forget_gaps_before(state_.log_time_ns - kKeepGapsNs);
  return {};
}

Status Sink::close_all(uint64_t lsn, bool as_cut) {
  for (auto& [path, partition] : partitions_) {
    bool is_over = false;
    TW_TRY(close(*partition, lsn, as_cut, is_over));
    // One that is over stays for the moment; with the next record it is closed without news.
    partition->open.close_time_ns = is_over ? state_.log_time_ns : partition->open.close_time_ns;
    next_close_ns_ = std::min(next_close_ns_, partition->open.close_time_ns);
  }
  full_.clear();
  return {};
}

Status Sink::close(Partition& partition, uint64_t lsn, bool as_cut, bool& is_over) {
  OpenPartition& open = partition.open;
  is_over = state_.log_time_ns >= open.end_ns + state_.rules().grace_ns;
  const bool complete = is_over && !as_cut;
  if (open.has_new_rows || (complete && open.was_published_open)) {
    MergeJob job;
    job.partition = open.path;
    job.table = open.table;
    job.close_lsn = lsn;
    job.complete = complete;
    // Fetched rows can bring back an hour that retention has deleted, but not the rest of it.
    const bool is_late = open.close_time_ns > open.end_ns + state_.rules().grace_ns;
    const bool was_deleted =
        is_late && open.table == TableKind::kRows && retention_.has_deleted(open.path);
    job.partial = as_cut || was_deleted || open.begin_ns < state_.whole_from_ns;
    job.gaps = gaps_of(open);
    job.row_group_rows = state_.rules().row_group_rows;
    merges_.push_back({std::move(job), std::move(partition.buffer)});
  }
  open.has_new_rows = false;
  open.was_published_open = !complete;
  open.close_time_ns = next_close_time(open);
  return {};
}

std::string Sink::gaps_of(const OpenPartition& partition) const {
  auto list = nlohmann::ordered_json::array();
  if (partition.table != TableKind::kRows) return list.dump();
  const auto concerns = [&](const std::optional<Venue>& venue) {
    if (!venue || partition.exchange.empty()) return true;
    const VenueName name = name_of(*venue);
    return name.exchange == partition.exchange &&
           (partition.market.empty() || name.market == partition.market);
  };
  for (const KnownGap& gap : state_.gaps()) {
    const bool overlaps = gap.from_ns < partition.end_ns && gap.to_ns >= partition.begin_ns;
    const bool same_symbol =
        gap.symbol.empty() || partition.symbol.empty() || gap.symbol == partition.symbol;
    if (overlaps && same_symbol && concerns(gap.venue)) {
      list.push_back(nlohmann::ordered_json::parse(gap.json));
    }
  }
  for (const auto& [number, connection] : state_.connections()) {
    if (!connection.source || !concerns(connection.source->venue)) continue;
    const auto add_open = [&](const std::optional<int64_t>& from_ns, std::string_view cause) {
      if (!from_ns || *from_ns >= partition.end_ns) return;
      list.push_back({{"cause", cause}, {"connection", number}, {"from_time", *from_ns}});
    };
    add_open(connection.gap_from_ns, connection.gap_cause);
    if (connection.subscribing_from) {
      add_open(connection.subscribing_from->time_ns, kSubscribingCause);
    }
  }
  return list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// ---- Parts

Status Sink::write_part(const std::string& partition, TableKind table, RowBuffer& rows) {
  if (rows.empty()) return {};
  TW_ASSIGN(const auto columns, rows.to_table(pool_));
  TW_TRY(
      parts_.write(partition, table, {rows.first_lsn(), rows.last_lsn()}, *columns, part_writer_));
  rows.clear();
  return {};
}

Status Sink::flush(Partition& partition) {
  if (partition.buffer.empty()) return {};
  TW_TRY(flush_rests_of(partition.open.path));
  const uint64_t last_lsn = partition.buffer.last_lsn();
  TW_TRY(write_part(partition.open.path, partition.open.table, partition.buffer));
  partition.covered_lsn = last_lsn;
  return {};
}

Status Sink::flush_rest(PendingMerge& merge) {
  if (merge.rest.empty()) return {};
  TW_TRY(flush_rests_of(merge.job.partition));
  return {};
}

/// In the order of their LSNs, because a partition's newest part says how far it has come.
Status Sink::flush_rests_of(const std::string& partition) {
  for (PendingMerge& merge : merges_) {
    if (merge.job.partition != partition) continue;
    TW_TRY(write_part(partition, merge.job.table, merge.rest));
  }
  return {};
}

Status Sink::flush_old() {
  int written = 0;
  for (auto& [path, partition] : partitions_) {
    const RowBuffer& rows = partition->buffer;
    if (rows.empty()) continue;
    const bool is_old = state_.log_time_ns - rows.first_time_ns() >= options_.part_age_ns;
    const bool is_idle = state_.log_time_ns - rows.last_time_ns() >= options_.idle_close_ns;
    if (!is_old && !is_idle) continue;
    TW_TRY(flush(*partition));
    if (++written == kAgedPartsPerSecond) return {};
  }
  return {};
}

uint64_t Sink::row_limit_bytes() const {
  const uint64_t others = static_cast<uint64_t>(pool_->bytes_allocated()) + counts_.state_bytes +
                          parts_.part_count() * PartFolder::kPartBytes;
  const uint64_t left = options_.memory_bytes - std::min(options_.memory_bytes, others);
  const uint64_t least = std::max(kRowBytesMin, partitions_.size() * kPartitionBytesMin);
  return std::min(options_.buffer_bytes, std::max(left, least));
}

/// Makes a part of the rows whose memory is the best to give up: with bytes times age as the
/// measure, a partition that gets r rows a second becomes a part at a number of rows that grows
/// with the root of r, which makes the fewest parts that a given memory allows. By bytes alone
/// those that hardly get rows would hold as many as those that get most.
Status Sink::flush_best() {
  ++counts_.evictions;
  const auto worth_of = [this](const RowBuffer& rows) {
    const int64_t age_ns = std::max<int64_t>(state_.log_time_ns - rows.first_time_ns(), 0) + 1;
    return static_cast<double>(rows.byte_count()) * static_cast<double>(age_ns);
  };
  Partition* best = nullptr;
  double best_worth = 0;
  for (auto& [path, partition] : partitions_) {
    const double worth = worth_of(partition->buffer);
    if (worth > best_worth) {
      best_worth = worth;
      best = partition.get();
    }
  }
  PendingMerge* best_rest = nullptr;
  for (PendingMerge& merge : merges_) {
    const double worth = worth_of(merge.rest);
    if (worth > best_worth) {
      best_worth = worth;
      best_rest = &merge;
    }
  }
  if (best_rest != nullptr) return flush_rest(*best_rest);
  if (best == nullptr) return internal_error("the sink holds rows of no partition");
  return flush(*best);
}

// ---- When the disk is short

Status Sink::save_space() {
  for (PendingMerge& merge : merges_) TW_TRY(flush_rest(merge));
  for (auto& [path, partition] : partitions_) TW_TRY(flush(*partition));
  snapshot_.reset();
  if (state_.lsn != 0) TW_TRY(write_checkpoint(make_snapshot()));
  for (Removal& removal : removals_) removal.due_ns = state_.log_time_ns;
  return {};
}

bool Sink::is_in_use(const std::string& partition) const {
  const auto time = parse_partition_time(partition);
  if (!time || state_.log_time_ns < time->end_ns + state_.rules().grace_ns) return true;
  if (partitions_.contains(partition) || orphans_.contains(partition)) return true;
  return std::ranges::any_of(
      merges_, [&](const PendingMerge& merge) { return merge.job.partition == partition; });
}

Result<bool> Sink::delete_old(const RetentionLimits& limits) {
  return retention_.step(
      limits, manifest_, [this](const std::string& partition) { return is_in_use(partition); },
      parts_.unfinished_path("manifest"));
}

Status Sink::discard_unfinished() { return parts_.discard_unfinished(); }

// ---- The end

Status Sink::finish() {
  if (options_.replay) TW_TRY(close_all(state_.lsn + 1, true));
  while (true) {
    TW_ASSIGN(const bool did_something, work());
    if (!did_something) break;
  }
  if (options_.replay) {
    // All that was in the parts is published, and a replay can be done again.
    return remove_tree(parts_dir_);
  }
  for (auto& [path, partition] : partitions_) TW_TRY(flush(*partition));
  if (state_.lsn == 0) return {};
  snapshot_.reset();
  return write_checkpoint(make_snapshot());
}

SinkStatus Sink::status() const {
  SinkStatus status = counts_;
  status.consumed_lsn = state_.lsn;
  status.checkpoint_lsn = checkpoint_lsn_;
  status.buffered_bytes = chunks_.held_bytes();
  status.column_bytes = static_cast<uint64_t>(pool_->bytes_allocated());
  status.open_partitions = partitions_.size();
  status.parts = parts_.part_count();
  status.waiting_merges = waiting_merges();
  status.deleted = retention_.counts();
  return status;
}

}  // namespace tapeworks::recorder
