#include "pipeline/verify.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <arrow/table.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "pipeline/close_prices_sync.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/merge_map_file.h"
#include "pipeline/pnl_test_support.h"
#include "pipeline/pnl_writer.h"
#include "pipeline/price_test_support.h"
#include "storage/generation_store.h"
#include "storage/parquet_read.h"
#include "storage/parquet_write.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;
using test::day;
using test::SummaryBuilder;
using test::value_of;

/// Two symbols with longs, a short, a flip and a closed account; shares bought equal shares sold.
std::vector<DailySummary> market() {
  const Day d3 = day("2023-01-03");
  const Day d4 = day("2023-01-04");
  const Day d5 = day("2023-01-05");
  return {SummaryBuilder("0050")
              .add("9A00", d3, {.buy_shares = 100, .buy_amount = 1000})
              .add("9B00", d3, {.sell_shares = 100, .sell_amount = 1000})
              .build(),
          SummaryBuilder("2330")
              .add("9A00", d3, {.buy_shares = 300, .buy_amount = 1500})
              .add("9A00", d4, {.sell_shares = 300, .sell_amount = 1800})
              .add("9B00", d3, {.sell_shares = 300, .sell_amount = 1500})
              .add("9B00", d4, {.buy_shares = 400, .buy_amount = 2400})
              .add("9C00", d4, {.sell_shares = 100, .sell_amount = 600})
              .add("9C00", d5, {.buy_shares = 50, .buy_amount = 350})
              .add("9D00", d5, {.sell_shares = 50, .sell_amount = 350})
              .build()};
}

constexpr const char* kCloses =
    "symbol,date,close\n0050,2023-01-03,10\n0050,2023-01-05,11\n2330,2023-01-03,5\n"
    "2330,2023-01-04,6\n2330,2023-01-05,7\n";

class VerifyTest : public PriceFilesTest {
 protected:
  void publish(const std::vector<DailySummary>& summaries = market(),
               const std::string& closes = kCloses, const char* as_of = "2023-01-05") {
    auto generation = value_of(GenerationWriter::begin(data_dir(), {}));
    const TableWriter writer(generation, mode_, budget());
    std::vector<std::string> symbols;
    for (const DailySummary& summary : summaries) {
      symbols.push_back(summary.symbol);
      const auto table =
          value_of(daily_summary_table(summary, AmountWidth::kFloat32, budget().pool()));
      require(
          writer.add("daily_summary", symbol_file_path("daily_summary", summary.symbol), *table));
    }
    require(generation.describe_table("daily_summary", {{"amounts", "float32"}}, {}, {}));
    PriceReadOptions read;
    read.source = write_text("closes.csv", closes).string();
    read.mode = mode_;
    const auto prices = value_of(read_close_prices_source(read, budget()));
    require(write_price_table(writer, prices));
    PnlOptions options;
    options.mode = mode_;
    options.as_of = day(as_of);
    options.daily = true;
    options.ledger = !is_compat(mode_);
    PnlWriter results(writer, prices.prices, options, symbols, /*is_incremental=*/false);
    if (mergers_) results.merge(*mergers_, AmountWidth::kFloat32);
    for (size_t i = 0; i < summaries.size(); ++i) require(results.put(i, summaries[i]));
    std::map<std::string, std::string> text{{"start", to_string(options.start)}};
    if (!is_compat(mode_)) text["as_of"] = as_of;
    require(results.finish(text, 2));
    require(generation.publish(std::string(to_string(mode_)), {}));
  }

  fs::path data_dir() const { return path("data"); }
  fs::path file(const std::string& relative) const { return data_dir() / relative; }
  Manifest manifest() const { return value_of(GenerationReader::open(data_dir())).manifest(); }
  std::vector<std::string> data_files() const {
    std::vector<std::string> files;
    for (const auto& [name, table] : manifest().tables) {
      for (const TableFile& entry : table.files) files.push_back(entry.path);
    }
    return files;
  }

  std::vector<CheckResult> verify(bool full = false, size_t thread_count = 2) {
    return value_of(verify_generation(
        {.data_dir = data_dir(), .thread_count = thread_count, .full = full}, budget()));
  }

