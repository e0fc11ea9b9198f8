#include "recorder/sink/recording_check.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <system_error>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "recorder/protocol/event.h"
#include "recorder/protocol/sequence.h"
#include "recorder/sink/published_file_check.h"
#include "recorder/sink/recording_evidence.h"
#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/recording_repair.h"
#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

/// How often a file is looked at that a recorder replaces meanwhile.
constexpr int kLooksMax = 3;
constexpr size_t kHolesShownMax = 1000;

/// Paths as hashes: millions of files must not take hundreds of megabytes.
class PathSet {
 public:
  explicit PathSet(MemoryBudget& budget) : reserved_(budget) {}

  Status add(const std::string& path) {
    if (hashes_.size() == hashes_.capacity()) {
      const size_t capacity = std::max<size_t>(1024, hashes_.capacity() * 2);
      // While it grows, the old one is there as well.
      if (!reserved_.resize((capacity + hashes_.capacity()) * sizeof(uint64_t))) {
        return over_budget("the recording has more than {} files; give more --memory",
                           hashes_.size());
      }
      hashes_.reserve(capacity);
    }
    hashes_.push_back(XXH3_64bits(path.data(), path.size()));
    return {};
  }
  void sort() { std::ranges::sort(hashes_); }
  bool contains(const std::string& path) const {
    return std::ranges::binary_search(hashes_, XXH3_64bits(path.data(), path.size()));
  }

 private:
  Reservation reserved_;
  std::vector<uint64_t> hashes_;
};

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<int64_t> number_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? std::optional(found->get<int64_t>())
                                                           : std::nullopt;
}

std::string summary_of(const FileFindings& findings) {
  if (findings.count <= 1) return findings.count == 0 ? "" : findings.kept.front();
  return fmt::format("{} (and {} more)", findings.kept.front(), findings.count - 1);
}

class RecordingChecker {
 public:
  RecordingChecker(const fs::path& output_dir, MemoryBudget& budget,
                   const std::function<Status(CoverageRow)>& take, const LogComparison* log)
      : output_dir_(output_dir), budget_(budget), take_(take), log_(log), listed_(budget) {}

  Result<RecordingCheck> run();

 private:
  Status read_top();
  Status check_lists(TableKind table);
  Status check_list(const std::string& name, TableKind table);
  Status check_file(const std::string& list, ManifestEntry entry, TableKind table);
  void learn(const std::string& path, TableKind table, const arrow::Table& rows);
  void check_gaps(const Certificate& certificate, FileFindings& findings) const;
  Status tell(const ManifestEntry& entry, const PublishedFileCheck& check, bool is_as_in_log);
  Status tell_stream(CoverageRow row, const Certificate& certificate, const Json& stream,
                     const Json& gaps);
  Status tell_holes();
  Status look_for_unknown_files();
  Status check_unknown(const std::string& path);
  Status look_for_unpublished_files();
  Status fail(std::string path, std::string detail);
  Status give(CoverageRow row);

  const fs::path& output_dir_;
  MemoryBudget& budget_;
  const std::function<Status(CoverageRow)>& take_;
  const LogComparison* log_;  ///< or null
  Layout layout_ = Layout::kSymbol;
  std::set<std::string> lists_;
  PathSet listed_;
  /// Of each exchange, by its name: when the oldest hour that is listed begins.
  std::map<std::string, int64_t, std::less<>> oldest_hours_ns_;
  RecordingEvidence evidence_;
  RecordingCheck result_;
};

Status RecordingChecker::give(CoverageRow row) {
  if (row.status == CoverageStatus::kFailed) ++result_.failed_count;
  return take_(std::move(row));
}

Status RecordingChecker::fail(std::string path, std::string detail) {
  CoverageRow row;
  row.status = CoverageStatus::kFailed;
  row.path = std::move(path);
  row.detail = std::move(detail);
  return give(std::move(row));
}

