#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/broker_mergers.h"
#include "pipeline/mode.h"
#include "storage/generation_store.h"

namespace tapeworks {

inline constexpr const char* kRankingTable = "broker_ranking";

/// What all queries need. Keeps references: generation and pool must outlive it.
struct QueryContext {
  const GenerationReader& generation;
  /// As the user named it, for commands in messages.
  std::filesystem::path data_dir;
  /// Answer from tables that are older than what they were made from.
  bool allow_stale = false;
  arrow::MemoryPool* pool = nullptr;
  /// Ask the tables of merged brokers.
  bool merged = false;

  /// The name of a table of profit and loss as it is asked: with merged brokers it ends so.
  std::string table_name(const char* table) const;
  /// Where such a table over all symbols is: "derived/broker_ranking_merged.parquet".
  std::filesystem::path derived_file(const char* table) const;
};

/// Refuses a table that is missing or stale with kNotFound, naming the command that makes it.
/// `table` is its full name, with `_merged` where it is one of merged brokers.
Status require_table(const QueryContext& context, const std::string& table);

/// The same for one that may be missing.
Status refuse_stale(const QueryContext& context, const std::string& table);

/// The path of one symbol's file in a table of one file a symbol. kNotFound, naming similar
/// symbols, when there is none.
Result<std::filesystem::path> find_symbol_file(const QueryContext& context,
                                               const std::string& table, const std::string& symbol);

/// Broker code -> name, of derived/broker_names.
class BrokerNames {
 public:
  /// Without any name when the generation has no such table.
  static Result<BrokerNames> load(const QueryContext& context);

  /// "" for a broker without a name and for the null broker.
  std::string_view of(std::optional<std::string_view> broker) const;

  /// A plain table with the column `name` put in behind its column `broker`.
  Result<std::shared_ptr<arrow::Table>> add_to(const arrow::Table& table,
                                               arrow::MemoryPool* pool) const;

 private:
  std::map<std::string, std::string, std::less<>> names_;
};

/// derived/broker_ranking with names, all rows. Behind its columns stands phantom_positions int64
/// where the file tells: the open positions of a broker that has not traded for `phantom_days`
/// calendar days before the last trade of anybody, else 0. Without a sort column in the order of
/// the file (total_pnl descending), otherwise numbers descending and text ascending.
/// Errors: kInvalidArgument, with the columns there are, for an unknown sort column.
Result<std::shared_ptr<arrow::Table>> ranking_answer(const QueryContext& context,
                                                     const std::string& sort_column,
                                                     uint32_t phantom_days);

/// One broker's row of the ranking with its name, and behind it the column `direction`: "long" when
/// it bought for more than 1.1 times what it sold for, "short" the other way round, else "neutral".
/// Errors: kNotFound, naming similar brokers.
Result<std::shared_ptr<arrow::Table>> broker_answer(const QueryContext& context,
                                                    const std::string& broker);

/// One broker's rows of derived/symbol_broker, by total_buy_amount descending, ties by symbol.
/// Reads only the row groups that can hold the broker. Errors: kNotFound when there is no such row.
Result<std::shared_ptr<arrow::Table>> breakdown_answer(const QueryContext& context,
                                                       const std::string& broker);

/// The mergers that the merged tables of the generation were made with. kNotFound, naming the
/// command that makes them, when there are none.
Result<BrokerMergers> mergers_of(const QueryContext& context);

/// pnl/{symbol} with names. Errors: kNotFound, naming similar symbols.
Result<std::shared_ptr<arrow::Table>> symbol_answer(const QueryContext& context,
                                                    const std::string& symbol);

/// First and last trade date of the data, where the manifest tells.
struct TradeDateRange {
  std::optional<Day> first;
  std::optional<Day> last;
};
TradeDateRange trade_date_range(const Manifest& manifest);

/// How much of the profit and loss comes from shares sold before any were bought and never bought
/// back: sum of |total_pnl| over the accounts of derived/symbol_broker with open_short_cost > 0,
/// over the sum of |total_pnl| of all accounts. Nothing where the table does not tell (compat
/// modes) or all is 0. Reads the two columns on `thread_count` threads.
Result<std::optional<double>> uncovered_short_share(const QueryContext& context,
                                                    size_t thread_count);

/// Those of `candidates` that somebody who wrote `text` may have meant, at most five, best first:
/// the same in another case, beginning with it, sharing all but its last letters.
std::vector<std::string> similar_texts(std::string_view text,
                                       const std::vector<std::string>& candidates);

}  // namespace tapeworks
