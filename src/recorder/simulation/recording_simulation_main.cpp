// Simulated recordings, for tests:
//
//   recording_simulation FOLDER SEED [SEED...]
//
// leaves the recording of each seed in FOLDER/SEED and prints a line of JSON for it. Ends with 1
// when one broke a promise.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>

#include <fmt/core.h>

#include "recorder/simulation/recording_simulation.h"
#include "storage/posix_file.h"

int main(int argument_count, char** arguments) {
  using tapeworks::recorder::simulate_recording;
  const std::span words(arguments, static_cast<size_t>(argument_count));
  if (words.size() < 3) {
    std::fputs("usage: recording_simulation FOLDER SEED [SEED...]\n", stderr);
    return 2;
  }
  bool all_kept = true;
  for (const char* const word : words.subspan(2)) {
    char* end = nullptr;
    const uint64_t seed = std::strtoull(word, &end, 10);
    if (end == word || *end != '\0') {
      std::fprintf(stderr, "%s is no seed; give a number\n", word);
      return 2;
    }
    const std::filesystem::path folder = std::filesystem::path(words[1]) / word;
    if (const auto made = tapeworks::make_folders(folder); !made) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      return 2;
    }
    const auto counts = simulate_recording(seed, folder);
    if (!counts) {
      std::fprintf(stderr, "seed %s: %s\n", word, counts.error().message.c_str());
      all_kept = false;
      continue;
    }
    fmt::print(
        R"({{"seed":{},"legs":{},"layout":"{}","messages":{},"durable_messages":{},"crashes":{},"cuts":{}}})"
        "\n",
        word, counts->legs, counts->layout, counts->messages, counts->durable_messages,
        counts->crashes, counts->cuts);
  }
  return all_kept ? 0 : 1;
}
