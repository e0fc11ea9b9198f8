#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"

namespace tapeworks::bigquery {

/// A request: GET, or POST where there is content.
struct HttpRequest {
  std::string url;
  std::string content;
  std::string content_type = "application/json";
  std::string bearer_token;  ///< empty: none is sent
};

/// Whatever the server answered, errors of its own included.
struct HttpAnswer {
  int status = 0;
  std::string content;
};

/// Requests over HTTP and HTTPS, one after the other on a connection that is kept open. Proxies
/// come from the environment (https_proxy, no_proxy); to this machine none is used. Certificates
/// and host names are always verified: against the system's authorities, or those of SSL_CERT_FILE.
/// Redirects are not followed.
///
/// A request that fails on its way, or that a busy server turns away (429, 500, 502, 503, 504, and
/// 403 where the reason is the rate), is made again with growing pauses while the patience lasts;
/// so it must be one that may be repeated.
///
/// Threads: one at a time.
class HttpClient {
 public:
  /// BigQuery answers with 10 MB at most, before they are written as JSON.
  static constexpr size_t kAnswerBytesMax = size_t{24} * 1024 * 1024;

  static Result<HttpClient> create(std::chrono::milliseconds patience);

  /// Errors: kIo without an answer, kMemoryBudget for one beyond kAnswerBytesMax, kCancelled.
  /// Messages name the host and hold no part of the request.
  Result<HttpAnswer> send(const HttpRequest& request);

 private:
  struct Close {
    void operator()(void* handle) const;
  };
  /// What became of one attempt.
  struct Attempt {
    Result<HttpAnswer> answer;
    bool may_pass = false;  ///< another one could succeed
  };

  HttpClient(void* handle, std::chrono::milliseconds patience)
      : handle_(handle), patience_(patience) {}
  Attempt send_once(const HttpRequest& request);

  std::unique_ptr<void, Close> handle_;
  std::chrono::milliseconds patience_;
};

/// Where a URL leads, as far as somebody has to decide something about it.
struct UrlTarget {
  bool is_https = false;
  bool is_this_machine = false;  ///< localhost or a loopback address
};

/// kInvalidArgument for what is no URL of http or https, or has a user name or a password in it.
/// Messages begin with `what` and do not repeat the URL.
Result<UrlTarget> check_url(const std::string& url, const std::string& what);

}  // namespace tapeworks::bigquery
