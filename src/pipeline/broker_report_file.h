#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "pipeline/broker_report.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// The lines of one report's file, given to a parser of its own. Memory: two lines at their
/// longest. Errors: those of BrokerReportParser, and kIo. Threads: one.
class BrokerReportFile {
 public:
  static Result<BrokerReportFile> open(const std::filesystem::path& path);

  /// Reads on to the next line that has records; false at the end of the file.
  Result<bool> next();
  /// Reads no further than to the symbol.
  Result<std::string> read_symbol();

  const BrokerReportParser& parser() const { return *parser_; }

 private:
  BrokerReportFile(std::filesystem::path path, FileDescriptor file)
      : path_(std::move(path)),
        file_(std::move(file)),
        parser_(std::make_unique<BrokerReportParser>(path_.string())) {}

  /// False when there was no further line.
  Result<bool> next_line();
  Status fill();

  std::filesystem::path path_;
  FileDescriptor file_;
  std::unique_ptr<BrokerReportParser> parser_;
  std::string buffer_;
  size_t position_ = 0;  ///< of the next line in buffer_
  bool at_end_ = false;  ///< the file has no more bytes
};

}  // namespace tapeworks
