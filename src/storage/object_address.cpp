#include "storage/object_address.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include <fmt/ranges.h>

#include "base/percent_code.h"

namespace tapeworks {
namespace {

constexpr std::array<std::string_view, 2> kSchemes{"s3", "gs"};
constexpr std::array<std::string_view, 4> kS3Options{"endpoint_override", "scheme", "region",
                                                     "tls_ca_file_path"};
constexpr std::array<std::string_view, 3> kGoogleOptions{"endpoint_override", "scheme",
                                                         "project_id"};
constexpr std::string_view kBucketCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

Status add_option(ObjectAddress& address, std::string_view option) {
  const size_t equals = option.find('=');
  const std::string key(option.substr(0, equals));
  const std::span<const std::string_view> known =
      address.scheme == "s3" ? std::span<const std::string_view>(kS3Options) : kGoogleOptions;
  if (std::ranges::find(known, key) == known.end()) {
    return invalid_argument(
        "{}: there is no option '{}'; an address takes {}, and credentials come from the "
        "environment",
        address.text(), key, fmt::join(known, ", "));
  }
  const auto value =
      equals == std::string_view::npos ? std::nullopt : percent_decoded(option.substr(equals + 1));
  if (!value || value->empty()) {
    return invalid_argument("{}: option '{}' has no value that can be read", address.text(), key);
  }
  address.options[key] = *value;
  return {};
}

}  // namespace

bool is_object_address(std::string_view text) {
  return std::ranges::any_of(kSchemes, [text](std::string_view scheme) {
    return text.starts_with(scheme) && text.substr(scheme.size()).starts_with("://");
  });
}

Result<ObjectAddress> ObjectAddress::parse(std::string_view text) {
  ObjectAddress address;
  if (!is_object_address(text)) {
    return invalid_argument("'{}' is no address of an object; write s3://BUCKET/KEY", text);
  }
  address.scheme = text.substr(0, text.find(':'));
  text.remove_prefix(address.scheme.size() + std::string_view("://").size());
  const size_t question = text.find('?');
  std::string_view name = text.substr(0, question);
  const size_t slash = name.find('/');
  address.bucket = name.substr(0, slash);
  if (address.bucket.contains('@')) {
    return invalid_argument(
        "an address of {}:// has credentials in it, which others could read; put them into the "
        "environment and leave them out of the address",
        address.scheme);
  }
  if (address.bucket.empty() ||
      address.bucket.find_first_not_of(kBucketCharacters) != std::string::npos) {
    return invalid_argument("{}://{} names no bucket; write {}://BUCKET/KEY", address.scheme,
                            address.bucket, address.scheme);
  }
  if (slash != std::string_view::npos) {
    name.remove_prefix(slash);
    while (name.starts_with('/')) name.remove_prefix(1);
    while (name.ends_with('/')) name.remove_suffix(1);
    address.key = name;
  }
  if (question == std::string_view::npos) return address;
  for (std::string_view rest = text.substr(question + 1); !rest.empty();) {
    const size_t end = rest.find('&');
    TW_TRY(add_option(address, rest.substr(0, end)));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return address;
}

std::string ObjectAddress::text() const {
  return key.empty() ? store() : fmt::format("{}/{}", store(), key);
}

std::string ObjectAddress::store() const { return fmt::format("{}://{}", scheme, bucket); }

std::string ObjectAddress::path() const {
  return key.empty() ? bucket : fmt::format("{}/{}", bucket, key);
}

}  // namespace tapeworks
