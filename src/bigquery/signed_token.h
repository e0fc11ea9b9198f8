#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks::bigquery {

/// Bytes as RFC 4648's alphabet for URLs writes them, without padding.
std::string base64url(std::string_view bytes);

/// A JSON Web Token: `header` and `claims`, JSON texts, signed with RSA and SHA-256 (RS256).
/// `private_key` is in PEM form. kInvalidArgument, without any of the key, when it is not.
Result<std::string> signed_token(std::string_view header, std::string_view claims,
                                 const std::string& private_key);

}  // namespace tapeworks::bigquery
