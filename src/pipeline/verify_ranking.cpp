#include <algorithm>
#include <optional>
#include <utility>

#include <arrow/table.h>
#include <arrow/type.h>

#include "pipeline/account_rows_internal.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/query_rows.h"
#include "pipeline/ranking.h"
#include "pipeline/verify_context_internal.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

/// The tables of all accounts of one set: the plain ones, or those of merged brokers.
struct AccountSet {
  std::string suffix;
  const SymbolFacts& facts;

  std::string accounts_table() const { return "symbol_broker" + suffix; }
  std::string ranking_table() const { return "broker_ranking" + suffix; }
  std::string accounts_path() const { return path_of(accounts_table()); }
  std::string ranking_path() const { return path_of(ranking_table()); }
  /// What its brokers come from.
  std::string source() const {
    return suffix.empty() ? "daily_summary" : "daily_summary and the map of mergers";
  }
  /// Whether the columns that do not follow from the accounts can be compared.
  bool has_activity(const VerifyContext& context) const {
    return facts.has_all_activity && context.current_table(ranking_table()) != nullptr;
  }

 private:
  static std::string path_of(const std::string& table) { return "derived/" + table + ".parquet"; }
};

std::vector<std::string> ranking_columns(Mode mode) {
  std::vector<std::string> names = AccountRows::money_names(mode);
  const auto sell = std::ranges::find(names, "total_sell_amount");
  names.insert(sell + 1, "total_amount");
  return names;
}

/// One broker's row of the ranking.
struct RankedBroker {
  std::optional<std::string> broker;
  std::vector<double> money;
};

std::vector<RankedBroker> ranked_brokers(const AccountRows& rows) {
  std::vector<RankedBroker> brokers;
  for (int64_t row = 0; row < rows.count(); ++row) {
    RankedBroker broker{std::optional<std::string>(rows.broker(row)), {}};
    for (size_t i = 0; i < rows.money_count(); ++i) broker.money.push_back(rows.money(i, row));
    brokers.push_back(std::move(broker));
  }
  return brokers;
}

/// Reads symbol_broker one row group at a time: sums per symbol for the comparison with the files
/// of the symbols, and the ranking of the brokers anew.
class AccountReader {
 public:
  AccountReader(VerifyContext& context, const AccountSet& set)
      : context_(context), accounts_path_(set.accounts_path()), ranking_path_(set.ranking_path()) {}

  Status read() {
    const auto path = context_.path_of(accounts_path_);
    TW_ASSIGN(const ParquetInfo info, read_parquet_info(path, pool()));
    for (size_t i = 0; i < info.row_group_rows.size(); ++i) {
      TW_ASSIGN(const auto stored, read_parquet_row_group(path, static_cast<int>(i), {}, pool()));
      TW_ASSIGN(const auto table, plain_table(*stored, accounts_path_, pool()));
      TW_TRY(add_sums(*table));
      TW_TRY(add_to_ranking(table));
    }
    if (rest_ != nullptr) TW_TRY(rank(*rest_));
    return {};
  }

  const std::map<std::string, RowSums, std::less<>>& by_symbol() const { return by_symbol_; }
  uint64_t row_count() const { return row_count_; }

  /// The ranking that these accounts give.
  std::vector<RankedBroker> take_ranking() {
    std::ranges::sort(ranking_, [mode = context_.mode](const auto& a, const auto& b) {
      if (ranks_above(a.money[0], b.money[0], mode)) return true;
      return !ranks_above(b.money[0], a.money[0], mode) && a.broker < b.broker;
    });
    return std::move(ranking_);
  }

 private:
  arrow::MemoryPool* pool() const { return context_.budget.pool(); }

  Status add_sums(const arrow::Table& table) {
    TW_ASSIGN(const auto symbols, text_column(table, "symbol_id"));
    TW_ASSIGN(
        const AccountRows rows,
        AccountRows::of(table, AccountRows::money_names(context_.mode), accounts_path_, pool()));
    for (int64_t row = 0; row < rows.count(); ++row, ++row_count_) {
      const auto symbol = text_at(*symbols, row);
      if (!symbol) return corrupt("{}: row {} has no symbol", accounts_path_, row_count_);
      TW_TRY(check_order(rows.broker(row), *symbol));
      RowSums& sums = by_symbol_[std::string(*symbol)];
      ++sums.row_count;
      sums.brokers += rows.broker_hash(row);
      sums.rows += rows.row_hash(row);
    }
    return {};
  }

