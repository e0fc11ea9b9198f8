#include "storage/generation_store.h"

#include <algorithm>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/interrupt.h"
#include "base/utf8.h"
#include "storage/generation_draft_internal.h"
#include "storage/generation_tree_internal.h"
#include "storage/object_address.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// A key of 200 bytes with an ending. File systems take 255.
constexpr size_t kFileNameBytesMax = 208;
constexpr std::string_view kCheckpointFolder = "checkpoint/";

Status check_file_path(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (!is_safe_relative_path(path) || name.size() > kFileNameBytesMax || path == kManifestName ||
      path == kRunInfoName || is_checkpoint(path)) {
    return internal_error("a data file cannot be called {:?}", path);
  }
  return {};
}

}  // namespace

Status GenerationDraft::note_path(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (is_over()) return internal_error("{} comes after the end of its generation", path);
  if (!file_paths_.insert(path).second) return internal_error("two files are called {}", path);
  for (size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    if (subfolders_.insert(path.substr(0, end)).second) TW_TRY(make_subfolder(path.substr(0, end)));
  }
  return {};
}

void GenerationDraft::note_file(const std::string& table, TableFile file) {
  const std::lock_guard guard(mutex_);
  auto& files = manifest_.tables[table].files;
  const auto place = std::ranges::lower_bound(files, file.path, {}, &TableFile::path);
  files.insert(place, std::move(file));
}

Status GenerationDraft::note_outcome(Status status) {
  if (status) return status;
  const std::lock_guard guard(mutex_);
  if (first_failure_) first_failure_ = status;
  return status;
}

Status GenerationDraft::add_file(const std::string& table, const std::string& path,
                                 uint64_t row_count, const FileContent& write) {
  XXH3_state_t hash;
  XXH3_64bits_reset(&hash);
  uint64_t byte_count = 0;
  const auto add = [&]() -> Status {
    TW_TRY(check_file_path(path));
    TW_TRY(note_path(path));
    const auto hashed = [&](const ByteSink& sink) {
      return write([&](std::span<const std::byte> part) {
        XXH3_64bits_update(&hash, part.data(), part.size());
        byte_count += part.size();
        return sink(part);
      });
    };
    return store(path, hashed, CheckpointSync::kSynced);
  };
  TW_TRY(note_outcome(add()));
  note_file(table, {path, row_count, byte_count, XXH3_64bits_digest(&hash)});
  return {};
}

Status GenerationDraft::keep_table(const std::string& table) {
  const Table* const kept = base_ ? base_->find(table) : nullptr;
  if (kept == nullptr || manifest_.find(table) != nullptr) return {};
  const auto keep = [&]() -> Status {
    for (const TableFile& file : kept->files) {
      TW_TRY(check_interrupt());
      TW_TRY(note_path(file.path));
      TW_TRY(keep_stored(file));
    }
    return keep_stored_checkpoints(checkpoint_path(table));
  };
  TW_TRY(note_outcome(keep()));
  manifest_.tables[table] = *kept;
  return {};
}

Status GenerationDraft::keep_file(const std::string& table, const TableFile& file) {
  const auto keep = [&]() -> Status {
    TW_TRY(note_path(file.path));
    return keep_stored(file);
  };
  TW_TRY(note_outcome(keep()));
  note_file(table, file);
  return {};
}

std::optional<TableFile> GenerationDraft::file(const std::string& table,
                                               const std::string& path) const {
  const std::lock_guard guard(mutex_);
  const Table* const found = manifest_.find(table);
  return found == nullptr ? std::nullopt : found->file(path);
}

Status GenerationDraft::add_checkpoint(const std::string& name, std::span<const std::byte> content,
                                       CheckpointSync how) {
  const auto add = [&]() -> Status {
    const std::string path = checkpoint_path(name);
    TW_TRY(note_path(path));
    return store(path, [&](const ByteSink& sink) { return sink(content); }, how);
  };
  return note_outcome(add());
}

Status GenerationDraft::keep_checkpoint(const std::string& name) {
  return note_outcome(keep_stored_checkpoints(checkpoint_path(name)));
}

