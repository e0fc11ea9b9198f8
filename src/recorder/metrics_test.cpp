#include <filesystem>
#include <optional>

#include <gtest/gtest.h>
#include <unistd.h>

#include "recorder/durability_meter.h"
#include "recorder/metrics_server.h"
#include "recorder/metrics_text.h"
#include "recorder/net/http_client.h"
#include "recorder/net/net_test_support.h"

namespace tapeworks::recorder {
namespace {

TEST(MetricsText, WritesFamiliesWithTheirSamples) {
  MetricsText text;
  text.family("a_total", MetricType::kCounter, "All of a.");
  text.sample(uint64_t{18'446'744'073'709'551'615U});
  text.sample(0.25, {{"kind", "x"}, {"venue", "y"}});
  EXPECT_EQ(text.text(),
            "# HELP a_total All of a.\n"
            "# TYPE a_total counter\n"
            "a_total 18446744073709551615\n"
            "a_total{kind=\"x\",venue=\"y\"} 0.25\n");
}

TEST(MetricsText, EscapesWhatWouldEndALabelOrALine) {
  MetricsText text;
  text.family("a", MetricType::kGauge, "one\ntwo \"three\" \\");
  text.sample(uint64_t{1}, {{"kind", "a\"b\\c\nd"}});
  EXPECT_EQ(text.text(),
            "# HELP a one\\ntwo \"three\" \\\\\n"
            "# TYPE a gauge\n"
            "a{kind=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST(MetricsText, BucketsOfAHistogramAreCumulativeAndEndWithAll) {
  LatencyHistogram histogram;
  histogram.observe(500'000);         // inclusive
  histogram.observe(500'001, 2);      // the next one
  histogram.observe(-7);              // clocks differ: counted as 0
  histogram.observe(61'000'000'000);  // above all bounds
  MetricsText text;
  text.family("t_seconds", MetricType::kHistogram, "Time.");
  text.histogram(histogram, {{"venue", "v"}});
  const std::string& lines = text.text();
  const auto has = [&](std::string_view line) {
    return lines.find("\n" + std::string(line) + "\n") != std::string::npos;
  };
  EXPECT_TRUE(has("t_seconds_bucket{venue=\"v\",le=\"0.0005\"} 2")) << lines;
  EXPECT_TRUE(has("t_seconds_bucket{venue=\"v\",le=\"0.001\"} 4")) << lines;
  EXPECT_TRUE(has("t_seconds_bucket{venue=\"v\",le=\"60\"} 4")) << lines;
  EXPECT_TRUE(has("t_seconds_bucket{venue=\"v\",le=\"+Inf\"} 5")) << lines;
  EXPECT_TRUE(has("t_seconds_count{venue=\"v\"} 5")) << lines;
  EXPECT_NE(lines.find("t_seconds_sum{venue=\"v\"} 61.0015"), std::string::npos) << lines;
}

class DurabilityMeterTest : public testing::Test {
 protected:
  DurabilityMeterTest() { std::filesystem::remove_all(folder); }
  ~DurabilityMeterTest() override { std::filesystem::remove_all(folder); }

  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("durability_meter_" + std::to_string(::getpid()));
};

TEST_F(DurabilityMeterTest, CountsAMessageOnceItIsDurableAndNotBefore) {
  LogWriterOptions options;
  options.sync_interval = std::chrono::hours(1);  // only flush() makes durable
  auto writer = LogWriter::open(folder, options);
  ASSERT_TRUE(writer) << writer.error().message;
  DurabilityMeter meter(*writer);
  meter.start();
  LogEntry entry;
  entry.kind = 16;
  for (int i = 0; i < 3; ++i) {
    const auto lsn = writer->try_append(entry);
    ASSERT_TRUE(lsn && *lsn);
    meter.note(**lsn, net::read_clocks().monotonic_ns - 2'000'000'000);
  }
  EXPECT_EQ(meter.read().receive_to_durable.count(), 0U);
  ASSERT_TRUE(writer->flush());
  const auto give_up_at = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (meter.read().receive_to_durable.count() < 3 &&
         std::chrono::steady_clock::now() < give_up_at) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto reading = meter.read();
  EXPECT_EQ(reading.receive_to_durable.count(), 3U);
  EXPECT_GE(reading.receive_to_durable.sum_seconds(), 6.0);
  EXPECT_GT(reading.last_message_durable_ns, 0);
  EXPECT_GE(reading.last_record_durable_ns, reading.last_message_durable_ns);
  meter.stop();
}

class MetricsServerTest : public testing::Test {
 protected:
  net::HttpAnswer get(const std::string& target, const std::string& method = "GET") {
    net::ConnectOptions options;
    options.endpoint = {false, "127.0.0.1", server->port(), target};
    std::optional<Result<net::HttpAnswer>> result;
    net::HttpCall call(loop, options, {method, ""}, 10'000,
                       [&](Result<net::HttpAnswer> answer) { result = std::move(answer); });
    EXPECT_TRUE(net::run_until(loop, [&] { return result.has_value(); }));
    EXPECT_TRUE(result && *result);
    return result && *result ? **result : net::HttpAnswer();
  }

  void serve() {
    server->serve({[] { return "m 1\n"; }, [this] { return trouble; }});
  }

  net::EventLoop loop;
  std::optional<std::string> trouble;
  std::unique_ptr<MetricsServer> server = MetricsServer::listen(loop, "127.0.0.1:0").value();
};

TEST_F(MetricsServerTest, IsRedUntilThereIsSomethingToServe) {
  EXPECT_EQ(get("/metrics").status, 503);
  EXPECT_EQ(get("/healthz").status, 503);
  serve();
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(MetricsServerTest, ServesMetricsInTheTextFormat) {
  serve();
  const auto answer = get("/metrics?x=y");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "m 1\n");
  bool has_type = false;
  for (const net::Header& header : answer.headers) {
    has_type |= header.value.starts_with("text/plain; version=0.0.4");
  }
  EXPECT_TRUE(has_type);
}

TEST_F(MetricsServerTest, HealthIsRedWithItsReason) {
  serve();
  EXPECT_EQ(get("/healthz").status, 200);
  trouble = "the disk sleeps";
  const auto answer = get("/healthz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "the disk sleeps\n");
}

TEST_F(MetricsServerTest, RefusesWhatItDoesNotServe) {
  serve();
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/metrics", "POST").status, 405);
}

TEST_F(MetricsServerTest, APortThatIsTakenIsNamed) {
  const auto second = MetricsServer::listen(loop, "127.0.0.1:" + std::to_string(server->port()));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("cannot listen on 127.0.0.1:"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::recorder
