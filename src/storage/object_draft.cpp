#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/run_stats.h"
#include "storage/background_tasks.h"
#include "storage/generation_draft_internal.h"
#include "storage/generation_tree_internal.h"
#include "storage/object_generation_internal.h"
#include "storage/object_store.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// Content on its way to the store. Not asked of the budget, which writers do not know; the reserve
/// of the budget is meant for it.
constexpr uint64_t kUploadBytesMax = uint64_t{16} * 1024 * 1024;
/// A larger file is written part by part.
constexpr uint64_t kHeldBytesMax = uint64_t{4} * 1024 * 1024;

uint64_t random_number() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

class ObjectDraft final : public GenerationDraft {
 public:
  ObjectDraft(ObjectDirectory directory, GenerationWriterOptions options)
      : GenerationDraft(options),
        directory_(std::move(directory)),
        uploads_(std::in_place, kUploadBytesMax) {}
  ~ObjectDraft() override { ObjectDraft::abandon(); }

  Status prepare();
  /// A store has as much room as its owner pays for.
  Status check_free_space(uint64_t) const override { return {}; }
  Status wait_until_readable() override { return uploads_->finish(); }
  Result<fs::path> make_temp_folder(const fs::path& parent) override;
  Status publish(const std::string& mode, const nlohmann::ordered_json& run_info) override;
  void abandon() override;

 private:
  bool is_over() const override { return !uploads_.has_value(); }
  /// Keys need no folders.
  Status make_subfolder(const std::string&) override { return {}; }
  Status store(const std::string& path, const FileContent& write, CheckpointSync how) override;
  Status keep_stored(const TableFile& file) override;
  Status keep_stored_checkpoints(const std::string& path) override;
  Status check_objects() const;
  Status switch_pointer();
  void collect() const;
  Result<std::set<std::string>> names_to_keep(const std::vector<std::string>& whole) const;
  Status remove_generation(const std::string& name) const;

  std::string address_of(const std::string& path) const { return folder_.string() + "/" + path; }

  ObjectDirectory directory_;
  std::optional<std::string> base_name_;  ///< of the generation that was current at the beginning
  std::string name_;
  std::vector<ScratchFolder> temp_folders_;
  std::atomic<bool> has_stored_{false};
  std::optional<BackgroundTasks> uploads_;  ///< nothing once the writer is done
};

Status ObjectDraft::prepare() {
  TW_ASSIGN(base_name_, current_object_generation(directory_));
  if (base_name_) {
    base_path_ = directory_.generation(*base_name_);
    TW_ASSIGN(base_, read_object_manifest(base_path_.string()));
    // The pointer leads nowhere: a first generation, as with a link on the disk.
    if (!base_) base_path_.clear();
  }
  TW_ASSIGN(const std::vector<std::string> names, object_generation_names(directory_));
  number_ = names.empty() ? 1 : *parse_object_generation_name(names.back()) + 1;
  name_ = object_generation_name(number_, random_number());
  folder_ = directory_.generation(name_);
  return {};
}

/// A file that is small is put together and written in the background, a large one as it comes. The
/// store takes it for good or not at all.
Status ObjectDraft::store(const std::string& path, const FileContent& write, CheckpointSync) {
  has_stored_ = true;
  const std::string address = address_of(path);
  auto held = std::make_shared<std::vector<std::byte>>();
  std::unique_ptr<ObjectOutput> output;
  TW_TRY(write([&](std::span<const std::byte> part) -> Status {
    if (output == nullptr && held->size() + part.size() <= kHeldBytesMax) {
      held->insert(held->end(), part.begin(), part.end());
      return {};
    }
    if (output == nullptr) {
      TW_ASSIGN(output, ObjectOutput::open(address));
      TW_TRY(output->write(*held));
      *held = {};
    }
    return output->write(part);
  }));
  if (output != nullptr) return output->close();
  return uploads_->add(held->size(), [address, held] { return write_object(address, *held); });
}

Status ObjectDraft::keep_stored(const TableFile& file) {
  has_stored_ = true;
  const std::string from = (base_path_ / file.path).string();
  return uploads_->add(0, [from, to = address_of(file.path)] { return copy_object(from, to); });
}

Status ObjectDraft::keep_stored_checkpoints(const std::string& path) {
  const std::string from = (base_path_ / path).string();
  TW_ASSIGN(const auto found, find_object(from));
  if (!found) return {};
  std::vector<std::string> names{""};
  if (found->is_folder) {
    // One object for each part of the table.
    TW_ASSIGN(const auto objects, list_objects(from, ListDepth::kAllObjects));
    names.clear();
    for (const ObjectInfo& object : objects) names.push_back(object.address.substr(from.size()));
  }
  for (const std::string& name : names) {
    TW_TRY(note_path(path + name));
    const std::string to = address_of(path + name);
    TW_TRY(uploads_->add(0, [part = from + name, to] { return copy_object(part, to); }));
  }
  return {};
}

