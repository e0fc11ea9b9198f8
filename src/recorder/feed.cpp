#include "recorder/feed.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
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

/// Whether what differs between the two leaves connections as they are.
bool has_same_connections(const FeedConfig& one, const FeedConfig& other) {
  const auto facts = [](const FeedConfig& config) {
    return std::tie(config.streams, config.legs, config.endpoint, config.rest_endpoint,
                    config.route, config.ca_file, config.proxy, config.compression);
  };
  return facts(one) == facts(other);
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
  // Without a service of its own the feed asks where its socket is: http, or https for wss.
  const std::string service = !config.rest_endpoint.empty() ? config.rest_endpoint
                              : !config.endpoint.empty()    ? "http" + config.endpoint.substr(2)
                                                            : std::string();
  if (service.empty()) return urls;
  urls.instruments_url = on_host(service, urls.instruments_url);
  // The token names the address of the socket, so this must be the service that grants it.
  if (!urls.token_url.empty()) urls.token_url = with_path(service, urls.token_url);
  return urls;
}

std::string rest_url(const FeedConfig& config, std::string_view target) {
  const std::string url = urls_of(config).instruments_url;
  return url.substr(0, url.size() - path_of(url).size()) + std::string(target);
}

RateWindow& AttemptBudgets::of(Venue venue) {
  const VenueRules& rules = rules_of(venue);
  const std::string exchange(name_of(venue).exchange);
  return budgets_.try_emplace(exchange, rules.connections_max, rules.connection_window)
      .first->second;
}

Feed::Feed(std::unique_ptr<FeedContext> context, FeedSupplies& supplies)
    : context_(std::move(context)), supplies_(supplies) {
  const FeedConfig& config = context_->config;
  for (auto& keys : plan_connections(config.venue, config.symbols, config.streams)) {
    add_runner(std::move(keys));
  }
}

ConnectionOptions Feed::options_for(std::vector<StreamKey> keys) const {
  const FeedConfig& config = context_->config;
  const FeedUrls urls = urls_of(config);
  ConnectionOptions options;
  options.venue = config.venue;
  options.keys = std::move(keys);
  options.url = urls.url;
  options.token_url = urls.token_url;
  options.api_key = supplies_.api_key;
  return options;
}

std::vector<StreamKey> Feed::keys_of(std::span<const std::string> symbols) const {
  std::vector<StreamKey> keys;
  for (const std::string& symbol : symbols) {
    for (const Stream stream : context_->config.streams) keys.push_back({stream, symbol});
  }
  return keys;
}

ShardRunner& Feed::add_runner(std::vector<StreamKey> keys) {
  const uint32_t slot = supplies_.next_slot++;
  return *runners_.emplace_back(std::make_unique<ShardRunner>(
      *context_, options_for(std::move(keys)), supplies_.budgets.of(context_->config.venue),
      random_bits(supplies_.random_key, slot), slot));
}

void Feed::start(const std::string& why) {
  for (const auto& runner : runners_) runner->start(why);
}

void Feed::change(FeedConfig config, const std::string& why) {
  const bool keeps_connections = has_same_connections(context_->config, config);
  context_->config = std::move(config);
  const FeedConfig& wanted = context_->config;
  const size_t symbols_max = symbols_per_connection(wanted.venue, wanted.streams.size());

  // Who stays where, as far as there is room.
  std::set<std::string> homeless(wanted.symbols.begin(), wanted.symbols.end());
  std::vector<std::vector<std::string>> homes(runners_.size());
  for (size_t i = 0; i < runners_.size(); ++i) {
    for (const std::string& symbol : runners_[i]->symbols()) {
      if (homes[i].size() < symbols_max && homeless.erase(symbol) > 0) homes[i].push_back(symbol);
    }
  }
  for (auto& home : homes) {
    while (!homeless.empty() && !home.empty() && home.size() < symbols_max) {
      home.push_back(std::move(homeless.extract(homeless.begin()).value()));
    }
  }

  std::vector<std::unique_ptr<ShardRunner>> before = std::exchange(runners_, {});
  for (size_t i = 0; i < before.size(); ++i) {
    if (homes[i].empty()) {
      before[i]->leave(why);
      leaving_.push_back(std::move(before[i]));
      continue;
    }
    const std::set<std::string> home(homes[i].begin(), homes[i].end());
    if (!keeps_connections || home != before[i]->symbols()) {
      before[i]->reconfigure(options_for(keys_of(homes[i])), why);
    }
    runners_.push_back(std::move(before[i]));
  }
  const std::vector<std::string> rest(homeless.begin(), homeless.end());
  for (auto& keys : plan_connections(wanted.venue, rest, wanted.streams)) {
    add_runner(std::move(keys)).start(why);
  }
}

void Feed::forget_done() {
  for (auto& runner : leaving_) {
    if (!runner->is_done()) continue;
    // Not before what it has posted to the loop.
    context_->loop.post([doomed = std::shared_ptr<ShardRunner>(std::move(runner))] {});
  }
  std::erase(leaving_, nullptr);
}

void Feed::stop(std::string_view cause) {
  for (const auto& runner : runners_) runner->stop(cause);
}

void Feed::leave(const std::string& why) {
  for (const auto& runner : runners_) runner->leave(why);
}

bool Feed::is_done() const {
  const auto is_done = [](const auto& runner) { return runner->is_done(); };
  return std::ranges::all_of(runners_, is_done) && std::ranges::all_of(leaving_, is_done);
}

bool Feed::store_all_refused() {
  const auto store = [](const auto& runner) { return runner->store_all_refused(); };
  return std::ranges::all_of(runners_, store) && std::ranges::all_of(leaving_, store);
}

size_t Feed::wanted_count() const {
  size_t count = 0;
  for (const auto& runner : runners_) count += runner->wanted_count();
  return count;
}

size_t Feed::connected_count() const {
  size_t count = 0;
  for (const auto& runner : runners_) count += runner->live_count();
  return count;
}

}  // namespace tapeworks::recorder
