#include "recorder/sink/recording_check.h"

#include <functional>

#include <nlohmann/json.hpp>

#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/row_checksum.h"
#include "recorder/sink/sink_test_support.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr uint64_t kLimitBytes = 512 * kMiB;
const LogSource kSpot = source_of(Venue::kBinanceSpot);
constexpr const char* kFirstHour = "binance_spot/AAA/2023-11-14/22.parquet";
constexpr const char* kSecondHour = "binance_spot/AAA/2023-11-14/23.parquet";
constexpr const char* kGapTable = "binance_spot/_gaps/2023-11-14.parquet";

class RecordingCheckTest : public testing::Test {
 protected:
  RecordingCheckTest() {
    options_.output_dir = scratch_.path() / "out";
    log_.event(LogKind::kConnect, {}, kSpot);
    log_.event(LogKind::kSubscription, {.symbols = {"AAA", "BBB"}}, kSpot);
  }

  void trades(int64_t first, int64_t last) {
    for (int64_t id = first; id <= last; ++id) {
      log_.append(LogKind::kFrame, binance_trade("AAA", id, log_.time_ns()), kSpot);
    }
  }
  void next_hour() {
    log_.set_time(floor_time(log_.time_ns(), kHourNs) + kHourNs + 6 * kSecondNs);
    log_.heartbeat();
  }
  void record() {
    auto sink = open_sink(options_);
    for (size_t i = 0; i < log_.size(); ++i) ASSERT_TRUE(feed(*sink, log_, i));
    ASSERT_TRUE(sink->finish());
  }
  /// Trades 1 to 20 in one hour, 21 to 30 in the next; 8 and 9 were not received.
  void record_two_hours() {
    trades(1, 7);
    trades(10, 20);
    log_.append(LogKind::kFrame, binance_book("BBB", 5), kSpot);
    next_hour();
    trades(21, 30);
    next_hour();
    log_.stop();
    record();
  }

  RecordingCheck check() {
    rows_.clear();
    const auto budget = MemoryBudget::create(kLimitBytes).value();
    const auto checked = check_recording(options_.output_dir, *budget, [&](CoverageRow row) {
      rows_.push_back(std::move(row));
      return Status();
    });
    EXPECT_TRUE(checked) << checked.error().message;
    return checked.value_or(RecordingCheck());
  }
  /// What failed, as "path: detail".
  std::vector<std::string> failures() {
    check();
    std::vector<std::string> found;
    for (const CoverageRow& row : rows_) {
      if (row.status != CoverageStatus::kFailed) continue;
      found.push_back(fmt::format("{}: {}", row.path, row.detail));
    }
    return found;
  }
  const CoverageRow& row_of(const std::string& path, const std::string& stream) const {
    for (const CoverageRow& row : rows_) {
      if (row.path == path && row.stream == stream) return row;
    }
    ADD_FAILURE() << "no coverage of " << path << " " << stream;
    static const CoverageRow kNone;
    return kNone;
  }

  fs::path path(const std::string& name) const { return options_.output_dir / name; }
  fs::path list(const std::string& name) const { return path("_manifest/" + name + ".json"); }

  void edit_json(const fs::path& file, const std::function<void(Json&)>& change) {
    Json json = Json::parse(read_text_file(file).value());
    change(json);
    write(file, json.dump(1));
  }
  static void write(const fs::path& file, const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
  }
  static Json& entry_of(Json& json, const std::string& name) {
    for (Json& file : json["files"]) {
      if (file["path"] == name) return file;
    }
    throw std::runtime_error("no entry " + name);
  }

