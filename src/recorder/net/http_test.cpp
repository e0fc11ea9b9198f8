#include "recorder/net/http_client.h"
#include "recorder/net/net_test_support.h"

namespace tapeworks::net {
namespace {

using std::chrono::milliseconds;

class Http : public testing::Test {
 protected:
  Result<HttpAnswer> call(const ConnectOptions& options, HttpQuery query = {},
                          size_t body_bytes_max = 1000) {
    std::optional<Result<HttpAnswer>> result;
    HttpCall call(loop, options, std::move(query), body_bytes_max,
                  [&](Result<HttpAnswer> answer) { result = std::move(answer); });
    EXPECT_TRUE(run_until(loop, [&] { return result.has_value(); }));
    return result ? *result : internal_error("no answer");
  }

  EventLoop loop;
  LocalServer server{loop};
};

TEST_F(Http, PostsAndTakesTheAnswerWhateverItsStatus) {
  server.log.answer = [](const HttpRequest&) {
    return HttpResponse{429, "{\"code\":\"429000\"}", "application/json", {{"Retry-After", "3"}}};
  };
  const auto answer = call(server.client_options(), {"POST", "{}"});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->body, "{\"code\":\"429000\"}");
  const HttpRequest& request = server.log.requests.at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/ws?a=b");
  EXPECT_EQ(request.body, "{}");
  EXPECT_EQ(request.header("content-type"), "application/json");
  bool has_header = false;
  for (const Header& header : answer->headers) {
    has_header |= header.name == "Retry-After" && header.value == "3";
  }
  EXPECT_TRUE(has_header);
}

TEST_F(Http, RefusesABodyAboveItsLimit) {
  server.log.answer = [](const HttpRequest&) { return HttpResponse{200, std::string(1001, 'x')}; };
  const auto answer = call(server.client_options());
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("longer than 1000 bytes"), std::string::npos);
}

TEST_F(Http, GivesUpAfterItsTimeout) {
  server.log.answer = [](const HttpRequest&) {
    return HttpResponse{200, {}, {}, {}, std::chrono::hours(1)};
  };
  ConnectOptions options = server.client_options();
  options.timeouts.handshake = milliseconds(50);
  const auto answer = call(options);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("longer than 50 ms"), std::string::npos);
}

TEST_F(Http, AsksTheProxyToConnectAndReportsItsRefusal) {
  // A server of ours is no proxy: what matters is what it was asked, and what its answer becomes.
  ConnectOptions options = server.client_options();
  options.proxy = options.endpoint;
  options.endpoint = {false, "exchange.example", 9443, "/"};
  server.log.answer = [](const HttpRequest&) { return HttpResponse{403}; };
  const auto answer = call(options);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("will not connect to exchange.example:9443: HTTP/1.1 403"),
            std::string::npos)
      << answer.error().message;
  EXPECT_EQ(server.log.requests.at(0).method, "CONNECT");
  EXPECT_EQ(server.log.requests.at(0).target, "exchange.example:9443");
}

}  // namespace
}  // namespace tapeworks::net
