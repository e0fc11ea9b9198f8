#include "recorder/simulator/ledger.h"

#include <iterator>
#include <span>

namespace tapeworks::simulator {
namespace {

constexpr size_t kBufferBytesMax = size_t{256} * 1024;

}  // namespace

Result<Ledger> Ledger::open(const std::optional<std::filesystem::path>& path) {
  Ledger ledger;
  if (path) {
    ledger.path_ = *path;
    TW_ASSIGN(ledger.file_, create_file(*path));
  }
  return ledger;
}

void Ledger::add(const LedgerEntry& entry) {
  if (!file_) return;
  fmt::format_to(
      std::back_inserter(buffer_),
      R"({{"venue":"{}","connection":{},"number":{},"logical_id":{},"kind":"{}","sent_time":{},"bytes":{})",
      entry.venue, entry.connection, entry.number, entry.logical_id, entry.kind, entry.sent_time_ns,
      entry.byte_count);
  if (!entry.fault.empty()) {
    fmt::format_to(std::back_inserter(buffer_), R"(,"fault":"{}")", entry.fault);
  }
  buffer_ += entry.details;
  buffer_ += R"(,"rows":)";
  buffer_ += entry.rows;
  buffer_ += "}\n";
  if (buffer_.size() > kBufferBytesMax) static_cast<void>(flush());  // kept in failure_
}

Status Ledger::flush() {
  if (file_ && failure_ && !buffer_.empty()) {
    failure_ = write_all(*file_, std::as_bytes(std::span(buffer_)), path_);
  }
  buffer_.clear();
  return failure_;
}

}  // namespace tapeworks::simulator
