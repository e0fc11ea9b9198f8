#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "storage/byte_sink.h"
#include "storage/generation_store.h"
#include "storage/manifest.h"

namespace tapeworks {

/// The generation that a GenerationWriter builds: what is common to folders and object storage, the
/// record of its files, is here; where bytes go is in the two classes below it.
///
/// Threads: as GenerationWriter says.
class GenerationDraft {
 public:
  using CheckpointSync = GenerationWriter::CheckpointSync;

  explicit GenerationDraft(GenerationWriterOptions options) : options_(options) {}
  GenerationDraft(const GenerationDraft&) = delete;
  GenerationDraft& operator=(const GenerationDraft&) = delete;
  virtual ~GenerationDraft() = default;

  const std::optional<Manifest>& base() const { return base_; }
  const std::filesystem::path& base_path() const { return base_path_; }
  const std::filesystem::path& folder() const { return folder_; }
  uint64_t number() const { return number_; }
  const Manifest& manifest() const { return manifest_; }

  Status add_file(const std::string& table, const std::string& path, uint64_t row_count,
                  const FileContent& write);
  Status keep_table(const std::string& table);
  Status keep_file(const std::string& table, const TableFile& file);
  std::optional<TableFile> file(const std::string& table, const std::string& path) const;
  Status add_checkpoint(const std::string& name, std::span<const std::byte> content,
                        CheckpointSync how);
  Status keep_checkpoint(const std::string& name);
  void describe_table(const std::string& table, std::map<std::string, std::string> options,
                      std::map<std::string, std::string> made_from,
                      std::map<std::string, uint64_t> counts);

  virtual Status check_free_space(uint64_t bytes) const = 0;
  virtual Status wait_until_readable() = 0;
  virtual Result<std::filesystem::path> make_temp_folder(const std::filesystem::path& parent) = 0;
  virtual Status publish(const std::string& mode, const nlohmann::ordered_json& run_info) = 0;
  /// Leaves no trace of a generation that was not published.
  virtual void abandon() = 0;

 protected:
  /// Takes files no longer, since the generation is published or abandoned.
  virtual bool is_over() const = 0;
  /// Before the first file below `subfolder`; with the mutex held.
  virtual Status make_subfolder(const std::string& subfolder) = 0;
  /// A new file of this generation. Bytes that are not yet safe are so when publish() goes on,
  /// unless it is a checkpoint for which that is not asked.
  virtual Status store(const std::string& path, const FileContent& write, CheckpointSync how) = 0;
  /// The same file as in the base.
  virtual Status keep_stored(const TableFile& file) = 0;
  /// Likewise the checkpoint of this path, or all of this folder, if the base has such.
  virtual Status keep_stored_checkpoints(const std::string& path) = 0;

  /// Takes the path for one file and makes the folders above it.
  Status note_path(const std::string& path);

  GenerationWriterOptions options_;
  std::optional<Manifest> base_;
  std::filesystem::path base_path_;
  uint64_t number_ = 0;
  std::filesystem::path folder_;  ///< empty while there is nothing to remove

  mutable std::mutex mutex_;
  // Guarded by mutex_ while add_file may run.
  Manifest manifest_;
  std::set<std::string> file_paths_;
  std::set<std::string> subfolders_;
  Status first_failure_;  ///< of a file; such a generation is never published

 private:
  void note_file(const std::string& table, TableFile file);
  Status note_outcome(Status status);
};

/// The draft in a folder (generation_folder.cpp). Errors: as GenerationWriter::begin.
Result<std::unique_ptr<GenerationDraft>> begin_folder_draft(const std::filesystem::path& data_dir,
                                                            GenerationWriterOptions options);
/// The draft in object storage (object_draft.cpp).
Result<std::unique_ptr<GenerationDraft>> begin_object_draft(const std::string& address,
                                                            GenerationWriterOptions options);
/// The draft of GenerationWriter::rehearse() (generation_rehearsal.cpp).
std::unique_ptr<GenerationDraft> begin_rehearsal(GenerationDraft& original);

}  // namespace tapeworks
