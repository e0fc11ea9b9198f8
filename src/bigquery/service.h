#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bigquery/google_login.h"
#include "bigquery/http_client.h"
#include "bigquery/rest_answer.h"
#include "storage/memory_budget.h"

namespace tapeworks::bigquery {

/// Where the service is, and who asks.
struct Endpoint {
  std::string url;  ///< without a slash at its end
  std::optional<GoogleLogin> login;

  /// `text` is a URL; empty means that of BIGQUERY_EMULATOR_HOST, or Google's. Errors:
  /// kInvalidArgument for what is no URL, and where Google's has no login; `where` begins those.
  static Result<Endpoint> find(const std::string& text, const std::string& where);
};

/// An answer, and the memory that it takes.
struct ReadAnswer {
  Reservation memory;
  RestAnswer content;
};

/// How a request is called that the service refuses because of what it asks for.
struct Refusal {
  const char* what = "the query failed";  ///< the beginning of the message
  ErrorKind kind = ErrorKind::kInvalidArgument;
};

/// The requests to one service.
///
/// Ownership: `budget` must outlive it and its answers. Threads: one at a time.
class Service {
 public:
  /// `where` begins each message.
  static Result<Service> open(Endpoint endpoint, std::string where, MemoryBudget& budget);

  /// GET, or POST where `json` is not empty; `path` follows "/bigquery/v2/". What BigQuery says to
  /// a request that it refuses decides the kind: kIo for a refused login or a failure of its own,
  /// kInvalidArgument for a query that is too expensive, otherwise that of `refusal`.
  Result<ReadAnswer> ask(const std::string& path, const std::string& json,
                         const Refusal& refusal = {});

  /// What the service itself found too expensive, for --max-bytes; `said` is its message.
  std::unexpected<Error> too_expensive(std::string_view said) const;

  /// One line of what the service said, without secrets.
  std::string public_text(std::string_view text) const;

  const std::string& where() const { return where_; }
  MemoryBudget& budget() const { return *budget_; }

 private:
  Service(Endpoint endpoint, std::string where, HttpClient http, MemoryBudget& budget);
  std::unexpected<Error> refused(const HttpAnswer& answer, const Refusal& refusal) const;

  Endpoint endpoint_;
  std::string where_;
  HttpClient http_;
  MemoryBudget* budget_;
};

}  // namespace tapeworks::bigquery
