#include "storage/object_store.h"

#include <algorithm>
#include <any>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/filesystem/s3fs.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>
#include <dlfcn.h>

#include "base/interrupt.h"
#include "base/percent_code.h"
#include "base/thread_tasks.h"
#include "base/units.h"
#include "storage/object_address.h"
#include "storage/request_retry.h"

namespace tapeworks {
namespace {

using arrow::fs::FileInfo;
using arrow::fs::FileSystem;
using arrow::fs::FileType;

/// Requests that may be on their way at once; Arrow uses one thread for each.
constexpr int kRequestsMax = 32;
constexpr uint64_t kSmallObjectBytesMax = uint64_t{512} * 1024 * 1024;

std::atomic<bool> stores_are_closing{false};
std::atomic<int> impatient_count{0};

/// Each pause is twice as long as the one before, until the patience is used up.
class GrowingPauses final : public arrow::fs::S3RetryStrategy {
 public:
  explicit GrowingPauses(std::chrono::milliseconds patience) : patience_(patience) {}

  bool ShouldRetry(const AWSErrorDetail& error, int64_t attempted_retries) override {
    if (!error.should_retry || interrupted() || stores_are_closing.load() ||
        impatient_count.load() > 0) {
      return false;
    }
    return is_worth_another_attempt(attempted_retries, patience_);
  }

  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail&, int64_t attempted_retries) override {
    return pause_after(attempted_retries).count();
  }

 private:
  std::chrono::milliseconds patience_;
};

/// The wheel's Arrow keeps S3 in a library of its own, beside libarrow, which is loaded only here.
Status load_s3_library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&arrow::fs::EnsureFinalized), &info) == 0) {
    return io_error("the folder of Arrow's libraries cannot be found, so s3:// cannot be used");
  }
  const auto folder = std::filesystem::path(info.dli_fname).parent_path();
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (!entry->path().filename().string().starts_with("libarrow_s3.")) continue;
    const auto loaded = arrow::fs::LoadFileSystemFactories(entry->path().c_str());
    if (loaded.ok()) return {};
    return io_error("{} cannot be loaded: {}", entry->path().string(), loaded.message());
  }
  return io_error(
      "Arrow has no S3 here: {} has no libarrow_s3; install the pyarrow of "
      "requirements.txt",
      folder.string());
}

