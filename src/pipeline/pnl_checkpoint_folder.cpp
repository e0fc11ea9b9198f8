#include "pipeline/pnl_checkpoint_folder.h"

#include <filesystem>
#include <span>
#include <utility>

#include "base/messages.h"
#include "pipeline/table_writer.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace fs = std::filesystem;

std::optional<PnlCheckpointFolder::Loaded> PnlCheckpointFolder::load(const std::string& symbol) {
  if (!generation_.base()) return std::nullopt;
  const Table* const table = generation_.base()->find(table_);
  if (table == nullptr || !table->file(symbol_file_path(table_, symbol))) return std::nullopt;
  const fs::path path = generation_.base_path() / checkpoint_path(name_of(symbol));
  const auto status = status_of_input(path);
  if (!status || status->type != InputType::kFile) {
    reject(symbol, "it is missing");
    return std::nullopt;
  }
  const uint64_t byte_count = status->byte_count;
  if (byte_count > kPnlCheckpointBytesMax) {
    reject(symbol, "it is too long");
    return std::nullopt;
  }
  Loaded loaded;
  if (!budget_.try_reserve(pnl_checkpoint_memory_bytes(byte_count), loaded.memory)) {
    return std::nullopt;
  }
  const auto bytes = read_input_text(path);
  if (!bytes) {
    reject(symbol, bytes.error().message);
    return std::nullopt;
  }
  auto checkpoint = decode_pnl_checkpoint(*bytes);
  if (!checkpoint) {
    reject(symbol, checkpoint.error().message);
    return std::nullopt;
  }
  if (checkpoint->symbol != symbol) {
    reject(symbol, "it is that of another symbol");
    return std::nullopt;
  }
  loaded.checkpoint = std::move(*checkpoint);
  return loaded;
}

void PnlCheckpointFolder::reject(const std::string& symbol, const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  if (rejected_count_++ != 0 && symbol >= first_symbol_) return;
  first_symbol_ = symbol;
  first_reason_ = reason;
}

Status PnlCheckpointFolder::save(const PnlCheckpoint& checkpoint) {
  const std::string bytes = encode_pnl_checkpoint(checkpoint);
  return generation_.add_checkpoint(name_of(checkpoint.symbol), std::as_bytes(std::span(bytes)),
                                    GenerationWriter::CheckpointSync::kUnsynced);
}

Status PnlCheckpointFolder::keep(const std::string& symbol) {
  return generation_.keep_checkpoint(name_of(symbol));
}

void PnlCheckpointFolder::warn() const {
  if (rejected_count_ == 0) return;
  tapeworks::warn(
      "{} checkpoint{} of {} cannot be used (the first is that of symbol {}: {}); computed anew "
      "from the first trade on",
      rejected_count_, rejected_count_ == 1 ? "" : "s", table_, first_symbol_, first_reason_);
}

}  // namespace tapeworks