Status RecordingChecker::read_top() {
  auto top = read_manifest_top(output_dir_);
  if (!top && top.error().kind != ErrorKind::kCorrupt) return std::unexpected(top.error());
  if (!top) {
    TW_TRY(fail(kManifestFile, top.error().message));
  } else if (*top) {
    layout_ = (*top)->layout;
    for (std::string& name : (*top)->lists) {
      if (!lists_.insert(name).second) TW_TRY(fail(kManifestFile, "it names " + name + " twice"));
    }
  }
  std::error_code error;
  const bool has_lists = fs::is_directory(output_dir_ / kManifestFolder, error);
  if (top && !*top) {
    if (!has_lists) {
      return invalid_argument("{} holds no recording: there is no {} in it; name the folder of one",
                              output_dir_.string(), kManifestFile);
    }
    TW_TRY(fail(kManifestFile, "the file is missing"));
  }
  if (!has_lists) return {};
  // A list that the top does not name is checked too; a crash between the two files leaves that.
  TW_ASSIGN(const auto found, find_lists(output_dir_));
  for (const std::string& name : found) {
    if (!lists_.insert(name).second) continue;
    TW_TRY(fail(fmt::format("{}/{}.json", kManifestFolder, name),
                fmt::format("{} does not name this list", kManifestFile)));
  }
  return {};
}

Result<RecordingCheck> RecordingChecker::run() {
  TW_TRY(read_top());
  // What explains holes comes first.
  for (const TableKind table : {TableKind::kEvents, TableKind::kGaps, TableKind::kInstruments,
                                TableKind::kQuarantine, TableKind::kRows}) {
    TW_TRY(check_lists(table));
  }
  TW_TRY(tell_holes());
  listed_.sort();
  TW_TRY(look_for_unknown_files());
  TW_TRY(look_for_unpublished_files());
  return result_;
}

Status RecordingChecker::check_lists(TableKind table) {
  for (const std::string& name : lists_) {
    const bool is_of_tables = name.ends_with(kTablesList);
    if (is_of_tables != (table != TableKind::kRows)) continue;
    TW_TRY(check_interrupt());
    TW_TRY(check_list(name, table));
  }
  return {};
}

Status RecordingChecker::check_list(const std::string& name, TableKind table) {
  const std::string list_path = fmt::format("{}/{}.json", kManifestFolder, name);
  // A list of tables is gone through once for each of them, and complained of once.
  const bool is_first_time = table == TableKind::kRows || table == TableKind::kEvents;
  auto entries = read_manifest_list(output_dir_, name);
  if (!entries && entries.error().kind != ErrorKind::kCorrupt) {
    return std::unexpected(entries.error());
  }
  if (!entries || !*entries) {
    if (!is_first_time) return {};
    return fail(list_path, entries ? "the file is missing" : entries.error().message);
  }
  const std::string* last_path = nullptr;
  for (const ManifestEntry& entry : **entries) {
    const auto time = parse_partition_time(entry.partition());
    const TableKind kind = time ? time->table : TableKind::kRows;
    if (manifest_list_of(entry.partition()) != name) {
      if (is_first_time) TW_TRY(fail(list_path, entry.path + " does not belong into this list"));
    } else if (kind == table) {
      if (last_path != nullptr && *last_path >= entry.path) {
        TW_TRY(fail(list_path, entry.path + " is listed twice, or out of order"));
      }
      last_path = &entry.path;
      TW_TRY(listed_.add(entry.path));
      // Fetched rows can bring back an hour that retention has deleted, as a partial file.
      if (time && kind == TableKind::kRows && !entry.partial) {
        const auto [oldest, is_new] =
            oldest_hours_ns_.try_emplace(std::string(exchange_of(entry.path)), time->begin_ns);
        oldest->second = std::min(oldest->second, time->begin_ns);
      }
      TW_TRY(check_file(name, entry, table));
    }
  }
  return {};
}

/// What a file says that helps to judge others.
void RecordingChecker::learn(const std::string& path, TableKind table, const arrow::Table& rows) {
  const std::string market = path.substr(0, path.find('/'));
  if (table == TableKind::kEvents) evidence_.add_events(market, rows);
  if (table == TableKind::kGaps) evidence_.add_gaps(market, rows);
  if (table == TableKind::kRows) evidence_.add_rows(rows);
}