/// http://127.0.0.1:9000 of an environment variable that other tools know too.
void apply_endpoint_variables(ObjectAddress& address) {
  if (address.options.contains("endpoint_override")) return;
  const std::vector<const char*> names =
      address.scheme == "gs" ? std::vector{"CLOUD_STORAGE_EMULATOR_ENDPOINT"}
                             : std::vector{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"};
  for (const char* name : names) {
    const char* const text = std::getenv(name);
    if (text == nullptr || *text == '\0') continue;
    std::string_view endpoint(text);
    for (const std::string_view scheme : {"https", "http"}) {
      if (!endpoint.starts_with(scheme) || !endpoint.substr(scheme.size()).starts_with("://")) {
        continue;
      }
      endpoint.remove_prefix(scheme.size() + 3);
      address.options.emplace("scheme", scheme);
    }
    while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
    address.options.emplace("endpoint_override", endpoint);
    return;
  }
}

/// A server of one's own knows no regions, and asking the cloud for one would only take time.
void apply_region(ObjectAddress& address) {
  if (!address.options.contains("endpoint_override")) return;
  if (std::getenv("AWS_REGION") != nullptr || std::getenv("AWS_DEFAULT_REGION") != nullptr) return;
  address.options.emplace("region", "us-east-1");
}

arrow::Result<std::shared_ptr<FileSystem>> connect(const ObjectAddress& address,
                                                   std::chrono::milliseconds patience) {
  std::string uri = address.store() + "/?";
  for (const auto& [key, value] : address.options) {
    uri += fmt::format("{}={}&", key, percent_encoded(value));
  }
  if (address.scheme == "gs") {
    // Over plain http there are emulators, which know nobody, and no credentials.
    const auto scheme = address.options.find("scheme");
    if (scheme != address.options.end() && scheme->second == "http") {
      uri.insert(std::string_view("gs://").size(), "anonymous@");
    }
    return arrow::fs::FileSystemFromUri(
        uri + fmt::format("retry_limit_seconds={}", static_cast<double>(patience.count()) / 1000));
  }
  const std::shared_ptr<arrow::fs::S3RetryStrategy> pauses =
      std::make_shared<GrowingPauses>(patience);
  // Opened late, a small object is written by one request instead of three.
  return arrow::fs::FileSystemFromUriAndOptions(uri + "allow_delayed_open=true",
                                                {{"retry_strategy", std::any(pauses)}});
}

/// The connections of the process, by bucket.
class Stores {
 public:
  Result<std::string> use(std::string_view text) {
    TW_ASSIGN(ObjectAddress address, ObjectAddress::parse(text));
    const std::string plain = address.text();
    const std::scoped_lock lock(mutex_);
    const auto known = systems_.find(address.store());
    if (known != systems_.end() && address.options.empty()) return plain;
    TW_ASSIGN(const auto patience, request_patience());
    apply_endpoint_variables(address);
    if (address.scheme == "s3") apply_region(address);
    TW_TRY(prepare_threads());
    auto system = connect(address, patience);
    if (system.status().IsNotImplemented() && address.scheme == "s3") {
      TW_TRY(load_s3_library());
      system = connect(address, patience);
    }
    if (!system.ok()) return io_error("{}: {}", address.store(), system.status().message());
    systems_[address.store()] = *std::move(system);
    return plain;
  }

  Result<std::shared_ptr<FileSystem>> of(const ObjectAddress& address) {
    {
      const std::scoped_lock lock(mutex_);
      const auto known = systems_.find(address.store());
      if (known != systems_.end()) return known->second;
    }
    TW_TRY(use(address.store()));
    const std::scoped_lock lock(mutex_);
    return systems_.at(address.store());
  }

  void close() {
    const std::scoped_lock lock(mutex_);
    if (!is_used_) return;
    stores_are_closing = true;
    systems_.clear();
    arrow::fs::EnsureFinalized();
  }

 private:
  Status prepare_threads() {
    if (is_used_) return {};
    const auto set = arrow::io::SetIOThreadPoolCapacity(kRequestsMax);
    if (!set.ok()) return internal_error("{}", set.message());
    is_used_ = true;
    return {};
  }

  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, std::shared_ptr<FileSystem>> systems_;
  bool is_used_ = false;
};

Stores& stores() {
  static Stores instance;
  return instance;
}

/// One line: what a server says may have several.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\r', ' ');
  return text;
}

constexpr const char* kStoreAdvice = "check the connection, the credentials and the name";

std::unexpected<Error> store_error(std::string_view address, const arrow::Status& status) {
  if (interrupted()) return cancelled();
  return io_error("{}: {}; {}", address, one_line(status.message()), kStoreAdvice);
}

/// Tells a failure of the store from damaged content (arrow_status_internal.h).
class StoreFailure final : public arrow::StatusDetail {
 public:
  const char* type_id() const override { return "tapeworks::StoreFailure"; }
  std::string ToString() const override { return kStoreAdvice; }
};

/// An object whose failures say that they are the store's.
class StoredObject final : public arrow::io::RandomAccessFile {
 public:
  explicit StoredObject(std::shared_ptr<arrow::io::RandomAccessFile> file)
      : file_(std::move(file)) {}

  arrow::Result<int64_t> GetSize() override { return marked(file_->GetSize()); }
  arrow::Result<int64_t> ReadAt(int64_t offset, int64_t count, void* out) override {
    ARROW_ASSIGN_OR_RAISE(count, there_of(offset, count));
    return count == 0 ? 0 : marked(file_->ReadAt(offset, count, out));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t offset, int64_t count) override {
    ARROW_ASSIGN_OR_RAISE(count, there_of(offset, count));
    if (count == 0) return std::make_shared<arrow::Buffer>(nullptr, 0);
    return marked(file_->ReadAt(offset, count));
  }
  arrow::Result<int64_t> Read(int64_t count, void* out) override {
    return marked(file_->Read(count, out));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t count) override {
    return marked(file_->Read(count));
  }
  arrow::Status Seek(int64_t offset) override { return file_->Seek(offset); }
  arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
  arrow::Status Close() override { return file_->Close(); }
  bool closed() const override { return file_->closed(); }