  /// The checks that are not as they should be, as "check status: detail".
  std::vector<std::string> findings(bool full = false) {
    std::vector<std::string> found;
    for (const CheckResult& result : verify(full)) {
      if (result.status == CheckStatus::kOk || result.status == CheckStatus::kNotChecked) continue;
      found.push_back(result.check + " " + std::string(to_string(result.status)) + ": " +
                      result.detail);
    }
    return found;
  }

  static CheckResult find(const std::vector<CheckResult>& results, const std::string& check) {
    for (const CheckResult& result : results) {
      if (result.check == check) return result;
    }
    ADD_FAILURE() << "no check " << check;
    return {};
  }

  /// Puts another table in the place of a file and makes the manifest agree with it, so that only
  /// what the rows say can give it away.
  void replace(const std::string& relative, const arrow::Table& table) {
    ParquetWriteOptions options;
    options.metadata = {{"tapeworks.mode", std::string(to_string(mode_))}};
    const auto bytes = value_of(encode_parquet(table, options, budget().pool()));
    std::ofstream(file(relative), std::ios::binary) << bytes->ToString();
    // Checkpoints remember which files were made with them.
    fs::remove_all(file("checkpoint"));
    edit_manifest([&](Manifest& manifest) {
      for (auto& [name, entry] : manifest.tables) {
        for (TableFile& listed : entry.files) {
          if (listed.path != relative) continue;
          const auto opened = value_of(open_file(file(relative), O_RDONLY));
          const auto content = value_of(hash_content(opened, file(relative), nullptr, {}));
          listed = {relative, static_cast<uint64_t>(table.num_rows()), content.byte_count,
                    content.xxh3};
        }
      }
      for (auto& [name, entry] : manifest.tables) {
        for (auto& [source, fingerprint] : entry.made_from) {
          fingerprint = manifest.tables.at(source).fingerprint();
        }
      }
    });
  }

  template <typename Edit>
  void edit_manifest(Edit edit) {
    Manifest changed = manifest();
    edit(changed);
    std::ofstream(file("manifest.json"), std::ios::binary) << changed.to_text();
  }

  /// A file's table with one value replaced.
  void change_value(const std::string& relative, const std::string& column, int64_t row,
                    const std::string& json) {
    const auto table = value_of(read_parquet(file(relative), {}, budget().pool()));
    const int index = table->schema()->GetFieldIndex(column);
    const auto field = table->schema()->field(index);
    const auto old = table->column(index);
    arrow::ArrayVector chunks = old->Slice(0, row)->chunks();
    chunks.push_back(
        arrow::json::ArrayFromJSONString(field->type(), "[" + json + "]").ValueOrDie());
    const auto rest = old->Slice(row + 1);
    for (const auto& chunk : rest->chunks()) chunks.push_back(chunk);
    replace(relative,
            **table->SetColumn(index, field, std::make_shared<arrow::ChunkedArray>(chunks)));
  }

  static void require(const Status& status) {
    if (!status) throw std::runtime_error(status.error().message);
  }

  Mode mode_ = Mode::kDefault;
  std::optional<BrokerMergers> mergers_;  ///< of what publish() makes
};

using Found = std::vector<std::string>;

TEST_F(VerifyTest, AWholeGenerationPassesEveryCheckInEveryMode) {
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    mode_ = mode;
    fs::remove_all(data_dir());
    fs::remove_all(path("data.generations"));
    publish();
    EXPECT_EQ(findings(/*full=*/true), Found{}) << to_string(mode);
    const auto results = verify(/*full=*/true);
    EXPECT_TRUE(all_passed(results));
    for (const char* check : {"manifest", "files", "unlisted_files", "rows", "stale_tables",
                              "daily_summary", "balance", "open_lots", "ranks", "recomputed_pnl",
                              "symbols", "price", "trade_dates", "accounts", "broker_ranking"}) {
      EXPECT_EQ(find(results, check).status, CheckStatus::kOk) << check;
    }
  }
}

TEST_F(VerifyTest, ItSaysWhatIsNotChecked) {
  publish();
  const auto results = verify();
  for (const char* check : {"recomputed_pnl", "input", "input_dates", "price_source"}) {
    EXPECT_EQ(find(results, check).status, CheckStatus::kNotChecked) << check;
  }
}

