#include "recorder/sink/recording_evidence.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "recorder/protocol/sequence.h"
#include "recorder/protocol/venue.h"
#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {
namespace {

// A unit separator stands in no name of a venue and no symbol.
constexpr char kSeparator = '\x1f';
constexpr std::string_view kTradeStream = name_of(Stream::kTrade);

template <typename... Texts>
std::string joined(std::string_view first, const Texts&... rest) {
  std::string text(first);
  ((text += kSeparator, text += rest), ...);
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> fields;
  while (true) {
    const size_t end = text.find(kSeparator);
    fields.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

/// Calls `take` for each row with the columns of its batch. The types are those of the schema,
/// which has been checked.
template <typename Take>
void each_row(const arrow::Table& rows, Take take) {
  arrow::TableBatchReader batches(rows);
  std::shared_ptr<arrow::RecordBatch> batch;
  while (batches.ReadNext(&batch).ok() && batch != nullptr) {
    for (int64_t row = 0; row < batch->num_rows(); ++row) take(*batch, row);
  }
}

int column_of(TableKind table, std::string_view name) {
  const auto columns = columns_of(table);
  return static_cast<int>(std::ranges::find(columns, name, &Column::name) - columns.begin());
}

std::string_view text_at(const arrow::RecordBatch& batch, int column, int64_t row) {
  const auto& array = static_cast<const arrow::StringArray&>(*batch.column(column));
  return array.IsNull(row) ? std::string_view() : array.GetView(row);
}

std::optional<int64_t> number_at(const arrow::RecordBatch& batch, int column, int64_t row) {
  const auto& array = static_cast<const arrow::Int64Array&>(*batch.column(column));
  return array.IsNull(row) ? std::nullopt : std::optional(array.Value(row));
}

// Members of a certificate's JSON, which may be of any type in a damaged file.

std::string text_of(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<int64_t> number_of(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? std::optional(found->get<int64_t>())
                                                           : std::nullopt;
}

uint64_t lsn_at(const arrow::RecordBatch& batch, int64_t row) {
  return static_cast<const arrow::UInt64Array&>(*batch.column(0)).Value(row);
}

struct GapIdentity {
  std::string_view cause;
  int64_t connection = 0;
  int64_t to_time = 0;
  std::string_view symbol;
  std::string_view stream;
  std::optional<int64_t> from_sequence;
  std::optional<int64_t> to_sequence;

  uint64_t hash() const {
    const auto number = [](const std::optional<int64_t>& value) {
      return value ? fmt::format("{}", *value) : std::string();
    };
    const std::string text =
        joined(cause, fmt::format("{}", connection), fmt::format("{}", to_time), symbol, stream,
               number(from_sequence), number(to_sequence));
    return XXH3_64bits(text.data(), text.size());
  }
};

}  // namespace

size_t RecordingEvidence::epoch_of(const std::string& explained_key, uint64_t lsn) const {
  const auto found = explained_.find(explained_key);
  if (found == explained_.end()) return 0;
  const auto& resets = found->second.reset_lsns;
  return static_cast<size_t>(std::ranges::upper_bound(resets, lsn) - resets.begin());
}

void RecordingEvidence::add_range(SequenceRanges& ranges, int64_t first, int64_t last) {
  if (!is_whole()) return;
  const size_t before = ranges.size();
  ranges.add(first, last);
  range_count_ = range_count_ - before + ranges.size();
}

void RecordingEvidence::add_events(const std::string& market, const arrow::Table& rows) {
  static const int kEvent = column_of(TableKind::kEvents, "event");
  static const int kStream = column_of(TableKind::kEvents, "stream");
  static const int kSymbol = column_of(TableKind::kEvents, "symbol");
  static const int kCount = column_of(TableKind::kEvents, "count");
  each_row(rows, [&](const arrow::RecordBatch& batch, int64_t row) {
    const std::string_view event = text_at(batch, kEvent, row);
    const bool is_reset = event == "sequence_reset";
    if (!is_reset && event != "placeholder") return;
    const std::string key =
        joined(market, text_at(batch, kStream, row), text_at(batch, kSymbol, row));
    if (is_reset) {
      auto& resets = explained_[key].reset_lsns;
      const uint64_t lsn = lsn_at(batch, row);
      const auto place = std::ranges::lower_bound(resets, lsn);
      if (place != resets.end() && *place == lsn) return;
      resets.insert(place, lsn);
    } else if (const auto sequence = number_at(batch, kCount, row)) {
      // The order of files is not that of resets, so a placeholder explains its number in general.
      add_range(explained_[key].ranges[kEveryEpoch], *sequence, *sequence);
    }
  });
}

void RecordingEvidence::add_gaps(const std::string& market, const arrow::Table& rows) {
  static const int kCause = column_of(TableKind::kGaps, "cause");
  static const int kConnection = column_of(TableKind::kGaps, "connection");
  static const int kSymbol = column_of(TableKind::kGaps, "symbol");
  static const int kStream = column_of(TableKind::kGaps, "stream");
  static const int kFromSequence = column_of(TableKind::kGaps, "from_sequence");
  static const int kToSequence = column_of(TableKind::kGaps, "to_sequence");
  static const int kToTime = column_of(TableKind::kGaps, "to_time");
  each_row(rows, [&](const arrow::RecordBatch& batch, int64_t row) {
    const auto& to_times = static_cast<const arrow::TimestampArray&>(*batch.column(kToTime));
    GapIdentity gap;
    gap.cause = text_at(batch, kCause, row);
    gap.connection = number_at(batch, kConnection, row).value_or(0);
    gap.to_time = to_times.Value(row);
    gap.symbol = text_at(batch, kSymbol, row);
    gap.stream = text_at(batch, kStream, row);
    gap.from_sequence = number_at(batch, kFromSequence, row);
    gap.to_sequence = number_at(batch, kToSequence, row);
    if (gaps_.size() < kGapsMax) gaps_.insert(gap.hash());
    if (!gap.from_sequence || !gap.to_sequence) return;
    const std::string key = joined(market, gap.stream, gap.symbol);
    const size_t epoch = epoch_of(key, lsn_at(batch, row));
    add_range(explained_[key].ranges[epoch], *gap.from_sequence, *gap.to_sequence);
  });
}

void RecordingEvidence::add_rows(const arrow::Table& rows) {
  static const int kStream = column_of(TableKind::kRows, "stream");
  static const int kSequence = column_of(TableKind::kRows, "sequence");
  static const int kSource = column_of(TableKind::kRows, "source");
  static const int kExchange = column_of(TableKind::kRows, "exchange");
  static const int kMarket = column_of(TableKind::kRows, "market");
  static const int kTransport = column_of(TableKind::kRows, "transport");
  static const int kSymbol = column_of(TableKind::kRows, "symbol");
  std::string last_key;
  size_t last_epoch = 0;
  Epoch* epoch = nullptr;
  each_row(rows, [&](const arrow::RecordBatch& batch, int64_t row) {
    // Trades alone have numbers that prove something; other rows are most of them.
    if (text_at(batch, kStream, row) != kTradeStream) return;
    const auto sequence = number_at(batch, kSequence, row);
    if (!sequence || text_at(batch, kSource, row) != kLiveSource) return;
    const std::string_view exchange = text_at(batch, kExchange, row);
    const std::string_view market = text_at(batch, kMarket, row);
    const std::string_view transport = text_at(batch, kTransport, row);
    const auto venue = find_venue(exchange, market, transport);
    if (!venue || sequence_class_of(*venue, Stream::kTrade) != SequenceClass::kContiguous) return;
    const std::string_view symbol = text_at(batch, kSymbol, row);
    const std::string key = joined(exchange, market, transport, symbol);
    const size_t number = epoch_of(
        joined(fmt::format("{}_{}", exchange, market), kTradeStream, symbol), lsn_at(batch, row));
    if (epoch == nullptr || key != last_key || number != last_epoch) {
      epoch = &streams_[key][number];
      last_key = key;
      last_epoch = number;
    }
    add_range(epoch->numbers, *sequence, *sequence);
  });
}

void RecordingEvidence::add_beginning(const std::string& streams, uint64_t first_lsn) {
  using Json = nlohmann::json;
  const Json list = Json::parse(streams, nullptr, false);
  if (!list.is_array()) return;
  for (const Json& stream : list) {
    if (!stream.is_object() || text_of(stream, "class") != "contiguous") continue;
    const auto first = number_of(stream, "first_sequence");
    if (!first) continue;
    const std::string exchange = text_of(stream, "exchange");
    const std::string market = text_of(stream, "market");
    const std::string symbol = text_of(stream, "symbol");
    const size_t epoch =
        epoch_of(joined(fmt::format("{}_{}", exchange, market), text_of(stream, "stream"), symbol),
                 first_lsn);
    streams_[joined(exchange, market, text_of(stream, "transport"), symbol)][epoch]
        .beginnings.push_back(*first);
  }
}

bool RecordingEvidence::knows_gap(const std::string& gap_json) const {
  const auto json = nlohmann::json::parse(gap_json, nullptr, false);
  if (!json.is_object()) return false;
  // One that was not over belongs to a later row.
  if (!json.contains("to_time")) return true;
  const std::string cause = text_of(json, "cause");
  const std::string symbol = text_of(json, "symbol");
  const std::string stream = text_of(json, "stream");
  const GapIdentity gap{cause,
                        number_of(json, "connection").value_or(0),
                        number_of(json, "to_time").value_or(0),
                        symbol,
                        stream,
                        number_of(json, "from_sequence"),
                        number_of(json, "to_sequence")};
  return gaps_.contains(gap.hash());
}

std::vector<RecordingEvidence::Hole> RecordingEvidence::unexplained(size_t count_max) const {
  std::vector<Hole> holes;
  for (const auto& [key, epochs] : streams_) {
    const std::vector<std::string> names = split(key);
    const auto known =
        explained_.find(joined(fmt::format("{}_{}", names[0], names[1]), kTradeStream, names[3]));
    for (const auto& [number, epoch] : epochs) {
      SequenceRanges explained;
      if (known != explained_.end()) {
        for (const size_t of : {number, kEveryEpoch}) {
          const auto ranges = known->second.ranges.find(of);
          if (ranges != known->second.ranges.end()) explained.add_all(ranges->second);
        }
      }
      for (const SequenceRange& range :
           epoch.numbers.missing(explained, count_max - holes.size())) {
        // A range is never up to the highest number: there is one behind it.
        if (std::ranges::find(epoch.beginnings, range.last + 1) != epoch.beginnings.end()) continue;
        holes.push_back({names[0], names[1], names[2], names[3], range});
      }
      if (holes.size() == count_max) return holes;
    }
  }
  return holes;
}

}  // namespace tapeworks::recorder
