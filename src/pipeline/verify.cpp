#include "pipeline/verify.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "pipeline/verify_context_internal.h"
#include "storage/input_file.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

/// Files of a generation that no table owns.
constexpr std::string_view kRecordNames[] = {"manifest.json", "run.json"};

std::vector<const TableFile*> all_files(const Manifest& manifest) {
  std::vector<const TableFile*> files;
  for (const auto& [name, table] : manifest.tables) {
    for (const TableFile& file : table.files) files.push_back(&file);
  }
  return files;
}

/// What is wrong with the bytes of a file; empty when nothing is.
std::string damage_of(const fs::path& path, const TableFile& file) {
  std::error_code error;
  if (fs::is_symlink(path, error)) return "is no file";
  const auto status = status_of_input(path);
  if (!status) return "cannot be read: " + status.error().message;
  if (status->type == InputType::kNothing) return "is missing";
  if (status->type != InputType::kFile) return "is no file";
  const auto content = hash_input(path);
  if (!content) return "cannot be read: " + content.error().message;
  if (content->byte_count != file.byte_count) {
    return fmt::format("has {} bytes and its manifest says {}", content->byte_count,
                       file.byte_count);
  }
  if (content->xxh3 != file.xxh3) return "has other bytes than when it was written";
  return {};
}

Result<CheckResult> check_files(VerifyContext& context) {
  const auto files = all_files(context.manifest());
  Findings findings;
  std::vector<char> damaged(files.size());
  Progress progress("reading files", context.manifest().byte_count());
  TW_TRY(run_tasks(files.size(), context.options.thread_count, [&](size_t index, size_t) -> Status {
    const TableFile& file = *files[index];
    if (const std::string damage = damage_of(context.path_of(file.path), file); !damage.empty()) {
      damaged[index] = 1;
      findings.add(index, file.path + " " + damage);
    }
    progress.add(file.byte_count);
    return {};
  }));
  for (size_t index = 0; index < files.size(); ++index) {
    if (damaged[index] != 0) context.damaged.insert(files[index]->path);
  }
  return findings.result("files", fmt::format("{} files, {}", files.size(),
                                              format_byte_size(context.manifest().byte_count())));
}

CheckResult check_unlisted_files(const VerifyContext& context) {
  std::set<std::string> listed(std::begin(kRecordNames), std::end(kRecordNames));
  for (const TableFile* file : all_files(context.manifest())) listed.insert(file->path);
  Findings findings;
  const auto present = list_files_below(context.generation.path());
  if (!present) {
    findings.add(0, present.error().message);
  } else {
    for (const std::string& name : *present) {
      if (listed.contains(name) || is_checkpoint(name)) continue;
      findings.add(1, name + " is not in the manifest; who put it there?");
    }
  }
  return findings.result("unlisted_files", "no file that the manifest does not know");
}

/// Rows and mode as the footer of a file has them.
Result<CheckResult> check_footers(const VerifyContext& context) {
  const auto files = all_files(context.manifest());
  Findings findings;
  TW_TRY(run_tasks(files.size(), context.options.thread_count, [&](size_t index, size_t) -> Status {
    const TableFile& file = *files[index];
    if (!context.is_whole(file.path)) return {};
    const auto info = read_parquet_info(context.path_of(file.path), context.budget.pool());
    if (!info) {
      if (stops_verification(info.error())) return std::unexpected(info.error());
      findings.add(index, info.error().message);
      return {};
    }
    if (static_cast<uint64_t>(info->row_count) != file.row_count) {
      findings.add(index, fmt::format("{} has {} rows and its manifest says {}", file.path,
                                      info->row_count, file.row_count));
    }
    const auto mode = info->metadata.find("tapeworks.mode");
    if (mode != info->metadata.end() && mode->second != context.manifest().mode) {
      findings.add(index, fmt::format("{} was made in mode '{}' and its manifest says '{}'",
                                      file.path, mode->second, context.manifest().mode));
    }
    return {};
  }));
  uint64_t row_count = 0;
  for (const TableFile* file : files) row_count += file->row_count;
  return findings.result("rows", fmt::format("{} rows in {} files", row_count, files.size()));
}

