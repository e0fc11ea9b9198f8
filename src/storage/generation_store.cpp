#include "storage/generation_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/run_stats.h"
#include "base/units.h"
#include "base/utf8.h"
#include "storage/bulk_sync.h"
#include "storage/generation_tree_internal.h"

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

/// Hard links are impossible here, but a copy may do.
bool needs_copy(int error_number) {
  switch (error_number) {
    case EXDEV:
    case EPERM:
    case EMLINK:
    case ENOTSUP:
    case ENOSYS:
      return true;
    default:
      return false;
  }
}

/// The link is at another place than its generations: one of the two was renamed.
Status require_own_generations(const DataDirectory& directory) {
  if (directory.kind != DataDirectory::Kind::kLink) return {};
  std::error_code error;
  if (fs::weakly_canonical(directory.current.parent_path(), error) ==
      fs::weakly_canonical(directory.generations, error)) {
    return {};
  }
  return invalid_argument(
      "{} leads to {}, but its generations should be in {}; rename the link and that folder "
      "together",
      directory.given.string(), directory.current.string(), directory.generations.string());
}

Status require_writable(const DataDirectory& directory) {
  TW_TRY(require_link_or_nothing(directory));
  TW_TRY(require_own_generations(directory));
  return require_wholly_adopted(directory);
}

}  // namespace

struct GenerationWriter::State {
  State(DataDirectory directory_in, WriterLock lock_in, GenerationWriterOptions options_in)
      : directory(std::move(directory_in)),
        options(options_in),
        lock(std::in_place, std::move(lock_in)),
        sync(std::in_place) {}
  ~State() { abandon(); }

  Status prepare();
  Status note_path(const std::string& path);
  Result<FileDescriptor> create_data_file(const std::string& path) const;
  void note_file(const std::string& table, TableFile file);
  Status note_outcome(Status status);
  Status add_file(const std::string& table, const std::string& path, uint64_t row_count,
                  const std::function<Status(const ByteSink&)>& write);
  Status keep_table(const Table& table);
  Status keep_file(const TableFile& file);
  Status add_checkpoint(const std::string& table, std::span<const std::byte> content);
  Status keep_checkpoint(const std::string& table);
  Status copy_file(const TableFile& file);
  Status publish(const std::string& mode, const nlohmann::ordered_json& run_info);
  Status complete_folder(const nlohmann::ordered_json& run_info);
  Status switch_link();
  Status remove_temp_folders();
  void abandon();

  DataDirectory directory;
  GenerationWriterOptions options;
  std::optional<WriterLock> lock;  ///< nothing once the writer is done
  std::optional<Manifest> base;
  fs::path base_path;
  uint64_t number = 0;
  fs::path folder;  ///< empty while there is nothing to remove
  std::vector<TempFolder> temp_folders;
  std::optional<BulkSync> sync;

  std::mutex mutex;
  // Guarded by mutex while add_file may run.
  Manifest manifest;
  std::set<std::string> file_paths;
  std::set<std::string> subfolders;
  Status first_failure;  ///< of a file; such a generation is never published
};

Status GenerationWriter::State::prepare() {
  std::error_code error;
  if (directory.kind == DataDirectory::Kind::kLink && fs::exists(directory.current, error)) {
    TW_ASSIGN(base, read_manifest(directory.current));
    base_path = directory.current;
  }
  TW_TRY(remove_leftovers(directory));
  TW_ASSIGN(const std::vector<uint64_t> numbers, generation_numbers(directory));
  number = numbers.empty() ? 1 : numbers.back() + 1;
  const fs::path partial = directory.partial_generation(number);
  TW_TRY(make_folders(partial));
  folder = partial;
  return {};
}

/// Takes the path for one file and makes the folders above it.
Status GenerationWriter::State::note_path(const std::string& path) {
  const std::lock_guard guard(mutex);
  if (!lock) return internal_error("{} comes after the end of its generation", path);
  if (!file_paths.insert(path).second) return internal_error("two files are called {}", path);
  for (size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    if (!subfolders.insert(path.substr(0, end)).second) continue;
    const fs::path subfolder = folder / path.substr(0, end);
    if (::mkdir(subfolder.c_str(), 0777) != 0) {
      return system_error("make folder", subfolder, errno);
    }
  }
  return {};
}

