#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks::recorder {

/// What KuCoin's token service grants: one connection, for 24 hours.
struct KucoinToken {
  std::string url;  ///< to connect to, the token in it
  std::chrono::milliseconds ping_interval{0};
  std::chrono::milliseconds ping_timeout{0};
};

/// Reads the reply of `token_url`. `connect_id` is our name for the connection, letters and digits.
/// kCorrupt for any reply that grants nothing; a service reached by https must name a wss address.
Result<KucoinToken> read_kucoin_token(std::string_view token_url, int http_status,
                                      std::string_view body, std::string_view connect_id);

}  // namespace tapeworks::recorder
