#include "recorder/sink/checkpoint.h"

#include <cstring>

#include <gtest/gtest.h>
#include <xxhash.h>

namespace tapeworks::recorder {
namespace {

constexpr int64_t kWindowRows = 4;

LogState some_state() {
  LogState state({.grace_ns = 1,
                  .row_group_rows = 2,
                  .max_time_skew_ns = 3,
                  .dedupe_window_rows = kWindowRows});
  state.lsn = 99;
  state.log_time_ns = 1'700'000'000'000'000'000;
  state.whole_from_ns = 5;
  state.run_last_ns = 6;
  state.unknown_from_ns = 4;
  ConnectionState* const connection = state.connection(3);
  connection->source = LogSource{Venue::kGateSpot, 1};
  connection->leg_connected = {false, true};
  connection->active_leg = 1;
  connection->session_lsn = 4;
  connection->subscribe("BTC_USDT");
  connection->gap_from_ns = -7;
  connection->gap_cause = "timeout";
  auto* const stream = state.stream(Venue::kBinanceSpot, Stream::kTrade, "币安");
  for (int64_t number : {1, 2, 5, 6, 9}) stream->tracker.observe(number, 17);
  stream->session_lsn = 4;
  connection->leg_partner_lsns = {7, 8};
  connection->leg_last_row_ns = {70, 80};
  connection->leg_awaits_answers = {false, true};
  connection->leg_last_frames = {Moment{5, 91}, Moment{6, 92}};
  connection->leg_answers = {Moment{3, 90}, Moment()};
  connection->subscribing_from = Moment{7, 95};
  stream->legs.note({0, 10}, 1, 12, 11);
  stream->legs.note({0, 20}, 5, 21, 11);
  for (const uint8_t active : {uint8_t{0}, uint8_t{1}}) {
    for (const uint8_t leg : {uint8_t{0}, uint8_t{1}}) {
      stream->sampled.judge({{leg, 10U + leg}, 5 + active, 1}, {active, 10U + active}, true);
    }
  }
  state.add_gap({Venue::kGateSpot, "BTC_USDT", 1, 2, R"({"cause":"x"})"});
  state.add_gap({std::nullopt, "", 3, 4, "{}"});
  return state;
}

std::string encode(const LogState& state) {
  const OpenPartition partition{
      "a/b/2023-11-14/22", TableKind::kRows, "a", "b", "c", 1, 2, 3, true, false};
  const MergeJob job{"a/_gaps/2023-11-14", TableKind::kGaps, 77, true, true, "[1]", 9};
  return encode_checkpoint(Layout::kMarket, state, {&partition}, {&job});
}

TEST(Checkpoint, ReadsBackAsWritten) {
  const std::string bytes = encode(some_state());
  const auto checkpoint = decode_checkpoint(bytes, kWindowRows);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->layout, Layout::kMarket);
  EXPECT_EQ(checkpoint->state.lsn, 99U);
  ASSERT_EQ(checkpoint->partitions.size(), 1U);
  EXPECT_EQ(checkpoint->partitions[0].path, "a/b/2023-11-14/22");
  EXPECT_TRUE(checkpoint->partitions[0].has_new_rows);
  ASSERT_EQ(checkpoint->jobs.size(), 1U);
  EXPECT_EQ(checkpoint->jobs[0].close_lsn, 77U);
  EXPECT_EQ(checkpoint->jobs[0].row_group_rows, 9);
  EXPECT_EQ(checkpoint->state.gaps().size(), 2U);
  // All of it, since the same bytes come out again.
  EXPECT_EQ(encode(checkpoint->state), bytes);
}

TEST(Checkpoint, OfManyRowsIsMadeInOnePiece) {
  LogState state({.dedupe_window_rows = 64});
  for (int symbol = 0; symbol < 300; ++symbol) {
    auto* const stream =
        state.stream(Venue::kBinanceSpot, Stream::kTrade, "SYMBOL" + std::to_string(symbol));
    for (int64_t number = 0; number < 200; ++number) stream->tracker.observe(3 * number, 17);
  }
  const size_t room = state.saved_bytes_about();
  const std::string bytes = encode(state);
  EXPECT_LE(bytes.size(), room);
  EXPECT_LE(room, 2 * bytes.size());
}

TEST(Checkpoint, EveryFlippedOrMissingByteIsFound) {
  const std::string bytes = encode(some_state());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x41);
    EXPECT_FALSE(decode_checkpoint(flipped, kWindowRows)) << at;
    EXPECT_FALSE(decode_checkpoint(bytes.substr(0, at), kWindowRows)) << at;
  }
}

/// As an earlier version wrote it, without the last `byte_count` bytes.
std::string without_last(std::string bytes, size_t byte_count) {
  constexpr size_t kChecksumOffset = 8 + 4;  // behind magic and version
  constexpr size_t kHeaderBytes = kChecksumOffset + 8;
  bytes.resize(bytes.size() - byte_count);
  const uint64_t checksum = XXH3_64bits(bytes.data() + kHeaderBytes, bytes.size() - kHeaderBytes);
  std::memcpy(bytes.data() + kChecksumOffset, &checksum, sizeof(checksum));
  return bytes;
}

/// Of the rules, the last block, with those of the one job.
constexpr size_t kRulesBytes = 3 * 8 + 8;

/// Of that and the block of earlier sessions that some_state() has.
size_t bytes_from_earlier_on(const LogState& state) {
  ByteWriter out;
  state.save_earlier_sessions(out);
  return out.bytes().size() + kRulesBytes;
}

/// As a version wrote it that said nothing of processes.
std::string without_run(const LogState& state) {
  constexpr size_t kRunBytes = 2 * (1 + 8);
  return without_last(encode(state), kRunBytes + bytes_from_earlier_on(state));
}

TEST(Checkpoint, AnEarlierVersionKnewNothingOfEarlierSessions) {
  LogState state = some_state();
  state.run_last_ns = 5;
  const auto read =
      decode_checkpoint(without_last(encode(state), bytes_from_earlier_on(state)), kWindowRows);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->state.run_last_ns, 5);
}

TEST(Checkpoint, AnEarlierVersionIsTakenToHaveHadTheUsualRules) {
  const LogState state = some_state();
  const auto read = decode_checkpoint(without_last(encode(state), kRulesBytes), kWindowRows);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->state.rules(), RowRules{.dedupe_window_rows = kWindowRows});
}

TEST(Checkpoint, AnEarlierVersionIsTakenToHaveBeenAtWorkWhereItHadConnections) {
  LogState state = some_state();
  const auto at_work = decode_checkpoint(without_run(state), kWindowRows);
  ASSERT_TRUE(at_work) << at_work.error().message;
  EXPECT_EQ(at_work->state.run_last_ns, state.log_time_ns);
  state.connection(3)->leg_connected = {};
  const auto stopped = decode_checkpoint(without_run(state), kWindowRows);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state.run_last_ns, std::nullopt);
}

TEST(Checkpoint, AnotherWindowIsRefused) {
  const auto checkpoint = decode_checkpoint(encode(some_state()), kWindowRows + 1);
  ASSERT_FALSE(checkpoint);
  EXPECT_EQ(checkpoint.error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace tapeworks::recorder
