#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "base/loopback_host.h"
#include "recorder/config/config_value_internal.h"
#include "recorder/net/endpoint.h"
#include "recorder/protocol/log_event.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

/// `plain` and `secure` are the schemes without and with TLS.
Status check_url(const std::string& text, std::string_view key, std::string_view plain,
                 std::string_view secure) {
  if (text.empty()) return {};
  const std::string_view scheme = std::string_view(text).substr(0, text.find("://"));
  if (scheme != plain && scheme != secure) {
    return invalid_argument("{} must be {}://HOST[:PORT], not '{}'", key, secure, text);
  }
  const auto endpoint = net::parse_endpoint(text);
  if (!endpoint) return invalid_argument("{} {}", key, endpoint.error().message);
  if (!endpoint->tls && !is_loopback_host(endpoint->host)) {
    return invalid_argument(
        "{} '{}' is without TLS, which is allowed for this machine only; use "
        "{}://",
        key, text, secure);
  }
  return {};
}

Status resolve_venue(FeedConfig& feed) {
  if (feed.exchange.empty()) return invalid_argument("exchange is missing");
  if (feed.market.empty()) return invalid_argument("market is missing");
  if (feed.market == "futures") feed.market = "usdt_futures";
  std::string exchanges;
  std::string markets;
  std::string transports;
  const auto add = [](std::string& list, std::string_view name) {
    if ((", " + list + ",").find(fmt::format(", {},", name)) != std::string::npos) return;
    list += (list.empty() ? "" : ", ") + std::string(name);
  };
  for (const Venue venue : kVenues) {
    const VenueName name = name_of(venue);
    add(exchanges, name.exchange);
    if (name.exchange != feed.exchange) continue;
    add(markets, name.market);
    if (name.market == feed.market) add(transports, name.transport);
  }
  if (markets.empty()) {
    return invalid_argument("there is no exchange '{}'; there are {}", feed.exchange, exchanges);
  }
  if (transports.empty()) {
    return invalid_argument("{} has no market '{}'; there are {}", feed.exchange, feed.market,
                            markets);
  }
  const auto venue = find_venue(feed.exchange, feed.market, feed.transport);
  if (!venue) {
    return invalid_argument("{} {} has no transport '{}'; there are {}", feed.exchange, feed.market,
                            feed.transport, transports);
  }
  feed.venue = *venue;
  return {};
}

Status check_feed(const FeedConfig& feed) {
  if (feed.symbols.empty()) {
    return invalid_argument("symbols is missing; write names, patterns, or [\"*\"]");
  }
  std::set<std::string> seen;
  for (const std::string& symbol : feed.symbols) {
    if (symbol.empty()) return invalid_argument("symbols has an empty name");
    if (!seen.insert(symbol).second) return invalid_argument("symbols names {} twice", symbol);
  }
  if (feed.streams.empty()) return invalid_argument("streams is empty");
  if (feed.legs != 1 && feed.legs != 2) {
    return invalid_argument("legs must be 1 or 2, not {}", feed.legs);
  }
  if (feed.backfill && std::ranges::find(feed.streams, Stream::kTrade) == feed.streams.end()) {
    return invalid_argument(
        "backfill fetches trades, and the feed does not record any; add \"trade\" to streams or "
        "leave backfill away");
  }
  if (feed.list_interval < 1s) return invalid_argument("list_interval must be at least 1s");
  if (feed.top_by_volume > 0 && !has_patterns(feed)) {
    return invalid_argument(
        "top_by_volume chooses among what patterns find, and symbols has none; add one, such as "
        "\"*USDT\", or leave top_by_volume away");
  }
  if (feed.volume_interval < 1s) return invalid_argument("volume_interval must be at least 1s");
  if (feed.dedupe_window == 0 || feed.dedupe_window > RowRules::kDedupeWindowRowsMax) {
    return invalid_argument("dedupe_window must be 1 to {}, not {}", RowRules::kDedupeWindowRowsMax,
                            feed.dedupe_window);
  }
  // Some milliseconds of messages always wait for the sink.
  if (feed.backlog_limit.bytes < kMiB) {
    return invalid_argument("backlog_limit must be at least 1MiB");
  }
  TW_TRY(check_url(feed.endpoint, "endpoint", "ws", "wss"));
  TW_TRY(check_url(feed.rest_endpoint, "rest_endpoint", "http", "https"));
  if (!feed.proxy.empty()) {
    if (!feed.proxy.starts_with("http://")) {
      return invalid_argument("proxy must be http://HOST:PORT, not '{}'", feed.proxy);
    }
    const auto proxy = net::parse_endpoint(feed.proxy);
    if (!proxy) return invalid_argument("proxy {}", proxy.error().message);
  }
  if (!feed.route.empty()) {
    if (feed.venue != Venue::kBinanceUsdm) {
      return invalid_argument("route is for binance usdt_futures only");
    }
    if (feed.route != "public" && feed.route != "market") {
      return invalid_argument("route must be public or market, not '{}'", feed.route);
    }
  }
  return {};
}

