#pragma once

#include <exception>
#include <string_view>
#include <type_traits>

#include <arrow/result.h>
#include <arrow/status.h>
#include <parquet/exception.h>

#include "base/result.h"

namespace tapeworks {

/// What Arrow's failure means for us. `corrupt_kind` is used for everything that the bytes of a
/// file are to blame for.
inline ErrorKind error_kind(const arrow::Status& status) {
  switch (status.code()) {
    case arrow::StatusCode::IOError:
      // Parquet reports malformed files as IOError too; real I/O failures carry an errno detail.
      return status.detail() != nullptr ? ErrorKind::kIo : ErrorKind::kCorrupt;
    case arrow::StatusCode::OutOfMemory:
    case arrow::StatusCode::CapacityError:
      return ErrorKind::kMemoryBudget;
    case arrow::StatusCode::Cancelled:
      return ErrorKind::kCancelled;
    default:
      return ErrorKind::kCorrupt;
  }
}

inline std::unexpected<Error> arrow_error(const arrow::Status& status, std::string_view where) {
  // The detail holds what the system said ("[errno 28] No space left on device").
  const std::string detail =
      status.detail() != nullptr ? fmt::format(": {}", status.detail()->ToString()) : "";
  return std::unexpected(
      Error{error_kind(status), fmt::format("{}: {}{}", where, status.message(), detail)});
}

inline Status from_arrow(const arrow::Status& status, std::string_view where) {
  if (status.ok()) return {};
  return arrow_error(status, where);
}

template <typename T>
Result<T> from_arrow(arrow::Result<T> result, std::string_view where) {
  if (!result.ok()) return arrow_error(result.status(), where);
  return std::move(result).ValueUnsafe();
}

/// Calls `body`, whose result is a Result or Status, and turns what Parquet throws into an Error.
/// `where` names the file; it stands at the beginning of the message.
template <typename Body>
auto catch_parquet(std::string_view where, Body&& body) -> std::invoke_result_t<Body> {
  try {
    return body();
  } catch (const parquet::ParquetStatusException& exception) {
    return arrow_error(exception.status(), where);
  } catch (const std::bad_alloc&) {
    return over_budget("{}: the system has no memory left", where);
  } catch (const std::exception& exception) {
    return corrupt("{}: {}", where, exception.what());
  }
}

}  // namespace tapeworks
