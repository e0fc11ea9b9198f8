#include "recorder/simulation/simulated_network.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "recorder/net/http_client.h"
#include "recorder/net/net_test_support.h"

namespace tapeworks::net {
namespace {

using namespace std::chrono_literals;

class SimulatedNetwork : public testing::Test {
 protected:
  SimulatedNetwork() { simulated::begin_world({.seed = 1, .begin_wall_ns = 1'000}); }

  /// What takes seconds in the world takes none here.
  void run_for(std::chrono::nanoseconds duration) {
    Timer end(loop_);
    end.start(duration, [this] { loop_.stop(); });
    loop_.run();
  }

  EventLoop loop_;
};

TEST_F(SimulatedNetwork, TimePassesAsItIsWaitedForAndTheWallClockCanBeSet) {
  run_for(1h);
  EXPECT_EQ(read_clocks().monotonic_ns, std::chrono::nanoseconds(1h).count());
  EXPECT_EQ(read_clocks().wall_ns, 1'000 + std::chrono::nanoseconds(1h).count());
  simulated::step_wall_clock(-30min);
  EXPECT_EQ(read_clocks().monotonic_ns, std::chrono::nanoseconds(1h).count());
  EXPECT_EQ(read_clocks().wall_ns, 1'000 + std::chrono::nanoseconds(30min).count());
}

TEST_F(SimulatedNetwork, MessagesArriveInOrder) {
  LocalServer server(loop_);
  server.log.when_open = [](ServerConnection& connection) {
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(connection.send(Opcode::kText, std::to_string(i), 1 + static_cast<uint64_t>(i)));
    }
  };
  ClientLog client;
  const WebSocketClient socket(loop_, server.client_options(), {}, client);
  run_for(5s);
  ASSERT_EQ(client.frames.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.frames[static_cast<size_t>(i)], std::to_string(i));
  EXPECT_EQ(server.log.sent.size(), 100U);
}

TEST_F(SimulatedNetwork, ACutTakesWhatIsUnderWayAndBothEndsLearnOfIt) {
  LocalServer server(loop_);
  ClientLog client;
  const WebSocketClient socket(loop_, server.client_options(), {}, client);
  run_for(1s);
  ASSERT_TRUE(client.open);
  ASSERT_TRUE(server.log.connection->send(Opcode::kText, "lost", 0));
  EXPECT_TRUE(simulated::cut_a_connection());
  run_for(1s);
  EXPECT_TRUE(client.frames.empty());
  ASSERT_TRUE(client.closed);
  EXPECT_EQ(client.closed->cause, CloseCause::kLost);
  EXPECT_TRUE(server.log.closed);
  EXPECT_FALSE(simulated::cut_a_connection());
}

TEST_F(SimulatedNetwork, APauseHoldsMessagesBack) {
  LocalServer server(loop_);
  ClientLog client;
  WebSocketClient socket(loop_, server.client_options(), {}, client);
  client.when_frame = [&] { socket.pause_reading(); };
  server.log.when_open = [](ServerConnection& connection) {
    for (const char* const text : {"a", "b"}) {
      EXPECT_TRUE(connection.send(Opcode::kText, text, 0));
    }
    EXPECT_TRUE(connection.send_ping("p"));
  };
  run_for(1s);
  EXPECT_EQ(client.frames, std::vector<std::string>{"a"});
  client.when_frame = [] {};
  socket.resume_reading();
  run_for(1s);
  EXPECT_EQ(client.frames, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(client.pings, std::vector<std::string>{"p"});
  EXPECT_EQ(server.log.pongs, std::vector<std::string>{"p"});
}

TEST_F(SimulatedNetwork, ACloseReachesBothEndsBehindWhatWasSent) {
  LocalServer server(loop_);
  ClientLog client;
  WebSocketClient socket(loop_, server.client_options(), {}, client);
  run_for(1s);
  EXPECT_TRUE(socket.send(Opcode::kText, "last"));
  socket.close(1000, "done");
  EXPECT_FALSE(socket.send(Opcode::kText, "too late"));
  run_for(1s);
  EXPECT_EQ(server.log.frames, std::vector<std::string>{"last"});
  ASSERT_TRUE(client.closed);
  EXPECT_EQ(client.closed->cause, CloseCause::kClosedByUs);
  ASSERT_TRUE(server.log.closed);
  EXPECT_EQ(server.log.closed->cause, CloseCause::kClosedByPeer);
}

TEST_F(SimulatedNetwork, NobodyIsReachedWhileItRefuses) {
  LocalServer server(loop_);
  simulated::refuse_connections_for(10s);
  ClientLog client;
  const WebSocketClient socket(loop_, server.client_options(), {}, client);
  std::optional<Result<HttpAnswer>> answer;
  const HttpCall call(loop_, server.client_options(), {}, 1'000,
                      [&](Result<HttpAnswer> given) { answer = std::move(given); });
  run_for(1s);
  ASSERT_TRUE(client.closed);
  EXPECT_EQ(client.closed->cause, CloseCause::kNotOpened);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(*answer);
}

}  // namespace
}  // namespace tapeworks::net
