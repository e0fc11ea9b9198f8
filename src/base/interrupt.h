#pragma once

#include "base/result.h"

namespace tapeworks {

/// Makes SIGINT and SIGTERM set a flag instead of ending the process, so that work can stop at a
/// safe point and remove what it left. A second signal of the same kind ends the process at once.
void install_interrupt_handler();

/// True once a signal has arrived. Safe from every thread; cheap enough for once per batch.
bool interrupted();

/// ErrorKind::kCancelled once a signal has arrived.
Status check_interrupt();

}  // namespace tapeworks