void GenerationDraft::describe_table(const std::string& table,
                                     std::map<std::string, std::string> options,
                                     std::map<std::string, std::string> made_from,
                                     std::map<std::string, uint64_t> counts) {
  const std::lock_guard guard(mutex_);
  Table& described = manifest_.tables[table];
  described.options = std::move(options);
  described.made_from = std::move(made_from);
  described.counts = std::move(counts);
}

GenerationWriter::GenerationWriter(std::unique_ptr<GenerationDraft> draft)
    : draft_(std::move(draft)) {}
GenerationWriter::GenerationWriter(GenerationWriter&&) noexcept = default;
GenerationWriter& GenerationWriter::operator=(GenerationWriter&&) noexcept = default;
GenerationWriter::~GenerationWriter() = default;

Result<GenerationWriter> GenerationWriter::begin(const fs::path& data_dir,
                                                 GenerationWriterOptions options) {
  const bool is_remote = is_object_address(data_dir.native());
  TW_ASSIGN(auto draft, is_remote ? begin_object_draft(data_dir.string(), options)
                                  : begin_folder_draft(data_dir, options));
  return GenerationWriter(std::move(draft));
}

const std::optional<Manifest>& GenerationWriter::base() const { return draft_->base(); }
const fs::path& GenerationWriter::base_path() const { return draft_->base_path(); }
const fs::path& GenerationWriter::directory() const { return draft_->folder(); }
uint64_t GenerationWriter::number() const { return draft_->number(); }
const Manifest& GenerationWriter::manifest() const { return draft_->manifest(); }

Status GenerationWriter::check_free_space(uint64_t bytes) const {
  return draft_->check_free_space(bytes);
}

Status GenerationWriter::add_file(const std::string& table, const std::string& relative_path,
                                  std::span<const std::byte> content, uint64_t row_count) {
  return stream_file(table, relative_path, row_count,
                     [&](const ByteSink& sink) { return sink(content); });
}

Status GenerationWriter::stream_file(const std::string& table, const std::string& relative_path,
                                     uint64_t row_count, const FileContent& write) {
  return draft_->add_file(table, relative_path, row_count, write);
}

Status GenerationWriter::describe_table(const std::string& table,
                                        std::map<std::string, std::string> options,
                                        std::map<std::string, std::string> made_from,
                                        std::map<std::string, uint64_t> counts) {
  bool is_text = is_utf8(table);
  for (const auto* texts : {&options, &made_from}) {
    for (const auto& [name, text] : *texts) is_text = is_text && is_utf8(name) && is_utf8(text);
  }
  if (!is_text) return invalid_argument("an option of table {} is not UTF-8; write it so", table);
  draft_->describe_table(table, std::move(options), std::move(made_from), std::move(counts));
  return {};
}

Status GenerationWriter::keep_table(const std::string& table) { return draft_->keep_table(table); }

Status GenerationWriter::keep_file(const std::string& table, const TableFile& file) {
  return draft_->keep_file(table, file);
}

std::optional<TableFile> GenerationWriter::file(const std::string& table,
                                                const std::string& relative_path) const {
  return draft_->file(table, relative_path);
}

Status GenerationWriter::add_checkpoint(const std::string& name, std::span<const std::byte> content,
                                        CheckpointSync sync) {
  return draft_->add_checkpoint(name, content, sync);
}

Status GenerationWriter::keep_checkpoint(const std::string& name) {
  return draft_->keep_checkpoint(name);
}

Status GenerationWriter::wait_until_readable() { return draft_->wait_until_readable(); }

GenerationWriter GenerationWriter::rehearse() { return GenerationWriter(begin_rehearsal(*draft_)); }

std::string checkpoint_path(const std::string& name) {
  return std::string(kCheckpointFolder) + name;
}

bool is_checkpoint(const std::string& relative_path) {
  return relative_path.starts_with(kCheckpointFolder);
}

Result<fs::path> GenerationWriter::make_temp_folder(const fs::path& parent) {
  return draft_->make_temp_folder(parent);
}

Status GenerationWriter::publish(const std::string& mode, const nlohmann::ordered_json& run_info) {
  if (!is_utf8(mode)) return internal_error("the mode is not UTF-8");
  Status status = draft_->publish(mode, run_info);
  if (!status) draft_->abandon();
  return status;
}

}  // namespace tapeworks
