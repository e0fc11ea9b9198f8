#include "cli/pipeline_options.h"

#include <charconv>

#include "base/units.h"
#include "cli/number_range.h"

namespace tapeworks {
namespace {

Result<Day> parse_day_option(const char* option, const std::string& text) {
  if (const auto day = parse_day(text)) return *day;
  return invalid_argument("{} must be a day like 2023-01-01, not '{}'", option, text);
}

Result<uint64_t> parse_row_count(const std::string& text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc{} && end == text.data() + text.size()) return count;
  return invalid_argument("--max-bad-rows must be a number of rows, not '{}'", text);
}

/// The zone of a mode, unless the option says another one where it may.
Result<FixedZone> resolve_day_zone(const std::string& text, Mode mode) {
  const FixedZone standard{mode == Mode::kCompatV1 ? 0 : 8 * 3600};
  if (text.empty()) return standard;
  auto zone = FixedZone::parse(text);
  if (!zone) return invalid_argument("--day-zone: {}", zone.error().message);
  if (is_compat(mode) && zone->offset_seconds != standard.offset_seconds) {
    return invalid_argument("--compat {} has the day zone {}; leave --day-zone away",
                            to_string(mode), mode == Mode::kCompatV1 ? "UTC" : "Asia/Taipei");
  }
  return *zone;
}

}  // namespace

void JobOptions::describe(CLI::App& app) {
  data.describe(app);
  app.add_option("--compat", compat,
                 "Give the answers of the reference implementation, its bugs included: v1 or v2")
      ->type_name("v1|v2");
  app.add_option("--keep-generations-for", keep_generations_for,
                 "Generations younger than this are not removed")
      ->type_name("DURATION")
      ->capture_default_str();
  work.describe(app);
}

Status JobOptions::check() const {
  if (!compat.empty() && compat != "v1" && compat != "v2") {
    return invalid_argument("--compat must be v1 or v2, not '{}'", compat);
  }
  if (const auto keep = parse_duration(keep_generations_for); !keep) {
    return invalid_argument("--keep-generations-for: {}", keep.error().message);
  }
  return work.check();
}

Status JobOptions::check_incremental() const {
  if (!is_compat(mode())) return {};
  return invalid_argument(
      "--compat {} has no incremental runs; leave --incremental away to make everything anew",
      compat);
}

Mode JobOptions::mode() const { return parse_mode(compat).value_or(Mode::kDefault); }

WorkPlace JobOptions::place() const {
  WorkPlace place;
  place.data_dir = data.data_dir;
  place.temp_dir = work.temp_dir;
  place.thread_count = work.thread_count();
  place.keep_generations_for = parse_duration(keep_generations_for).value();
  return place;
}

void describe_columns(CLI::App& app, TransactionColumnNames& columns) {
  const auto column = [&](const char* name, std::string& target) {
    app.add_option(name, target, "Name of this column in the input")
        ->type_name("NAME")
        ->capture_default_str()
        ->group("Columns");
  };
  column("--column-symbol", columns.symbol);
  column("--column-date", columns.date);
  column("--column-broker", columns.broker);
  column("--column-broker-name", columns.broker_name);
  column("--column-price", columns.price);
  column("--column-buy", columns.buy);
  column("--column-sell", columns.sell);
}

void EtlArguments::describe(CLI::App& app) {
  app.add_option("INPUT", inputs, "Parquet files, folders of them, patterns, or s3://BUCKET/KEY");
  app.add_option(
         "--on-bad-row", on_bad_row,
         "fail: publish nothing when there is a bad row; skip: leave bad rows out and count "
         "them")
      ->type_name("fail|skip")
      ->capture_default_str();
  app.add_option("--max-bad-rows", bad_rows_max,
                 "With skip: more bad rows than this publish nothing (default: 0.01 % of the rows)")
      ->type_name("N");
  app.add_option("--day-zone", day_zone,
                 "Zone in which an instant becomes a day (default: Asia/Taipei)")
      ->type_name("ZONE");
  app.add_option("--naive-zone", naive_zone,
                 "Zone of timestamps that carry none; without it they are refused")
      ->type_name("ZONE");
  app.add_option("--amounts", amounts, "Width of the amounts in the files: float32 or float64")
      ->type_name("WIDTH")
      ->capture_default_str();
  describe_columns(app, columns);
}

