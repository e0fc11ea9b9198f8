#include <array>
#include <boost/beast/zlib/deflate_stream.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include <unistd.h>

#include "recorder/net/net_test_support.h"

namespace tapeworks::net {
namespace {

using std::chrono::milliseconds;

class WebSocket : public testing::Test {
 protected:
  void connect(WebSocketLimits limits = {}) {
    client = std::make_unique<WebSocketClient>(loop, server.client_options(), limits, log);
  }
  void connect_and_open(WebSocketLimits limits = {}) {
    connect(limits);
    ASSERT_TRUE(run_until(loop, [&] { return log.open && server.log.connection != nullptr; }));
  }
  Status serve(std::string payload, uint64_t tag = 0, Opcode opcode = Opcode::kText) {
    return server.log.connection->send(opcode, std::move(payload), tag);
  }

  EventLoop loop;
  LocalServer server{loop};
  ClientLog log;
  std::unique_ptr<WebSocketClient> client;
};

/// Of a server: unmasked, final, no extension.
std::string frame_header(uint8_t first_byte, uint64_t payload_bytes) {
  std::string header(1, static_cast<char>(first_byte));
  header += '\x7f';
  for (int shift = 56; shift >= 0; shift -= 8) {
    header += static_cast<char>((payload_bytes >> shift) & 0xff);
  }
  return header;
}

/// Zeros, deflated as permessage-deflate wants it; never in memory as a whole.
std::string deflated_zeros(uint64_t byte_count) {
  namespace zlib = boost::beast::zlib;
  zlib::deflate_stream deflater;
  deflater.reset(9, 15, 8, zlib::Strategy::normal);
  const std::string zeros(size_t{1} << 20, '\0');
  std::string deflated;
  std::array<char, 65536> chunk;
  zlib::z_params io{};
  for (uint64_t done = 0; done < byte_count; done += zeros.size()) {
    io.next_in = zeros.data();
    io.avail_in = zeros.size();
    const bool is_last = done + zeros.size() >= byte_count;
    boost::system::error_code error;
    do {
      io.next_out = chunk.data();
      io.avail_out = chunk.size();
      deflater.write(io, is_last ? zlib::Flush::sync : zlib::Flush::none, error);
      deflated.append(chunk.data(), chunk.size() - io.avail_out);
    } while (io.avail_in > 0 || io.avail_out == 0);
  }
  deflated.resize(deflated.size() - 4);  // 00 00 ff ff is left out on the wire
  return deflated;
}

size_t resident_bytes() {
  size_t total = 0;
  size_t resident = 0;
  FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%zu %zu", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(WebSocket, DeliversFramesInOrderWithOpcodeAndBothClocks) {
  connect_and_open();
  const ClockReading before = read_clocks();
  ASSERT_TRUE(serve("one"));
  ASSERT_TRUE(serve(std::string("\0two", 4), 0, Opcode::kBinary));
  ASSERT_TRUE(serve(""));
  ASSERT_TRUE(run_until(loop, [&] { return log.frames.size() == 3; }));
  EXPECT_EQ(log.frames, (std::vector<std::string>{"one", std::string("\0two", 4), ""}));
  EXPECT_EQ(log.opcodes, (std::vector{Opcode::kText, Opcode::kBinary, Opcode::kText}));
  const ClockReading after = read_clocks();
  for (const ClockReading& time : log.times) {
    EXPECT_LE(before.wall_ns, time.wall_ns);
    EXPECT_LE(time.wall_ns, after.wall_ns);
    EXPECT_LE(before.monotonic_ns, time.monotonic_ns);
    EXPECT_LE(time.monotonic_ns, after.monotonic_ns);
  }
}

TEST_F(WebSocket, SendsTargetHeadersAndMessages) {
  ConnectOptions options = server.client_options();
  options.headers = {{"X-MBX-APIKEY", "key"}};
  client = std::make_unique<WebSocketClient>(loop, options, WebSocketLimits{}, log);
  ASSERT_TRUE(run_until(loop, [&] { return log.open; }));
  ASSERT_TRUE(client->send(Opcode::kText, "hello"));
  ASSERT_TRUE(run_until(loop, [&] { return server.log.frames.size() == 1; }));
  EXPECT_EQ(server.log.frames[0], "hello");
  EXPECT_EQ(server.log.requests[0].target, "/ws?a=b");
  EXPECT_EQ(server.log.requests[0].header("x-mbx-apikey"), "key");
  EXPECT_EQ(server.log.requests[0].header("sec-websocket-extensions"), "")
      << "no deflate unless asked";
}

TEST_F(WebSocket, AnswersPingsWithTheirPayloadAndReportsThem) {
  connect_and_open();
  ASSERT_TRUE(server.log.connection->send_ping("1234"));
  ASSERT_TRUE(client->send_ping("abc"));
  ASSERT_TRUE(run_until(loop, [&] { return !server.log.pongs.empty() && !log.pongs.empty(); }));
  EXPECT_EQ(log.pings, std::vector<std::string>{"1234"});
  EXPECT_EQ(server.log.pongs, std::vector<std::string>{"1234"});
  EXPECT_EQ(server.log.pings, std::vector<std::string>{"abc"});
  EXPECT_EQ(log.pongs, std::vector<std::string>{"abc"});
}

TEST_F(WebSocket, ReportsTheCloseOfThePeerWithCodeAndReason) {
  connect_and_open();
  ASSERT_TRUE(serve("last"));
  server.log.connection->close(1008, "too many requests");
  ASSERT_TRUE(run_until(loop, [&] { return log.closed && server.log.closed; }));
  EXPECT_EQ(log.frames, std::vector<std::string>{"last"});
  EXPECT_EQ(log.closed->cause, CloseCause::kClosedByPeer);
  EXPECT_EQ(log.closed->code, 1008);
  EXPECT_EQ(log.closed->reason, "too many requests");
  EXPECT_EQ(server.log.closed->cause, CloseCause::kClosedByUs);
}

TEST_F(WebSocket, SendsWhatIsQueuedBeforeItCloses) {
  connect_and_open();
  ASSERT_TRUE(client->send(Opcode::kText, "first"));
  client->close(1000, "done");
  EXPECT_FALSE(client->send(Opcode::kText, "too late"));
  ASSERT_TRUE(run_until(loop, [&] { return log.closed && server.log.closed; }));
  EXPECT_EQ(server.log.frames, std::vector<std::string>{"first"});
  EXPECT_EQ(server.log.closed->code, 1000);
  EXPECT_EQ(log.closed->cause, CloseCause::kClosedByUs);
}

TEST_F(WebSocket, DoesNotWaitForEverForTheAnswerToItsClose) {
  connect_and_open({.close_timeout = milliseconds(50)});
  server.log.connection->pause_reading();
  ASSERT_TRUE(client->send(Opcode::kText, "wakes the reader, which then pauses"));
  client->close(1000, "");
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kClosedByUs);
}

TEST_F(WebSocket, ClosesWhenThePeerDoesSoAtTheSameMoment) {
  connect_and_open({.close_timeout = milliseconds(500)});
  // The peer's close frame has been read already when ours goes out.
  log.when_frame = [&] { client->close(1000, ""); };
  ASSERT_TRUE(server.log.connection->send_raw(std::string("\x81\x01x\x88\x02\x03\xe8", 7)));
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kClosedByUs);
  ASSERT_TRUE(run_until(loop, [&] { return server.log.closed.has_value(); }));
}

