#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "storage/byte_sink.h"
#include "storage/manifest.h"

namespace tapeworks {

// A data directory DIR is a symbolic link to a generation, and publishing is one rename of it:
//
//   DIR -> DIR.generations/000042
//   DIR.generations/lock               held exclusively by the one writer
//   DIR.generations/000041/            the generation before, whole
//   DIR.generations/000042/            manifest.json, run.json, the tables, checkpoint/
//   DIR.generations/000043.partial/    being written; removed by the next writer after a crash
//   DIR.generations/temp-PID-N/        spill files of a running command; likewise. With --temp-dir
//                                      this is a link to a folder over there
//
// docs/formats/dataset.md describes the tree for other readers.

/// A resolved generation that will not be collected as long as this object lives (a shared lock on
/// its manifest). Paths below path() stay valid even when a newer generation is published.
/// Threads: const members from any.
class GenerationReader {
 public:
  /// Resolves the link once. kInvalidArgument when `data_dir` does not exist (or is a real folder;
  /// the message names `tapeworks adopt`), kCorrupt when the manifest cannot be read.
  static Result<GenerationReader> open(const std::filesystem::path& data_dir);

  GenerationReader(GenerationReader&&) noexcept;
  GenerationReader& operator=(GenerationReader&&) noexcept;
  ~GenerationReader();

  const std::filesystem::path& path() const;
  uint64_t number() const;
  const Manifest& manifest() const;

 private:
  struct State;
  explicit GenerationReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct GenerationWriterOptions {
  /// A generation that was current less than this ago is never collected.
  std::chrono::milliseconds keep_generations_for{std::chrono::hours{1}};
};

class GenerationDraft;

/// Builds the next generation and publishes it as a whole, or leaves no trace.
///
/// Durability: files are synced in the background while others are being made; when publish() has
///   returned ok, the whole generation and the link survive a power cut.
/// Failure: once a file could not be written, publish() fails too. After that, or when destroyed
///   without publish(), the partial folder is removed and the published generation is untouched.
/// Threads: add_file, keep_file and what says so from any thread; all else from one, and manifest()
/// while no add_file runs.
class GenerationWriter {
 public:
  /// Takes the writer's lock, creates missing parent folders, and removes what an interrupted run
  /// left. kIo naming the other process when the lock is taken; kInvalidArgument when `data_dir` is
  /// a real folder.
  static Result<GenerationWriter> begin(const std::filesystem::path& data_dir,
                                        GenerationWriterOptions options);

  GenerationWriter(GenerationWriter&&) noexcept;
  GenerationWriter& operator=(GenerationWriter&&) noexcept;
  ~GenerationWriter();

  /// The manifest of the generation that is current now; nothing for the first run.
  const std::optional<Manifest>& base() const;
  /// The folder of the generation that is current now; empty for the first run.
  const std::filesystem::path& base_path() const;
  /// The number under which it will be published.
  uint64_t number() const;
  /// The folder being filled. Only add_file and keep_table write there. Empty once published.
  const std::filesystem::path& directory() const;

  /// kIo, with how much is needed and free, when the file system of the data directory cannot take
  /// `bytes` more.
  Status check_free_space(uint64_t bytes) const;

  /// Writes one file of `table`, hands it to the background sync and notes it for the manifest.
  /// `relative_path` is below directory(); a file is complete before this returns. Names may be any
  /// bytes, up to 208 of them. kInternal for a path that leads out or was used before; kIo when two
  /// paths that differ only in case are one to the file system.
  Status add_file(const std::string& table, const std::string& relative_path,
                  std::span<const std::byte> content, uint64_t row_count);
  /// The same for content that is made part by part: `write` is called once, with where the parts
  /// go.
  Status stream_file(const std::string& table, const std::string& relative_path, uint64_t row_count,
                     const FileContent& write);

  /// Sets the options, origins and counts of a table of this generation. Also makes a table that
  /// has no file exist.
  Status describe_table(const std::string& table, std::map<std::string, std::string> options,
                        std::map<std::string, std::string> made_from,
                        std::map<std::string, uint64_t> counts);

  /// Carries a table over from base() with hard links (copies where links are impossible). Does
  /// nothing when base() has no such table or this generation has it already.
  Status keep_table(const std::string& table);

  /// Carries one file of a table of base() over likewise. Threads: any, as add_file.
  Status keep_file(const std::string& table, const TableFile& file);

  /// What the manifest will say of a file that add_file, keep_file or keep_table has made; nothing
  /// when there is none such. Threads: any.
  std::optional<TableFile> file(const std::string& table, const std::string& relative_path) const;

  /// Whether a checkpoint is synced. One that is not may be damaged after a power cut, which its
  /// reader must notice; the generation is whole either way.
  enum class CheckpointSync { kSynced, kUnsynced };
  /// Writes what a later run of the program wants to know about how a table was made: the file
  /// checkpoint/NAME, where NAME is that of the table, or begins with it and a slash. It is no data
  /// file and stands in no manifest. keep_table() carries all checkpoints of a table over.
  /// Threads: any, as add_file.
  Status add_checkpoint(const std::string& name, std::span<const std::byte> content,
                        CheckpointSync sync = CheckpointSync::kSynced);
  /// Carries one checkpoint of base() over, if there is one. Threads: any.
  Status keep_checkpoint(const std::string& name);

  /// Returns when what was added and kept so far can be read below directory(). In a folder it can
  /// at once; in object storage files are on their way. kIo when one did not arrive.
  Status wait_until_readable();

  /// The manifest as it would be published now (for fingerprints of tables just written).
  const Manifest& manifest() const;

  /// A fresh folder for spill files, below `parent` (empty: below DIR.generations). It is removed
  /// when the writer ends, and after a crash by the next writer.
  Result<std::filesystem::path> make_temp_folder(const std::filesystem::path& parent);

  /// A writer of another generation on the same base that stores nothing: what is added is hashed
  /// for its manifest and forgotten. So tables can be made in two ways and compared. It has no
  /// directory() and cannot be published; its temporary folders are those of this writer, which
  /// must outlive it.
  GenerationWriter rehearse();

  /// Waits for all syncs, writes run.json and manifest.json (last), syncs folders, renames the
  /// link, syncs its folder, then collects old generations. After ok the writer is done.
  Status publish(const std::string& mode, const nlohmann::ordered_json& run_info);

 private:
  explicit GenerationWriter(std::unique_ptr<GenerationDraft> draft);
  std::unique_ptr<GenerationDraft> draft_;
};

struct GenerationInfo {
  uint64_t number = 0;
  std::filesystem::path path;
  bool current = false;
  bool consistent = false;  ///< all its tables agree
  uint64_t byte_count = 0;  ///< of its data files, hard-linked ones included
  std::string created;      ///< ISO 8601 UTC, from run.json
  std::string command;      ///< from run.json
};

/// Where a generation keeps a checkpoint: "checkpoint/NAME". It need not exist.
std::string checkpoint_path(const std::string& name);
/// Whether the path, relative to a generation, is that of a checkpoint.
bool is_checkpoint(const std::string& relative_path);

/// All whole generations, oldest first.
Result<std::vector<GenerationInfo>> list_generations(const std::filesystem::path& data_dir);

/// Makes generation `number` the current one again. kNotFound when there is none such.
Status back_to_generation(const std::filesystem::path& data_dir, uint64_t number);

/// Turns a real folder with the layout of a data directory into generation 1 behind a link. The
/// files are moved, not copied; tables are recognised by their names and hashed for the manifest.
Status adopt_directory(const std::filesystem::path& data_dir);

}  // namespace tapeworks
