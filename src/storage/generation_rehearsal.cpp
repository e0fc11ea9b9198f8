#include <memory>

#include "storage/generation_draft_internal.h"

namespace tapeworks {
namespace {

/// Stores nothing: files are hashed for the manifest on their way here, and forgotten.
class RehearsalDraft final : public GenerationDraft {
 public:
  explicit RehearsalDraft(GenerationDraft& original)
      : GenerationDraft(GenerationWriterOptions{}), original_(original) {
    base_ = original.base();
    base_path_ = original.base_path();
    number_ = original.number();
  }

  /// Its files need no room; temporary ones find out when they are written.
  Status check_free_space(uint64_t) const override { return {}; }
  Status wait_until_readable() override {
    return internal_error("a rehearsal has no files that can be read");
  }
  Result<std::filesystem::path> make_temp_folder(const std::filesystem::path& parent) override {
    return original_.make_temp_folder(parent);
  }
  Status publish(const std::string&, const nlohmann::ordered_json&) override {
    return internal_error("a rehearsal cannot be published");
  }
  void abandon() override {}

 private:
  bool is_over() const override { return false; }
  Status make_subfolder(const std::string&) override { return {}; }
  Status store(const std::string&, const FileContent& write, CheckpointSync) override {
    return write([](std::span<const std::byte>) { return Status{}; });
  }
  Status keep_stored(const TableFile&) override { return {}; }
  Status keep_stored_checkpoints(const std::string&) override { return {}; }

  GenerationDraft& original_;
};

}  // namespace

std::unique_ptr<GenerationDraft> begin_rehearsal(GenerationDraft& original) {
  return std::make_unique<RehearsalDraft>(original);
}

}  // namespace tapeworks
