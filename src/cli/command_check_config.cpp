#include <memory>
#include <vector>

#include <arrow/table.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/recorder_options.h"

namespace tapeworks {
namespace {

class CheckConfigCommand : public Command {
 public:
  void describe(CLI::App& app) override { options_.describe(app); }

  Status check() override {
    TW_ASSIGN(config_, options_.read());
    return recorder::check_api_key(config_, RecorderOptions::api_key());
  }

  Result<int> run() override {
    std::vector<nlohmann::ordered_json> records;
    for (const auto& [key, value, origin] : recorder::effective_settings(config_)) {
      records.push_back({{"key", key}, {"value", value}, {"origin", origin}});
    }
    TW_ASSIGN(const auto table, table_of_records(records));
    TW_TRY(print_table(*table));
    return 0;
  }

 private:
  RecorderOptions options_;
  recorder::RecorderConfig config_;
};

}  // namespace

std::unique_ptr<Command> make_check_config_command() {
  return std::make_unique<CheckConfigCommand>();
}

}  // namespace tapeworks
