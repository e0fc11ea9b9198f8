#include "cli/work_options.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include <unistd.h>

#include "base/units.h"

namespace tapeworks {
namespace {

constexpr size_t kThreadsMax = 1024;

Result<uint64_t> memory_limit_bytes(const std::string& text) {
  if (text.empty()) return MemoryBudget::default_limit_bytes();
  auto bytes = parse_byte_size(text);
  if (!bytes) return invalid_argument("--memory: {}", bytes.error().message);
  if (*bytes < MemoryBudget::kMinimumBytes) {
    return invalid_argument("--memory {} is too little; the least is {}MiB", text,
                            MemoryBudget::kMinimumBytes / kMiB);
  }
  return *bytes;
}

}  // namespace

void WorkOptions::describe(CLI::App& app) {
  app.add_option("--memory", memory,
                 "Limit of the resident memory, with its unit: 512MiB, 2GiB (default: a quarter of "
                 "the machine's, at least 512MiB)")
      ->type_name("SIZE")
      ->group("Resources");
  describe_without_memory(app);
}

void WorkOptions::describe_without_memory(CLI::App& app) {
  app.add_option("--threads", threads, "Threads that work at once (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, kThreadsMax))
      ->group("Resources");
  app.add_option("--temp-dir", temp_dir,
                 "Folder for what does not fit in memory (default: beside the data directory; of "
                 "commands that write none, the system's)")
      ->type_name("DIR")
      ->group("Resources");
}

Status WorkOptions::check() const {
  TW_TRY(memory_limit_bytes(memory));
  return check_temp_dir();
}

Status WorkOptions::check_temp_dir() const {
  if (temp_dir.empty()) return {};
  std::error_code error;
  if (!std::filesystem::is_directory(temp_dir, error)) {
    return invalid_argument("--temp-dir {} is no folder; make it first or name another",
                            temp_dir.string());
  }
  if (access(temp_dir.c_str(), W_OK | X_OK) != 0) {
    return invalid_argument("--temp-dir {} cannot be written; name another folder",
                            temp_dir.string());
  }
  return {};
}

Result<std::unique_ptr<MemoryBudget>> WorkOptions::make_budget() const {
  TW_ASSIGN(const uint64_t limit_bytes, memory_limit_bytes(memory));
  return MemoryBudget::create(limit_bytes);
}

size_t WorkOptions::thread_count() const {
  if (threads != 0) return threads;
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kThreadsMax);
}

void DataOption::describe(CLI::App& app) {
  app.add_option("--data", data_dir,
                 "Data directory: the link to its current generation, or s3://BUCKET/KEY")
      ->type_name("DIR")
      ->capture_default_str();
}

}  // namespace tapeworks
