#include "storage/log_segment_writer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tapeworks {

LogSegmentWriter::LogSegmentWriter(std::filesystem::path path, FileDescriptor file,
                                   uint64_t first_lsn, LogFileOperations& operations)
    : path_(std::move(path)),
      file_(std::move(file)),
      first_lsn_(first_lsn),
      operations_(&operations) {
  buffer_.reserve(kLogWriteBytes + kLogBlockBytes);
}

Result<LogSegmentWriter> LogSegmentWriter::create(std::filesystem::path path,
                                                  const LogSegmentHeader& header,
                                                  uint64_t preallocated_bytes,
                                                  LogFileOperations& operations) {
  TW_ASSIGN(FileDescriptor file, operations.create(path));
  if (preallocated_bytes > 0) TW_TRY(operations.preallocate(file, preallocated_bytes, path));
  LogSegmentWriter writer(std::move(path), std::move(file), header.first_lsn, operations);
  TW_TRY(writer.put(encode_segment_header(header)));
  TW_TRY(writer.sync());
  TW_TRY(operations.sync_folder(writer.path_.parent_path()));
  return writer;
}

bool LogSegmentWriter::has_room(uint64_t payload_bytes, uint64_t segment_bytes) const {
  const uint64_t end =
      position_after(written_bytes_ + buffer_.size(), kLogRecordHeaderBytes + payload_bytes);
  return position_after(end, kLogEndMarkBytes) <= segment_bytes;
}

Status LogSegmentWriter::put(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return buffer_.size() < kLogWriteBytes ? Status() : write();
}

Status LogSegmentWriter::append_fragment(LogFragmentType type, std::span<const std::byte> data) {
  const uint64_t offset = written_bytes_ + buffer_.size();
  std::array<std::byte, kLogFragmentHeaderBytes> front{};
  store_little_endian(&front[0], fragment_checksum(first_lsn_, offset, type, data));
  store_little_endian(&front[4], static_cast<uint16_t>(data.size()));
  store_little_endian(&front[6], static_cast<uint8_t>(type));
  buffer_.insert(buffer_.end(), front.begin(), front.end());
  return put(data);
}

Status LogSegmentWriter::append(std::span<const std::byte> header,
                                std::span<const std::byte> payload) {
  bool begun = false;
  uint64_t left = header.size() + payload.size();
  while (left > 0 || !begun) {
    const uint64_t position = written_bytes_ + buffer_.size();
    buffer_.resize(buffer_.size() + (next_fragment_offset(position) - position));
    const uint64_t offset = next_fragment_offset(position);
    const uint64_t room = kLogBlockBytes - offset % kLogBlockBytes - kLogFragmentHeaderBytes;
    const uint64_t size = std::min(room, left);
    const bool last = size == left;
    const auto type = !begun ? (last ? LogFragmentType::kFull : LogFragmentType::kFirst)
                             : (last ? LogFragmentType::kLast : LogFragmentType::kMiddle);
    joined_.clear();
    const auto front = header.first(std::min<uint64_t>(header.size(), size));
    header = header.subspan(front.size());
    auto data = payload.first(size - front.size());
    payload = payload.subspan(data.size());
    if (!front.empty()) {
      joined_.assign(front.begin(), front.end());
      joined_.insert(joined_.end(), data.begin(), data.end());
      data = joined_;
    }
    TW_TRY(append_fragment(type, data));
    left -= size;
    begun = true;
  }
  ++record_count_;
  return {};
}

Status LogSegmentWriter::write() {
  if (buffer_.empty()) return {};
  TW_TRY(operations_->write_at(file_, buffer_, written_bytes_, path_));
  written_bytes_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status LogSegmentWriter::sync() {
  TW_TRY(write());
  return operations_->sync(file_, path_);
}

Status LogSegmentWriter::close(uint64_t last_lsn) {
  const uint64_t position = written_bytes_ + buffer_.size();
  buffer_.resize(buffer_.size() + (next_fragment_offset(position) - position));
  std::array<std::byte, kLogEndMarkBytes> data{};
  store_little_endian(data.data(), last_lsn);
  TW_TRY(append_fragment(LogFragmentType::kEndMark, data));
  TW_TRY(write());
  TW_TRY(operations_->truncate(file_, written_bytes_, path_));
  TW_TRY(operations_->sync(file_, path_));
  return file_.close(path_);
}

}  // namespace tapeworks