Status RecordingChecker::check_file(const std::string& list, ManifestEntry entry, TableKind table) {
  PublishedFileCheck check;
  for (int look = 1; look <= kLooksMax; ++look) {
    TW_ASSIGN(check, check_published_file(
                         output_dir_, layout_, entry,
                         [&](const arrow::Table& rows) { learn(entry.path, table, rows); },
                         budget_.pool()));
    if (check.findings.count == 0) break;
    // A recorder may have replaced it since the list was read.
    const auto now = read_manifest_list(output_dir_, list);
    if (!now || !*now) break;
    const auto found = std::ranges::find(**now, entry.path, &ManifestEntry::path);
    if (found == (*now)->end() || *found == entry) break;
    entry = *found;
  }
  if (check.certificate) check_gaps(*check.certificate, check.findings);
  if (check.certificate && check.certificate->partial && table == TableKind::kRows) {
    evidence_.add_beginning(check.certificate->streams, check.certificate->first_lsn);
  }
  ++result_.file_count;
  if (check.certificate && table == TableKind::kRows) {
    result_.row_count += check.certificate->row_count;
  }
  bool is_as_in_log = false;
  if (log_ != nullptr && check.certificate && check.findings.count == 0) {
    TW_ASSIGN(is_as_in_log, log_->compare(*check.certificate, check.findings));
    result_.as_in_log_count += is_as_in_log ? 1 : 0;
  }
  return tell(entry, check, is_as_in_log);
}

void RecordingChecker::check_gaps(const Certificate& certificate, FileFindings& findings) const {
  const Json gaps = Json::parse(certificate.gaps, nullptr, false);
  if (!gaps.is_array()) {
    findings.add("the gaps in its certificate cannot be read");
    return;
  }
  // The log of a partial file may have begun behind the row.
  if (certificate.partial || !evidence_.is_whole()) return;
  for (const Json& gap : gaps) {
    const std::string text = gap.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!evidence_.knows_gap(text)) findings.add("_gaps has no such row: " + text);
  }
}

CoverageStatus status_of(const Certificate& certificate, uint64_t gap_count) {
  if (certificate.partial) return CoverageStatus::kPartial;
  if (!certificate.complete) return CoverageStatus::kOpen;
  return gap_count != 0 ? CoverageStatus::kGaps : CoverageStatus::kOk;
}

Status RecordingChecker::tell(const ManifestEntry& entry, const PublishedFileCheck& check,
                              bool is_as_in_log) {
  if (check.findings.count != 0) return fail(entry.path, summary_of(check.findings));
  const Certificate& certificate = *check.certificate;
  // They can be read: the first is that of the rows, the second was looked at.
  const Json streams = Json::parse(certificate.streams, nullptr, false);
  const Json gaps = Json::parse(certificate.gaps, nullptr, false);
  CoverageRow row;
  row.path = entry.path;
  row.is_as_in_log = is_as_in_log;
  for (const Json& stream : streams) TW_TRY(tell_stream(row, certificate, stream, gaps));
  if (!streams.empty()) return {};
  row.status = status_of(certificate, 0);
  row.row_count = certificate.row_count;
  return give(std::move(row));
}

/// `row` has what is the same for all streams of the file.
Status RecordingChecker::tell_stream(CoverageRow row, const Certificate& certificate,
                                     const Json& stream, const Json& gaps) {
  row.exchange = text_of(stream, "exchange");
  row.market = text_of(stream, "market");
  row.symbol = text_of(stream, "symbol");
  row.stream = text_of(stream, "stream");
  row.transport = text_of(stream, "transport");
  row.sequence_class = text_of(stream, "class");
  row.row_count = static_cast<uint64_t>(number_of(stream, "rows").value_or(0));
  row.first_sequence = number_of(stream, "first_sequence");
  row.last_sequence = number_of(stream, "last_sequence");
  for (const Json& gap : gaps) {
    const std::string symbol = text_of(gap, "symbol");
    const std::string of_stream = text_of(gap, "stream");
    if (!symbol.empty() && symbol != row.symbol) continue;
    if (!of_stream.empty() && of_stream != row.stream) continue;
    const auto missing_count = number_of(gap, "missing_count");
    // What was fetched later is not missing.
    if (gap.contains("filled_by") && missing_count.value_or(0) == 0) continue;
    ++row.gap_count;
    // Other counts are of several symbols together.
    if (!symbol.empty()) {
      row.missing_count += static_cast<uint64_t>(missing_count.value_or(0));
    }
  }
  row.status = status_of(certificate, row.gap_count);
  return give(std::move(row));
}

