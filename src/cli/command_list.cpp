#include "cli/command.h"

namespace tapeworks {
namespace {

constexpr CommandEntry kCommands[] = {
    {"adopt", "Put an existing folder of tables under generations", make_adopt_command},
    {"check-config", "Check a configuration of the recorder", make_check_config_command},
    {"check-prices", "Look for gaps, splits and other flaws of the closes",
     make_check_prices_command},
    {"etl", "Sum the trades per symbol, broker and day", make_etl_command},
    {"generate", "Make synthetic trades and prices", make_generate_command},
    {"generations", "List the generations of a data directory, or go back",
     make_generations_command},
    {"import-bsr", "Make transactions of broker reports of TWSE and TPEx", make_import_bsr_command},
    {"path", "Print the folder of the current generation", make_path_command},
    {"plan", "Tell whether to refresh in full or incrementally", make_plan_command},
    {"pnl", "Compute profit and loss by FIFO, and the ranking", make_pnl_command},
    {"query", "Show one broker over all symbols", make_query_command},
    {"ranking", "Show the brokers by profit and loss", make_ranking_command},
    {"record", "Record market data of exchanges", make_record_command},
    {"replay", "Make a recording again from its log", make_replay_command},
    {"rolling", "Rank the brokers within a window of years", make_rolling_command},
    {"run", "Do etl, sync and pnl in one pass", make_run_command},
    {"simulate-exchange", "Serve invented markets as the exchanges do, with faults on request",
     make_simulate_exchange_command},
    {"sql", "Ask a recording, also while it is made", make_sql_command},
    {"symbol", "Show the brokers of one symbol", make_symbol_command},
    {"sync", "Take over closing prices", make_sync_command},
    {"verify", "Check a data directory or a recording", make_verify_command},
    {"wal", "Look at, check or repair a write-ahead log", make_wal_command},
};

}  // namespace

std::span<const CommandEntry> command_list() { return kCommands; }

}  // namespace tapeworks
