#pragma once

#include <expected>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace tapeworks {

/// Why something failed. A kind exists only where a caller or an exit code treats it differently.
enum class ErrorKind {
  kInvalidArgument,  ///< wrong usage or configuration: exit 2, nothing was touched
  kNotFound,         ///< a query found nothing, or its tables are stale: exit 1
  kCorrupt,          ///< the input data is wrong: exit 3
  kIo,               ///< the machine failed: exit 4
  kNoSpace,          ///< a disk or a quota is full: exit 4, or whoever can wait does
  kMemoryBudget,  ///< the memory budget does not allow it: exit 4, or 3 when the input is to blame
  kCancelled,     ///< interrupted by a signal: exit 130
  kInternal,      ///< a bug of ours: exit 4
};

/// One failure: a kind and one sentence that says what, where, and what to do.
struct Error {
  ErrorKind kind;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

template <typename... Args>
std::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

template <typename... Args>
std::unexpected<Error> invalid_argument(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorKind::kInvalidArgument, format, std::forward<Args>(args)...);
}
template <typename... Args>
std::unexpected<Error> not_found(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorKind::kNotFound, format, std::forward<Args>(args)...);
}
template <typename... Args>
std::unexpected<Error> corrupt(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorKind::kCorrupt, format, std::forward<Args>(args)...);
}
template <typename... Args>
std::unexpected<Error> io_error(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorKind::kIo, format, std::forward<Args>(args)...);
}
template <typename... Args>
std::unexpected<Error> over_budget(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorKind::kMemoryBudget, format, std::forward<Args>(args)...);
}
template <typename... Args>
std::unexpected<Error> internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorKind::kInternal, format, std::forward<Args>(args)...);
}
inline std::unexpected<Error> cancelled() {
  return std::unexpected(Error{ErrorKind::kCancelled, "interrupted"});
}

/// The exit code of cli.md for an error.
constexpr int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return 2;
    case ErrorKind::kNotFound:
      return 1;
    case ErrorKind::kCorrupt:
      return 3;
    case ErrorKind::kCancelled:
      return 130;
    case ErrorKind::kIo:
    case ErrorKind::kNoSpace:
    case ErrorKind::kMemoryBudget:
    case ErrorKind::kInternal:
      return 4;
  }
  return 4;
}

}  // namespace tapeworks

#define TW_CONCAT_(a, b) a##b
#define TW_CONCAT(a, b) TW_CONCAT_(a, b)

/// Returns the error of a Status expression to the caller.
#define TW_TRY(expression) TW_TRY_(TW_CONCAT(tw_status_, __LINE__), expression)
#define TW_TRY_(name, expression)                      \
  do {                                                 \
    if (auto name = (expression); !name) {             \
      return std::unexpected(std::move(name).error()); \
    }                                                  \
  } while (false)

/// TW_ASSIGN(auto x, f()): x is the value of the Result, or its error is returned to the caller.
#define TW_ASSIGN(declaration, expression) \
  TW_ASSIGN_(TW_CONCAT(tw_result_, __LINE__), declaration, expression)
#define TW_ASSIGN_(name, declaration, expression)    \
  auto name = (expression);                          \
  if (!name) {                                       \
    return std::unexpected(std::move(name).error()); \
  }                                                  \
  declaration = std::move(*name)