TEST_F(VerifyTest, OneFlippedBitInAnyFileIsFoundAndNamed) {
  publish();
  for (const std::string& name : data_files()) {
    std::string bytes = value_of(read_text_file(file(name)));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::ofstream(file(name), std::ios::binary) << bytes;
    const auto results = verify(/*full=*/true);
    EXPECT_FALSE(all_passed(results)) << name;
    const CheckResult files = find(results, "files");
    EXPECT_EQ(files.count, 1U);
    EXPECT_EQ(files.detail, name + " has other bytes than when it was written");
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::ofstream(file(name), std::ios::binary) << bytes;
  }
  EXPECT_EQ(findings(), Found{});
}

TEST_F(VerifyTest, ARemovedATruncatedAndAnAddedFileAreFound) {
  publish();
  fs::remove(file("pnl/2330.parquet"));
  fs::resize_file(file("fifo_state/0050.parquet"), 100);
  write_text("data/pnl/extra.parquet", "x");
  fs::create_directory_symlink("/", file("link"));
  const auto results = verify();
  const CheckResult files = find(results, "files");
  EXPECT_EQ(files.status, CheckStatus::kFailed);
  EXPECT_EQ(files.count, 2U);
  EXPECT_PRED2(contains, files.detail, "fifo_state/0050.parquet has 100 bytes");
  const CheckResult unlisted = find(results, "unlisted_files");
  EXPECT_EQ(unlisted.status, CheckStatus::kFailed);
  EXPECT_EQ(unlisted.count, 2U);
  EXPECT_PRED2(contains, unlisted.detail, "link is not in the manifest");
}

TEST_F(VerifyTest, AChangedManifestIsAFailedCheck) {
  publish();
  std::string text = value_of(read_text_file(file("manifest.json")));
  text.replace(text.find("float32"), 7, "float64");
  std::ofstream(file("manifest.json"), std::ios::binary) << text;
  const auto results = verify();
  EXPECT_EQ(find(results, "manifest").status, CheckStatus::kFailed);
  EXPECT_FALSE(all_passed(results));
}

TEST_F(VerifyTest, AnUnknownModeIsAFailedCheck) {
  publish();
  edit_manifest([](Manifest& manifest) { manifest.mode = "v9"; });
  const auto results = verify();
  EXPECT_PRED2(contains, find(results, "manifest").detail, "mode 'v9'");
  EXPECT_EQ(find(results, "rows").status, CheckStatus::kFailed);  // the files say otherwise
}

