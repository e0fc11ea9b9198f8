#include <filesystem>
#include <memory>

#include "base/messages.h"
#include "cli/command.h"
#include "storage/generation_store.h"

namespace tapeworks {
namespace {

class AdoptCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    app.add_option("dir", folder_, "Folder of tables that becomes a data directory")
        ->type_name("DIR")
        ->required();
  }

  Result<int> run() override {
    TW_TRY(adopt_directory(folder_));
    note("{} is a data directory now; its files are in its first generation", folder_.string());
    return 0;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<Command> make_adopt_command() { return std::make_unique<AdoptCommand>(); }

}  // namespace tapeworks