  Status check_order(std::optional<std::string_view> broker, std::string_view symbol) {
    const bool in_order =
        row_count_ == 0 || std::optional<std::string_view>(last_broker_) < broker ||
        (std::optional<std::string_view>(last_broker_) == broker && last_symbol_ < symbol);
    if (!in_order) {
      return corrupt("{}: row {} is not behind the one before it", accounts_path_, row_count_);
    }
    last_broker_ = broker;
    last_symbol_ = symbol;
    return {};
  }

  /// Ranks the brokers that are complete and keeps the rows of the last one, which may go on.
  Status add_to_ranking(std::shared_ptr<arrow::Table> table) {
    if (rest_ != nullptr) {
      TW_ASSIGN(const auto joined,
                from_arrow(arrow::ConcatenateTables({rest_, table}), accounts_path_));
      TW_ASSIGN(table, plain_table(*joined, accounts_path_, pool()));
    }
    if (table->num_rows() == 0) return {};
    TW_ASSIGN(const auto brokers, text_column(*table, "broker"));
    int64_t begin = table->num_rows() - 1;
    while (begin > 0 && text_at(*brokers, begin - 1) == text_at(*brokers, begin)) --begin;
    rest_ = table->Slice(begin);
    if (begin == 0) return {};
    return rank(*table->Slice(0, begin));
  }

  Status rank(const arrow::Table& accounts) {
    TW_ASSIGN(const auto ranking, broker_ranking_table(accounts, context_.mode, pool()));
    TW_ASSIGN(const AccountRows rows,
              AccountRows::of(*ranking, ranking_columns(context_.mode), ranking_path_, pool()));
    std::ranges::move(ranked_brokers(rows), std::back_inserter(ranking_));
    return {};
  }

  VerifyContext& context_;
  const std::string accounts_path_;
  const std::string ranking_path_;
  std::map<std::string, RowSums, std::less<>> by_symbol_;
  uint64_t row_count_ = 0;
  std::optional<std::string> last_broker_;
  std::string last_symbol_;
  std::shared_ptr<arrow::Table> rest_;
  std::vector<RankedBroker> ranking_;
};

void compare_accounts(const AccountSet& set, const AccountReader& accounts, Findings& findings) {
  size_t order = 0;
  for (const auto& [symbol, expected] : set.facts.symbols) {
    ++order;
    if (symbol.empty()) continue;
    const auto found = accounts.by_symbol().find(symbol);
    const RowSums sums = found == accounts.by_symbol().end() ? RowSums{} : found->second;
    if (expected.summary_read && sums.row_count != expected.summary.row_count) {
      findings.add(order,
                   fmt::format("{}: {} has {} accounts, and {} brokers by {}", set.accounts_path(),
                               symbol, sums.row_count, expected.summary.row_count, set.source()));
    } else if (expected.summary_read && sums.brokers != expected.summary.brokers) {
      findings.add(order, fmt::format("{}: {} has accounts of other brokers than by {}",
                                      set.accounts_path(), symbol, set.source()));
    } else if (expected.pnl_read && sums != expected.pnl) {
      findings.add(order, fmt::format("the accounts of {} are not those of pnl{}/{}.parquet",
                                      symbol, set.suffix, symbol));
    }
  }
  for (const auto& [symbol, sums] : accounts.by_symbol()) {
    if (!set.facts.symbols.contains(symbol)) {
      findings.add(order + 1, fmt::format("{} is not in daily_summary", symbol));
    }
  }
}

/// The columns that do not follow from symbol_broker, against daily_summary.
Status compare_activity(const VerifyContext& context, const AccountSet& set,
                        const arrow::Table& stored) {
  const PhantomPositions::Brokers& expected_activity = set.facts.activity;
  if (stored.GetColumnByName(kLastTradeDateColumn) == nullptr) return {};
  TW_ASSIGN(const auto ranking, plain_table(stored, set.ranking_path(), context.budget.pool()));
  TW_ASSIGN(const auto brokers, text_column(*ranking, "broker"));
  TW_ASSIGN(const auto activity, broker_activity(*ranking));
  for (int64_t row = 0; row < ranking->num_rows(); ++row) {
    const std::string broker(text_at(*brokers, row).value_or("null"));
    const auto expected = expected_activity.find(broker);
    const BrokerActivity& found = activity[static_cast<size_t>(row)];
    if (expected == expected_activity.end() || found != expected->second) {
      return corrupt("{}: broker {} has another last trade or other open positions in its trades",
                     set.ranking_path(), broker);
    }
  }
  return {};
}