Result<FileDescriptor> GenerationWriter::State::create_data_file(const std::string& path) const {
  auto file = create_file(folder / path);
  std::error_code error;
  if (!file && fs::exists(folder / path, error)) {
    return io_error(
        "{} has the same name as another file where upper and lower case are one; use a "
        "case-sensitive file system",
        (folder / path).string());
  }
  return file;
}

void GenerationWriter::State::note_file(const std::string& table, TableFile file) {
  const std::lock_guard guard(mutex);
  auto& files = manifest.tables[table].files;
  const auto place = std::ranges::lower_bound(files, file.path, {}, &TableFile::path);
  files.insert(place, std::move(file));
}

Status GenerationWriter::State::note_outcome(Status status) {
  if (status) return status;
  const std::lock_guard guard(mutex);
  if (first_failure) first_failure = status;
  return status;
}

Status GenerationWriter::State::add_file(const std::string& table, const std::string& path,
                                         uint64_t row_count,
                                         const std::function<Status(const ByteSink&)>& write) {
  TW_TRY(check_file_path(path));
  TW_TRY(note_path(path));
  TW_ASSIGN(FileDescriptor file, create_data_file(path));
  XXH3_state_t hash;
  XXH3_64bits_reset(&hash);
  uint64_t byte_count = 0;
  TW_TRY(write([&](std::span<const std::byte> part) {
    XXH3_64bits_update(&hash, part.data(), part.size());
    byte_count += part.size();
    return write_all(file, part, folder / path);
  }));
  TW_TRY(sync->add(std::move(file), folder / path));
  note_file(table, {path, row_count, byte_count, XXH3_64bits_digest(&hash)});
  return {};
}

Status GenerationWriter::State::keep_table(const Table& table) {
  for (const TableFile& file : table.files) {
    TW_TRY(check_interrupt());
    TW_TRY(keep_file(file));
  }
  return {};
}

Status GenerationWriter::State::keep_file(const TableFile& file) {
  TW_TRY(note_path(file.path));
  const fs::path from = base_path / file.path;
  // Its content was synced when it was published; only the new name needs to be.
  if (::link(from.c_str(), (folder / file.path).c_str()) == 0) return {};
  if (needs_copy(errno)) return copy_file(file);
  return system_error("link", from, errno);
}

Status GenerationWriter::State::add_checkpoint(const std::string& table,
                                               std::span<const std::byte> content) {
  const std::string path = checkpoint_path(table);
  TW_TRY(note_path(path));
  TW_ASSIGN(FileDescriptor file, create_data_file(path));
  TW_TRY(write_all(file, content, folder / path));
  return sync->add(std::move(file), folder / path);
}

Status GenerationWriter::State::keep_checkpoint(const std::string& table) {
  const std::string path = checkpoint_path(table);
  std::error_code error;
  if (!fs::exists(base_path / path, error)) return {};
  TW_TRY(note_path(path));
  if (::link((base_path / path).c_str(), (folder / path).c_str()) == 0) return {};
  if (!needs_copy(errno)) return system_error("link", base_path / path, errno);
  TW_ASSIGN(const FileDescriptor source, open_file(base_path / path, O_RDONLY));
  TW_ASSIGN(FileDescriptor target, create_data_file(path));
  TW_TRY(hash_content(source, base_path / path, &target, folder / path));
  return sync->add(std::move(target), folder / path);
}

Status GenerationWriter::State::copy_file(const TableFile& file) {
  const fs::path from = base_path / file.path;
  const fs::path to = folder / file.path;
  TW_ASSIGN(const FileDescriptor source, open_file(from, O_RDONLY));
  TW_ASSIGN(FileDescriptor target, create_data_file(file.path));
  TW_ASSIGN(const StreamedContent content, hash_content(source, from, &target, to));
  if (content.byte_count != file.byte_count || content.xxh3 != file.xxh3) {
    return corrupt("{} does not have the checksum of its manifest; make its table anew",
                   from.string());
  }
  return sync->add(std::move(target), to);
}

