#pragma once

#include <cstddef>

#include "base/result.h"
#include "storage/generation_store.h"

namespace tapeworks {

/// Whether the generation being written has the tables of `rebuilt`, and files with the bytes of
/// their checksums: what was linked is read as well. A difference is named in a warning.
Result<bool> equals_generation(GenerationWriter& generation, const Manifest& rebuilt,
                               size_t thread_count);

}  // namespace tapeworks
