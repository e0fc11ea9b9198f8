#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/messages.h"
#include "cli/command.h"
#include "cli/number_range.h"
#include "cli/output.h"
#include "cli/work_options.h"
#include "storage/generation_store.h"

namespace tapeworks {
namespace {

class GenerationsCommand : public Command {
 public:
  void describe(CLI::App& app) override {
    data_.describe(app);
    app.add_option("--back-to", back_to_, "Make generation N the current one again")
        ->type_name("N")
        ->check(at_least(1));
  }

  Result<int> run() override {
    if (!back_to_) return list();
    TW_TRY(back_to_generation(data_.data_dir, *back_to_));
    note("{} is generation {} again", data_.data_dir.string(), *back_to_);
    return 0;
  }

 private:
  Result<int> list() const {
    TW_ASSIGN(const std::vector<GenerationInfo> generations, list_generations(data_.data_dir));
    std::vector<nlohmann::ordered_json> records;
    records.reserve(generations.size());
    for (const GenerationInfo& generation : generations) {
      records.push_back({{"number", generation.number},
                         {"created", generation.created},
                         {"command", generation.command},
                         {"bytes", generation.byte_count},
                         {"current", generation.current},
                         {"consistent", generation.consistent}});
    }
    // A list also when there is only one.
    TW_ASSIGN(const auto table, table_of_records(records));
    TW_TRY(print_table(*table));
    return 0;
  }

  DataOption data_;
  std::optional<uint64_t> back_to_;
};

}  // namespace

std::unique_ptr<Command> make_generations_command() {
  return std::make_unique<GenerationsCommand>();
}

}  // namespace tapeworks
