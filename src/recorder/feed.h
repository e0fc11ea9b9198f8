#pragma once

#include <cstdint>
#include <map>
#include <memory>
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

/// The budgets of connection attempts, one for each exchange and shared by its feeds: exchanges
/// count by address. References stay valid.
class AttemptBudgets {
 public:
  RateWindow& of(Venue venue);

 private:
  std::map<std::string, RateWindow, std::less<>> budgets_;
};

/// One [[feed]]: its symbols, spread over connections. Ownership and threads: as ShardRunner.
class Feed {
 public:
  /// `first_slot` is the number of its first connection in the log; slot_count() are used.
  static std::unique_ptr<Feed> make(std::unique_ptr<FeedContext> context, AttemptBudgets& budgets,
                                    std::string api_key, uint64_t random_key, uint32_t first_slot);

  /// Again after a stop as well, once is_done().
  void start();
  /// `cause` becomes that of the gaps.
  void stop(const std::string& cause = "stopped");
  bool is_done() const;
  /// At the end: stores frames that the log had refused; false while it still does.
  bool store_all_refused();

  size_t slot_count() const { return runners_.size(); }
  size_t connected_count() const;
  FeedContext& context() { return *context_; }
  const FeedContext& context() const { return *context_; }

 private:
  explicit Feed(std::unique_ptr<FeedContext> context) : context_(std::move(context)) {}

  std::unique_ptr<FeedContext> context_;
  std::vector<std::unique_ptr<ShardRunner>> runners_;
};

}  // namespace tapeworks::recorder