 private:
  template <typename T>
  static arrow::Result<T> marked(arrow::Result<T> result) {
    // Google's file closes itself when a request failed, and says to the next one that it is
    // closed.
    const bool blames_the_store = result.status().IsIOError() || result.status().IsInvalid();
    if (result.ok() || !blames_the_store) return result;
    return arrow::Status(arrow::StatusCode::IOError, one_line(result.status().message()),
                         std::make_shared<StoreFailure>());
  }

  /// How many of these bytes there are: Google's store refuses to read what is behind the end.
  arrow::Result<int64_t> there_of(int64_t offset, int64_t count) {
    ARROW_ASSIGN_OR_RAISE(const int64_t size, GetSize());
    return std::clamp<int64_t>(size - offset, 0, std::max<int64_t>(count, 0));
  }

  std::shared_ptr<arrow::io::RandomAccessFile> file_;
};

struct Located {
  ObjectAddress address;
  std::shared_ptr<FileSystem> system;
};

Result<Located> locate(const std::string& text) {
  TW_ASSIGN(ObjectAddress address, ObjectAddress::parse(text));
  TW_ASSIGN(auto system, stores().of(address));
  return Located{std::move(address), std::move(system)};
}

ObjectInfo describe(const FileInfo& info, const std::string& scheme) {
  ObjectInfo object;
  object.address = fmt::format("{}://{}", scheme, info.path());
  object.is_folder = info.type() == FileType::Directory;
  object.byte_count = static_cast<uint64_t>(std::max<int64_t>(info.size(), 0));
  object.modified_ns = info.mtime().time_since_epoch().count();
  return object;
}

/// Arrow sees no folders in Google's store where nobody made an object for them.
bool has_folders(const Located& located) { return located.address.scheme != "gs"; }

/// What stands directly below `folder`, of all objects below it.
std::vector<ObjectInfo> first_level(std::vector<ObjectInfo> objects, const std::string& folder) {
  std::vector<ObjectInfo> level;
  for (ObjectInfo& object : objects) {
    const size_t slash = object.address.find('/', folder.size() + 1);
    if (slash == std::string::npos) {
      level.push_back(std::move(object));
      continue;
    }
    std::string name = object.address.substr(0, slash);
    // An object may have the name of a folder that stands beside it.
    const bool is_known = !level.empty() && level.back().is_folder && level.back().address == name;
    if (!is_known) level.push_back({std::move(name), true});
  }
  // "a/b" stands behind "a.b", but "a" before it.
  std::ranges::sort(level, {}, &ObjectInfo::address);
  return level;
}

}  // namespace

Result<std::string> use_object_address(std::string_view address) { return stores().use(address); }

Result<std::optional<ObjectInfo>> find_object(const std::string& address) {
  TW_ASSIGN(const Located located, locate(address));
  const auto info = located.system->GetFileInfo(located.address.path());
  if (!info.ok()) return store_error(address, info.status());
  if (info->type() == FileType::NotFound) return std::nullopt;
  return describe(*info, located.address.scheme);
}

