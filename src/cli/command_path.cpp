#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/work_options.h"
#include "storage/generation_store.h"

namespace tapeworks {
namespace {

class PathCommand : public Command {
 public:
  void describe(CLI::App& app) override { data_.describe(app); }

  Result<int> run() override {
    TW_ASSIGN(const GenerationReader reader, GenerationReader::open(data_.data_dir));
    TW_TRY(print_text(reader.path().string() + "\n"));
    return 0;
  }

 private:
  DataOption data_;
};

}  // namespace

std::unique_ptr<Command> make_path_command() { return std::make_unique<PathCommand>(); }

}  // namespace tapeworks