/// Everything inside the folder is final and safe after this, and the folder has its last name.
Status GenerationWriter::State::complete_folder(const nlohmann::ordered_json& run_info) {
  {
    const PhaseTimer phase("sync");
    TW_TRY(sync->finish());
  }
  TW_TRY(check_files_present(manifest, folder));
  TW_TRY(check_interrupt());
  TW_TRY(write_generation_records(folder, manifest, run_info));
  for (const std::string& subfolder : subfolders) TW_TRY(sync_folder(folder / subfolder));
  TW_TRY(sync_folder(folder));
  const fs::path whole = directory.generation(number);
  if (::rename(folder.c_str(), whole.c_str()) != 0) return system_error("rename", folder, errno);
  folder = whole;
  return sync_folder(directory.generations);
}

Status GenerationWriter::State::switch_link() {
  TW_TRY(check_interrupt());
  TW_TRY(replace_link(directory, number));
  const fs::path parent = directory.link.parent_path();
  Status synced = sync_folder(parent);
  if (synced) return {};
  // Which of the two links is on the disk is unknown now, so both generations must stay. Whoever
  // looks gets the old one again.
  folder.clear();
  const auto base_number = parse_generation_name(base_path.filename().string());
  std::error_code error;
  if (base_number) {
    static_cast<void>(replace_link(directory, *base_number));
  } else {
    fs::remove(directory.link, error);
  }
  return synced;
}

Status GenerationWriter::State::publish(const std::string& mode,
                                        const nlohmann::ordered_json& run_info) {
  if (!lock) return internal_error("a generation is published once");
  TW_TRY(first_failure);
  manifest.mode = mode;
  TW_TRY(complete_folder(run_info));
  TW_TRY(switch_link());
  folder.clear();
  if (!base_path.empty()) mark_as_superseded(base_path);
  if (const Status removed = remove_temp_folders(); !removed) warn_line(removed.error().message);
  collect_generations(directory, number, parse_generation_name(base_path.filename().string()),
                      options.keep_generations_for);
  sync.reset();
  lock.reset();
  return {};
}

Status GenerationWriter::State::remove_temp_folders() {
  Status outcome;
  for (const TempFolder& temp : temp_folders) {
    Status status = remove_temp_folder(directory, temp.entry);
    if (!status && outcome) outcome = std::move(status);
  }
  temp_folders.clear();
  return outcome;
}

void GenerationWriter::State::abandon() {
  if (!lock) return;
  sync.reset();
  Status removed = remove_temp_folders();
  if (!folder.empty() && removed) removed = remove_tree(folder);
  if (!removed) warn("something is left for the next run to remove: {}", removed.error().message);
  folder.clear();
  lock.reset();
}

GenerationWriter::GenerationWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
GenerationWriter::GenerationWriter(GenerationWriter&&) noexcept = default;
GenerationWriter& GenerationWriter::operator=(GenerationWriter&&) noexcept = default;
GenerationWriter::~GenerationWriter() = default;

Result<GenerationWriter> GenerationWriter::begin(const fs::path& data_dir,
                                                 GenerationWriterOptions options) {
  TW_ASSIGN(const DataDirectory seen, locate_data_directory(data_dir));
  TW_TRY(require_writable(seen));
  TW_ASSIGN(WriterLock lock, WriterLock::acquire(seen));
  // Looked at once more, because the link may have changed before the lock was ours.
  TW_ASSIGN(DataDirectory directory, locate_data_directory(data_dir));
  TW_TRY(require_writable(directory));
  auto state = std::make_unique<State>(std::move(directory), std::move(lock), options);
  TW_TRY(state->prepare());
  return GenerationWriter(std::move(state));
}

const std::optional<Manifest>& GenerationWriter::base() const { return state_->base; }
const fs::path& GenerationWriter::base_path() const { return state_->base_path; }
const fs::path& GenerationWriter::directory() const { return state_->folder; }
uint64_t GenerationWriter::number() const { return state_->number; }
const Manifest& GenerationWriter::manifest() const { return state_->manifest; }

