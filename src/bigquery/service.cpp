#include "bigquery/service.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "bigquery/service_error.h"
#include "storage/database_connection.h"
#include "storage/request_retry.h"

namespace tapeworks::bigquery {
namespace {

constexpr const char* kGoogleUrl = "https://bigquery.googleapis.com";
constexpr const char* kEmulatorVariable = "BIGQUERY_EMULATOR_HOST";

std::string emulator_url() {
  const char* const text = std::getenv(kEmulatorVariable);
  if (text == nullptr || *text == '\0') return {};
  const std::string host(text);
  return host.find("://") == std::string::npos ? "http://" + host : host;
}

}  // namespace

Result<Endpoint> Endpoint::find(const std::string& text, const std::string& where) {
  Endpoint endpoint;
  const std::string emulator = text.empty() ? emulator_url() : "";
  endpoint.url = !text.empty() ? text : !emulator.empty() ? emulator : kGoogleUrl;
  const char* const what = text.empty() ? kEmulatorVariable : "--bigquery-endpoint";
  TW_ASSIGN(const UrlTarget target, check_url(endpoint.url, what));
  while (endpoint.url.ends_with('/')) endpoint.url.pop_back();
  // An emulator knows nobody. Over plain http a login could be read on the way.
  if (emulator.empty() && (target.is_https || target.is_this_machine)) {
    TW_ASSIGN(endpoint.login, GoogleLogin::from_environment());
  }
  if (endpoint.url == kGoogleUrl && !endpoint.login) {
    return invalid_argument(
        "{}: there is no login; set GOOGLE_APPLICATION_CREDENTIALS to a key file, or "
        "GOOGLE_OAUTH_ACCESS_TOKEN to a token",
        where);
  }
  return endpoint;
}

Service::Service(Endpoint endpoint, std::string where, HttpClient http, MemoryBudget& budget)
    : endpoint_(std::move(endpoint)),
      where_(std::move(where)),
      http_(std::move(http)),
      budget_(&budget) {}

Result<Service> Service::open(Endpoint endpoint, std::string where, MemoryBudget& budget) {
  TW_ASSIGN(const auto patience, request_patience());
  TW_ASSIGN(HttpClient http, HttpClient::create(patience));
  return Service(std::move(endpoint), std::move(where), std::move(http), budget);
}

std::string Service::public_text(std::string_view text) const {
  static const std::vector<std::string> kNoSecrets;
  return public_driver_message(text, endpoint_.login ? endpoint_.login->secrets() : kNoSecrets);
}

Result<ReadAnswer> Service::ask(const std::string& path, const std::string& json,
                                const Refusal& refusal) {
  const auto with_name = [this](const Error& error) {
    return fail(error.kind, "{}: {}", where_, error.message);
  };
  HttpRequest request;
  request.url = fmt::format("{}/bigquery/v2/{}", endpoint_.url, path);
  request.content = json;
  if (endpoint_.login) {
    auto token = endpoint_.login->token(http_);
    if (!token) return with_name(token.error());
    request.bearer_token = *std::move(token);
  }
  auto answer = http_.send(request);
  if (!answer) return with_name(answer.error());
  if (answer->status != 200) return refused(*answer, refusal);

  ReadAnswer read;
  const uint64_t needed_bytes =
      answer->content.size() + RestAnswer::cell_bytes_max(answer->content);
  if (!budget_->try_reserve(needed_bytes, read.memory)) {
    return over_budget("{}: no memory is left for a page of {} bytes; give a larger --memory",
                       where_, answer->content.size());
  }
  auto content = RestAnswer::parse(std::move(answer->content));
  if (!content) return with_name(content.error());
  read.content = *std::move(content);
  return read;
}

std::unexpected<Error> Service::too_expensive(std::string_view said) const {
  return invalid_argument(
      "{}: the query would be billed for more than --max-bytes or the project's own limit allows: "
      "{}; select fewer columns or days, or allow more",
      where_, public_text(said));
}

std::unexpected<Error> Service::refused(const HttpAnswer& answer, const Refusal& refusal) const {
  const ServiceError error = ServiceError::parse(answer.content);
  const std::string reason = public_text(error.message);
  if (error.is_billing_limit()) return too_expensive(error.message);
  if (error.is_rate_limit()) {
    return io_error("{}: the service gets too many requests: {}; try again later", where_, reason);
  }
  switch (answer.status) {
    case 401:
      return io_error("{}: the login is refused: {}", where_, reason);
    case 403:
      return io_error("{}: access is denied: {}", where_, reason);
    case 400:
    case 404:
      return fail(refusal.kind, "{}: {}: {}", where_, refusal.what, reason);
    default:
      return io_error("{}: the service failed with HTTP status {}: {}", where_, answer.status,
                      reason);
  }
}

}  // namespace tapeworks::bigquery
