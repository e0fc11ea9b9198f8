#include "recorder/sink/checkpoint.h"

#include "base/byte_codec.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks::recorder {
namespace {

constexpr std::string_view kMagic = "TWSINKCP";
constexpr uint32_t kVersion = 1;
constexpr size_t kChecksumOffset = kMagic.size() + sizeof(uint32_t);
constexpr size_t kHeaderBytes = kChecksumOffset + sizeof(uint64_t);
/// Of a partition or a job, so that the whole is not copied while it grows.
constexpr size_t kListedBytesAbout = 512;

void save_partition(const OpenPartition& partition, ByteWriter& out) {
  out.put(partition.path);
  out.put(static_cast<uint8_t>(partition.table));
  out.put(partition.exchange);
  out.put(partition.market);
  out.put(partition.symbol);
  out.put(partition.begin_ns);
  out.put(partition.end_ns);
  out.put(partition.close_time_ns);
  out.put(uint8_t{partition.has_new_rows});
  out.put(uint8_t{partition.was_published_open});
}

OpenPartition load_partition(ByteReader& in) {
  OpenPartition partition;
  partition.path = in.take_text();
  partition.table = static_cast<TableKind>(in.take<uint8_t>());
  partition.exchange = in.take_text();
  partition.market = in.take_text();
  partition.symbol = in.take_text();
  partition.begin_ns = in.take<int64_t>();
  partition.end_ns = in.take<int64_t>();
  partition.close_time_ns = in.take<int64_t>();
  partition.has_new_rows = in.take_flag();
  partition.was_published_open = in.take_flag();
  return partition;
}

void save_job(const MergeJob& job, ByteWriter& out) {
  out.put(job.partition);
  out.put(static_cast<uint8_t>(job.table));
  out.put(job.close_lsn);
  out.put(uint8_t{job.complete});
  out.put(uint8_t{job.partial});
  out.put(job.gaps);
}

MergeJob load_job(ByteReader& in) {
  MergeJob job;
  job.partition = in.take_text();
  job.table = static_cast<TableKind>(in.take<uint8_t>());
  job.close_lsn = in.take<uint64_t>();
  job.complete = in.take_flag();
  job.partial = in.take_flag();
  job.gaps = in.take_text();
  return job;
}

}  // namespace

std::string encode_checkpoint(Layout layout, const LogState& state,
                              const std::vector<const OpenPartition*>& partitions,
                              const std::vector<const MergeJob*>& jobs) {
  ByteWriter file;
  file.reserve(kHeaderBytes + state.saved_bytes_about() +
               kListedBytesAbout * (partitions.size() + jobs.size()));
  file.put_raw(kMagic);
  file.put(kVersion);
  file.put(uint64_t{0});
  file.put(static_cast<uint8_t>(layout));
  state.save(file);
  file.put(static_cast<uint32_t>(partitions.size()));
  for (const OpenPartition* partition : partitions) save_partition(*partition, file);
  file.put(static_cast<uint32_t>(jobs.size()));
  for (const MergeJob* job : jobs) save_job(*job, file);
  state.save_legs(file);
  state.save_sampled(file);
  state.save_floors(file);
  state.save_leg_times(file);
  state.save_holes(file);
  state.save_hole_bounds(file);
  state.save_answers(file);
  state.save_run(file);
  state.save_earlier_sessions(file);
  state.save_rules(file);
  for (const MergeJob* job : jobs) file.put(job->row_group_rows);
  const std::string_view body = std::string_view(file.bytes()).substr(kHeaderBytes);
  file.replace(kChecksumOffset, uint64_t{XXH3_64bits(body.data(), body.size())});
  return std::move(file).take();
}

Result<Checkpoint> decode_checkpoint(std::string_view bytes,
                                     std::optional<int64_t> dedupe_window_rows) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic)) {
    return corrupt("it is no checkpoint");
  }
  ByteReader header(bytes.substr(kMagic.size()));
  const auto version = header.take<uint32_t>();
  if (version != kVersion) return corrupt("its version {} is not known", version);
  const std::string_view body = bytes.substr(kHeaderBytes);
  if (header.take<uint64_t>() != XXH3_64bits(body.data(), body.size())) {
    return corrupt("its checksum is wrong");
  }
  ByteReader in(body);
  const auto layout = static_cast<Layout>(in.take<uint8_t>());
  TW_ASSIGN(LogState state, LogState::load(in, dedupe_window_rows));
  Checkpoint checkpoint{layout, std::move(state), {}, {}};
  const size_t partition_count = in.take_count(4 + 1 + 4 + 4 + 4 + 8 + 8 + 8 + 1 + 1);
  for (size_t i = 0; i < partition_count; ++i) {
    checkpoint.partitions.push_back(load_partition(in));
  }
  const size_t job_count = in.take_count(4 + 1 + 8 + 1 + 1 + 4);
  for (size_t i = 0; i < job_count; ++i) checkpoint.jobs.push_back(load_job(in));
  if (!in.at_end()) checkpoint.state.load_legs(in);
  if (!in.at_end()) checkpoint.state.load_sampled(in);
  if (!in.at_end()) checkpoint.state.load_floors(in);
  if (!in.at_end()) checkpoint.state.load_leg_times(in);
  if (!in.at_end()) checkpoint.state.load_holes(in);
  if (!in.at_end()) checkpoint.state.load_hole_bounds(in);
  if (!in.at_end()) checkpoint.state.load_answers(in);
  if (in.at_end()) {
    checkpoint.state.guess_run();
  } else {
    checkpoint.state.load_run(in);
  }
  if (!in.at_end()) checkpoint.state.load_earlier_sessions(in);
  if (!in.at_end()) {
    checkpoint.state.load_rules(in);
    for (MergeJob& job : checkpoint.jobs) job.row_group_rows = in.take<int64_t>();
  }
  if (!in.ok() || !in.at_end()) return corrupt("its length is wrong");
  return checkpoint;
}

}  // namespace tapeworks::recorder
