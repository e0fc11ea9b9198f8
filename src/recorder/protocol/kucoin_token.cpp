#include "recorder/protocol/kucoin_token.h"

#include <algorithm>

#include "base/printable_text.h"
#include "recorder/protocol/json_document.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

using std::chrono::milliseconds;

constexpr size_t kQuotedBytesMax = 120;
constexpr milliseconds kIntervalMin{1'000};
constexpr milliseconds kIntervalMax{60'000};

/// Letters, digits and -._~= as they are; other bytes as %XX.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain = "-._~=";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       kPlain.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<milliseconds> interval_of(JsonValue server, std::string_view key) {
  TW_ASSIGN(const int64_t value_ms, required_integer(server, key));
  return std::clamp(milliseconds(value_ms), kIntervalMin, kIntervalMax);
}

}  // namespace

Result<KucoinToken> read_kucoin_token(std::string_view token_url, int http_status,
                                      std::string_view body, std::string_view connect_id) {
  JsonDocument document;
  const Status parsed = document.parse(body);
  const JsonValue root = document.root();
  if (http_status != 200 || !parsed || root["code"].text() != "200000") {
    return corrupt("{} granted no token: status {}, {}", token_url, http_status,
                   printable_text(body, kQuotedBytesMax));
  }
  const JsonValue server = root["data"]["instanceServers"].first();
  TW_ASSIGN(const std::string_view token, required_text(root["data"], "token"));
  TW_ASSIGN(const std::string_view endpoint, required_text(server, "endpoint"));
  const bool plain_is_fine = token_url.starts_with("http://");
  if (!endpoint.starts_with("wss://") && !(plain_is_fine && endpoint.starts_with("ws://"))) {
    return corrupt("{} names an address that is not wss: {}", token_url,
                   printable_text(endpoint, kQuotedBytesMax));
  }
  KucoinToken granted;
  granted.url = fmt::format("{}{}token={}&connectId={}", endpoint,
                            endpoint.find('?') == std::string_view::npos ? '?' : '&',
                            percent_encoded(token), connect_id);
  TW_ASSIGN(granted.ping_interval, interval_of(server, "pingInterval"));
  TW_ASSIGN(granted.ping_timeout, interval_of(server, "pingTimeout"));
  return granted;
}

}  // namespace tapeworks::recorder
