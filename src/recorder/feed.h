#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "recorder/shard_runner.h"

namespace tapeworks::recorder {

/// Where a feed connects: the venue's address, or that of the configuration, which may leave the
/// path to the venue. `token_url` is empty where no token is needed. With an endpoint and no
/// rest_endpoint the former's host is asked for both of the others.
struct FeedUrls {
  std::string url;
  std::string token_url;
  std::string instruments_url;
};
FeedUrls urls_of(const FeedConfig& config);
/// The same host as the instruments_url, with another path and query.
std::string rest_url(const FeedConfig& config, std::string_view target);

/// The budgets of connection attempts, one for each exchange and shared by its feeds: exchanges
/// count by address. References stay valid.
class AttemptBudgets {
 public:
  RateWindow& of(Venue venue);

 private:
  std::map<std::string, RateWindow, std::less<>> budgets_;
};

/// What the feeds of a recorder share. Threads: one.
struct FeedSupplies {
  AttemptBudgets budgets;
  std::string api_key;      ///< of Binance's SBE streams
  uint64_t random_key = 0;  ///< differs between recorders
  uint32_t next_slot = 1;   ///< the number that the next connection has in the log
};

/// One [[feed]]: its symbols, spread over connections. Ownership and threads: as ShardRunner.
class Feed {
 public:
  /// The symbols of `context.config` are names. `supplies` outlives the feed.
  Feed(std::unique_ptr<FeedContext> context, FeedSupplies& supplies);

  /// With a reason, each symbol is an event: of a feed that comes while others run. Again after a
  /// stop as well, once is_done().
  void start(const std::string& why = "");
  /// Records by another configuration from here on: symbols that stay keep their connection, new
  /// ones go where there is room. `why` stands in the events.
  void change(FeedConfig config, const std::string& why);
  /// `cause` becomes that of the gaps.
  void stop(std::string_view cause = kStoppedCause);
  /// Like stop() while the recording goes on without it.
  void leave(const std::string& why);
  bool is_done() const;
  /// Lets go of connections that are not wanted any more and have ended; now and then.
  void forget_done();
  /// At the end: stores frames that the log had refused; false while it still does.
  bool store_all_refused();

  size_t wanted_count() const;  ///< connections
  size_t connected_count() const;
  FeedContext& context() { return *context_; }
  const FeedContext& context() const { return *context_; }

 private:
  ConnectionOptions options_for(std::vector<StreamKey> keys) const;
  ShardRunner& add_runner(std::vector<StreamKey> keys);
  std::vector<StreamKey> keys_of(std::span<const std::string> symbols) const;

  std::unique_ptr<FeedContext> context_;
  FeedSupplies& supplies_;
  std::vector<std::unique_ptr<ShardRunner>> runners_;
  std::vector<std::unique_ptr<ShardRunner>> leaving_;
};

}  // namespace tapeworks::recorder