Status RecordingChecker::tell_holes() {
  if (!evidence_.is_whole()) {
    return fail(kManifestFile,
                fmt::format("there are more than {} recorded gaps or ranges of numbers, so holes "
                            "were not looked for",
                            RecordingEvidence::kGapsMax));
  }
  for (const RecordingEvidence::Hole& hole : evidence_.unexplained(kHolesShownMax)) {
    CoverageRow row;
    row.status = CoverageStatus::kFailed;
    row.exchange = hole.exchange;
    row.market = hole.market;
    row.symbol = hole.symbol;
    row.stream = name_of(Stream::kTrade);
    row.transport = hole.transport;
    row.sequence_class = name_of(SequenceClass::kContiguous);
    row.first_sequence = hole.numbers.first;
    row.last_sequence = hole.numbers.last;
    // As unsigned numbers the difference cannot overflow.
    row.missing_count =
        static_cast<uint64_t>(hole.numbers.last) - static_cast<uint64_t>(hole.numbers.first) + 1;
    row.detail = "no row has these numbers, and no gap is recorded";
    TW_TRY(give(std::move(row)));
  }
  return {};
}

Status RecordingChecker::look_for_unknown_files() {
  std::error_code error;
  for (auto file = fs::recursive_directory_iterator(output_dir_, error);
       !error && file != fs::recursive_directory_iterator(); file.increment(error)) {
    TW_TRY(check_interrupt());
    const std::string name = file->path().filename().string();
    // Hidden folders are the sink's own, and whoever else hides something does not publish it.
    if (name.starts_with(".") || (file.depth() == 0 && name == kManifestFolder)) {
      if (file->is_directory(error)) file.disable_recursion_pending();
      continue;
    }
    if (!file->is_regular_file(error)) continue;
    const std::string path = file->path().lexically_relative(output_dir_).string();
    if (path != kManifestFile && !listed_.contains(path)) TW_TRY(check_unknown(path));
  }
  // A folder that went away meanwhile is none to look at.
  if (error && error != std::errc::no_such_file_or_directory) {
    return io_error("cannot list {}: {}", output_dir_.string(), error.message());
  }
  return {};
}

Status RecordingChecker::check_unknown(const std::string& path) {
  // A recorder may have published it since.
  const std::string partition = path.substr(0, path.rfind('.'));
  const auto now = read_manifest_list(output_dir_, manifest_list_of(partition));
  if (now && *now && std::ranges::find(**now, path, &ManifestEntry::path) != (*now)->end()) {
    return {};
  }
  return fail(path,
              "the manifest does not list this file; move it away, or, when a crash left it, "
              "start the recorder again");
}

/// What the log gives whole and nobody has published. Retention takes the oldest hours of an
/// exchange, so what is younger than the oldest one that is there was not taken by it.
Status RecordingChecker::look_for_unpublished_files() {
  if (log_ == nullptr) return {};
  TW_ASSIGN(const auto lists, find_lists(log_->given_dir()));
  for (const std::string& list : lists) {
    TW_TRY(check_interrupt());
    TW_ASSIGN(const auto entries, read_manifest_list(log_->given_dir(), list));
    if (!entries) continue;
    for (const ManifestEntry& entry : *entries) {
      const auto time = parse_partition_time(entry.partition());
      if (!time || listed_.contains(entry.path) || !log_->is_due(entry)) continue;
      std::error_code error;
      if (fs::exists(output_dir_ / entry.path, error)) continue;  // told of as unknown
      const auto oldest = oldest_hours_ns_.find(exchange_of(entry.path));
      const bool may_be_deleted =
          time->table == TableKind::kRows &&
          (oldest == oldest_hours_ns_.end() || time->begin_ns < oldest->second);
      if (may_be_deleted) continue;
      TW_TRY(fail(entry.path,
                  fmt::format("the log gives {} rows of this file, and it is not published; make "
                              "it with tapeworks replay",
                              entry.row_count)));
    }
  }
  return {};
}

}  // namespace

Result<RecordingCheck> check_recording(const fs::path& output_dir, MemoryBudget& budget,
                                       const std::function<Status(CoverageRow)>& take,
                                       const LogComparison* log) {
  std::error_code error;
  if (!fs::is_directory(output_dir, error)) {
    return invalid_argument("{} is no folder; name the folder of a recording", output_dir.string());
  }
  return RecordingChecker(output_dir, budget, take, log).run();
}

}  // namespace tapeworks::recorder
