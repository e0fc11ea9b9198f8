#include <filesystem>
#include <system_error>

#include "pipeline/daily_summary_file.h"
#include "pipeline/pnl_checkpoint_folder.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/verify_context_internal.h"

namespace tapeworks {
namespace {

constexpr const char* kName = "checkpoints";

/// Those that belong to `table`, in the order of its files; how many could be read.
Result<size_t> check_table(VerifyContext& context, const std::string& table_name,
                           const Table& table, Findings& findings) {
  size_t good_count = 0;
  for (size_t index = 0; index < table.files.size(); ++index) {
    const std::string symbol = symbol_of_file(table.files[index].path);
    const std::string name = checkpoint_path(fmt::format("{}/{}", table_name, symbol));
    const auto loaded = load_pnl_checkpoint(context.path_of(name), symbol, context.budget);
    if (loaded) {
      ++good_count;
      continue;
    }
    if (stops_verification(loaded.error())) return std::unexpected(loaded.error());
    findings.add(index, fmt::format("{} cannot be used ({}); the next incremental run computes the "
                                    "symbol from its first trade on",
                                    name, loaded.error().message));
  }
  return good_count;
}

}  // namespace

Result<std::vector<CheckResult>> check_checkpoints(VerifyContext& context) {
  if (is_compat(context.mode)) {
    return std::vector{not_checked(kName, "compat modes keep none")};
  }
  const std::string table_name = "pnl";
  if (context.current_table(table_name) == nullptr) {
    return std::vector{not_checked(kName, context.why_not(table_name))};
  }
  std::error_code error;
  if (!std::filesystem::is_directory(context.path_of(checkpoint_path(table_name)), error)) {
    return std::vector{not_checked(
        kName, "there are none; the next incremental run computes from the first trade on")};
  }
  Findings findings;
  size_t good_count = 0;
  for (const std::string& name : {table_name, table_name + kMergedSuffix}) {
    const Table* table = context.current_table(name);
    if (table == nullptr) continue;
    const auto count = check_table(context, name, *table, findings);
    if (!count && count.error().kind == ErrorKind::kMemoryBudget) {
      return std::vector{not_checked(kName, "they need more --memory")};
    }
    if (!count) return std::unexpected(count.error());
    good_count += *count;
  }
  return std::vector{
      findings.result(kName, fmt::format("{} with good checksums, each of its symbol", good_count),
                      CheckStatus::kWarning)};
}

}  // namespace tapeworks
