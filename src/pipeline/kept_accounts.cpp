#include "pipeline/kept_accounts.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include <arrow/table.h>

#include "pipeline/account_rows_internal.h"
#include "pipeline/pnl_tables.h"
#include "storage/parquet_read.h"
#include "storage/table_file_check.h"

namespace tapeworks {

Result<KeptAccounts> read_kept_accounts(const std::filesystem::path& generation,
                                        const TableFile& file, const std::string& symbol, Mode mode,
                                        arrow::MemoryPool* pool) {
  const std::filesystem::path path = generation / file.path;
  TW_TRY(check_table_file(generation, file));
  TW_ASSIGN(const auto table, read_parquet(path, {}, pool));
  TW_ASSIGN(const AccountRows rows,
            AccountRows::of(*table, AccountRows::money_names(mode), path.string(), pool));
  std::vector<int64_t> order(static_cast<size_t>(rows.count()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::sort(order, {}, [&](int64_t row) { return rows.broker(row); });

  KeptAccounts kept;
  kept.brokers.symbol = symbol;
  const auto columns = money_columns(mode);
  for (const int64_t row : order) {
    const auto broker = rows.broker(row);
    if (!broker || (!kept.brokers.brokers.empty() && *broker == kept.brokers.brokers.back())) {
      return corrupt("{}: a broker is null or stands twice", path.string());
    }
    AccountPnl account;
    account.broker_index = static_cast<uint32_t>(kept.brokers.brokers.size());
    for (size_t i = 0; i < columns.size(); ++i) account.*columns[i].value = rows.money(i, row);
    kept.pnl.accounts.push_back(account);
    kept.brokers.brokers.emplace_back(*broker);
  }
  return kept;
}

}  // namespace tapeworks
