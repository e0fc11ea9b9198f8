#include "bigquery/http_client.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <utility>

#include <curl/curl.h>

#include "base/interrupt.h"
#include "base/loopback_host.h"
#include "bigquery/service_error.h"
#include "storage/request_retry.h"

namespace tapeworks::bigquery {
namespace {

constexpr long kConnectSecondsMax = 15;
/// A server that says nothing for so long has gone. It answers each request within seconds.
constexpr long kSilentSecondsMax = 120;

/// What the callbacks of one request share.
struct Transfer {
  std::string content;
  bool is_too_long = false;
};

size_t take_content(const char* bytes, size_t, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.content.size() + count > HttpClient::kAnswerBytesMax) {
    transfer.is_too_long = true;
    return 0;
  }
  transfer.content.append(bytes, count);
  return count;
}

/// Called about once a second also while nothing arrives; anything but 0 ends the request.
int stop_when_interrupted(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return interrupted() ? 1 : 0;
}

/// The failures that are no decision of the other side.
bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    // A server that is about to end refuses its streams.
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool is_busy(const HttpAnswer& answer) {
  switch (answer.status) {
    case 429:
    case 502:
    case 503:
    case 504:
      return true;
    case 403:
      return ServiceError::parse(answer.content).is_rate_limit();
    case 500:
      return !ServiceError::parse(answer.content).is_billing_limit();
    default:
      return false;
  }
}

Status wait_unless_interrupted(std::chrono::milliseconds pause) {
  constexpr std::chrono::milliseconds kStep{50};
  for (; pause > kStep; pause -= kStep) {
    TW_TRY(check_interrupt());
    std::this_thread::sleep_for(kStep);
  }
  std::this_thread::sleep_for(pause);
  return check_interrupt();
}

class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list_); }

  void add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

class Url {
 public:
  explicit Url(const std::string& text) {
    is_good_ = url_ != nullptr && curl_url_set(url_, CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  }
  Url(const Url&) = delete;
  Url& operator=(const Url&) = delete;
  ~Url() { curl_url_cleanup(url_); }

  bool is_good() const { return is_good_; }
  /// Empty where the URL has no such part.
  std::string part(CURLUPart part) const {
    char* text = nullptr;
    if (curl_url_get(url_, part, &text, 0) != CURLUE_OK) return {};
    std::string result(text);
    curl_free(text);
    return result;
  }

 private:
  CURLU* url_ = curl_url();
  bool is_good_ = false;
};

}  // namespace

void HttpClient::Close::operator()(void* handle) const { curl_easy_cleanup(handle); }

Result<HttpClient> HttpClient::create(std::chrono::milliseconds patience) {
  static const CURLcode kPrepared = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* const handle = kPrepared == CURLE_OK ? curl_easy_init() : nullptr;
  if (handle == nullptr) return internal_error("libcurl cannot be used");
  return HttpClient(handle, patience);
}

Result<HttpAnswer> HttpClient::send(const HttpRequest& request) {
  for (int64_t attempt = 0;; ++attempt) {
    Attempt made = send_once(request);
    if (!made.may_pass || !is_worth_another_attempt(attempt, patience_)) {
      return std::move(made.answer);
    }
    TW_TRY(wait_unless_interrupted(pause_after(attempt)));
  }
}

HttpClient::Attempt HttpClient::send_once(const HttpRequest& request) {
  CURL* const handle = handle_.get();
  // Keeps connections and what is known of hosts.
  curl_easy_reset(handle);
  Transfer transfer;
  std::array<char, CURL_ERROR_SIZE> reason{};
  HeaderList headers;
  headers.add("Accept: application/json");
  headers.add("Expect:");
  if (!request.bearer_token.empty()) headers.add("Authorization: Bearer " + request.bearer_token);
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  const std::string host = Url(request.url).part(CURLUPART_HOST);
  // A proxy on the way to this machine would read a login, and look for us on its own.
  if (is_loopback_host(host)) curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason.data());
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSecondsMax);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kSilentSecondsMax);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, stop_when_interrupted);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_content);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  // Google compresses only for programs that say so in their name as well.
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "tapeworks (gzip)");
  if (const char* authorities = std::getenv("SSL_CERT_FILE");
      authorities != nullptr && *authorities != '\0') {
    curl_easy_setopt(handle, CURLOPT_CAINFO, authorities);
  }
  if (!request.content.empty()) {
    headers.add("Content-Type: " + request.content_type);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.content.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.content.size()));
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl_easy_perform(handle);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    HttpAnswer answer{static_cast<int>(status), std::move(transfer.content)};
    const bool server_is_busy = is_busy(answer);
    return {std::move(answer), server_is_busy};
  }
  if (interrupted()) return {cancelled()};
  if (transfer.is_too_long) {
    return {over_budget("an answer is longer than {} MiB; select fewer or shorter columns",
                        kAnswerBytesMax / (1024 * 1024))};
  }
  const std::string text = reason[0] != '\0' ? reason.data() : curl_easy_strerror(code);
  return {io_error("no answer from {}: {}", host, text), may_pass(code)};
}

Result<UrlTarget> check_url(const std::string& url, const std::string& what) {
  const Url parts(url);
  const std::string scheme = parts.is_good() ? parts.part(CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    return invalid_argument("{} is no URL; write https://HOST, or http://HOST:PORT", what);
  }
  if (!parts.part(CURLUPART_USER).empty() || !parts.part(CURLUPART_PASSWORD).empty()) {
    return invalid_argument("{} has a user name or password in it; take it out", what);
  }
  if (!parts.part(CURLUPART_QUERY).empty() || !parts.part(CURLUPART_FRAGMENT).empty()) {
    return invalid_argument("{} has a ? or # in it; end it before", what);
  }
  return UrlTarget{scheme == "https", is_loopback_host(parts.part(CURLUPART_HOST))};
}

}  // namespace tapeworks::bigquery