TEST_F(VerifyTest, NoDataDirectoryIsAUsageErrorNotAFinding) {
  const auto results = verify_generation({.data_dir = data_dir()}, budget());
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(VerifyTest, AWrongNumberOfRowsInTheManifestIsFound) {
  publish();
  edit_manifest([](Manifest& manifest) { ++manifest.tables.at("pnl_daily").files[0].row_count; });
  const auto results = verify();
  EXPECT_PRED2(contains, find(results, "rows").detail, "pnl_daily/0050.parquet has");
}

TEST_F(VerifyTest, ALotThatTheTradesDoNotGiveIsFound) {
  publish();
  change_value("fifo_state/2330.parquet", "shares", 0, "101");
  EXPECT_EQ(findings(), Found{"open_lots failed: fifo_state/2330.parquet: broker 9B00 has 101 "
                              "shares open and traded 100"});
}

TEST_F(VerifyTest, ALotOnTheWrongSideIsFound) {
  publish();
  change_value("fifo_state/2330.parquet", "side", 0, "\"short\"");
  EXPECT_EQ(findings(), Found{"open_lots failed: fifo_state/2330.parquet: broker 9B00 has -100 "
                              "shares open and traded 100"});
}

TEST_F(VerifyTest, OnlyTradesUpToTheDayOfValuationCountForLots) {
  publish(market(), kCloses, "2023-01-04");
  EXPECT_EQ(findings(/*full=*/true), Found{});
}

TEST_F(VerifyTest, AChangedTradeIsFoundInItsLots) {
  publish();
  change_value("daily_summary/2330.parquet", "buy_shares", 0, "301");
  const auto results = verify();
  EXPECT_PRED2(contains, find(results, "open_lots").detail, "broker 9A00 has 0 shares open");
  EXPECT_EQ(find(results, "balance").status, CheckStatus::kWarning);
  EXPECT_EQ(find(results, "balance").detail, "2330 on 2023-01-03: bought minus sold is 1");
}

TEST_F(VerifyTest, AChangedAmountIsFoundOnlyWhenThePnlIsComputedAgain) {
  publish();
  change_value("daily_summary/2330.parquet", "buy_amount", 0, "1501");
  EXPECT_EQ(findings(), Found{});
  EXPECT_EQ(
      findings(/*full=*/true),
      Found{"recomputed_pnl failed: pnl/2330.parquet is not what its trades and closes give"});
}

TEST_F(VerifyTest, AChangedDailyRowIsFoundWhenThePnlIsComputedAgain) {
  publish();
  change_value("pnl_daily/2330.parquet", "realized_pnl", 0, "0.5");
  EXPECT_EQ(findings(/*full=*/true), Found{"recomputed_pnl failed: pnl_daily/2330.parquet is not "
                                           "what its trades and closes give"});
}

TEST_F(VerifyTest, AChangedRowOfTheLedgerIsFoundWhenThePnlIsComputedAgain) {
  publish();
  change_value("position_ledger/2330.parquet", "cost", 0, "0.5");
  EXPECT_EQ(findings(/*full=*/true),
            Found{"recomputed_pnl failed: position_ledger/2330.parquet is not what its trades and "
                  "closes give"});
}

TEST_F(VerifyTest, AChangedActivityOfABrokerInTheRankingIsFound) {
  for (const auto& [column, value] : {std::pair{"last_trade_date", "1"}, {"open_positions", "7"}}) {
    publish();
    change_value("derived/broker_ranking.parquet", column, 0, value);
    const CheckResult found = find(verify(), "broker_ranking");
    EXPECT_EQ(found.status, CheckStatus::kFailed) << column;
    EXPECT_PRED2(contains, found.detail, "another last trade or other open positions");
  }
}

TEST_F(VerifyTest, BrokenRulesOfTheSummaryAreFound) {
  struct Case {
    const char* column;
    int64_t row;
    const char* json;
    const char* finding;
  };
  const Case cases[] = {{"date", 0, "19361", "is not behind the one before it"},
                        {"date", 0, "null", "the date is null"},
                        {"date", 6, "2000000000", "the date is outside the years 0000 to 9999"},
                        {"buy_shares", 0, "-5", "a count of shares is negative"},
                        {"buy_amount", 0, "NaN", "an amount is negative or no finite number"},
                        {"sell_amount", 0, "-1", "an amount is negative or no finite number"}};
  for (const Case& test_case : cases) {
    publish();
    change_value("daily_summary/2330.parquet", test_case.column, test_case.row, test_case.json);
    const auto results = verify();
    EXPECT_EQ(find(results, "daily_summary").status, CheckStatus::kFailed) << test_case.json;
    EXPECT_PRED2(contains, find(results, "daily_summary").detail, test_case.finding);
  }
}

TEST_F(VerifyTest, WhatCompatModesAcceptIsNoFinding) {
  mode_ = Mode::kCompatV2;
  publish({SummaryBuilder("2330")
               .add(std::nullopt, day("2023-01-03"), {.buy_shares = 10, .buy_amount = 50})
               .add("9A00", day("2023-01-03"), {.sell_shares = 10, .sell_amount = 50})
               .add("9B00", day("2023-01-03"), {.buy_shares = -10, .sell_shares = -10})
               .build()});
  EXPECT_EQ(findings(/*full=*/true), Found{});
}

TEST_F(VerifyTest, AWidthThatIsNotTheManifestsIsFound) {
  publish();
  edit_manifest([](Manifest& manifest) {
    manifest.tables.at("daily_summary").options["amounts"] = "float64";
    manifest.tables.at("price").options["amounts"] = "float64";
    for (auto& [name, table] : manifest.tables) {
      for (auto& [source, fingerprint] : table.made_from) {
        fingerprint = manifest.tables.at(source).fingerprint();
      }
    }
  });
  const auto results = verify();
  EXPECT_PRED2(contains, find(results, "daily_summary").detail, "amounts are of type float");
  EXPECT_PRED2(contains, find(results, "price").detail, "closes are of type float");
}

TEST_F(VerifyTest, AnAccountThatDiffersBetweenTwoTablesIsFound) {
  publish();
  change_value("derived/symbol_broker.parquet", "unpriced_cost", 0, "1");
  const auto results = verify();
  EXPECT_EQ(find(results, "accounts").detail,
            "the accounts of 0050 are not those of pnl/0050.parquet");
  EXPECT_PRED2(contains, find(results, "broker_ranking").detail, "unpriced_cost of broker 9A00");
}

TEST_F(VerifyTest, AnAccountOfAnotherBrokerIsFound) {
  publish();
  change_value("derived/symbol_broker.parquet", "broker", 1, "\"9A01\"");
  EXPECT_PRED2(contains, find(verify(), "accounts").detail,
               "2330 has accounts of other brokers than by daily_summary");
}

TEST_F(VerifyTest, AccountsOfMergedBrokersAndTheirRanksAreComparedAsWell) {
  struct Case {
    const char* file;
    const char* column;
    const char* json;
    const char* check;
    const char* finding;
  };
  const Case cases[] = {
      {"derived/symbol_broker_merged", "unpriced_cost", "1", "accounts_merged",
       "the accounts of 0050 are not those of pnl_merged/0050.parquet"},
      {"derived/symbol_broker_merged", "unpriced_cost", "1", "broker_ranking_merged",
       "unpriced_cost of broker 9A00"},
      {"derived/symbol_broker_merged", "broker", "\"9A0\"", "accounts_merged",
       "derived/symbol_broker_merged.parquet: 0050 has accounts of other brokers than by "
       "daily_summary and the map of mergers"},
      {"derived/broker_ranking_merged", "rank", "2", "broker_ranking_merged",
       "the rank of row 0 is not 1"},
      {"derived/broker_ranking_merged", "open_positions", "77", "broker_ranking_merged",
       "another last trade or other open positions"},
      {"pnl_merged/2330", "total_pnl", "-100000", "ranks", "should stand above the one before it"},
      {"fifo_state_merged/2330", "shares", "101", "open_lots",
       "fifo_state_merged/2330.parquet: broker 9A00 has 101 shares open and traded 100"},
  };
  mergers_ = value_of(parse_merge_map(R"({"9B00": "9A00"})", "map"));
  publish();
  EXPECT_EQ(findings(/*full=*/true), Found{});
  for (const char* check : {"accounts_merged", "broker_ranking_merged"}) {
    EXPECT_EQ(find(verify(), check).status, CheckStatus::kOk) << check;
  }
  for (const Case& test_case : cases) {
    publish();
    change_value(std::string(test_case.file) + ".parquet", test_case.column, 0, test_case.json);
    const CheckResult found = find(verify(), test_case.check);
    EXPECT_EQ(found.status, CheckStatus::kFailed) << test_case.finding;
    EXPECT_PRED2(contains, found.detail, test_case.finding);
  }
}

TEST_F(VerifyTest, WithoutTheMapOfMergersItSaysWhatOfTheMergedTablesIsNotChecked) {
  mergers_ = value_of(parse_merge_map(R"({"9B00": "9A00"})", "map"));
  publish();
  fs::remove(file("derived/broker_merge_map.parquet"));
  const auto results = verify(/*full=*/true);
  EXPECT_EQ(find(results, "files").status, CheckStatus::kFailed);
  for (const char* check :
       {"open_lots_merged", "phantom_positions_merged", "recomputed_pnl_merged"}) {
    EXPECT_EQ(find(results, check).status, CheckStatus::kNotChecked) << check;
    EXPECT_EQ(find(results, check).detail, "the map of mergers is damaged") << check;
  }
  EXPECT_EQ(find(results, "accounts_merged").detail,
            "4 accounts in order, the same as in the files of the symbols; not compared with "
            "daily_summary and the map of mergers");
  EXPECT_EQ(find(results, "broker_ranking_merged").status, CheckStatus::kOk);
  EXPECT_PRED2(contains, find(results, "broker_ranking_merged").detail,
               "last trades and open positions were not compared");
  change_value("pnl_merged/2330.parquet", "unpriced_cost", 0, "1");
  EXPECT_EQ(find(verify(), "accounts_merged").detail,
            "the accounts of 2330 are not those of pnl_merged/2330.parquet");
}

TEST_F(VerifyTest, ADamagedSummaryIsNoFaultOfTheRanking) {
  publish();
  fs::resize_file(file("daily_summary/2330.parquet"), 100);
  const auto results = verify();
  EXPECT_EQ(find(results, "files").status, CheckStatus::kFailed);
  EXPECT_EQ(find(results, "broker_ranking").status, CheckStatus::kOk);
  EXPECT_PRED2(contains, find(results, "broker_ranking").detail,
               "last trades and open positions were not compared");
}

TEST_F(VerifyTest, CheckpointsThatCannotBeUsedAreAWarning) {
  struct Case {
    const char* damage;
    std::function<void(const fs::path& of_0050, const fs::path& of_2330)> make;
    uint64_t count;
    const char* finding;
  };
  const auto copy_over = [](const fs::path& from, const fs::path& to) {
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  };
  const Case cases[] = {
      {"none", [](const fs::path&, const fs::path&) {}, 0,
       "4 with good checksums, each of its symbol and its tables"},
      {"one is gone", [](const fs::path&, const fs::path& of_2330) { fs::remove(of_2330); }, 1,
       "checkpoint/pnl/2330 is missing; the next incremental run computes"},
      {"a set is gone",
       [](const fs::path& of_0050, const fs::path&) { fs::remove_all(of_0050.parent_path()); }, 2,
       "checkpoint/pnl/0050 is missing"},
      {"that of another symbol", copy_over, 1,
       "checkpoint/pnl/2330 cannot be used (it is that of another symbol)"},
      {"that of other tables",
       [&](const fs::path&, const fs::path& of_2330) {
         copy_over(file("checkpoint/pnl_merged/2330"), of_2330);
       },
       1, "checkpoint/pnl/2330 cannot be used (it speaks of other tables than these)"},
      {"cut, and one grown",
       [](const fs::path& of_0050, const fs::path& of_2330) {
         fs::resize_file(of_0050, 20);
         fs::resize_file(of_2330, uint64_t{40} << 20);
       },
       2, "checkpoint/pnl/0050 cannot be used (its checksum is wrong)"},
      {"a folder",
       [](const fs::path& of_0050, const fs::path&) {
         fs::remove(of_0050);
         fs::create_directory(of_0050);
       },
       1, "checkpoint/pnl/0050 cannot be used (it is no file)"},
  };
  mergers_ = value_of(parse_merge_map(R"({"9B00": "9A00"})", "map"));
  for (const Case& test_case : cases) {
    publish();
    test_case.make(file("checkpoint/pnl/0050"), file("checkpoint/pnl/2330"));
    const auto results = verify();
    EXPECT_TRUE(all_passed(results)) << test_case.damage;
    const CheckResult found = find(results, "checkpoints");
    EXPECT_EQ(found.status, test_case.count == 0 ? CheckStatus::kOk : CheckStatus::kWarning);
    EXPECT_EQ(found.count, test_case.count) << test_case.damage;
    EXPECT_PRED2(contains, found.detail, test_case.finding);
  }
  fs::remove_all(file("checkpoint"));
  EXPECT_EQ(find(verify(), "checkpoints").status, CheckStatus::kNotChecked);
}

TEST_F(VerifyTest, AccountsOutOfOrderAreFound) {
  publish();
  change_value("derived/symbol_broker.parquet", "symbol_id", 0, "\"9999\"");
  EXPECT_PRED2(contains, find(verify(), "accounts").detail,
               "row 1 is not behind the one before it");
}

TEST_F(VerifyTest, AWrongRankOrSumInTheRankingIsFound) {
  publish();
  change_value("derived/broker_ranking.parquet", "rank", 1, "3");
  EXPECT_EQ(
      findings(),
      Found{"broker_ranking failed: derived/broker_ranking.parquet: the rank of row 1 is not 2"});
  publish();
  change_value("derived/broker_ranking.parquet", "total_amount", 1, "0.25");
  EXPECT_PRED2(contains, find(verify(), "broker_ranking").detail, "total_amount of broker");
}

TEST_F(VerifyTest, AnOrderOfRanksThatTheTotalsContradictIsFound) {
  publish();
  change_value("pnl/2330.parquet", "total_pnl", 0, "-100000");
  EXPECT_PRED2(contains, find(verify(), "ranks").detail, "should stand above the one before it");
}

TEST_F(VerifyTest, TheRankingOfManyRowGroupsIsSummedAcrossThem) {
  std::vector<DailySummary> summaries;
  for (int symbol = 0; symbol < 300; ++symbol) {
    SummaryBuilder builder(fmt::format("S{:03}", symbol));
    for (int broker = 0; broker < 300; ++broker) {
      builder.add(fmt::format("B{:03}", broker), day("2023-01-03"),
                  {.buy_shares = 1 + broker, .buy_amount = 0.25 * symbol + broker});
    }
    summaries.push_back(builder.build());
  }
  publish(summaries);
  const auto info =
      value_of(read_parquet_info(file("derived/symbol_broker.parquet"), budget().pool()));
  ASSERT_GT(info.row_group_rows.size(), 1U);
  const auto results = verify();
  EXPECT_TRUE(all_passed(results));
  EXPECT_PRED2(contains, find(results, "broker_ranking").detail, "300 brokers");
  EXPECT_PRED2(contains, find(results, "accounts").detail, "90000 accounts");
}

TEST_F(VerifyTest, ASymbolThatOneTableLacksIsFound) {
  publish();
  edit_manifest([](Manifest& manifest) {
    auto& files = manifest.tables.at("fifo_state").files;
    files.erase(files.begin());
  });
  fs::remove(file("fifo_state/0050.parquet"));
  EXPECT_PRED2(contains, find(verify(), "open_lots").detail,
               "fifo_state/0050.parquet is not there, but the symbol is in daily_summary");
}

TEST_F(VerifyTest, AStaleTableIsAWarningAndIsNotComparedAnyMore) {
  publish();
  SyncOptions sync;
  sync.prices.source = write_text("closes.csv", "symbol,date,close\n2330,2023-01-03,9\n").string();
  sync.data_dir = data_dir();
  require(sync_prices(sync, budget()));
  const auto results = verify(/*full=*/true);
  EXPECT_TRUE(all_passed(results));
  const CheckResult stale = find(results, "stale_tables");
  EXPECT_EQ(stale.status, CheckStatus::kWarning);
  EXPECT_EQ(stale.count, 5U);
  EXPECT_EQ(stale.detail, "broker_ranking is older than price; run `tapeworks pnl`");
  EXPECT_EQ(find(results, "open_lots").status, CheckStatus::kNotChecked);
  EXPECT_EQ(find(results, "recomputed_pnl").status, CheckStatus::kNotChecked);
}

TEST_F(VerifyTest, TradeDatesWithoutAnyCloseAreAWarning) {
  publish(market(), "symbol,date,close\n2330,2023-01-03,5\n2330,2023-01-04,6\n");
  const auto results = verify();
  EXPECT_EQ(find(results, "trade_dates").status, CheckStatus::kWarning);
  EXPECT_EQ(find(results, "trade_dates").count, 1U);
  EXPECT_PRED2(contains, find(results, "trade_dates").detail, "the first 2023-01-05");
  EXPECT_TRUE(all_passed(results));
}

TEST_F(VerifyTest, ClosesOutOfOrderOrWithoutMeaningAreFound) {
  publish();
  change_value("price/close_prices.parquet", "date", 1, "19360");
  EXPECT_PRED2(contains, find(verify(), "price").detail, "row 1 is not behind the one before it");
  publish();
  change_value("price/close_prices.parquet", "close_price", 3, "0");
  EXPECT_PRED2(contains, find(verify(), "price").detail, "row 3: the close is no positive number");
}

TEST_F(VerifyTest, TheNumberOfThreadsChangesNoResult) {
  publish();
  change_value("fifo_state/2330.parquet", "shares", 0, "101");
  change_value("fifo_state/0050.parquet", "shares", 0, "102");
  const auto one = verify(true, 1);
  const auto many = verify(true, 5);
  ASSERT_EQ(one.size(), many.size());
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].check, many[i].check);
    EXPECT_EQ(one[i].status, many[i].status);
    EXPECT_EQ(one[i].count, many[i].count);
    EXPECT_EQ(one[i].detail, many[i].detail);
  }
}

}  // namespace
}  // namespace tapeworks
