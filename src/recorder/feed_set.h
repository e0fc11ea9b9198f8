#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/config/recorder_config.h"
#include "recorder/disk_ladder.h"
#include "recorder/feed.h"
#include "recorder/instruments.h"
#include "recorder/recorder_status.h"

namespace tapeworks::recorder {

/// What the memory of a recorder is for, beside its feeds.
struct RecorderMemory {
  uint64_t limit_bytes = 0;       ///< --memory
  uint64_t log_buffer_bytes = 0;  ///< wal.buffer
};

/// kInvalidArgument, with the figure needed, when so much memory is too little for the feeds.
Status check_memory(const RecorderMemory& memory, const std::vector<FeedConfig>& feeds);

/// The feeds of a recording, and what the exchanges' lists say of their symbols. Feeds can be
/// exchanged while they run.
///
/// Ownership: what the host names outlives it. Threads: that of the loop.
class FeedSet {
 public:
  struct Host {
    net::EventLoop& loop;
    FrameLog& log;
    RecorderMemory memory;
    std::function<uint64_t()> consumed_lsn;  ///< what the sink has taken
    std::function<void(const Error& error)> fail;
    std::function<void(std::string why)> stop_by_policy;
    std::function<void(std::string_view line)> say;
  };

  FeedSet(Host host, std::string api_key, uint64_t random_key);
  ~FeedSet();

  /// Feeds with patterns begin when their list is there.
  void start(const std::vector<FeedConfig>& configs);
  /// Goes on with other feeds. What stays is not interrupted, what goes is recorded until its
  /// connection is closed, and each symbol that comes or goes is an event of the log. Errors:
  /// kInvalidArgument, and nothing has changed.
  Status reload(const std::vector<FeedConfig>& configs);
  /// Closes all connections in order; is_done() once they are.
  void stop();
  bool is_done() const;
  /// At the end: stores frames that the log had refused; false while it still does.
  bool store_all_refused();

  /// What holds from here on for a disk that is short: feeds that may not run are closed, and come
  /// back when they may; the cause of the gaps is "disk_full".
  void obey(const DiskOrders& orders);
  /// Once a second: a feed comes back only after its connections have been closed.
  void pause_and_resume();
  uint64_t paused_count() const;

  /// Feeds as they run, with the names of their symbols; valid until something changes them.
  std::vector<const FeedConfig*> running_feeds() const;

  /// Once a second, for the limits of what the sink has not taken.
  void mark_backlogs(uint64_t end_lsn);
  /// Counters never go down, whatever feeds go.
  std::vector<VenueStatus> venue_statuses() const;

 private:
  struct Member {
    FeedConfig config;                ///< as configured, with patterns
    std::unique_ptr<Feed> feed;       ///< null while patterns wait for the list
    bool is_short_of_memory = false;  ///< said already
    bool is_paused = false;           ///< because the disk is short

    /// What is recorded of it, or will be without any list.
    std::vector<std::string> symbols() const;
  };

  std::unique_ptr<Feed> make_feed(FeedConfig config);
  void start_or_pause(Member& member, const std::string& why);
  static void change(Member& member, FeedConfig config, const std::string& why);
  void announce_numbers();
  void watch_lists();
  void on_symbols(size_t number, const std::vector<std::string>& symbols, const char* why);
  std::vector<Member*> find_partners(const std::vector<FeedConfig>& configs);
  Status check_moves(const FeedConfig& config, const Member* partner) const;
  void forget_done();

  Host host_;
  FeedSupplies supplies_;
  std::vector<Member> members_;
  std::unique_ptr<Instruments> instruments_;
  std::list<std::unique_ptr<Feed>> leaving_;
  std::map<Venue, VenueStatus> gone_;  ///< counters of feeds that are no more
  DiskOrders disk_orders_;
  bool has_announced_ = false;
  bool has_reloaded_ = false;
  bool stopping_ = false;
};

}  // namespace tapeworks::recorder
