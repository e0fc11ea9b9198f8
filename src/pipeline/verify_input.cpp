#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <set>

#include <arrow/table.h>

#include "pipeline/daily_summary_file.h"
#include "pipeline/date_in_name.h"
#include "pipeline/input_files.h"
#include "pipeline/input_index.h"
#include "pipeline/query_rows.h"
#include "pipeline/summary_reduce.h"
#include "pipeline/summary_writer.h"
#include "pipeline/table_writer.h"
#include "pipeline/transaction_scan.h"
#include "pipeline/verify_context_internal.h"
#include "storage/input_file.h"
#include "storage/parquet_read.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

/// The options that made daily_summary, as far as they decide its rows.
Result<ScanOptions> scan_options_of(const VerifyContext& context, const Table& summary) {
  ScanOptions scan;
  scan.mode = context.mode;
  scan.columns = context.options.columns;
  scan.thread_count = context.options.thread_count;
  scan.on_bad_row = OnBadRow::kSkip;
  scan.bad_rows_max = ~uint64_t{0};
  const auto option = [&](const char* name) {
    const auto found = summary.options.find(name);
    return found == summary.options.end() ? std::string{} : found->second;
  };
  if (option("amounts") == "float64") scan.amounts = AmountWidth::kFloat64;
  if (!option("day_zone").empty()) {
    TW_ASSIGN(scan.days.day_zone, FixedZone::parse(option("day_zone")));
  }
  if (!option("naive_zone").empty()) {
    TW_ASSIGN(scan.days.naive_zone, FixedZone::parse(option("naive_zone")));
  }
  return scan;
}

/// Bit for bit: NaN equals NaN, and 0 is not -0.
bool same_amounts(const std::vector<double>& a, const std::vector<double>& b) {
  return std::ranges::equal(a, b, [](double x, double y) {
    return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
  });
}

bool same_rows(const DailySummary& a, const DailySummary& b) {
  return a.brokers == b.brokers && a.has_null_broker == b.has_null_broker &&
         a.broker_index == b.broker_index && a.date == b.date && a.buy_shares == b.buy_shares &&
         a.sell_shares == b.sell_shares && same_amounts(a.buy_amount, b.buy_amount) &&
         same_amounts(a.sell_amount, b.sell_amount);
}

/// A file of more days is no per-day file, whatever day its name says.
constexpr size_t kDaysOfPerDayFileMax = 5;
/// Memory for the record of the inputs while it is looked at: its text, and what that says.
constexpr uint64_t kDecodedPerByte = 5;

using BrokerNames = std::map<std::string, std::string>;

Result<BrokerNames> read_broker_names(const VerifyContext& context) {
  arrow::MemoryPool* pool = context.budget.pool();
  TW_ASSIGN(const auto stored, read_parquet(context.path_of(kBrokerNamesFile), {}, pool));
  TW_ASSIGN(const auto table, plain_table(*stored, kBrokerNamesFile, pool));
  TW_ASSIGN(const auto brokers, text_column(*table, "broker"));
  TW_ASSIGN(const auto texts, text_column(*table, "broker_name"));
  BrokerNames names;
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    const auto broker = text_at(*brokers, row);
    const auto text = text_at(*texts, row);
    if (!broker || !text) return corrupt("{}: row {} has a null", kBrokerNamesFile, row);
    if (!names.empty() && *broker <= names.rbegin()->first) {
      return corrupt("{}: row {} is not behind the one before it", kBrokerNamesFile, row);
    }
    names.emplace_hint(names.end(), *broker, *text);
  }
  return names;
}

void compare_names(const BrokerNames& found, const BrokerNames& expected, Findings& findings) {
  size_t order = 0;
  for (const auto& [broker, name] : expected) {
    const auto there = found.find(broker);
    if (there == found.end()) {
      findings.add(order, fmt::format("{} lacks broker {}, '{}' in the input", kBrokerNamesFile,
                                      broker, name));
    } else if (there->second != name) {
      findings.add(order, fmt::format("{}: broker {} is '{}' there and '{}' in the input",
                                      kBrokerNamesFile, broker, there->second, name));
    }
    ++order;
  }
  for (const auto& [broker, name] : found) {
    if (expected.contains(broker)) continue;
    findings.add(order, fmt::format("{}: broker {}, '{}', has no name in the input",
                                    kBrokerNamesFile, broker, name));
  }
}