/// One row of output may come from one feed only, or it would be there twice.
Status check_overlaps(const RecorderConfig& config, const std::string& file_name) {
  std::set<std::tuple<Venue, std::string, Stream>> seen;
  for (const FeedConfig& feed : config.feeds) {
    for (const std::string& symbol : feed.symbols) {
      for (const Stream stream : feed.streams) {
        if (seen.insert({feed.venue, symbol, stream}).second) continue;
        return invalid_argument(
            "{}:{}: {} {} {} of {} is in another feed already; two feeds may share it only with "
            "different transports",
            file_name, feed.line, feed.exchange, feed.market, symbol, name_of(stream));
      }
    }
  }
  return {};
}

/// What leaves the choice of the one would at once be recorded by the other as well, for as long as
/// the old connection is there.
Status check_rankings(const RecorderConfig& config, const std::string& file_name) {
  const auto shared_stream = [](const FeedConfig& one, const FeedConfig& other) {
    const auto found = std::ranges::find_first_of(one.streams, other.streams);
    return found == one.streams.end() ? std::nullopt : std::optional(*found);
  };
  for (const FeedConfig& feed : config.feeds) {
    for (const FeedConfig& other : config.feeds) {
      if (&feed == &other || feed.venue != other.venue || feed.top_by_volume == 0) continue;
      const auto stream = shared_stream(feed, other);
      if (!has_patterns(other) || !stream) continue;
      return invalid_argument(
          "{}:{}: a feed with top_by_volume must be the only one with patterns for {} of {} {}, "
          "and that in line {} has some too; name the symbols of one of them",
          file_name, feed.line, name_of(*stream), feed.exchange, feed.market, other.line);
    }
  }
  return {};
}

/// Whether `path` is `folder` or lies in it, as far as the names tell.
bool is_inside(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto inner = std::filesystem::absolute(path).lexically_normal();
  const auto outer = (std::filesystem::absolute(folder) / "").lexically_normal().parent_path();
  return std::ranges::mismatch(outer, inner).in1 == outer.end();
}

/// kInvalidArgument unless `is_fine`.
Status require(bool is_fine, const RecorderConfig& config, std::string_view key,
               std::string_view rule) {
  if (is_fine) return {};
  const auto origin = config.origins.find(std::string(key));
  return invalid_argument(
      "{}: {} {}", origin == config.origins.end() ? "the default" : origin->second, key, rule);
}

