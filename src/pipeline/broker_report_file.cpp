#include "pipeline/broker_report_file.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace tapeworks {
namespace {

constexpr size_t kReadBytes = size_t{64} * 1024;

}  // namespace

Result<BrokerReportFile> BrokerReportFile::open(const std::filesystem::path& path) {
  TW_ASSIGN(FileDescriptor file, open_file(path, O_RDONLY));
  return BrokerReportFile(path, std::move(file));
}

Result<bool> BrokerReportFile::next() {
  while (true) {
    TW_ASSIGN(const bool has_line, next_line());
    if (!has_line) return false;
    if (!parser_->records().empty()) return true;
  }
}

Result<std::string> BrokerReportFile::read_symbol() {
  while (!parser_->has_symbol()) {
    TW_ASSIGN(const bool has_line, next_line());
    if (has_line) continue;
    // A file without a symbol is no report, and finish() says why.
    TW_TRY(parser_->finish());
    return internal_error("{}: a whole report without a symbol", path_.string());
  }
  return parser_->symbol();
}

Result<bool> BrokerReportFile::next_line() {
  size_t end = buffer_.find('\n', position_);
  // A line that is longer than any may be goes to the parser as it is, to be refused.
  while (end == std::string::npos && !at_end_ &&
         buffer_.size() - position_ <= BrokerReportParser::kLineBytesMax) {
    TW_TRY(fill());
    end = buffer_.find('\n', position_);
  }
  if (end == std::string::npos && position_ == buffer_.size()) return false;
  const bool is_terminated = end != std::string::npos;
  const auto line = std::string_view(buffer_).substr(
      position_, is_terminated ? end - position_ : std::string::npos);
  position_ += line.size() + (is_terminated ? 1 : 0);
  TW_TRY(parser_->add_line(line, is_terminated));
  return true;
}

Status BrokerReportFile::fill() {
  buffer_.erase(0, position_);
  position_ = 0;
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kReadBytes);
  ssize_t got = -1;
  do {
    got = ::read(file_.get(), buffer_.data() + kept, kReadBytes);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return system_error("read", path_, errno);
  buffer_.resize(kept + static_cast<size_t>(got));
  at_end_ = got == 0;
  return {};
}

}  // namespace tapeworks
