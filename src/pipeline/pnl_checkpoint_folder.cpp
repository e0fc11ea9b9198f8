#include "pipeline/pnl_checkpoint_folder.h"

#include <filesystem>
#include <span>
#include <utility>

#include "base/messages.h"
#include "pipeline/table_writer.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace fs = std::filesystem;

Result<LoadedPnlCheckpoint> load_pnl_checkpoint(const fs::path& path, const std::string& symbol,
                                                MemoryBudget& budget) {
  const auto status = status_of_input(path);
  if (!status || status->type != InputType::kFile) return corrupt("it is missing");
  if (status->byte_count > kPnlCheckpointBytesMax) return corrupt("it is too long");
  LoadedPnlCheckpoint loaded;
  if (!budget.try_reserve(pnl_checkpoint_memory_bytes(status->byte_count), loaded.memory)) {
    return over_budget("{}: it does not fit in memory; give a larger --memory", path.string());
  }
  TW_ASSIGN(const std::string bytes, read_input_text(path));
  TW_ASSIGN(loaded.checkpoint, decode_pnl_checkpoint(bytes));
  if (loaded.checkpoint.symbol != symbol) return corrupt("it is that of another symbol");
  return loaded;
}

std::optional<LoadedPnlCheckpoint> PnlCheckpointFolder::load(const std::string& symbol) {
  if (!generation_.base()) return std::nullopt;
  const Table* const table = generation_.base()->find(table_);
  if (table == nullptr || !table->file(symbol_file_path(table_, symbol))) return std::nullopt;
  const fs::path path = generation_.base_path() / checkpoint_path(name_of(symbol));
  auto loaded = load_pnl_checkpoint(path, symbol, budget_);
  if (loaded) return std::move(*loaded);
  if (loaded.error().kind != ErrorKind::kMemoryBudget) reject(symbol, loaded.error().message);
  return std::nullopt;
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
