#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include "base/lower_case.h"
#include "base/units.h"
#include "recorder/protocol/log_event.h"
#include "recorder/sink/recording_check.h"
#include "recorder/sink/sink.h"
#include "storage/memory_budget.h"
#include "storage/parquet_read.h"
#include "storage/posix_file.h"
#include "storage/scratch_folder.h"

namespace tapeworks::recorder {

/// A log in memory, with a clock that only the test moves.
class SyntheticLog {
 public:
  static constexpr int64_t kBeginNs = 1'700'000'000 * kSecondNs;  // 22:13:20

  /// With the record that begins every log.
  SyntheticLog() { append_start({}); }

  int64_t time_ns() const { return time_ns_; }
  void advance(int64_t by_ns) { time_ns_ += by_ns; }
  void set_time(int64_t time_ns) { time_ns_ = time_ns; }

  uint64_t append(LogKind kind, std::string payload, LogSource source = {},
                  uint32_t connection = 1) {
    return append_raw(static_cast<uint8_t>(kind), std::move(payload), encode_source(source),
                      connection);
  }
  uint64_t event(LogKind kind, const LogEvent& event, LogSource source = {},
                 uint32_t connection = 1) {
    return append(kind, encode_log_event(event), source, connection);
  }
  /// One that concerns no venue.
  uint64_t general_event(LogKind kind, const LogEvent& event) {
    return append_raw(static_cast<uint8_t>(kind), encode_log_event(event), kNoSource, 0);
  }
  uint64_t heartbeat() {
    return append_raw(static_cast<uint8_t>(LogKind::kHeartbeat), "", kNoSource, 0);
  }
  uint64_t stop() { return append_raw(static_cast<uint8_t>(LogKind::kStop), "{}", kNoSource, 0); }
  /// As a writer does that is opened again: the number jumps.
  void restart() {
    const uint64_t last = next_lsn_ - 1;
    next_lsn_ += 7;
    append_start({.last_lsn = last, .floor_lsn = last});
  }
  uint64_t next_lsn() const { return next_lsn_; }

  size_t size() const { return stored_.size(); }
  LogRecord record(size_t index) const {
    LogRecord record = stored_[index].record;
    record.payload = std::as_bytes(std::span(stored_[index].payload));
    return record;
  }

 private:
  struct Stored {
    LogRecord record;
    std::string payload;
  };