Status GenerationWriter::check_free_space(uint64_t bytes) const {
  const fs::path& generations = state_->directory.generations;
  struct statvfs info{};
  if (::statvfs(generations.c_str(), &info) != 0) {
    return system_error("ask for the free space of", generations, errno);
  }
  const uint64_t free_bytes = uint64_t{info.f_bavail} * uint64_t{info.f_frsize};
  if (free_bytes >= bytes) return {};
  return io_error("{} needs {} more on its file system, and {} are free; free some space first",
                  state_->directory.given.string(), format_byte_size(bytes),
                  format_byte_size(free_bytes));
}

Status GenerationWriter::add_file(const std::string& table, const std::string& relative_path,
                                  std::span<const std::byte> content, uint64_t row_count) {
  return stream_file(table, relative_path, row_count,
                     [&](const ByteSink& sink) { return sink(content); });
}

Status GenerationWriter::stream_file(const std::string& table, const std::string& relative_path,
                                     uint64_t row_count,
                                     const std::function<Status(const ByteSink&)>& write) {
  return state_->note_outcome(state_->add_file(table, relative_path, row_count, write));
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
  const std::lock_guard guard(state_->mutex);
  Table& described = state_->manifest.tables[table];
  described.options = std::move(options);
  described.made_from = std::move(made_from);
  described.counts = std::move(counts);
  return {};
}

Status GenerationWriter::keep_table(const std::string& table) {
  const Table* const kept = state_->base ? state_->base->find(table) : nullptr;
  if (kept == nullptr || state_->manifest.find(table) != nullptr) return {};
  TW_TRY(state_->note_outcome(state_->keep_table(*kept)));
  TW_TRY(state_->note_outcome(state_->keep_checkpoint(table)));
  state_->manifest.tables[table] = *kept;
  return {};
}

Status GenerationWriter::keep_file(const std::string& table, const TableFile& file) {
  TW_TRY(state_->note_outcome(state_->keep_file(file)));
  state_->note_file(table, file);
  return {};
}

Status GenerationWriter::add_checkpoint(const std::string& table,
                                        std::span<const std::byte> content) {
  return state_->note_outcome(state_->add_checkpoint(table, content));
}

std::string checkpoint_path(const std::string& table) {
  return std::string(kCheckpointFolder) + table;
}

bool is_checkpoint(const std::string& relative_path) {
  return relative_path.starts_with(kCheckpointFolder);
}

Result<fs::path> GenerationWriter::make_temp_folder(const fs::path& parent) {
  TW_ASSIGN(TempFolder folder, make_temp_folder_in(state_->directory, parent));
  state_->temp_folders.push_back(folder);
  return folder.path;
}

Status GenerationWriter::publish(const std::string& mode, const nlohmann::ordered_json& run_info) {
  if (!is_utf8(mode)) return internal_error("the mode is not UTF-8");
  Status status = state_->publish(mode, run_info);
  if (!status) state_->abandon();
  return status;
}

Status back_to_generation(const fs::path& data_dir, uint64_t number) {
  TW_ASSIGN(const DataDirectory seen, locate_data_directory(data_dir));
  TW_TRY(require_writable(seen));
  std::error_code error;
  const bool has_generations = fs::exists(seen.generations, error);
  if (!has_generations) {
    return invalid_argument("there is no data directory {}; check the name given with --data",
                            seen.given.string());
  }
  TW_ASSIGN(const WriterLock lock, WriterLock::acquire(seen));
  TW_ASSIGN(const DataDirectory directory, locate_data_directory(data_dir));
  TW_TRY(require_writable(directory));
  const fs::path generation = directory.generation(number);
  if (!fs::exists(generation / kManifestName, error)) {
    return not_found("{} has no generation {}; `tapeworks generations --data {}` lists them",
                     directory.given.string(), number, directory.given.string());
  }
  TW_ASSIGN(const Manifest manifest, read_manifest(generation));
  TW_TRY(check_files_present(manifest, generation));
  if (directory.kind == DataDirectory::Kind::kLink && directory.current != generation) {
    mark_as_superseded(directory.current);
  }
  TW_TRY(replace_link(directory, number));
  return sync_folder(directory.link.parent_path());
}

}  // namespace tapeworks
