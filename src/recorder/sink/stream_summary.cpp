#include "recorder/sink/stream_summary.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>

#include <nlohmann/json.hpp>

#include "recorder/protocol/sequence.h"
#include "recorder/protocol/venue.h"
#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {
namespace {

constexpr std::array kKeyColumns{"exchange", "market", "transport", "stream", "symbol"};
using Key = std::array<std::string_view, kKeyColumns.size()>;

// A unit separator stands in no name of a venue and no symbol.
constexpr char kSeparator = '\x1f';

Key split_key(std::string_view text) {
  Key key;
  for (size_t i = 0; i + 1 < key.size(); ++i) {
    const size_t end = text.find(kSeparator);
    key[i] = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  key.back() = text;
  return key;
}

std::string_view class_of(const Key& key) {
  const auto venue = find_venue(key[0], key[1], key[2]);
  if (!venue) return name_of(SequenceClass::kNone);
  for (const recorder::Stream stream : kStreams) {
    if (name_of(stream) == key[3]) return name_of(sequence_class_of(*venue, stream));
  }
  return name_of(SequenceClass::kNone);
}

}  // namespace

Status StreamSummary::add(const arrow::Table& rows) {
  arrow::TableBatchReader batches(rows);
  std::shared_ptr<arrow::RecordBatch> batch;
  std::string key;
  while (true) {
    const auto read = batches.ReadNext(&batch);
    if (!read.ok()) return internal_error("summary of streams: {}", read.message());
    if (batch == nullptr) return {};
    std::array<const arrow::StringArray*, kKeyColumns.size()> columns{};
    for (size_t i = 0; i < columns.size(); ++i) {
      columns[i] =
          static_cast<const arrow::StringArray*>(batch->GetColumnByName(kKeyColumns[i]).get());
    }
    const auto& sequences =
        static_cast<const arrow::Int64Array&>(*batch->GetColumnByName("sequence"));
    const auto& sources = static_cast<const arrow::StringArray&>(*batch->GetColumnByName("source"));
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      key.clear();
      for (const auto* column : columns) {
        if (!key.empty()) key += kSeparator;
        key += column->GetView(row);
      }
      auto found = streams_.find(key);
      if (found == streams_.end()) found = streams_.emplace(key, Stream()).first;
      Stream& stream = found->second;
      ++stream.row_count;
      if (sequences.IsNull(row)) continue;
      const bool is_live = sources.GetView(row) != kBackfillSource;
      if (!is_live && stream.has_live_rows) continue;
      const bool is_first = !stream.first_sequence || is_live != stream.has_live_rows;
      if (is_first) stream.first_sequence = sequences.Value(row);
      stream.last_sequence = sequences.Value(row);
      stream.has_live_rows |= is_live;
    }
  }
}

std::string StreamSummary::to_json() const {
  auto list = nlohmann::ordered_json::array();
  for (const auto& [text, stream] : streams_) {
    const Key key = split_key(text);
    nlohmann::ordered_json entry;
    for (size_t i = 0; i < key.size(); ++i) entry[kKeyColumns[i]] = key[i];
    entry["class"] = stream.first_sequence ? class_of(key) : name_of(SequenceClass::kNone);
    entry["rows"] = stream.row_count;
    if (stream.first_sequence) {
      entry["first_sequence"] = *stream.first_sequence;
      entry["last_sequence"] = *stream.last_sequence;
    }
    list.push_back(std::move(entry));
  }
  return list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tapeworks::recorder