Status check_sections(const RecorderConfig& config) {
  const auto require_that = [&](bool is_fine, std::string_view key, std::string_view rule) {
    return require(is_fine, config, key, rule);
  };
  const OutputConfig& output = config.output;
  TW_TRY(require_that(output.bucket == "1h", "output.bucket", "must be \"1h\"; there is no other"));
  TW_TRY(require_that(output.part_rows > 0, "output.part_rows", "must be above 0"));
  TW_TRY(require_that(output.part_rows <= output.row_group_rows, "output.part_rows",
                      "must not be above output.row_group_rows"));
  TW_TRY(require_that(output.row_group_rows <= 1'048'576, "output.row_group_rows",
                      "must not be above 1048576"));
  TW_TRY(require_that(output.part_age > 0ms, "output.part_age", "must be above 0"));
  TW_TRY(require_that(output.idle_close > 0ms, "output.idle_close", "must be above 0"));
  const WalConfig& wal = config.wal;
  TW_TRY(require_that(wal.sync_interval > 0ms, "wal.sync_interval", "must be above 0"));
  TW_TRY(require_that(wal.sync_bytes.bytes > 0, "wal.sync_bytes", "must be above 0"));
  TW_TRY(require_that(wal.segment.bytes >= 64 * kKiB, "wal.segment", "must be at least 64KiB"));
  TW_TRY(require_that(wal.segment.bytes <= kGiB, "wal.segment", "must be at most 1GiB"));
  TW_TRY(require_that(wal.buffer.bytes >= kMiB, "wal.buffer", "must be at least 1MiB"));
  TW_TRY(require_that(wal.sync_bytes.bytes <= wal.buffer.bytes, "wal.sync_bytes",
                      "must not be above wal.buffer"));
  TW_TRY(require_that(wal.max_bytes.bytes == 0 || wal.max_bytes.bytes >= 2 * wal.segment.bytes,
                      "wal.max_bytes", "must be 0 or at least two segments"));
  TW_TRY(require_that(!is_inside(wal.dir, output.dir), "wal.dir",
                      "must not lie in output.dir; choose a folder beside it"));
  TW_TRY(require_that(!is_inside(output.dir, wal.dir), "output.dir", "must not lie in wal.dir"));
  TW_TRY(
      require_that(config.status.interval >= 100ms, "status.interval", "must be at least 100ms"));
  const RetentionConfig& retention = config.retention;
  for (const auto& [key, hours] : {std::pair{"retention.hours", retention.hours},
                                   {"retention.binance_hours", retention.binance_hours},
                                   {"retention.kucoin_hours", retention.kucoin_hours},
                                   {"retention.gate_hours", retention.gate_hours}}) {
    TW_TRY(require_that(hours == 0 || retention.allow_delete, key,
                        "would delete files; say allow_delete = true, or leave it at 0"));
    TW_TRY(require_that(hours <= static_cast<uint64_t>(kDurationMax.count()), key,
                        "must be at most 876600 (100 years); 0 deletes nothing"));
  }
  TW_TRY(require_that(retention.disk_soft_limit.bytes == 0 || retention.allow_delete,
                      "retention.disk_soft_limit",
                      "would delete files; say allow_delete = true, or leave it away"));
  TW_TRY(require_that(config.metrics.unhealthy_after >= 1s, "metrics.unhealthy_after",
                      "must be at least 1s"));
  const std::string& listen = config.metrics.listen;
  if (listen.empty()) return {};
  const auto address = net::parse_listen_address(listen);
  return address ? Status{} : require_that(false, "metrics.listen", address.error().message);
}

}  // namespace

Status resolve_feeds(RecorderConfig& config, const std::string& file_name) {
  for (FeedConfig& feed : config.feeds) {
    Status outcome = resolve_venue(feed);
    if (outcome) outcome = check_feed(feed);
    if (!outcome) {
      return invalid_argument("{}:{}: in this feed {}", file_name, feed.line,
                              outcome.error().message);
    }
  }
  return {};
}

Status check_config(const RecorderConfig& config, const std::string& file_name) {
  TW_TRY(check_sections(config));
  if (config.feeds.empty()) {
    return invalid_argument("{}: there is no [[feed]], so nothing would be recorded", file_name);
  }
  TW_TRY(check_overlaps(config, file_name));
  return check_rankings(config, file_name);
}

Status check_api_key(const RecorderConfig& config, std::string_view api_key) {
  for (size_t i = 0; i < config.feeds.size(); ++i) {
    if (config.feeds[i].venue != Venue::kBinanceSpotSbe || !api_key.empty()) continue;
    return require(false, config, fmt::format("feed[{}].transport", i),
                   "is sbe, and Binance's SBE streams need a key; set TAPEWORKS_BINANCE_SBE_KEY to "
                   "it");
  }
  return {};
}

}  // namespace tapeworks::recorder