Result<CheckResult> check_names(const VerifyContext& context, const TransactionRuns& runs) {
  if (context.current_table(kBrokerNamesTable) == nullptr || !context.is_whole(kBrokerNamesFile)) {
    return not_checked(kBrokerNamesTable, "there is no whole table broker_names");
  }
  Findings findings;
  const BrokerNames expected = broker_names_of(runs);
  const auto found = read_broker_names(context);
  if (!found) {
    if (stops_verification(found.error())) return std::unexpected(found.error());
    findings.add(0, found.error().message);
  } else if (expected.empty() && !found->empty()) {
    return not_checked(kBrokerNamesTable,
                       fmt::format("the input has no names in a column '{}'; is it another one "
                                   "(--column-broker-name)?",
                                   context.options.columns.broker_name));
  } else {
    compare_names(*found, expected, findings);
  }
  return findings.result(kBrokerNamesTable, fmt::format("{} names read again", expected.size()));
}

std::set<Day> days_of(const IndexedFile& file) {
  std::set<Day> days;
  for (const RowGroupFacts& facts : file.row_groups) {
    days.insert(facts.days.begin(), facts.days.end());
  }
  return days;
}

}  // namespace

Result<std::vector<CheckResult>> check_input(const VerifyContext& context) {
  static constexpr const char* kName = "input";
  const Table* summary = context.manifest().find("daily_summary");
  if (summary == nullptr) return std::vector{not_checked(kName, context.why_not("daily_summary"))};
  TW_ASSIGN(const auto files, expand_inputs(context.options.inputs));
  TW_ASSIGN(const ScanOptions scan, scan_options_of(context, *summary));
  TW_ASSIGN(const ScratchFolder temp, ScratchFolder::make(context.options.temp_dir));
  TW_ASSIGN(TransactionRuns runs, scan_transactions(files, scan, context.budget, temp.path()));

  Findings findings;
  std::atomic<uint64_t> group_count{0};
  const auto compare = [&](uint32_t symbol, const DailySummary& expected) -> Status {
    const std::string path = symbol_file_path("daily_summary", expected.symbol);
    if (!context.is_whole(path)) return {};
    const auto found = read_daily_summary(context.path_of(path), context.budget.pool());
    if (!found) {
      if (stops_verification(found.error())) return std::unexpected(found.error());
      findings.add(symbol, found.error().message);
    } else if (!same_rows(expected, *found)) {
      findings.add(symbol, path + " is not the sum of the input's rows");
    }
    group_count.fetch_add(expected.row_count(), std::memory_order_relaxed);
    return {};
  };
  TW_TRY(reduce_to_summaries(runs, {scan.mode, scan.amounts, scan.thread_count}, context.budget,
                             compare));
  std::set<std::string> in_input;
  for (size_t symbol = 0; symbol < runs.symbols.size(); ++symbol) {
    if (runs.records_by_symbol[symbol] > 0) {
      in_input.insert(symbol_file_path("daily_summary", runs.symbols[symbol]));
    }
  }
  for (const TableFile& file : summary->files) {
    if (!in_input.contains(file.path)) {
      findings.add(runs.symbols.size(), file.path + " has no row in the input");
    }
  }
  TW_ASSIGN(CheckResult names, check_names(context, runs));
  return std::vector{findings.result(kName, fmt::format("{} groups of {} rows read again",
                                                        group_count.load(), runs.row_count)),
                     std::move(names)};
}

CheckResult check_input_dates(const VerifyContext& context) {
  static constexpr const char* kName = "input_dates";
  const Table* const summary = context.manifest().find("daily_summary");
  if (summary == nullptr) return not_checked(kName, context.why_not("daily_summary"));
  const auto path = context.path_of(checkpoint_path("daily_summary"));
  const auto status = status_of_input(path);
  if (!status || status->type != InputType::kFile || status->byte_count > kIndexBytesMax) {
    return not_checked(kName, "there is no record of the inputs");
  }
  Reservation memory;
  if (!context.budget.try_reserve(kDecodedPerByte * status->byte_count, memory)) {
    return not_checked(kName, "the record of the inputs needs more --memory");
  }
  const auto text = read_input_text(path);
  const auto index = text ? decode_index(*text, path.string()) : std::unexpected(text.error());
  if (!index || index->summary_fingerprint != summary->fingerprint()) {
    return not_checked(kName, "the record of the inputs is not that of this summary");
  }
  Findings findings;
  uint64_t per_day_files = 0;
  for (const IndexedFile& file : index->files) {
    const auto named = date_in_name(std::filesystem::path(file.path).filename().string());
    const std::set<Day> days = days_of(file);
    if (!named || days.empty() || days.size() > kDaysOfPerDayFileMax) continue;
    ++per_day_files;
    const auto other = std::ranges::find_if(days, [&](Day day) { return day != *named; });
    if (other == days.end()) continue;
    findings.add(per_day_files,
                 fmt::format("{} has rows of {}; is the day rule right (--day-zone), "
                             "and the file what its name says?",
                             file.path, to_string(*other)));
  }
  return findings.result(
      kName,
      fmt::format("{} of {} inputs have one day in their names, and no other in their rows",
                  per_day_files, index->files.size()),
      CheckStatus::kWarning);
}

}  // namespace tapeworks