TEST_F(WebSocket, DoesNotWaitForEverForThePeerThatClosedToGo) {
  connect_and_open({.close_timeout = milliseconds(50)});
  server.log.connection->pause_reading();
  ASSERT_TRUE(client->send(Opcode::kText, "wakes the reader, which then pauses"));
  ASSERT_TRUE(server.log.connection->send_raw(std::string("\x88\x02\x03\xe9", 4)));
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kClosedByPeer);
  EXPECT_EQ(log.closed->code, 1001);
}

TEST_F(WebSocket, TellsALostConnectionFromAClosedOne) {
  connect_and_open();
  server.log.connection->abort_after_queue();
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kLost);
  EXPECT_EQ(log.closed->code, 0);
}

TEST_F(WebSocket, HalfAFrameIsNoFrame) {
  connect_and_open();
  ASSERT_TRUE(server.log.connection->send_raw(frame_header(0x81, 10) + "12345"));
  server.log.connection->abort_after_queue();
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_TRUE(log.frames.empty());
  EXPECT_EQ(log.closed->cause, CloseCause::kLost);
}

TEST_F(WebSocket, JoinsFragmentsWithAPingBetweenThem) {
  connect_and_open();
  // "ab" not final, a ping, "cd" final.
  ASSERT_TRUE(
      server.log.connection->send_raw(std::string("\x01\x02"
                                                  "ab\x89\x01p\x80\x02"
                                                  "cd")));
  ASSERT_TRUE(run_until(loop, [&] { return log.frames.size() == 1; }));
  EXPECT_EQ(log.frames[0], "abcd");
  EXPECT_EQ(log.pings, std::vector<std::string>{"p"});
}