Result<EtlOptions> EtlArguments::resolve(const JobOptions& job) const {
  EtlOptions options;
  options.inputs = inputs;
  ScanOptions& scan = options.scan;
  scan.mode = job.mode();
  scan.columns = columns;
  scan.thread_count = job.work.thread_count();
  if (on_bad_row != "fail" && on_bad_row != "skip") {
    return invalid_argument("--on-bad-row must be fail or skip, not '{}'", on_bad_row);
  }
  scan.on_bad_row = on_bad_row == "skip" ? OnBadRow::kSkip : OnBadRow::kFail;
  if (!bad_rows_max.empty()) {
    TW_ASSIGN(scan.bad_rows_max, parse_row_count(bad_rows_max));
  }
  TW_ASSIGN(scan.days.day_zone, resolve_day_zone(day_zone, scan.mode));
  if (!naive_zone.empty()) {
    auto zone = FixedZone::parse(naive_zone);
    if (!zone) return invalid_argument("--naive-zone: {}", zone.error().message);
    scan.days.naive_zone = *zone;
  }
  if (amounts != "float32" && amounts != "float64") {
    return invalid_argument("--amounts must be float32 or float64, not '{}'", amounts);
  }
  scan.amounts = amounts == "float64" ? AmountWidth::kFloat64 : AmountWidth::kFloat32;
  if (is_compat(scan.mode) && scan.amounts == AmountWidth::kFloat64) {
    return invalid_argument("--compat {} has float32 amounts; leave --amounts away",
                            to_string(scan.mode));
  }
  return options;
}

void VerifyEveryOption::describe(CLI::App& app) {
  option_ = app.add_option("--verify-every", text,
                           "Compare incremental runs with a full one when this long nothing was")
                ->type_name("DURATION")
                ->capture_default_str();
}

Status VerifyEveryOption::check_given_with(bool is_incremental) const {
  if (is_incremental || option_->count() == 0) return {};
  return invalid_argument("--verify-every goes with --incremental; add it, or leave it away");
}

Result<std::chrono::milliseconds> VerifyEveryOption::resolve() const {
  auto every = parse_duration(text);
  if (!every) return invalid_argument("--verify-every: {}", every.error().message);
  return every;
}

void IncrementArguments::describe(CLI::App& app) {
  app.add_flag("--incremental", is_incremental,
               "Read only what is new or changed in INPUT since the last run");
  app.add_option("--add", added,
                 "With --incremental, in place of INPUT: these files beside the known ones")
      ->type_name("FILE")
      ->check([](const std::string& file) {
        return file.starts_with("--") ? "a file must come before " + file : std::string();
      });
  app.add_option("--allow-vanished", vanished_max,
                 "With --incremental: up to N known inputs may be missing; their rows go")
      ->type_name("N")
      ->check(at_least(0));
  verify_every.describe(app);
}

Result<IncrementalEtlOptions> IncrementArguments::resolve(const EtlOptions& etl,
                                                          const JobOptions& job) const {
  const bool has_added = !added.empty();
  if (!is_incremental && (has_added || vanished_max != 0)) {
    return invalid_argument("--add and --allow-vanished go with --incremental; add it");
  }
  TW_TRY(verify_every.check_given_with(is_incremental));
  if (is_incremental) TW_TRY(job.check_incremental());
  if (has_added && !etl.inputs.empty()) {
    return invalid_argument("give either INPUT, the complete set, or --add with what is new");
  }
  if (!has_added && etl.inputs.empty()) {
    return invalid_argument("INPUT is required; name Parquet files, folders or patterns");
  }
  TW_ASSIGN(const auto every, verify_every.resolve());
  return IncrementalEtlOptions{added, vanished_max, every};
}

