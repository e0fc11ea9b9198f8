#pragma once

#include <string>

namespace tapeworks::bigquery {

/// What an answer says of its failure, in the form of Google's APIs:
/// {"error": {"message": ..., "errors": [{"reason": ...}]}}. Texts are the service's own and may
/// repeat secrets. Threads: any.
struct ServiceError {
  std::string message = "no reason is given";
  std::string reason;  ///< one word, as "notFound"; empty where there is none

  /// Anything but such a failure is one without a reason.
  static ServiceError parse(const std::string& content);

  /// Too many requests at once, or too many queries: the same request succeeds later.
  bool is_rate_limit() const { return reason == "rateLimitExceeded"; }
  /// The query would be billed for more than its maximumBytesBilled. Comes with HTTP status 500 as
  /// well, but no other attempt would change it.
  bool is_billing_limit() const { return reason == "bytesBilledLimitExceeded"; }
};

}  // namespace tapeworks::bigquery