Result<std::vector<ObjectInfo>> list_objects(const std::string& folder, ListDepth depth) {
  TW_ASSIGN(const Located located, locate(folder));
  arrow::fs::FileSelector selector;
  selector.base_dir = located.address.path();
  selector.allow_not_found = true;
  const bool wants_all = depth == ListDepth::kAllObjects;
  selector.recursive = wants_all || !has_folders(located);
  const auto infos = located.system->GetFileInfo(selector);
  if (!infos.ok()) return store_error(folder, infos.status());
  std::vector<ObjectInfo> objects;
  for (const FileInfo& info : *infos) {
    if (selector.recursive && info.type() != FileType::File) continue;
    objects.push_back(describe(info, located.address.scheme));
  }
  std::ranges::sort(objects, {}, &ObjectInfo::address);
  if (!wants_all && selector.recursive) return first_level(std::move(objects), folder);
  return objects;
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> open_object(
    const std::string& address, std::optional<uint64_t> byte_count) {
  TW_ASSIGN(const Located located, locate(address));
  FileInfo info(located.address.path(), FileType::File);
  if (byte_count) info.set_size(static_cast<int64_t>(*byte_count));
  auto file = byte_count ? located.system->OpenInputFile(info)
                         : located.system->OpenInputFile(located.address.path());
  if (!file.ok()) return store_error(address, file.status());
  return std::make_shared<StoredObject>(*std::move(file));
}

Result<std::string> read_object(const std::string& address) {
  TW_ASSIGN(const auto file, open_object(address));
  const auto byte_count = file->GetSize();
  if (!byte_count.ok()) return store_error(address, byte_count.status());
  if (static_cast<uint64_t>(*byte_count) > kSmallObjectBytesMax) {
    return corrupt("{}: it has {}; no such object should be that large", address,
                   format_byte_size(static_cast<uint64_t>(*byte_count)));
  }
  std::string content(static_cast<size_t>(*byte_count), '\0');
  const auto read = file->ReadAt(0, *byte_count, content.data());
  if (!read.ok()) return store_error(address, read.status());
  content.resize(static_cast<size_t>(*read));
  return content;
}

Status write_object(const std::string& address, std::span<const std::byte> content) {
  TW_ASSIGN(const auto output, ObjectOutput::open(address));
  TW_TRY(output->write(content));
  return output->close();
}

ObjectOutput::ObjectOutput(std::string address, std::shared_ptr<arrow::io::OutputStream> stream)
    : address_(std::move(address)), stream_(std::move(stream)) {}

ObjectOutput::~ObjectOutput() {
  if (stream_ != nullptr) static_cast<void>(stream_->Abort());
}

Result<std::unique_ptr<ObjectOutput>> ObjectOutput::open(const std::string& address) {
  TW_ASSIGN(const Located located, locate(address));
  auto stream = located.system->OpenOutputStream(located.address.path());
  if (!stream.ok()) return store_error(address, stream.status());
  return std::unique_ptr<ObjectOutput>(new ObjectOutput(address, *std::move(stream)));
}

Status ObjectOutput::write(std::span<const std::byte> part) {
  const auto written = stream_->Write(part.data(), static_cast<int64_t>(part.size()));
  if (!written.ok()) return store_error(address_, written);
  return {};
}

Status ObjectOutput::close() {
  const auto closed = stream_->Close();
  if (!closed.ok()) return store_error(address_, closed);
  stream_.reset();
  return {};
}

Status copy_object(const std::string& from, const std::string& to) {
  TW_ASSIGN(const Located source, locate(from));
  TW_ASSIGN(const ObjectAddress target, ObjectAddress::parse(to));
  const auto copied = source.system->CopyFile(source.address.path(), target.path());
  if (!copied.ok()) return store_error(from, copied);
  return {};
}

Status remove_object(const std::string& address) {
  TW_ASSIGN(const auto found, find_object(address));
  if (!found) return {};
  TW_ASSIGN(const Located located, locate(address));
  const auto removed = located.system->DeleteFile(located.address.path());
  if (!removed.ok()) return store_error(address, removed);
  return {};
}

Status remove_objects_below(const std::string& folder) {
  TW_ASSIGN(const auto found, find_object(folder));
  if (!found) return {};
  TW_ASSIGN(const Located located, locate(folder));
  if (!has_folders(located)) {
    TW_ASSIGN(const auto objects, list_objects(folder, ListDepth::kAllObjects));
    const auto remove_one = [&objects](size_t i, size_t) {
      return remove_object(objects[i].address);
    };
    return run_tasks(objects.size(), kRequestsMax, remove_one, OnInterrupt::kGoOn);
  }
  const auto removed = located.system->DeleteDir(located.address.path());
  if (!removed.ok()) return store_error(folder, removed);
  return {};
}

ImpatientRequests::ImpatientRequests() { ++impatient_count; }
ImpatientRequests::~ImpatientRequests() { --impatient_count; }

void close_object_stores() { stores().close(); }

}  // namespace tapeworks
