#include "recorder/disk_keeper.h"

#include <algorithm>
#include <utility>

#include "base/messages.h"
#include "base/units.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr auto kRoundInterval = 5s;
/// While the disk is short; at 20,000 messages a second it loses 5 MB meanwhile.
constexpr auto kShortRoundInterval = 1s;
constexpr auto kSaveInterval = 60s;
constexpr const char* kReserveName = "disk.reserve";

}  // namespace

DiskKeeper::DiskKeeper(DiskKeeperOptions options)
    : options_(std::move(options)), ladder_(options_.min_free_bytes, options_.priorities) {
  make_devices();
}

DiskKeeper::~DiskKeeper() { finish(); }

void DiskKeeper::make_devices() {
  std::vector<uint64_t> known;
  for (const auto& folder : {options_.log_folder, options_.output_folder / ".parts"}) {
    const auto space = disk_space_of(folder);
    // One that cannot be asked now gets no reserve, and is asked again in each round.
    const uint64_t reserve_bytes = space ? options_.reserve_bytes : 0;
    if (space && std::ranges::find(known, space->device) != known.end()) continue;
    if (space) known.push_back(space->device);
    devices_.push_back(
        {folder, std::make_unique<ReserveFile>(folder / kReserveName, reserve_bytes)});
  }
}

/// The room on the shortest device, less what its reserve wants to have.
uint64_t DiskKeeper::measure() {
  uint64_t least = UINT64_MAX;
  for (const Device& device : devices_) {
    const auto space = disk_space_of(device.folder);
    if (!space) continue;
    const ReserveFile& reserve = *device.reserve;
    const bool is_missing = reserve.is_possible() && !reserve.is_there();
    const uint64_t wanted = is_missing ? reserve.byte_count() : 0;
    least = std::min(least, space->free_bytes - std::min(space->free_bytes, wanted));
  }
  return least;
}

void DiskKeeper::make_reserves() {
  for (const Device& device : devices_) {
    if (const Status made = device.reserve->make();
        !made && !std::exchange(warned_of_reserve_, true)) {
      warn("{}; recording goes on without a reserve for a full disk until there is room",
           made.error().message);
    }
  }
}

void DiskKeeper::give_up_reserves() {
  for (const Device& device : devices_) {
    // What cannot be removed pays for nothing, and the disk is full all the same.
    if (const Status gone = device.reserve->give_up(); !gone) warn_line(gone.error().message);
  }
}

DiskOrders DiskKeeper::round() {
  const std::lock_guard lock(mutex_);
  const uint64_t free = measure();
  if (free != UINT64_MAX) free_bytes_ = free;
  orders_ = ladder_.round(free_bytes_, std::exchange(had_no_space_, false));
  is_full_.store(orders_.step == DiskStep::kFull, std::memory_order_release);
  if (orders_.step == DiskStep::kFull) {
    give_up_reserves();
  } else {
    make_reserves();
  }
  return orders_;
}

void DiskKeeper::note_no_space() {
  {
    const std::lock_guard lock(mutex_);
    had_no_space_ = true;
    is_full_.store(true, std::memory_order_release);
    give_up_reserves();
  }
  wake_.notify_one();
}

DiskOrders DiskKeeper::orders() const {
  const std::lock_guard lock(mutex_);
  return orders_;
}

void DiskKeeper::start(Actions actions) {
  actions_ = std::move(actions);
  thread_ = std::thread([this] { run(); });
}

void DiskKeeper::run() {
  DiskOrders known = orders();
  auto next_save = std::chrono::steady_clock::now();
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    if (known.step != DiskStep::kFine && now >= next_save) {
      next_save = now + kSaveInterval;
      actions_.save_space();
    }
    {
      std::unique_lock lock(mutex_);
      const auto interval = known.step == DiskStep::kFine ? kRoundInterval : kShortRoundInterval;
      wake_.wait_for(lock, interval,
                     [&] { return ending_ || (had_no_space_ && known.step != DiskStep::kFull); });
      if (ending_) return;
    }
    const DiskOrders orders = round();
    if (orders == known) continue;
    // A new bout is acted on at once.
    if (known.step == DiskStep::kFine) next_save = now;
    known = orders;
    actions_.obey(orders, free_bytes());
  }
}

void DiskKeeper::finish() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  give_up_reserves();
}

}  // namespace tapeworks::recorder