/// Every file of the manifest is there in its size, as the store itself says.
Status ObjectDraft::check_objects() const {
  TW_ASSIGN(const auto objects, list_objects(folder_.string(), ListDepth::kAllObjects));
  for (const auto& [table_name, table] : manifest_.tables) {
    for (const TableFile& file : table.files) {
      const std::string address = address_of(file.path);
      const auto found = std::ranges::lower_bound(objects, address, {}, &ObjectInfo::address);
      if (found == objects.end() || found->address != address) {
        return io_error("{} is not in the store although it was written; run this again", address);
      }
      if (found->byte_count != file.byte_count) {
        return io_error("{} has {} bytes in the store and should have {}; run this again", address,
                        found->byte_count, file.byte_count);
      }
    }
  }
  return {};
}

Status ObjectDraft::switch_pointer() {
  Status replaced = replace_object_pointer(directory_, base_name_, name_);
  if (replaced) return {};
  // The store may have taken it, and only the answer got lost.
  const auto current = current_object_generation(directory_);
  if (current && *current == name_) return {};
  // What the pointer says is unknown, so this generation must stay.
  if (!current) folder_.clear();
  return replaced;
}

Status ObjectDraft::publish(const std::string& mode, const nlohmann::ordered_json& run_info) {
  if (!uploads_) return internal_error("a generation is published once");
  TW_TRY(first_failure_);
  manifest_.mode = mode;
  {
    const PhaseTimer phase("sync");
    TW_TRY(uploads_->finish());
    TW_TRY(check_objects());
  }
  TW_TRY(check_interrupt());
  const std::string run_text = run_info_text(run_info);
  const std::string manifest_text = manifest_.to_text();
  TW_TRY(write_object(address_of(kRunInfoName), std::as_bytes(std::span(run_text))));
  TW_TRY(write_object(address_of(kManifestName), std::as_bytes(std::span(manifest_text))));
  TW_TRY(check_interrupt());
  TW_TRY(switch_pointer());
  folder_.clear();
  temp_folders_.clear();
  uploads_.reset();
  if (base_name_) {
    if (const Status marked = write_object(directory_.superseded_mark(*base_name_), {}); !marked) {
      warn("an old generation may be removed early: {}", marked.error().message);
    }
  }
  collect();
  return {};
}

void ObjectDraft::abandon() {
  if (!uploads_) return;
  uploads_.reset();
  temp_folders_.clear();
  if (has_stored_ && !folder_.empty()) {
    const ImpatientRequests impatient;
    if (const Status removed = remove_objects_below(folder_.string()); !removed) {
      warn("something is left for the next run to remove: {}", removed.error().message);
    }
  }
  folder_.clear();
}

Result<fs::path> ObjectDraft::make_temp_folder(const fs::path& parent) {
  TW_ASSIGN(ScratchFolder folder, ScratchFolder::make(parent));
  temp_folders_.push_back(std::move(folder));
  return temp_folders_.back().path();
}

/// Of the whole generations, by number.
Result<std::set<std::string>> ObjectDraft::names_to_keep(
    const std::vector<std::string>& whole) const {
  std::set<std::string> keep{name_};
  if (base_name_) keep.insert(*base_name_);
  const auto own = std::ranges::find(whole, name_);
  if (own != whole.begin() && own != whole.end()) keep.insert(*(own - 1));
  for (auto name = whole.rbegin(); name != whole.rend(); ++name) {
    TW_ASSIGN(const auto manifest, read_object_manifest(directory_.generation(*name)));
    if (!manifest || !manifest->consistent()) continue;
    keep.insert(*name);
    break;
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  for (const std::string& name : whole) {
    TW_ASSIGN(const auto mark, find_object(directory_.superseded_mark(name)));
    if (!mark) continue;
    const auto age = now - std::chrono::nanoseconds(mark->modified_ns);
    if (age < options_.keep_generations_for) keep.insert(name);
  }
  return keep;
}

/// The manifest goes first, so that nobody opens the rest.
Status ObjectDraft::remove_generation(const std::string& name) const {
  TW_TRY(remove_object(directory_.generation(name) + "/" + kManifestName));
  TW_TRY(remove_objects_below(directory_.generation(name)));
  return remove_object(directory_.superseded_mark(name));
}

/// What nobody needs any more, and what writers left that cannot publish now: their generation was
/// to follow an older one.
void ObjectDraft::collect() const {
  const auto clean = [&]() -> Status {
    TW_ASSIGN(const std::vector<std::string> names, object_generation_names(directory_));
    std::vector<std::string> whole;
    for (const std::string& name : names) {
      TW_ASSIGN(const auto manifest,
                find_object(directory_.generation(name) + "/" + kManifestName));
      if (manifest) {
        whole.push_back(name);
      } else if (*parse_object_generation_name(name) <= number_) {
        TW_TRY(remove_objects_below(directory_.generation(name)));
      }
    }
    TW_ASSIGN(const std::set<std::string> keep, names_to_keep(whole));
    for (const std::string& name : whole) {
      if (!keep.contains(name)) TW_TRY(remove_generation(name));
    }
    return {};
  };
  if (const Status status = clean(); !status) {
    warn("old generations stay: {}", status.error().message);
  }
}

}  // namespace

Result<std::unique_ptr<GenerationDraft>> begin_object_draft(const std::string& address,
                                                            GenerationWriterOptions options) {
  TW_ASSIGN(ObjectDirectory directory, locate_object_directory(address));
  auto draft = std::make_unique<ObjectDraft>(std::move(directory), options);
  TW_TRY(draft->prepare());
  return draft;
}

}  // namespace tapeworks
