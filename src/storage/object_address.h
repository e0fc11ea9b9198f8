#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks {

/// s3://bucket/key?option=value&... or gs://..., taken apart. Pure text: nothing is asked of a
/// store.
struct ObjectAddress {
  std::string scheme;  ///< "s3" or "gs"
  std::string bucket;
  std::string key;                             ///< without slashes at its ends; may be empty
  std::map<std::string, std::string> options;  ///< decoded

  /// kInvalidArgument for what is no address, an unknown option, and credentials before an "@":
  /// those are never repeated in a message.
  static Result<ObjectAddress> parse(std::string_view text);

  /// Without options.
  std::string text() const;
  /// "s3://bucket": what options and connections belong to.
  std::string store() const;
  /// As Arrow's file systems name it: bucket/key.
  std::string path() const;
};

/// Begins with s3:// or gs://.
bool is_object_address(std::string_view text);

}  // namespace tapeworks
