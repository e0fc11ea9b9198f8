#include <cstddef>
#include <cstdint>
#include <string_view>

#include "recorder/config/recorder_config.h"

/// Any bytes as a configuration: a value or one sentence, never a crash.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tapeworks::recorder;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = parse_recorder_config(text, "fuzz.toml", {});
  if (!config && config.error().message.empty()) __builtin_trap();
  if (config && effective_settings(*config).empty()) __builtin_trap();
  return 0;
}