TEST_F(WebSocket, ClosesWhenAMessageIsTooLarge) {
  connect_and_open({.message_bytes_max = 1000});
  ASSERT_TRUE(serve(std::string(1000, 'x')));
  ASSERT_TRUE(run_until(loop, [&] { return log.frames.size() == 1; }));
  ASSERT_TRUE(serve(std::string(1001, 'x')));
  ASSERT_TRUE(run_until(loop, [&] { return log.closed && server.log.closed; }));
  EXPECT_EQ(log.frames.size(), 1U);
  EXPECT_EQ(log.closed->cause, CloseCause::kTooLarge);
  EXPECT_NE(log.closed->message.find("1000 bytes"), std::string::npos) << log.closed->message;
}

TEST_F(WebSocket, AnInflatingMessageClosesTheConnectionWithMemoryFlat) {
  // Made first: it takes longer than an idle connection lives, under ThreadSanitizer.
  const std::string bomb = deflated_zeros(uint64_t{1} << 28);
  ASSERT_LT(bomb.size(), size_t{1} << 19);
  const std::string frame = frame_header(0xc1, bomb.size()) + bomb;  // final, deflated, text
  server.log.decide = [](const HttpRequest&) { return UpgradeDecision{{101}, true}; };
  connect_and_open({.message_bytes_max = size_t{1} << 20, .deflate = true});
  ASSERT_TRUE(serve(std::string(1000, 'x')));
  ASSERT_TRUE(run_until(loop, [&] { return log.frames.size() == 1; }));
  EXPECT_EQ(log.frames[0], std::string(1000, 'x')) << "deflate was not agreed on";

  const size_t before = resident_bytes();
  ASSERT_TRUE(server.log.connection->send_raw(frame));
  size_t peak = before;
  ASSERT_TRUE(run_until(loop, [&] {
    peak = std::max(peak, resident_bytes());
    return log.closed.has_value();
  }));
  EXPECT_EQ(log.closed->cause, CloseCause::kTooLarge);
  EXPECT_EQ(log.frames.size(), 1U);
  EXPECT_LT(peak, before + (size_t{16} << 20));
}

TEST_F(WebSocket, ClosesWhenThePeerIsSilent) {
  connect_and_open({.idle_timeout = milliseconds(50)});
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kIdle);
}

TEST_F(WebSocket, APingIsASignOfLife) {
  connect_and_open({.idle_timeout = milliseconds(400)});
  Timer ticking(loop);
  int ticks = 0;
  std::function<void()> tick = [&] {
    ASSERT_TRUE(server.log.connection->send_ping("x"));
    ++ticks;
    ticking.start(milliseconds(50), tick);
  };
  tick();
  ASSERT_TRUE(run_until(loop, [&] { return ticks == 14 || log.closed.has_value(); }));
  EXPECT_FALSE(log.closed) << log.closed->message;
}

TEST_F(WebSocket, APauseHoldsFramesBackWithoutLosingOne) {
  connect_and_open({.idle_timeout = milliseconds(100)});
  client->pause_reading();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(serve(std::to_string(i)));
  Timer wait(loop);
  bool waited = false;
  wait.start(milliseconds(300), [&] { waited = true; });
  ASSERT_TRUE(run_until(loop, [&] { return waited; }));
  EXPECT_TRUE(log.frames.empty());
  EXPECT_FALSE(log.closed) << "a pause is no silence of the peer";
  client->resume_reading();
  ASSERT_TRUE(run_until(loop, [&] { return log.frames.size() == 10; }));
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(log.frames[i], std::to_string(i));
}

