#include "recorder/feed_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "recorder/symbol_choice.h"

namespace tapeworks::recorder {
namespace {

constexpr const char* kByConfiguration = "configuration";

std::vector<std::string> names_in(const FeedConfig& config) {
  std::vector<std::string> names;
  std::ranges::copy_if(config.symbols, std::back_inserter(names),
                       [](const auto& symbol) { return !is_symbol_pattern(symbol); });
  return names;
}

bool is_asked_for(const FeedConfig& config, const std::string& symbol) {
  return std::ranges::any_of(config.symbols, [&](const std::string& wanted) {
    return wanted == symbol ||
           (is_symbol_pattern(wanted) && matches_symbol_pattern(symbol, wanted));
  });
}

bool shares_stream(const FeedConfig& one, const FeedConfig& other) {
  return one.venue == other.venue && std::ranges::any_of(one.streams, [&](Stream stream) {
           return std::ranges::find(other.streams, stream) != other.streams.end();
         });
}

FeedConfig with_symbols(FeedConfig config, std::vector<std::string> symbols) {
  config.symbols = std::move(symbols);
  return config;
}

void add_counts(const FeedContext& context, VenueStatus& venue) {
  venue.events += context.frame_count;
  venue.event_bytes += context.frame_bytes;
  venue.dropped += context.dropped.total();
  for (const auto& [cause, by_stream] : context.dropped.counts()) {
    for (const auto& [stream, count] : by_stream) venue.dropped_counts[cause][stream] += count;
  }
  venue.blocked += context.block_count;
  venue.failed_attempts += context.failed_attempt_count;
  for (size_t leg = 0; leg < context.legs.size(); ++leg) {
    venue.legs[leg].messages += context.legs[leg].messages;
    venue.legs[leg].connects += context.legs[leg].connects;
    venue.legs[leg].lost += context.legs[leg].lost;
    venue.connects += context.legs[leg].connects;
    venue.lost += context.legs[leg].lost;
  }
}

}  // namespace

Status check_memory(const RecorderMemory& memory, const std::vector<FeedConfig>& feeds) {
  uint64_t symbol_count = 0;
  uint64_t window_rows = 0;
  for (const FeedConfig& feed : feeds) {
    symbol_count += feed.symbols.size();
    window_rows = std::max(window_rows, feed.dedupe_window);
  }
  const uint64_t floor =
      recorder_memory_floor_bytes(symbol_count, memory.log_buffer_bytes, window_rows);
  if (memory.limit_bytes >= floor) return {};
  return invalid_argument(
      "--memory {} is too little for {} symbol{}, a wal.buffer of {} and a dedupe_window of {}; at "
      "least {} is needed",
      format_byte_size(memory.limit_bytes), symbol_count, symbol_count == 1 ? "" : "s",
      format_byte_size(memory.log_buffer_bytes), window_rows, format_byte_size(floor));
}

std::vector<std::string> FeedSet::Member::symbols() const {
  return feed ? feed->context().config.symbols : names_in(config);
}

FeedSet::FeedSet(Host host, std::string api_key, uint64_t random_key) : host_(std::move(host)) {
  supplies_.api_key = std::move(api_key);
  supplies_.random_key = random_key;
}

FeedSet::~FeedSet() = default;

std::unique_ptr<Feed> FeedSet::make_feed(FeedConfig config) {
  return std::make_unique<Feed>(
      std::unique_ptr<FeedContext>(new FeedContext{.config = std::move(config),
                                                   .loop = host_.loop,
                                                   .log = host_.log,
                                                   .backlog = {},
                                                   .consumed_lsn = host_.consumed_lsn,
                                                   .fail = host_.fail,
                                                   .stop_by_policy = host_.stop_by_policy,
                                                   .say = host_.say}),
      supplies_);
}

void FeedSet::start(const std::vector<FeedConfig>& configs) {
  for (const FeedConfig& config : configs) {
    Member& member = members_.emplace_back();
    member.config = config;
    if (has_patterns(config)) continue;
    member.feed = make_feed(config);
    start_or_pause(member, "");
  }
  announce_numbers();
  watch_lists();
}

/// Once all feeds have their connections: those of an earlier start that have a higher number will
/// not come again.
void FeedSet::announce_numbers() {
  const bool are_known =
      std::ranges::all_of(members_, [](const Member& member) { return member.feed != nullptr; });
  if (has_announced_ || !are_known) return;
  has_announced_ = true;
  LogEvent event;
  event.cause = kConnectionNumbers;
  event.count = int64_t{supplies_.next_slot} - 1;
  const Status written =
      host_.log.append(LogKind::kNotice, std::nullopt, 0, event, net::read_clocks());
  if (!written) host_.fail(written.error());
}

void FeedSet::start_or_pause(Member& member, const std::string& why) {
  member.is_paused = !disk_orders_.may_run(member.config.priority);
  if (!member.is_paused) member.feed->start(why);
}

void FeedSet::change(Member& member, FeedConfig config, const std::string& why) {
  member.feed->change(std::move(config), why);
  // New connections were begun for what is new.
  if (member.is_paused) member.feed->stop(kDiskFullCause);
}

void FeedSet::obey(const DiskOrders& orders) {
  disk_orders_ = orders;
  pause_and_resume();
}

void FeedSet::pause_and_resume() {
  if (stopping_) return;
  for (Member& member : members_) {
    if (!member.feed) continue;
    const bool may_run = disk_orders_.may_run(member.config.priority);
    if (!may_run && !member.is_paused) {
      member.is_paused = true;
      member.feed->stop(kDiskFullCause);
    } else if (may_run && member.is_paused && member.feed->is_done()) {
      member.is_paused = false;
      member.feed->start();
    }
  }
}

uint64_t FeedSet::paused_count() const {
  return static_cast<uint64_t>(std::ranges::count_if(members_, &Member::is_paused));
}

std::vector<const FeedConfig*> FeedSet::running_feeds() const {
  std::vector<const FeedConfig*> feeds;
  for (const Member& member : members_) {
    if (member.feed && !member.is_paused) feeds.push_back(&member.feed->context().config);
  }
  return feeds;
}

void FeedSet::watch_lists() {
  std::vector<Instruments::WatchedFeed> watched;
  for (const Member& member : members_) {
    watched.push_back({member.config, member.symbols(), member.feed == nullptr});
  }
  instruments_ = std::make_unique<Instruments>(
      std::move(watched),
      Instruments::Host{host_.loop, host_.log,
                        [this](size_t number, const std::vector<std::string>& symbols,
                               const char* why) { on_symbols(number, symbols, why); },
                        host_.say, host_.fail});
  instruments_->start();
}

void FeedSet::on_symbols(size_t number, const std::vector<std::string>& symbols, const char* why) {
  if (stopping_) return;
  Member& member = members_[number];
  std::vector<FeedConfig> all;
  for (const Member& each : members_) {
    all.push_back(with_symbols(each.config, &each == &member ? symbols : each.symbols()));
  }
  const Status enough = check_memory(host_.memory, all);
  // At the start there is nothing yet that could go on.
  if (!enough && !member.feed && !has_reloaded_) return host_.fail(enough.error());
  if (!enough) {
    if (std::exchange(member.is_short_of_memory, true)) return;
    return host_.say(fmt::format("{} {}: what the patterns have found is not recorded: {}",
                                 member.config.exchange, member.config.market,
                                 enough.error().message));
  }
  member.is_short_of_memory = false;
  if (member.feed) return change(member, with_symbols(member.config, symbols), why);
  member.feed = make_feed(with_symbols(member.config, symbols));
  start_or_pause(member, has_reloaded_ ? kByConfiguration : "");
  announce_numbers();
}

/// For each new feed the one that it goes on as: of those with its venue the one with which it
/// shares most symbols. Null for a feed that is new altogether.
std::vector<FeedSet::Member*> FeedSet::find_partners(const std::vector<FeedConfig>& configs) {
  std::vector<Member*> partners(configs.size(), nullptr);
  std::set<const Member*> taken;
  // Those that share something choose first.
  for (const bool must_share : {true, false}) {
    for (size_t i = 0; i < configs.size(); ++i) {
      if (partners[i] != nullptr) continue;
      int64_t most = must_share ? 0 : -1;
      for (Member& member : members_) {
        if (member.config.venue != configs[i].venue || taken.contains(&member)) continue;
        int64_t shared = member.config.symbols == configs[i].symbols ? 1 : 0;
        for (const std::string& symbol : member.symbols()) {
          shared += is_asked_for(configs[i], symbol) ? 1 : 0;
        }
        if (shared <= most) continue;
        most = shared;
        partners[i] = &member;
      }
      if (partners[i] != nullptr) taken.insert(partners[i]);
    }
  }
  return partners;
}

/// A stream that went from one feed to another would be recorded by both of them for a moment.
Status FeedSet::check_moves(const FeedConfig& config, const Member* partner) const {
  for (const Member& member : members_) {
    if (&member == partner || !member.feed ||
        !shares_stream(config, member.feed->context().config)) {
      continue;
    }
    for (const std::string& symbol : member.symbols()) {
      if (std::ranges::find(config.symbols, symbol) == config.symbols.end()) continue;
      return invalid_argument(
          "{} {} {} cannot move from one [[feed]] to another while it is recorded; take it out "
          "with one reload and in again with the next",
          config.exchange, config.market, symbol);
    }
  }
  return {};
}

Status FeedSet::reload(const std::vector<FeedConfig>& configs) {
  const std::vector<Member*> partners = find_partners(configs);
  // What is recorded of each before any list is read again.
  std::vector<FeedConfig> planned;
  for (size_t i = 0; i < configs.size(); ++i) {
    TW_TRY(check_moves(configs[i], partners[i]));
    std::vector<std::string> symbols = names_in(configs[i]);
    if (partners[i] != nullptr && has_patterns(configs[i])) {
      for (const std::string& symbol : partners[i]->symbols()) {
        const bool is_named = std::ranges::find(symbols, symbol) != symbols.end();
        if (!is_named && is_asked_for(configs[i], symbol)) symbols.push_back(symbol);
      }
    }
    planned.push_back(with_symbols(configs[i], std::move(symbols)));
  }
  TW_TRY(check_memory(host_.memory, planned));

  has_reloaded_ = true;
  instruments_->stop();
  std::vector<Member> members(configs.size());
  for (size_t i = 0; i < configs.size(); ++i) {
    Member& member = members[i];
    member.config = configs[i];
    if (partners[i] != nullptr) {
      member.feed = std::move(partners[i]->feed);
      member.is_paused = partners[i]->is_paused;
    }
    if (member.feed) {
      change(member, std::move(planned[i]), kByConfiguration);
    } else if (!has_patterns(configs[i])) {
      member.feed = make_feed(std::move(planned[i]));
      start_or_pause(member, kByConfiguration);
    }
  }
  for (Member& member : members_) {
    if (!member.feed) continue;
    member.feed->leave(kByConfiguration);
    leaving_.push_back(std::move(member.feed));
  }
  members_ = std::move(members);
  // The feed that was waiting for its list may be gone, and nothing else would say it then.
  announce_numbers();
  watch_lists();
  return {};
}

void FeedSet::stop() {
  stopping_ = true;
  if (instruments_) instruments_->stop();
  for (const Member& member : members_) {
    if (member.feed) member.feed->stop();
  }
}

bool FeedSet::is_done() const {
  return std::ranges::all_of(
             members_,
             [](const Member& member) { return !member.feed || member.feed->is_done(); }) &&
         std::ranges::all_of(leaving_, [](const auto& feed) { return feed->is_done(); });
}

bool FeedSet::store_all_refused() {
  return std::ranges::all_of(members_,
                             [](const Member& member) {
                               return !member.feed || member.feed->store_all_refused();
                             }) &&
         std::ranges::all_of(leaving_, [](const auto& feed) { return feed->store_all_refused(); });
}

void FeedSet::mark_backlogs(uint64_t end_lsn) {
  for (const Member& member : members_) {
    if (!member.feed) continue;
    member.feed->context().backlog.mark(end_lsn);
    member.feed->forget_done();
  }
  for (const auto& feed : leaving_) feed->context().backlog.mark(end_lsn);
  forget_done();
}

void FeedSet::forget_done() {
  for (std::unique_ptr<Feed>& feed : leaving_) {
    if (!feed->is_done()) continue;
    add_counts(feed->context(), gone_[feed->context().config.venue]);
    // Not before what it has posted to the loop.
    host_.loop.post([doomed = std::shared_ptr<Feed>(std::move(feed))] {});
  }
  std::erase(leaving_, nullptr);
}

std::vector<VenueStatus> FeedSet::venue_statuses() const {
  std::map<Venue, VenueStatus> venues = gone_;
  const auto add = [&](const Feed& feed, bool is_wanted) {
    VenueStatus& venue = venues[feed.context().config.venue];
    add_counts(feed.context(), venue);
    if (!is_wanted) return;
    venue.connected += feed.connected_count();
    venue.connections += feed.wanted_count();
  };
  for (const Member& member : members_) {
    if (member.feed) add(*member.feed, true);
  }
  for (const auto& feed : leaving_) add(*feed, false);
  std::vector<VenueStatus> statuses;
  for (auto& [venue, status] : venues) {
    status.venue = venue;
    statuses.push_back(status);
  }
  return statuses;
}

}  // namespace tapeworks::recorder
