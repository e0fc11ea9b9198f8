#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "base/result.h"

namespace tapeworks {

/// Takes the next bytes of something that is written from its beginning to its end.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

/// Writes the whole of something into a sink; called once.
using FileContent = std::function<Status(const ByteSink&)>;

}  // namespace tapeworks
