#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "base/result.h"

namespace tapeworks {

/// Takes the next bytes of something that is written from its beginning to its end.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

}  // namespace tapeworks
