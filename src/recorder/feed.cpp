#include "recorder/feed.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "recorder/protocol/instrument_list.h"
#include "recorder/protocol/venue_rules.h"

namespace tapeworks::recorder {
namespace {

/// "wss://host:1/path" -> "/path"; empty without one.
std::string_view path_of(std::string_view url) {
  const size_t authority = url.find("://");
  if (authority == std::string_view::npos) return {};
  const size_t slash = url.find('/', authority + 3);
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash);
}

/// `endpoint` with the path of `standard` unless it has one of its own.
std::string with_path(const std::string& endpoint, std::string_view standard) {
  const std::string_view path = path_of(endpoint);
  if (!path.empty() && path != "/") return endpoint;
  return endpoint.substr(0, endpoint.size() - path.size()) + std::string(path_of(standard));
}

/// The host that `endpoint` names, with the path of `standard`, whatever path `endpoint` has.
std::string on_host(const std::string& endpoint, std::string_view standard) {
  return endpoint.substr(0, endpoint.size() - path_of(endpoint).size()) +
         std::string(path_of(standard));
}

}  // namespace

FeedUrls urls_of(const FeedConfig& config) {
  const VenueRules& rules = rules_of(config.venue);
  FeedUrls urls{std::string(rules.url), std::string(rules.token_url),
                std::string(instruments_url(config.venue))};
  if (!config.route.empty()) {
    // wss://HOST/public/stream -> wss://HOST/market/stream
    const size_t path = urls.url.size() - path_of(urls.url).size();
    urls.url = urls.url.substr(0, path) + "/" + config.route + "/stream";
  }
  if (!config.endpoint.empty() && !urls.url.empty()) {
    urls.url = with_path(config.endpoint, urls.url);
  }
  if (!config.rest_endpoint.empty()) {
    urls.instruments_url = on_host(config.rest_endpoint, urls.instruments_url);
  } else if (!config.endpoint.empty()) {
    urls.instruments_url = on_host("http" + config.endpoint.substr(2), urls.instruments_url);
  }
  if (urls.token_url.empty()) return urls;
  if (!config.rest_endpoint.empty()) {
    urls.token_url = with_path(config.rest_endpoint, urls.token_url);
  } else if (!config.endpoint.empty()) {
    // The token names the address of the socket, so this must be the service that grants it.
    urls.token_url = with_path("http" + config.endpoint.substr(2), urls.token_url);
  }
  return urls;
}

RateWindow& AttemptBudgets::of(Venue venue) {
  const VenueRules& rules = rules_of(venue);
  const std::string exchange(name_of(venue).exchange);
  return budgets_.try_emplace(exchange, rules.connections_max, rules.connection_window)
      .first->second;
}

std::unique_ptr<Feed> Feed::make(std::unique_ptr<FeedContext> context, AttemptBudgets& budgets,
                                 std::string api_key, uint64_t random_key, uint32_t first_slot) {
  const FeedConfig& config = context->config;
  std::unique_ptr<Feed> feed(new Feed(std::move(context)));
  const FeedUrls urls = urls_of(config);
  for (auto& keys : plan_connections(config.venue, config.symbols, config.streams)) {
    const auto index = static_cast<uint32_t>(feed->runners_.size());
    ConnectionOptions options;
    options.venue = config.venue;
    options.keys = std::move(keys);
    options.url = urls.url;
    options.token_url = urls.token_url;
    options.api_key = api_key;
    feed->runners_.push_back(
        std::make_unique<ShardRunner>(*feed->context_, std::move(options), budgets.of(config.venue),
                                      random_bits(random_key, index), first_slot + index));
  }
  return feed;
}

void Feed::start() {
  for (const auto& runner : runners_) runner->start();
}

void Feed::stop(const std::string& cause) {
  for (const auto& runner : runners_) runner->stop(cause);
}

bool Feed::is_done() const {
  return std::ranges::all_of(runners_, [](const auto& runner) { return runner->is_done(); });
}

bool Feed::store_all_refused() {
  return std::ranges::all_of(runners_,
                             [](const auto& runner) { return runner->store_all_refused(); });
}

size_t Feed::connected_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(runners_, [](const auto& runner) { return runner->is_connected(); }));
}

}  // namespace tapeworks::recorder
