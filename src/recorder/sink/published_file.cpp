#include "recorder/sink/published_file.h"

#include <charconv>
#include <string_view>
#include <system_error>

#include "recorder/sink/part_folder.h"
#include "recorder/sink/row_checksum.h"
#include "storage/parquet_read.h"

namespace tapeworks::recorder {
namespace {

constexpr const char* kVersionKey = "tapeworks.format_version";
constexpr const char* kRevisionKey = "tapeworks.revision";
constexpr const char* kCompleteKey = "tapeworks.complete";
constexpr const char* kPartialKey = "tapeworks.partial";
constexpr const char* kFirstLsnKey = "tapeworks.first_lsn";
constexpr const char* kLastLsnKey = "tapeworks.last_lsn";
constexpr const char* kCloseLsnKey = "tapeworks.close_lsn";
constexpr const char* kRowsKey = "tapeworks.rows";
constexpr const char* kRowChecksumKey = "tapeworks.row_xxh3";
constexpr const char* kStreamsKey = "tapeworks.streams";
constexpr const char* kGapsKey = "tapeworks.gaps";

std::string flag_text(bool flag) { return flag ? "true" : "false"; }

/// Takes values out of the metadata and remembers whether one was missing or wrong.
class MetadataReader {
 public:
  explicit MetadataReader(const std::map<std::string, std::string>& metadata)
      : metadata_(metadata) {}

  std::string text(const char* key) {
    const auto found = metadata_.find(key);
    if (found != metadata_.end()) return found->second;
    wrong_key_ = key;
    return {};
  }
  template <typename Number>
  Number number(const char* key, int base = 10) {
    const std::string digits = text(key);
    Number value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc() || end != digits.data() + digits.size()) wrong_key_ = key;
    return value;
  }
  bool flag(const char* key) { return text(key) == "true"; }
  const char* wrong_key() const { return wrong_key_; }

 private:
  const std::map<std::string, std::string>& metadata_;
  const char* wrong_key_ = nullptr;
};

}  // namespace

std::map<std::string, std::string> Certificate::to_metadata() const {
  return {{kVersionKey, fmt::format("{}", kRecordingFormatVersion)},
          {kPartitionKey, partition},
          {kRevisionKey, fmt::format("{}", revision)},
          {kCompleteKey, flag_text(complete)},
          {kPartialKey, flag_text(partial)},
          {kFirstLsnKey, fmt::format("{}", first_lsn)},
          {kLastLsnKey, fmt::format("{}", last_lsn)},
          {kCloseLsnKey, fmt::format("{}", close_lsn)},
          {kRowsKey, fmt::format("{}", row_count)},
          {kRowChecksumKey, checksum_text(row_checksum)},
          {kStreamsKey, streams},
          {kGapsKey, gaps}};
}

Result<Certificate> Certificate::from_metadata(const std::map<std::string, std::string>& metadata,
                                               const std::string& where) {
  MetadataReader reader(metadata);
  const int version = reader.number<int>(kVersionKey);
  Certificate certificate;
  certificate.partition = reader.text(kPartitionKey);
  certificate.revision = reader.number<uint32_t>(kRevisionKey);
  certificate.complete = reader.flag(kCompleteKey);
  certificate.partial = reader.flag(kPartialKey);
  certificate.first_lsn = reader.number<uint64_t>(kFirstLsnKey);
  certificate.last_lsn = reader.number<uint64_t>(kLastLsnKey);
  certificate.close_lsn = reader.number<uint64_t>(kCloseLsnKey);
  certificate.row_count = reader.number<uint64_t>(kRowsKey);
  certificate.row_checksum = reader.number<uint64_t>(kRowChecksumKey, 16);
  certificate.streams = reader.text(kStreamsKey);
  certificate.gaps = reader.text(kGapsKey);
  if (reader.wrong_key() != nullptr) {
    return corrupt("{}: no file of a recording ({} is missing or wrong); move it away", where,
                   reader.wrong_key());
  }
  if (version != kRecordingFormatVersion) {
    return corrupt("{}: format version {} of recordings is not known; use a newer tapeworks", where,
                   version);
  }
  return certificate;
}

Result<std::optional<Certificate>> read_certificate(const std::filesystem::path& path,
                                                    arrow::MemoryPool* pool) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  TW_ASSIGN(const ParquetInfo info, read_parquet_info(path, pool));
  TW_ASSIGN(Certificate certificate, Certificate::from_metadata(info.metadata, path.string()));
  return certificate;
}

}  // namespace tapeworks::recorder
