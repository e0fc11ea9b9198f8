#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "base/result.h"
#include "storage/generation_store.h"

namespace tapeworks {

/// That the generation being written has these tables as `rebuilt` has them, or has none where that
/// has none, and files with the bytes of their checksums: what was linked is read as well. A
/// difference is the error of a check (exit code 1), which names it.
Status check_equals_rebuild(GenerationWriter& generation, const Manifest& rebuilt,
                            const std::set<std::string>& tables, size_t thread_count);

}  // namespace tapeworks