  /// Writes the rows of a file again, with its own footer, and lets the manifest list the result:
  /// damage that no checksum of bytes shows.
  void rewrite_rows(const std::string& name,
                    const std::function<std::shared_ptr<arrow::Table>(const arrow::Table&)>& change,
                    const std::function<void(Certificate&)>& forge = nullptr) {
    arrow::MemoryPool* const pool = arrow::default_memory_pool();
    auto certificate = *read_certificate(path(name), pool).value();
    const auto rows = read_parquet(path(name), {}, pool).value();
    if (forge) forge(certificate);
    ParquetStreamWriter writer(pool);
    const fs::path made = scratch_.path() / "made.parquet";
    const auto time = parse_partition_time(certificate.partition);
    ASSERT_TRUE(writer.open(made, arrow_schema_of(time->table)));
    const auto changed = change(*rows);
    if (changed->num_rows() > 0) {
      ASSERT_TRUE(writer.append_row_group(*changed));
    }
    const WrittenFile written = writer.finish(certificate.to_metadata()).value();
    fs::rename(made, path(name));
    RecordingManifest manifest(options_.output_dir, options_.layout);
    ASSERT_TRUE(manifest.add(certificate, written, scratch_.path() / "manifest.tmp"));
  }
  static std::shared_ptr<arrow::Table> joined(
      const std::vector<std::shared_ptr<arrow::Table>>& tables) {
    return arrow::ConcatenateTables(tables).ValueOrDie();
  }

  ScratchFolder scratch_ = make_scratch();
  SinkOptions options_;
  SyntheticLog log_;
  std::vector<CoverageRow> rows_;
};

TEST_F(RecordingCheckTest, ARecordingIsAsItWasPublishedAndItsGapsAreRecorded) {
  record_two_hours();
  const RecordingCheck result = check();
  EXPECT_EQ(result.failed_count, 0U) << fmt::format("{}", fmt::join(failures(), "\n"));
  EXPECT_EQ(result.row_count, 29U);
  const CoverageRow& trades = row_of(kFirstHour, "trade");
  EXPECT_EQ(trades.status, CoverageStatus::kGaps);
  EXPECT_EQ(trades.symbol, "AAA");
  EXPECT_EQ(trades.sequence_class, "contiguous");
  EXPECT_EQ(trades.row_count, 18U);
  EXPECT_EQ(trades.first_sequence, 1);
  EXPECT_EQ(trades.last_sequence, 20);
  EXPECT_EQ(trades.gap_count, 1U);
  EXPECT_EQ(trades.missing_count, 2U);
  EXPECT_EQ(row_of("binance_spot/BBB/2023-11-14/22.parquet", "book").status, CoverageStatus::kOk);
  EXPECT_EQ(row_of(kSecondHour, "trade").status, CoverageStatus::kOk);
  EXPECT_EQ(row_of(kGapTable, "").status, CoverageStatus::kOk);
}

TEST_F(RecordingCheckTest, EveryLayoutPasses) {
  for (const Layout layout : {Layout::kMarket, Layout::kExchange}) {
    options_.layout = layout;
    options_.output_dir = scratch_.path() / std::string(name_of(layout));
    log_ = SyntheticLog();
    record_two_hours();
    EXPECT_EQ(failures(), std::vector<std::string>());
  }
}

TEST_F(RecordingCheckTest, EveryByteOfAFileCounts) {
  record_two_hours();
  const std::string content = read_text_file(path(kSecondHour)).value();
  for (size_t at = 0; at < content.size(); at += 37) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write(path(kSecondHour), damaged);
    const auto found = failures();
    ASSERT_FALSE(found.empty()) << "byte " << at;
    EXPECT_TRUE(found.front().starts_with(kSecondHour)) << found.front();
  }
  write(path(kSecondHour), content.substr(0, content.size() / 2));
  EXPECT_FALSE(failures().empty());
}

TEST_F(RecordingCheckTest, MissingUnknownExchangedAndDoubledFilesAreFound) {
  record_two_hours();
  fs::rename(path(kSecondHour), scratch_.path() / "kept");
  EXPECT_EQ(failures().front(), std::string(kSecondHour) + ": the file is missing");
  fs::copy_file(path(kFirstHour), path(kSecondHour));
  EXPECT_TRUE(failures().front().starts_with(kSecondHour));
  fs::copy_file(scratch_.path() / "kept", path(kSecondHour), fs::copy_options::overwrite_existing);
  EXPECT_TRUE(failures().empty());
  const std::string doubled = "binance_spot/AAA/2023-11-15/00.parquet";
  fs::create_directories(path(doubled).parent_path());
  fs::copy_file(path(kFirstHour), path(doubled));
  ASSERT_EQ(failures().size(), 1U);
  EXPECT_TRUE(failures().front().starts_with(doubled + ": the manifest does not list"));
}