TEST_F(WebSocket, APauseReachesThePeerThroughTcp) {
  connect_and_open();
  client->pause_reading();
  bool refused = false;
  ASSERT_TRUE(run_until(loop, [&] {
    if (const Status status = serve(std::string(100'000, 'x'), 1); !status) {
      EXPECT_EQ(status.error().kind, ErrorKind::kMemoryBudget);
      refused = true;
    }
    return refused;
  }));
  const size_t queued = server.log.connection->queued_bytes();
  EXPECT_LE(queued, WebSocketLimits{}.send_queue_bytes_max);
  client->resume_reading();
  ASSERT_TRUE(run_until(loop, [&] { return server.log.connection->queued_bytes() == 0; }));
  ASSERT_TRUE(run_until(loop, [&] { return log.frames.size() == server.log.sent.size(); }));
}

TEST_F(WebSocket, MayBeDestroyedInAnyCallback) {
  connect_and_open();
  log.when_frame = [&] { client.reset(); };
  ASSERT_TRUE(serve("a"));
  ASSERT_TRUE(serve("b"));
  ASSERT_TRUE(run_until(loop, [&] { return server.log.closed.has_value(); }));
  EXPECT_EQ(log.frames.size(), 1U);
  EXPECT_FALSE(log.closed) << "nothing is called back after destruction";
}

TEST_F(WebSocket, MayBeDestroyedWhileConnecting) {
  connect();
  client.reset();
  Timer wait(loop);
  bool waited = false;
  wait.start(milliseconds(50), [&] { waited = true; });
  ASSERT_TRUE(run_until(loop, [&] { return waited; }));
  EXPECT_FALSE(log.open);
  EXPECT_FALSE(log.closed);
}

TEST_F(WebSocket, ReportsTheHttpStatusOfARefusal) {
  server.log.decide = [](const HttpRequest&) { return UpgradeDecision{{429}}; };
  connect();
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kNotOpened);
  EXPECT_EQ(log.closed->http_status, 429);
  EXPECT_NE(log.closed->message.find("HTTP status 429"), std::string::npos);
}

TEST_F(WebSocket, ReportsThatNobodyListens) {
  ConnectOptions options = server.client_options();
  server.server.reset();
  client = std::make_unique<WebSocketClient>(loop, options, WebSocketLimits{}, log);
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_EQ(log.closed->cause, CloseCause::kNotOpened);
  EXPECT_NE(log.closed->message.find("cannot connect to 127.0.0.1"), std::string::npos);
}

TEST_F(WebSocket, ReportsANameThatDoesNotExist) {
  ConnectOptions options = server.client_options();
  options.endpoint.host = "no-such-host.invalid";
  client = std::make_unique<WebSocketClient>(loop, options, WebSocketLimits{}, log);
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_NE(log.closed->message.find("no-such-host.invalid"), std::string::npos);
}

TEST_F(WebSocket, GivesUpOnAServerThatDoesNotUpgrade) {
  server.log.decide = [](const HttpRequest&) {
    return UpgradeDecision{{200, {}, {}, {}, std::chrono::hours(1)}};
  };
  ConnectOptions options = server.client_options();
  options.timeouts.handshake = milliseconds(50);
  client = std::make_unique<WebSocketClient>(loop, options, WebSocketLimits{}, log);
  ASSERT_TRUE(run_until(loop, [&] { return log.closed.has_value(); }));
  EXPECT_NE(log.closed->message.find("longer than 50 ms to accept the WebSocket"),
            std::string::npos)
      << log.closed->message;
}

TEST_F(WebSocket, TheServerOutlivesGarbage) {
  ConnectOptions options = server.client_options();
  for (const char* target : {"/a", "/b"}) {
    options.endpoint.target = target;
    ClientLog other;
    WebSocketClient second(loop, options, {}, other);
    ASSERT_TRUE(run_until(loop, [&] { return other.open; }));
  }
  connect_and_open();
  ASSERT_TRUE(serve("still here"));
  EXPECT_TRUE(run_until(loop, [&] { return log.frames.size() == 1; }));
}

}  // namespace
}  // namespace tapeworks::net
