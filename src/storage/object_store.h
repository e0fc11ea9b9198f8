#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/io/type_fwd.h>

#include "base/result.h"
#include "storage/object_address.h"

namespace tapeworks {

// Objects of S3 and Google Cloud Storage, by addresses like s3://bucket/key. A
// std::filesystem::path may hold an address: appending to it and string() keep it as it is, nothing
// else may be asked of it.
//
// Credentials come from where the store's own tools take them (AWS_ACCESS_KEY_ID and its like,
// profiles, instance roles; GOOGLE_APPLICATION_CREDENTIALS) and never from an address. Requests
// that fail on the way are repeated with growing pauses for about half a minute.
// docs/formats/object_storage.md says all of it for users.
//
// Errors of all functions: kIo for what the store or the network says. Threads: any.

/// The address without the options that may follow its bucket and key ("?region=..."), which hold
/// for the bucket from now on: an address is passed through here once before it is used. Loads what
/// is needed to talk to the store; no request is made. kInvalidArgument for a bad address or
/// option, and for one with credentials, which the message does not repeat.
Result<std::string> use_object_address(std::string_view address);

/// As it stands in an address that was passed through use_object_address().
struct ObjectInfo {
  std::string address;
  bool is_folder = false;  ///< a common prefix of keys
  uint64_t byte_count = 0;
  int64_t modified_ns = 0;  ///< since the epoch
};

/// Nothing when there is neither such an object nor a key below it.
Result<std::optional<ObjectInfo>> find_object(const std::string& address);

/// What is below the prefix `folder`, sorted by address: one level, or all objects of all levels.
/// Nothing below it: empty.
enum class ListDepth { kOneLevel, kAllObjects };
Result<std::vector<ObjectInfo>> list_objects(const std::string& folder, ListDepth depth);

/// An object for reading at any place, by requests of just these bytes; for several threads at
/// once. `byte_count` saves the question for the size. Its failures carry a detail, so that they
/// are told from damaged content (arrow_status_internal.h).
Result<std::shared_ptr<arrow::io::RandomAccessFile>> open_object(
    const std::string& address, std::optional<uint64_t> byte_count = std::nullopt);

/// The whole of a small object.
Result<std::string> read_object(const std::string& address);

/// Puts a whole object at the address: a reader sees the old one, if any, or this.
Status write_object(const std::string& address, std::span<const std::byte> content);

/// An object that is written part by part. It appears when close() has returned ok; without that
/// there is none in S3, and maybe its beginning in Google's store. Threads: one at a time.
class ObjectOutput {
 public:
  static Result<std::unique_ptr<ObjectOutput>> open(const std::string& address);
  ObjectOutput(const ObjectOutput&) = delete;
  ObjectOutput& operator=(const ObjectOutput&) = delete;
  ~ObjectOutput();

  Status write(std::span<const std::byte> part);
  Status close();

 private:
  ObjectOutput(std::string address, std::shared_ptr<arrow::io::OutputStream> stream);

  std::string address_;
  std::shared_ptr<arrow::io::OutputStream> stream_;  ///< null once closed
};

/// A copy made by the store itself. Both in one bucket.
Status copy_object(const std::string& from, const std::string& to);

/// Nothing there is no error.
Status remove_object(const std::string& address);
/// Removes every object below the prefix, also after an interrupt, which is when it is needed.
Status remove_objects_below(const std::string& folder);

/// While one exists, requests of all threads that fail are not made again: for cleaning up behind a
/// failure.
class ImpatientRequests {
 public:
  ImpatientRequests();
  ImpatientRequests(const ImpatientRequests&) = delete;
  ImpatientRequests& operator=(const ImpatientRequests&) = delete;
  ~ImpatientRequests();
};

/// Ends all connections; to be called once before the program ends, when nothing is in use.
void close_object_stores();

}  // namespace tapeworks
