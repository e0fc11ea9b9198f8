#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "recorder/protocol/decode.h"

namespace tapeworks::recorder {

// The recorded messages of tests/data/exchanges, and how what they decode to is written down.

struct CorpusFile {
  std::filesystem::path path;
  Venue venue = Venue::kBinanceSpot;
};

/// Folders of the corpus; contracts settled otherwise come in the frames of Gate's futures.
inline std::vector<CorpusFile> corpus_files() {
  constexpr std::array kFolders{std::pair{"binance_spot", Venue::kBinanceSpot},
                                std::pair{"binance_usdm", Venue::kBinanceUsdm},
                                std::pair{"gate_delivery", Venue::kGateFutures},
                                std::pair{"gate_futures", Venue::kGateFutures},
                                std::pair{"gate_futures_btc", Venue::kGateFutures},
                                std::pair{"gate_spot", Venue::kGateSpot},
                                std::pair{"kucoin_futures", Venue::kKucoinFutures},
                                std::pair{"kucoin_spot", Venue::kKucoinSpot}};
  std::vector<CorpusFile> files;
  for (const auto& [folder, venue] : kFolders) {
    const auto directory = std::filesystem::path(TAPEWORKS_TEST_DATA) / "exchanges" / folder;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      // "trade.jsonl", but neither "trade.expected.jsonl" nor "trade.golden.jsonl".
      if (entry.path().extension() == ".jsonl" && !entry.path().stem().has_extension()) {
        files.push_back({entry.path(), venue});
      }
    }
  }
  std::ranges::sort(files, {}, &CorpusFile::path);
  return files;
}

inline std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

using Json = nlohmann::ordered_json;

/// The columns of a row that are not null.
inline Json columns_of(const EventRow& row) {
  Json columns;
  const auto put = [&](const std::string& column, const auto& value) {
    if (value) columns[column] = *value;
  };
  columns["stream"] = name_of(row.stream);
  columns["symbol"] = row.symbol;
  put("event_time_ns", row.event_time_ns);
  put("exchange_time_ns", row.exchange_time_ns);
  put("sequence", row.sequence);
  if (!row.trade_id.empty()) columns["trade_id"] = row.trade_id;
  if (row.side) columns["side"] = name_of(*row.side);
  put("price", row.price);
  put("quantity", row.quantity);
  if (row.quantity_unit) columns["quantity_unit"] = name_of(*row.quantity_unit);
  for (const bool bid : {true, false}) {
    for (size_t i = 0; i < kLevelsMax; ++i) {
      const Level& level = bid ? row.bids[i] : row.asks[i];
      put(fmt::format("{}_price_{}", bid ? "bid" : "ask", i + 1), level.price);
      put(fmt::format("{}_quantity_{}", bid ? "bid" : "ask", i + 1), level.quantity);
    }
  }
  if (row.flags != 0) columns["flags"] = row.flags;
  if (!row.raw.empty()) columns["raw"] = row.raw;
  return columns;
}

/// What one frame decodes to: a line a row, or one line that says what else it is.
inline std::vector<Json> outcome_of(Venue venue, std::string_view payload, DecodedFrame& decoded) {
  Json outcome;
  if (!decode_frame(venue, {.payload = payload, .receive_time_ns = {}}, {}, decoded)) {
    outcome["kind"] = "undecodable";
    return {outcome};
  }
  outcome["kind"] = name_of(decoded.kind);
  if (decoded.kind == FrameKind::kRows && !decoded.rows().empty()) {
    std::vector<Json> rows;
    for (const EventRow& row : decoded.rows()) rows.push_back(columns_of(row));
    return rows;
  }
  if (decoded.kind == FrameKind::kIgnored) outcome["what"] = decoded.ignored_kind;
  if (decoded.kind == FrameKind::kPlaceholder) {
    outcome["symbol"] = decoded.placeholder.symbol;
    outcome["sequence"] = decoded.placeholder.sequence;
  }
  if (decoded.reply.code) outcome["code"] = *decoded.reply.code;
  if (!decoded.reply.message.empty()) outcome["message"] = decoded.reply.message;
  return {outcome};
}

}  // namespace tapeworks::recorder