void PriceArguments::describe(CLI::App& app, const std::string& key_prefix) {
  app.add_option("--since", since, "Leave closes of earlier days out")->type_name("DATE");
  app.add_flag("--adjusted", adjusted,
               "Note that the source adjusted the closes for splits or dividends");
  app.add_option("--max-bytes", scanned_bytes_max,
                 "bigquery://: refuse a query that would scan more than this")
      ->type_name("SIZE");
  app.add_option("--bigquery-endpoint", bigquery_endpoint,
                 "bigquery://: URL of another server than Google's")
      ->type_name("URL");
  const auto column = [&](const std::string& name, std::string& target, const char* usual_names) {
    app.add_option(name, target,
                   std::string("Name of this column in SOURCE (default: ") + usual_names + ")")
        ->type_name("NAME")
        ->group("Columns");
  };
  column(key_prefix + "column-symbol", columns.symbol, "symbol_id, coid or symbol");
  column(key_prefix + "column-date", columns.date, "date or mdate");
  column("--column-close", columns.close, "close_price, close_d, close or adj_close");
}

Result<PriceReadOptions> PriceArguments::resolve(const std::string& source,
                                                 const JobOptions& job) const {
  PriceReadOptions options;
  options.source = source;
  options.mode = job.mode();
  options.adjusted = adjusted;
  options.columns = columns;
  if (!since.empty()) {
    TW_ASSIGN(options.since, parse_day_option("--since", since));
  }
  const bool has_bigquery_option = !scanned_bytes_max.empty() || !bigquery_endpoint.empty();
  if (has_bigquery_option && !bigquery::is_address(source)) {
    return invalid_argument(
        "--max-bytes and --bigquery-endpoint go with a SOURCE of bigquery://; leave them away");
  }
  if (!scanned_bytes_max.empty()) {
    auto size = parse_byte_size(scanned_bytes_max);
    if (!size) return invalid_argument("--max-bytes: {}", size.error().message);
    options.bigquery.scanned_bytes_max = *size;
  }
  options.bigquery.endpoint = bigquery_endpoint;
  TW_TRY(bigquery::check_options(options.bigquery));
  return options;
}

void PnlArguments::describe(CLI::App& app) {
  app.add_option("--start", start, "Realised P&L, amounts and timing count from this day on")
      ->type_name("DATE")
      ->capture_default_str();
  app.add_option("--as-of", as_of,
                 "Day of valuation; later trades are left out (default: the last trade date)")
      ->type_name("DATE");
  app.add_option("--merge-map", merge_map,
                 "Also write all tables for merged brokers, by this JSON or TSV file of mergers")
      ->type_name("FILE")
      ->check([](const std::string& file) {
        return file.empty() ? std::string("must name a file") : std::string();
      });
  app.add_flag("--daily", daily, "Also write pnl_daily/, the P&L of each account on each day");
  app.add_flag("--ledger", ledger,
               "Also write position_ledger/, from which windows of days are computed");
}

Result<PnlRunOptions> PnlArguments::resolve(const JobOptions& job) const {
  PnlRunOptions options;
  options.mode = job.mode();
  options.daily = daily;
  options.ledger = ledger;
  if (ledger && is_compat(options.mode)) {
    return invalid_argument("--compat {} has no position ledger; leave --ledger away",
                            to_string(options.mode));
  }
  options.merge_map = merge_map;
  TW_ASSIGN(options.start, parse_day_option("--start", start));
  if (!as_of.empty()) {
    if (is_compat(options.mode)) {
      return invalid_argument(
          "--compat {} values each symbol on its own last trade date; leave --as-of away",
          to_string(options.mode));
    }
    TW_ASSIGN(options.as_of, parse_day_option("--as-of", as_of));
  }
  return options;
}

}  // namespace tapeworks
