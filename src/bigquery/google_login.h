#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bigquery/http_client.h"

namespace tapeworks::bigquery {

/// Who asks: an access token, or what one is got for. All of it comes from the environment:
///   GOOGLE_OAUTH_ACCESS_TOKEN        the token itself
///   GOOGLE_APPLICATION_CREDENTIALS   a key file of a service account, or of a user (gcloud's)
///
/// Ownership: secrets stay in memory until destruction and are in no message. Threads: one at a
/// time.
class GoogleLogin {
 public:
  /// Nothing when neither variable is set. kInvalidArgument for a file that cannot be used.
  static Result<std::optional<GoogleLogin>> from_environment();

  /// A token that holds for another minute at least; asked for where there is none. kIo when the
  /// service for tokens refuses, or does not answer.
  Result<std::string> token(HttpClient& http);

  /// Texts that no message may contain, as far as they are known by now.
  const std::vector<std::string>& secrets() const { return secrets_; }

 private:
  using Clock = std::chrono::system_clock;

  /// A form for the service for tokens.
  using MakeForm = std::function<Result<std::string>(Clock::time_point now)>;

  static Result<GoogleLogin> from_file(const std::string& path);
  Status ask_for_token(HttpClient& http);

  std::string token_;
  Clock::time_point token_end_ = Clock::time_point::max();
  MakeForm make_form_;  ///< empty for a token that was given
  std::string token_url_;
  std::vector<std::string> secrets_;
};

}  // namespace tapeworks::bigquery