TEST_F(RecordingCheckTest, AFileUnderAnotherNameIsFoundEvenWhenTheManifestAgrees) {
  record_two_hours();
  fs::copy_file(path(kFirstHour), path(kSecondHour), fs::copy_options::overwrite_existing);
  Json first;
  edit_json(list("2023-11-14/22"), [&](Json& json) { first = entry_of(json, kFirstHour); });
  edit_json(list("2023-11-14/23"), [&](Json& json) {
    Json& entry = entry_of(json, kSecondHour);
    entry = first;
    entry["path"] = kSecondHour;
  });
  const auto found = failures();
  ASSERT_FALSE(found.empty());
  EXPECT_NE(found.front().find("its footer says that it is binance_spot/AAA/2023-11-14/22"),
            std::string::npos)
      << found.front();
}

TEST_F(RecordingCheckTest, RowsThatAreDoubledExchangedOrMissingAreFound) {
  record_two_hours();
  const auto fails = [&](const std::string& what) {
    const auto found = failures();
    EXPECT_FALSE(found.empty()) << what;
    if (found.empty()) return;
    EXPECT_NE(found.front().find(what), std::string::npos) << found.front();
  };
  const auto restore = [&, content = read_text_file(path(kFirstHour)).value(),
                        lists = read_text_file(list("2023-11-14/22")).value()] {
    write(path(kFirstHour), content);
    write(list("2023-11-14/22"), lists);
  };
  rewrite_rows(kFirstHour,
               [](const arrow::Table& rows) { return joined({rows.Slice(0, 5), rows.Slice(4)}); });
  fails("is there twice");
  restore();
  rewrite_rows(kFirstHour, [](const arrow::Table& rows) {
    return joined({rows.Slice(0, 4), rows.Slice(5, 1), rows.Slice(4, 1), rows.Slice(6)});
  });
  fails("follows");
  restore();
  rewrite_rows(kFirstHour,
               [](const arrow::Table& rows) { return joined({rows.Slice(0, 4), rows.Slice(5)}); });
  fails("the certificate claims rows 18, the rows give 17");
  restore();
  EXPECT_TRUE(failures().empty());
}

TEST_F(RecordingCheckTest, ARowOfAnotherSymbolOrHourIsFound) {
  record_two_hours();
  const auto other = read_parquet(path(kSecondHour), {}, arrow::default_memory_pool()).value();
  rewrite_rows(kFirstHour, [&](const arrow::Table& rows) {
    return joined({rows.Slice(0), other->Slice(0, 1)});
  });
  EXPECT_NE(failures().front().find("lies outside the time of the file"), std::string::npos);
  const auto book =
      read_parquet(path("binance_spot/BBB/2023-11-14/22.parquet"), {}, arrow::default_memory_pool())
          .value();
  rewrite_rows(kFirstHour, [&](const arrow::Table& rows) {
    return joined({rows.Slice(0, 18), book->Slice(0)});
  });
  EXPECT_NE(failures().front().find("belongs to binance_spot/BBB/2023-11-14/22"), std::string::npos)
      << failures().front();
}

