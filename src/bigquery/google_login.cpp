#include "bigquery/google_login.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/percent_code.h"
#include "bigquery/signed_token.h"
#include "storage/database_connection.h"
#include "storage/posix_file.h"

namespace tapeworks::bigquery {
namespace {

using std::chrono::seconds;

constexpr const char* kTokenVariable = "GOOGLE_OAUTH_ACCESS_TOKEN";
constexpr const char* kFileVariable = "GOOGLE_APPLICATION_CREDENTIALS";
constexpr const char* kDefaultTokenUrl = "https://oauth2.googleapis.com/token";
constexpr const char* kScope = "https://www.googleapis.com/auth/bigquery.readonly";
constexpr seconds kAssertionLife{3600};
/// A token is renewed this long before its end.
constexpr seconds kSpareTime{60};
constexpr seconds kTokenLifeMax{24 * 3600};
constexpr size_t kKeyFileBytesMax = size_t{64} * 1024;

std::optional<std::string> variable(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return text;
}

std::string member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A member that must be there.
Result<std::string> needed(const nlohmann::json& object, const char* name,
                           const std::string& where) {
  std::string text = member(object, name);
  if (text.empty()) return invalid_argument("{}: it has no '{}'; download it again", where, name);
  return text;
}

/// The answer's own account of a refusal.
std::string reason_of(const nlohmann::json& answer, const std::vector<std::string>& secrets) {
  std::string reason = member(answer, "error_description");
  if (reason.empty()) reason = member(answer, "error");
  return public_driver_message(reason, secrets);
}

std::string service_claims(const std::string& email, const std::string& audience,
                           std::chrono::system_clock::time_point now) {
  const auto begin = std::chrono::duration_cast<seconds>(now.time_since_epoch());
  return nlohmann::json{{"iss", email},
                        {"scope", kScope},
                        {"aud", audience},
                        {"iat", begin.count()},
                        {"exp", (begin + kAssertionLife).count()}}
      .dump();
}

}  // namespace

Result<std::optional<GoogleLogin>> GoogleLogin::from_environment() {
  if (auto token = variable(kTokenVariable)) {
    if (token->find_first_of(" \r\n\t") != std::string::npos) {
      return invalid_argument("{} has a blank or a line end in it; set it to the token alone",
                              kTokenVariable);
    }
    GoogleLogin login;
    login.secrets_ = {*token};
    login.token_ = *std::move(token);
    return login;
  }
  if (const auto path = variable(kFileVariable)) {
    TW_ASSIGN(GoogleLogin login, from_file(*path));
    return login;
  }
  return std::nullopt;
}

Result<GoogleLogin> GoogleLogin::from_file(const std::string& path) {
  const std::string where = fmt::format("{} ({})", kFileVariable, path);
  const auto content = read_text_file(path);
  if (!content) return invalid_argument("{}: {}", kFileVariable, content.error().message);
  if (content->size() > kKeyFileBytesMax) return invalid_argument("{}: it is no key file", where);
  const auto file = nlohmann::json::parse(*content, nullptr, false);
  if (!file.is_object()) return invalid_argument("{}: it is no JSON object", where);

  GoogleLogin login;
  login.token_url_ = member(file, "token_uri");
  if (login.token_url_.empty()) login.token_url_ = kDefaultTokenUrl;
  TW_ASSIGN(const UrlTarget target, check_url(login.token_url_, where + ": token_uri"));
  if (!target.is_https && !target.is_this_machine) {
    return invalid_argument("{}: token_uri is not https, so others could read the login", where);
  }
  const std::string type = member(file, "type");
  if (type == "service_account") {
    TW_ASSIGN(const std::string email, needed(file, "client_email", where));
    TW_ASSIGN(const std::string key, needed(file, "private_key", where));
    const std::string header =
        nlohmann::json{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", member(file, "private_key_id")}}
            .dump();
    login.secrets_ = {key};
    login.make_form_ = [where, email, key, header,
                        audience = login.token_url_](Clock::time_point now) -> Result<std::string> {
      auto assertion = signed_token(header, service_claims(email, audience, now), key);
      if (!assertion)
        return fail(assertion.error().kind, "{}: {}", where, assertion.error().message);
      return "grant_type=" + percent_encoded("urn:ietf:params:oauth:grant-type:jwt-bearer") +
             "&assertion=" + *assertion;
    };
    return login;
  }
  if (type == "authorized_user") {
    TW_ASSIGN(const std::string id, needed(file, "client_id", where));
    TW_ASSIGN(const std::string secret, needed(file, "client_secret", where));
    TW_ASSIGN(const std::string refresh_token, needed(file, "refresh_token", where));
    login.secrets_ = {secret, refresh_token};
    std::string form = "grant_type=refresh_token&client_id=" + percent_encoded(id) +
                       "&client_secret=" + percent_encoded(secret) +
                       "&refresh_token=" + percent_encoded(refresh_token);
    login.make_form_ = [form = std::move(form)](Clock::time_point) -> Result<std::string> {
      return form;
    };
    return login;
  }
  return invalid_argument(
      "{}: a login of type '{}' cannot be used; take the key of a service account, or set {}",
      where, type, kTokenVariable);
}

Result<std::string> GoogleLogin::token(HttpClient& http) {
  const bool is_good = !token_.empty() && Clock::now() + kSpareTime < token_end_;
  if (make_form_ && !is_good) TW_TRY(ask_for_token(http));
  return token_;
}

Status GoogleLogin::ask_for_token(HttpClient& http) {
  HttpRequest request;
  request.url = token_url_;
  request.content_type = "application/x-www-form-urlencoded";
  TW_ASSIGN(request.content, make_form_(Clock::now()));
  TW_ASSIGN(const HttpAnswer answer, http.send(request));
  const auto json = nlohmann::json::parse(answer.content, nullptr, false);
  token_ = json.is_object() ? member(json, "access_token") : std::string();
  if (answer.status != 200 || token_.empty()) {
    return io_error("the login gets no access token (HTTP status {}): {}", answer.status,
                    json.is_object() ? reason_of(json, secrets_) : "the answer is no JSON");
  }
  secrets_.push_back(token_);
  const auto life = json.find("expires_in");
  const int64_t life_seconds =
      life != json.end() && life->is_number_integer() ? life->get<int64_t>() : 0;
  token_end_ = Clock::now() + std::clamp(seconds(life_seconds), seconds(0), kTokenLifeMax);
  return {};
}

}  // namespace tapeworks::bigquery