CheckResult check_stale_tables(const VerifyContext& context) {
  Findings findings;
  for (const auto& [name, table] : context.manifest().tables) {
    const auto sources = context.manifest().stale_sources(name);
    if (!sources.empty()) {
      findings.add(0, fmt::format("{} is older than {}; run `tapeworks pnl`", name, sources[0]));
    }
  }
  return findings.result("stale_tables", "every table fits what it was made from",
                         CheckStatus::kWarning);
}

CheckResult manifest_result(const Manifest& manifest) {
  Findings findings;
  if (!parse_mode(manifest.mode)) {
    findings.add(0, fmt::format("mode '{}' is none that this version knows", manifest.mode));
  }
  return findings.result("manifest",
                         fmt::format("{} tables, mode {}", manifest.tables.size(), manifest.mode));
}

/// What no option makes this command look at.
std::vector<CheckResult> limits_of(const VerifyOptions& options) {
  std::vector<CheckResult> limits;
  if (!options.full) {
    limits.push_back(
        not_checked("recomputed_pnl", "profit and loss is not computed again; --full does that"));
  }
  if (options.inputs.empty()) {
    limits.push_back(not_checked(
        "input",
        "whether daily_summary and broker_names are what the transactions say; --input compares"));
  }
  limits.push_back(not_checked("price_source", "whether the closes are those of the market"));
  return limits;
}

void append(std::vector<CheckResult>& results, std::vector<CheckResult> more) {
  std::ranges::move(more, std::back_inserter(results));
}

}  // namespace

void Findings::add(size_t order, std::string detail, uint64_t count) {
  const std::scoped_lock lock(mutex_);
  if (count_ == 0 || order < first_order_) {
    first_order_ = order;
    first_detail_ = std::move(detail);
  }
  count_ += count;
}

CheckResult Findings::result(std::string check, std::string ok_detail, CheckStatus bad) const {
  const std::scoped_lock lock(mutex_);
  if (count_ == 0) return {std::move(check), CheckStatus::kOk, 0, std::move(ok_detail)};
  return {std::move(check), bad, count_, first_detail_};
}

CheckResult not_checked(std::string check, std::string why) {
  return {std::move(check), CheckStatus::kNotChecked, 0, std::move(why)};
}

const Table* VerifyContext::current_table(const std::string& table) const {
  return manifest().stale_sources(table).empty() ? manifest().find(table) : nullptr;
}

std::string VerifyContext::why_not(const std::string& table) const {
  if (manifest().find(table) == nullptr) return fmt::format("there is no table {}", table);
  return fmt::format("{} is stale", table);
}

Result<std::vector<CheckResult>> verify_generation(const VerifyOptions& options,
                                                   MemoryBudget& budget) {
  const auto generation = GenerationReader::open(options.data_dir);
  if (!generation) {
    if (generation.error().kind != ErrorKind::kCorrupt) return std::unexpected(generation.error());
    return std::vector{
        CheckResult{"manifest", CheckStatus::kFailed, 1, generation.error().message}};
  }
  const auto mode = parse_mode(generation->manifest().mode);
  VerifyContext context{*generation, mode.value_or(Mode::kDefault), options, budget};
  std::vector<CheckResult> results{manifest_result(generation->manifest())};
  {
    const PhaseTimer timer("files");
    TW_ASSIGN(CheckResult files, check_files(context));
    results.push_back(std::move(files));
    results.push_back(check_unlisted_files(context));
    TW_ASSIGN(CheckResult rows, check_footers(context));
    results.push_back(std::move(rows));
    results.push_back(check_stale_tables(context));
  }
  if (!mode) return results;
  const PhaseTimer timer("tables");
  for (const auto check : {check_symbols, check_prices, check_ranking, check_checkpoints}) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(auto more, check(context));
    append(results, std::move(more));
  }
  results.push_back(check_input_dates(context));
  if (!options.inputs.empty()) {
    TW_ASSIGN(auto input, check_input(context));
    append(results, std::move(input));
  }
  append(results, limits_of(options));
  return results;
}

bool all_passed(const std::vector<CheckResult>& results) {
  return std::ranges::none_of(
      results, [](const CheckResult& result) { return result.status == CheckStatus::kFailed; });
}

}  // namespace tapeworks