  void append_start(const LogStart& start) {
    const auto bytes = encode_log_start(start);
    append_raw(kLogKindStart, {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
               kNoSource, 0);
  }
  uint64_t append_raw(uint8_t kind, std::string payload, uint16_t source, uint32_t connection) {
    Stored stored;
    stored.record.kind = kind;
    stored.record.source = source;
    stored.record.connection = connection;
    stored.record.wall_time_ns = time_ns_;
    stored.record.monotonic_time_ns = time_ns_ - kBeginNs;
    stored.record.lsn = next_lsn_++;
    stored.payload = std::move(payload);
    stored_.push_back(std::move(stored));
    return next_lsn_ - 1;
  }

  std::vector<Stored> stored_;
  uint64_t next_lsn_ = 1;
  int64_t time_ns_ = kBeginNs;
};

/// In memory where that is possible: thousands of syncs would cost minutes on a disk.
inline ScratchFolder make_scratch() {
  std::error_code error;
  const bool has_memory = std::filesystem::is_directory("/dev/shm", error);
  return ScratchFolder::make(has_memory ? "/dev/shm" : "").value();
}

inline std::string binance_trade(const std::string& symbol, int64_t id, int64_t time_ns) {
  return fmt::format(
      R"({{"stream":"{}@trade","data":{{"e":"trade","E":{},"s":"{}","t":{},"p":"{}.50","q":"0.{}",)"
      R"("T":{},"m":{},"M":true}}}})",
      lower_case(symbol), time_ns / 1'000'000, symbol, id, 100 + id % 7, 1 + id % 9,
      time_ns / 1'000'000, id % 2 == 0 ? "true" : "false");
}

/// What Binance's REST interface says about past trades.
inline std::string binance_trade_page(const std::vector<int64_t>& ids, int64_t time_ns) {
  std::string page;
  for (const int64_t id : ids) {
    page +=
        fmt::format(R"({}{{"id":{},"price":"{}.50","qty":"0.{}","time":{},"isBuyerMaker":true}})",
                    page.empty() ? "" : ",", id, 100 + id % 7, 1 + id % 9, time_ns / 1'000'000);
  }
  return "[" + page + "]";
}

/// A backfill record for the gap of `from` to `to`: a page, or how it has ended.
inline LogEvent backfill_event(const std::string& symbol, int64_t from, int64_t to,
                               std::string_view cause, std::string detail) {
  LogEvent event;
  event.cause = cause;
  event.detail = std::move(detail);
  event.stream = Stream::kTrade;
  event.symbols = {symbol};
  event.from_sequence = from;
  event.to_sequence = to;
  return event;
}

inline std::string binance_book(const std::string& symbol, int64_t update) {
  return fmt::format(
      R"({{"stream":"{}@bookTicker","data":{{"u":{},"s":"{}","b":"{}.1","B":"1.{}","a":"{}.2",)"
      R"("A":"0.7"}}}})",
      lower_case(symbol), update, symbol, 100 + update % 5, update % 10, 100 + update % 5);
}

inline std::string binance_depth(const std::string& symbol, int64_t update) {
  std::string bids;
  std::string asks;
  for (int level = 0; level < 5; ++level) {
    const char* const comma = level == 0 ? "" : ",";
    bids += fmt::format(R"({}["{}.{}","{}"])", comma, 99 - level, update % 10, level + 1);
    asks += fmt::format(R"({}["{}.{}","0.{}1"])", comma, 101 + level, update % 10, level + 1);
  }
  return fmt::format(
      R"({{"stream":"{}@depth5@100ms","data":{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}}})",
      lower_case(symbol), update, bids, asks);
}

inline std::string kucoin_match(const std::string& symbol, int64_t sequence, int64_t time_ns) {
  return fmt::format(
      R"({{"type":"message","topic":"/market/match:{}","subject":"trade.l3match","data":{{"symbol":)"
      R"("{}","sequence":"{}","side":"sell","size":"8.{}","price":"0.0000001117","takerOrderId":)"
      R"("a","time":"{}","type":"match","makerOrderId":"b","tradeId":"{:024x}"}}}})",
      symbol, symbol, sequence, sequence % 1'000, time_ns, sequence);
}

inline std::string gate_book(const std::string& symbol, int64_t update, int64_t time_ns) {
  return fmt::format(
      R"({{"time":{},"time_ms":{},"channel":"futures.book_ticker","event":"update","result":{{)"
      R"("t":{},"u":{},"s":"{}","b":"0.7379","B":{},"a":"0.739","A":677}}}})",
      time_ns / kSecondNs, time_ns / 1'000'000, time_ns / 1'000'000, update, symbol,
      1 + update % 900);
}

inline LogSource source_of(Venue venue) { return {venue, 0}; }

inline Status feed(Sink& sink, const SyntheticLog& log, size_t index) {
  return sink.consume(log.record(index));
}

inline std::unique_ptr<Sink> open_sink(const SinkOptions& options) {
  auto sink = Sink::open(options, arrow::default_memory_pool());
  EXPECT_TRUE(sink) << (sink ? "" : sink.error().message);
  return sink ? std::move(*sink) : nullptr;
}

/// That `verify --recording` finds nothing in it that has failed.
inline void expect_verified(const std::filesystem::path& output_dir) {
  const auto budget = MemoryBudget::create(256 * kMiB).value();
  const auto checked = check_recording(output_dir, *budget, [](const CoverageRow& row) {
    EXPECT_NE(row.status, CoverageStatus::kFailed) << row.path << ": " << row.detail;
    return Status();
  });
  ASSERT_TRUE(checked) << checked.error().message;
}

/// The bytes of everything that users see, by path.
inline std::map<std::string, std::string> published_content(const std::filesystem::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(folder).string();
    if (name.starts_with(".")) continue;
    content[name] = read_text_file(entry.path()).value();
  }
  return content;
}

using RowKey = std::pair<uint64_t, int32_t>;

/// What the glob **/[0-2][0-9].parquet finds.
inline std::vector<std::filesystem::path> hour_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == 10 && name.ends_with(".parquet")) paths.push_back(entry.path());
  }
  return paths;
}

/// The keys of all rows that a user's glob finds. Each may come once.
inline std::set<RowKey> published_keys(const std::filesystem::path& folder) {
  std::set<RowKey> keys;
  for (const auto& path : hour_files(folder)) {
    const auto rows = read_parquet(path, {"lsn", "frame_index"}, arrow::default_memory_pool());
    EXPECT_TRUE(rows) << rows.error().message;
    if (!rows) continue;
    const auto flat = (*rows)->CombineChunks().ValueOrDie();
    const auto& lsns = static_cast<const arrow::UInt64Array&>(*flat->column(0)->chunk(0));
    const auto& indices = static_cast<const arrow::Int32Array&>(*flat->column(1)->chunk(0));
    RowKey last{0, -1};
    for (int64_t row = 0; row < lsns.length(); ++row) {
      const RowKey key{lsns.Value(row), indices.Value(row)};
      EXPECT_LT(last, key) << path << ": rows are in the order of their keys";
      EXPECT_TRUE(keys.insert(key).second)
          << path << ": row " << key.first << "/" << key.second << " is there twice";
      last = key;
    }
  }
  return keys;
}

}  // namespace tapeworks::recorder