Status compare_ranking(const VerifyContext& context, const AccountSet& set,
                       const std::vector<RankedBroker>& expected) {
  const std::string path = set.ranking_path();
  arrow::MemoryPool* pool = context.budget.pool();
  const std::vector<std::string> columns = ranking_columns(context.mode);
  TW_ASSIGN(const auto stored, read_parquet(context.path_of(path), {}, pool));
  TW_ASSIGN(const AccountRows rows, AccountRows::of(*stored, columns, path, pool));
  TW_TRY(check_rank_order(*stored, rows, context.mode, path));
  if (static_cast<size_t>(rows.count()) != expected.size()) {
    return corrupt("{}: it has {} brokers and {} has {}", path, rows.count(), set.accounts_table(),
                   expected.size());
  }
  for (int64_t row = 0; row < rows.count(); ++row) {
    const RankedBroker& broker = expected[static_cast<size_t>(row)];
    if (rows.broker(row) != std::optional<std::string_view>(broker.broker)) {
      return corrupt("{}: rank {} belongs to another broker, {}", path, row + 1,
                     broker.broker.value_or("null"));
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!same_bits(rows.money(i, row), broker.money[i])) {
        return corrupt("{}: {} of broker {} is {} and the sum over its symbols {}", path,
                       columns[i], broker.broker.value_or("null"), rows.money(i, row),
                       broker.money[i]);
      }
    }
  }
  return set.has_activity(context) ? compare_activity(context, set, *stored) : Status{};
}

/// Ok, or a finding; what stops the verification is returned.
Status note_failure(const Status& status, Findings& findings) {
  if (status) return {};
  if (stops_verification(status.error())) return status;
  findings.add(0, status.error().message);
  return {};
}

Result<std::vector<CheckResult>> check_set(VerifyContext& context, const AccountSet& set) {
  const auto usable = [&](const std::string& table, const std::string& path) {
    return context.manifest().find(table) != nullptr && context.is_whole(path);
  };
  const std::string accounts_check = "accounts" + set.suffix;
  if (!usable(set.accounts_table(), set.accounts_path())) {
    const std::string why = "there is no whole table " + set.accounts_table();
    return std::vector{not_checked(accounts_check, why), not_checked(set.ranking_table(), why)};
  }
  AccountReader accounts(context, set);
  Findings account_findings;
  const Status read = accounts.read();
  TW_TRY(note_failure(read, account_findings));
  const bool current =
      context.current_table(set.accounts_table()) != nullptr && !set.facts.symbols.empty();
  if (read && current) compare_accounts(set, accounts, account_findings);
  std::string compared;
  if (current) compared = ", the same as in the files of the symbols";
  if (current && !set.facts.has_summaries) compared += "; not compared with " + set.source();
  std::vector<CheckResult> results{account_findings.result(
      accounts_check, fmt::format("{} accounts in order{}", accounts.row_count(), compared))};
  if (!read || !usable(set.ranking_table(), set.ranking_path())) {
    results.push_back(not_checked(set.ranking_table(), "there are no whole tables to compare"));
    return results;
  }
  Findings ranking_findings;
  const auto expected = accounts.take_ranking();
  TW_TRY(note_failure(compare_ranking(context, set, expected), ranking_findings));
  results.push_back(ranking_findings.result(
      set.ranking_table(),
      fmt::format(
          "{} brokers, the sums of their accounts bit for bit{}", expected.size(),
          set.has_activity(context) ? "" : "; last trades and open positions were not compared")));
  return results;
}

}  // namespace

Result<std::vector<CheckResult>> check_ranking(VerifyContext& context) {
  TW_ASSIGN(auto results, check_set(context, {"", context.plain}));
  const AccountSet merged{kMergedSuffix, context.merged};
  if (context.manifest().find(merged.accounts_table()) == nullptr) return results;
  TW_ASSIGN(auto more, check_set(context, merged));
  std::ranges::move(more, std::back_inserter(results));
  return results;
}

}  // namespace tapeworks