/// All checksums are right; only the numbers tell.
TEST_F(RecordingCheckTest, AHoleThatNobodyRecordedFails) {
  trades(1, 20);
  next_hour();
  trades(21, 30);
  next_hour();
  log_.stop();
  record();
  EXPECT_TRUE(failures().empty());
  fs::remove(path(kSecondHour));
  edit_json(list("2023-11-14/23"), [](Json& json) { json["files"] = Json::array(); });
  EXPECT_TRUE(failures().empty()) << "what was last may have been the end";

  fs::remove_all(options_.output_dir);
  next_hour();
  trades(31, 31);
  next_hour();
  log_.stop();
  record();
  fs::remove(path(kSecondHour));
  edit_json(list("2023-11-14/23"), [](Json& json) { json["files"] = Json::array(); });
  ASSERT_EQ(failures().size(), 1U);
  check();
  EXPECT_EQ(rows_.back().first_sequence, 21);
  EXPECT_EQ(rows_.back().last_sequence, 30);
  EXPECT_EQ(rows_.back().missing_count, 10U);
  EXPECT_EQ(rows_.back().symbol, "AAA");
}

TEST_F(RecordingCheckTest, AGapThatIsTakenOutOfTheTableFails) {
  record_two_hours();
  rewrite_rows(
      kGapTable, [](const arrow::Table& rows) { return rows.Slice(0, 0); },
      [](Certificate& certificate) {
        certificate.row_count = certificate.first_lsn = certificate.last_lsn = 0;
        certificate.row_checksum = RowChecksum().digest();
      });
  const auto found = failures();
  ASSERT_EQ(found.size(), 2U) << fmt::format("{}", fmt::join(found, "\n"));
  EXPECT_TRUE(found[0].starts_with(std::string(kFirstHour) + ": _gaps has no such row"));
  EXPECT_EQ(found[1], ": no row has these numbers, and no gap is recorded");
}

TEST_F(RecordingCheckTest, ResetsPlaceholdersAndARestartAreExplained) {
  const LogSource futures = source_of(Venue::kBinanceUsdm);
  log_.event(LogKind::kConnect, {}, futures, 2);
  const auto future = [&](int64_t id, const char* kind) {
    const int64_t ms = log_.time_ns() / 1'000'000;
    log_.append(
        LogKind::kFrame,
        fmt::format(R"({{"stream":"aaa@trade","data":{{"e":"trade","E":{},"T":{},"s":"AAA",)"
                    R"("t":{},"p":"{}","q":"{}","X":"{}","m":true}}}})",
                    ms, ms, id, *kind == 'N' ? "0" : "1.5", *kind == 'N' ? "0" : "2", kind),
        futures, 2);
  };
  future(10, "MARKET");
  future(11, "NA");
  future(12, "MARKET");
  trades(1'000, 1'010);
  trades(1, 10);
  log_.restart();
  log_.event(LogKind::kConnect, {}, kSpot);
  trades(15, 20);
  next_hour();
  log_.stop();
  record();
  EXPECT_EQ(failures(), std::vector<std::string>());
  EXPECT_EQ(row_of("binance_usdt_futures/AAA/2023-11-14/22.parquet", "trade").row_count, 2U);
}

TEST_F(RecordingCheckTest, ManifestsThatAreDamagedOrMissingAreFound) {
  record_two_hours();
  const std::string top = read_text_file(path("_manifest.json")).value();
  write(path("_manifest.json"), top.substr(0, 20));
  EXPECT_TRUE(failures().front().starts_with("_manifest.json"));
  fs::remove(path("_manifest.json"));
  EXPECT_EQ(failures().front(), "_manifest.json: the file is missing");
  write(path("_manifest.json"), top);
  const std::string hour = read_text_file(list("2023-11-14/23")).value();
  write(list("2023-11-14/23"), "[]");
  EXPECT_TRUE(failures().front().starts_with("_manifest/2023-11-14/23.json"));
  edit_json(path("_manifest.json"), [](Json& json) { json["lists"].erase(0); });
  write(list("2023-11-14/23"), hour);
  EXPECT_NE(failures().front().find("does not name this list"), std::string::npos);
}

TEST_F(RecordingCheckTest, AFolderWithoutARecordingIsRefused) {
  const auto budget = MemoryBudget::create(kLimitBytes).value();
  const auto ignore = [](const CoverageRow&) { return Status(); };
  const auto missing = check_recording(path("none"), *budget, ignore);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kInvalidArgument);
  const auto empty = check_recording(scratch_.path(), *budget, ignore);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace tapeworks::recorder
