#include "pipeline/pnl_checkpoint_folder.h"

#include <filesystem>
#include <span>
#include <utility>

#include "base/messages.h"
#include "base/units.h"
#include "pipeline/table_writer.h"
#include "storage/input_file.h"

namespace tapeworks {
namespace fs = std::filesystem;

std::string pnl_checkpoint_name(const std::string& table, const std::string& symbol) {
  return table + "/" + symbol;
}

std::optional<TableFile> find_pnl_file(const Manifest& generation, size_t index,
                                       const std::string& suffix, const std::string& symbol) {
  const std::string name = kPnlFileTables[index] + suffix;
  const Table* const table = generation.find(name);
  return table == nullptr ? std::nullopt : table->file(symbol_file_path(name, symbol));
}

bool speaks_of(const PnlCheckpoint& checkpoint, const Manifest& generation,
               const std::string& suffix) {
  for (size_t i = 0; i < kPnlFileTables.size(); ++i) {
    const auto file = find_pnl_file(generation, i, suffix, checkpoint.symbol);
    if ((file ? file->xxh3 : 0) != checkpoint.files[i]) return false;
  }
  return true;
}

Result<std::optional<LoadedPnlCheckpoint>> load_pnl_checkpoint(const fs::path& path,
                                                               const std::string& symbol,
                                                               MemoryBudget& budget) {
  TW_ASSIGN(const InputStatus status, status_of_input(path));
  if (status.type == InputType::kNothing) return std::optional<LoadedPnlCheckpoint>{};
  if (status.type != InputType::kFile) return corrupt("it is no file");
  if (status.byte_count > kPnlCheckpointBytesMax) return corrupt("it is too long");
  LoadedPnlCheckpoint loaded{Reservation(budget), {}};
  const auto reserve = [&](uint64_t byte_count) -> Status {
    if (loaded.memory.resize(byte_count)) return {};
    return over_budget("it takes {} of memory, more than --memory leaves",
                       format_byte_size(byte_count));
  };
  // Damaged bytes may be any number: room for what they decode to is asked for when they are whole.
  TW_TRY(reserve(status.byte_count));
  TW_ASSIGN(const std::string bytes, read_input_text(path));
  TW_TRY(check_pnl_checkpoint(bytes));
  TW_TRY(reserve(pnl_checkpoint_memory_bytes(bytes.size())));
  TW_ASSIGN(loaded.checkpoint, decode_pnl_checkpoint(bytes));
  if (loaded.checkpoint.symbol != symbol) return corrupt("it is that of another symbol");
  return std::optional(std::move(loaded));
}

std::optional<LoadedPnlCheckpoint> PnlCheckpointFolder::load(const std::string& symbol) {
  if (!generation_.base()) return std::nullopt;
  const Table* const table = generation_.base()->find(table_);
  if (table == nullptr || !table->file(symbol_file_path(table_, symbol))) return std::nullopt;
  const std::string name = pnl_checkpoint_name(table_, symbol);
  auto loaded =
      load_pnl_checkpoint(generation_.base_path() / checkpoint_path(name), symbol, budget_);
  if (loaded) {
    if (!*loaded) reject(symbol, "it is missing");
    return std::move(*loaded);
  }
  if (loaded.error().kind == ErrorKind::kMemoryBudget) {
    const std::scoped_lock lock(mutex_);
    ++too_large_count_;
  } else {
    reject(symbol, loaded.error().message);
  }
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
  return generation_.add_checkpoint(pnl_checkpoint_name(table_, checkpoint.symbol),
                                    std::as_bytes(std::span(bytes)),
                                    GenerationWriter::CheckpointSync::kUnsynced);
}

Status PnlCheckpointFolder::keep(const std::string& symbol) {
  return generation_.keep_checkpoint(pnl_checkpoint_name(table_, symbol));
}

void PnlCheckpointFolder::warn() const {
  if (too_large_count_ != 0) {
    tapeworks::warn(
        "{} checkpoint{} of {} found no room in --memory; computed anew from the first trade on",
        too_large_count_, too_large_count_ == 1 ? "" : "s", table_);
  }
  if (rejected_count_ == 0) return;
  tapeworks::warn(
      "{} checkpoint{} of {} cannot be used (the first is that of symbol {}: {}); computed anew "
      "from the first trade on",
      rejected_count_, rejected_count_ == 1 ? "" : "s", table_, first_symbol_, first_reason_);
}

}  // namespace tapeworks
