#include "cli/recorder_options.h"

#include <cstdlib>

#include <unistd.h>

namespace tapeworks {

void RecorderOptions::describe(CLI::App& app) {
  app.add_option("--config", path, "The configuration, a TOML file")->type_name("FILE")->required();
  app.add_option("--set", settings,
                 "Set a key of the configuration, as in wal.sync=every; may be repeated")
      ->type_name("SECTION.KEY=VALUE");
}

Result<recorder::RecorderConfig> RecorderOptions::read() const {
  recorder::ConfigOverrides overrides;
  overrides.settings = settings;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    overrides.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return recorder::read_recorder_config(path, overrides);
}

std::string RecorderOptions::api_key() {
  const char* const key = std::getenv("TAPEWORKS_BINANCE_SBE_KEY");
  return key == nullptr ? "" : key;
}

}  // namespace tapeworks
