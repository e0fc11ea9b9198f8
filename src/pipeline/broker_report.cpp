#include "pipeline/broker_report.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <iconv.h>

#include "base/printable_text.h"
#include "base/utf8.h"

namespace tapeworks {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kWideBlank = "\xE3\x80\x80";  // U+3000
constexpr std::array<std::string_view, 4> kSymbolLabels = {"股票代碼", "證券代碼", "股票代號",
                                                           "證券代號"};
constexpr size_t kRecordFields = 5;
constexpr size_t kSymbolBytesMax = 16;
constexpr size_t kBrokerCodeBytes = 4;
constexpr size_t kBrokerFieldBytesMax = 256;
constexpr size_t kPriceBytesMax = 32;
constexpr size_t kSharesBytesMax = 32;
constexpr int64_t kSharesMax = 1'000'000'000'000'000;
constexpr size_t kShownBytesMax = 40;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_code_character(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// Without blanks at both ends, the wide ones of Chinese text among them.
std::string_view trimmed(std::string_view text) {
  while (!text.empty()) {
    if (is_blank(text.front())) {
      text.remove_prefix(1);
    } else if (text.starts_with(kWideBlank)) {
      text.remove_prefix(kWideBlank.size());
    } else {
      break;
    }
  }
  while (!text.empty()) {
    if (is_blank(text.back())) {
      text.remove_suffix(1);
    } else if (text.ends_with(kWideBlank)) {
      text.remove_suffix(kWideBlank.size());
    } else {
      break;
    }
  }
  return text;
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

/// How a message shows what stands in a field.
std::string shown(std::string_view text) { return printable_text(text, kShownBytesMax); }

/// Digits, or digits in groups of three behind the first comma.
bool is_whole_number(std::string_view text) {
  const size_t comma = text.find(',');
  const std::string_view head = text.substr(0, comma);
  if (head.empty() || !std::ranges::all_of(head, is_digit)) return false;
  if (comma == std::string_view::npos) return true;
  if (head.size() > 3) return false;
  for (text.remove_prefix(comma); !text.empty(); text.remove_prefix(4)) {
    if (text.size() < 4 || text[0] != ',' || !std::ranges::all_of(text.substr(1, 3), is_digit)) {
      return false;
    }
  }
  return true;
}

bool is_price(std::string_view text) {
  if (text == "-") return true;
  const size_t dot = text.find('.');
  if (!is_whole_number(text.substr(0, dot))) return false;
  if (dot == std::string_view::npos) return true;
  const std::string_view fraction = text.substr(dot + 1);
  return !fraction.empty() && std::ranges::all_of(fraction, is_digit);
}

/// -1 for what is no count of shares.
int64_t shares_of(std::string_view text) {
  if (text.size() > kSharesBytesMax || !is_whole_number(text)) return -1;
  int64_t shares = 0;
  for (const char c : text) {
    if (c == ',') continue;
    shares = shares * 10 + (c - '0');
    if (shares > kSharesMax) return -1;
  }
  return shares;
}

/// The bytes of the code at the beginning of "1020 合庫" or "1020合庫".
size_t broker_code_bytes(std::string_view field) {
  const auto end = std::ranges::find_if_not(field, is_code_character);
  const auto bytes = static_cast<size_t>(end - field.begin());
  const std::string_view rest = field.substr(bytes);
  const bool stands_alone = rest.empty() || is_blank(rest[0]) || rest.starts_with(kWideBlank);
  // A name that begins with Latin letters and follows without a blank is no part of the code.
  return stands_alone ? bytes : std::min(bytes, kBrokerCodeBytes);
}

}  // namespace

/// Big5 as the C library knows it.
class BrokerReportParser::Decoder {
 public:
  Decoder() : handle_(iconv_open("UTF-8", "BIG5")) {}
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() {
    if (works()) iconv_close(handle_);
  }

  bool works() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  /// The position of the first byte that is no Big5; the size of `bytes` when all is well.
  size_t decode(std::string_view bytes) {
    // No character of Big5 takes more than twice its bytes in UTF-8.
    text_.resize(bytes.size() * 2);
    auto* from = const_cast<char*>(bytes.data());
    size_t from_bytes = bytes.size();
    char* to = text_.data();
    size_t to_bytes = text_.size();
    iconv(handle_, nullptr, nullptr, nullptr, nullptr);
    iconv(handle_, &from, &from_bytes, &to, &to_bytes);
    iconv(handle_, nullptr, nullptr, &to, &to_bytes);
    text_.resize(text_.size() - to_bytes);
    return bytes.size() - from_bytes;
  }

  /// What the bytes before that position mean.
  std::string_view text() const { return text_; }

 private:
  iconv_t handle_;
  std::string text_;
};

BrokerReportParser::BrokerReportParser(std::string where) : where_(std::move(where)) {}
BrokerReportParser::~BrokerReportParser() = default;

Status BrokerReportParser::add_line(std::string_view line_bytes, bool is_terminated) {
  records_.clear();
  is_terminated_ = is_terminated;
  if (++line_number_ == 1 && line_bytes.starts_with(kByteOrderMark)) {
    is_utf8_ = true;
    line_bytes.remove_prefix(kByteOrderMark.size());
  }
  if (line_bytes.size() > kLineBytesMax) {
    return bad_line("it has more than {} bytes; is this a broker report?", kLineBytesMax);
  }
  TW_ASSIGN(const std::string_view line, decode(line_bytes));
  TW_TRY(split_fields(line));
  const auto used = std::span(fields_).first(field_count_);
  if (std::ranges::all_of(used, [](const std::string& field) { return field.empty(); })) return {};
  switch (part_) {
    case Part::kTitle:
      part_ = Part::kSymbol;
      return {};
    case Part::kSymbol:
      part_ = Part::kHeader;
      return take_symbol();
    case Part::kHeader:
      part_ = Part::kRecords;
      return take_header();
    case Part::kRecords:
      return take_records();
  }
  return {};
}

Result<std::string_view> BrokerReportParser::decode(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) {
    return bad_line("there is a zero byte; the file must be Big5, or UTF-8 with a byte order mark");
  }
  if (is_utf8_) {
    if (is_utf8(bytes)) return bytes;
    return bad_line("it is no UTF-8, though the file begins with its byte order mark");
  }
  if (!decoder_) {
    decoder_ = std::make_unique<Decoder>();
    if (!decoder_->works()) {
      return io_error("this system cannot read Big5; install the character sets of the C library");
    }
  }
  const size_t good_bytes = decoder_->decode(bytes);
  if (good_bytes == bytes.size()) return decoder_->text();
  return bad_line("byte {} is no Big5; the file must be Big5, or UTF-8 with a byte order mark",
                  good_bytes);
}

/// Fields are parted by commas; a field in quotes may hold commas, and quotes as "".
Status BrokerReportParser::split_fields(std::string_view line) {
  field_count_ = 0;
  line = trimmed(line);
  size_t at = 0;
  while (true) {
    if (field_count_ == fields_.size()) fields_.emplace_back();
    std::string& field = fields_[field_count_++];
    field.clear();
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size()) return bad_line("a quote is not closed; the report may be cut");
        if (line[at] == '"' && (++at >= line.size() || line[at] != '"')) break;
        field += line[at];
      }
      while (at < line.size() && is_blank(line[at])) ++at;
      if (at < line.size() && line[at] != ',') {
        return bad_line("there is text behind a closed quote; the report is damaged");
      }
    } else {
      const size_t end = std::min(line.find(',', at), line.size());
      field = line.substr(at, end - at);
      at = end;
    }
    if (const auto inner = trimmed(field); inner.size() != field.size()) {
      field = std::string(inner);
    }
    if (at >= line.size()) return {};
    ++at;
  }
}

Status BrokerReportParser::take_symbol() {
  if (std::ranges::find(kSymbolLabels, fields_[0]) == kSymbolLabels.end()) {
    return bad_line(
        "'{}' stands where 股票代碼 or 證券代碼 should; it is no broker report, or neither Big5 "
        "nor UTF-8 with a byte order mark",
        shown(fields_[0]));
  }
  std::string_view symbol = field_count_ > 1 ? std::string_view(fields_[1]) : std::string_view();
  if (symbol.starts_with("=\"") && symbol.ends_with('"') && symbol.size() > 3) {
    symbol = trimmed(symbol.substr(2, symbol.size() - 3));
  }
  if (symbol.empty() || symbol.size() > kSymbolBytesMax ||
      !std::ranges::all_of(symbol, is_code_character)) {
    return bad_line("'{}' is no symbol; download the report again", shown(symbol));
  }
  symbol_ = symbol;
  return {};
}

Status BrokerReportParser::take_header() {
  const bool has_number = !fields_[0].empty() && is_digit(fields_[0][0]);
  if (field_count_ >= kRecordFields && !has_number) return {};
  return bad_line(
      "the line with the names of the columns is missing or cut; download the report again");
}

Status BrokerReportParser::take_records() {
  const auto used = std::span<const std::string>(fields_).first(field_count_);
  const auto is_empty = [](const std::string& field) { return field.empty(); };
  TW_TRY(take_record(used.first(std::min(field_count_, kRecordFields))));
  if (field_count_ <= kRecordFields) return {};
  if (!used[kRecordFields].empty()) {
    return bad_line(
        "'{}' stands in the empty column between two records; a number with an unquoted comma, or "
        "a damaged line",
        shown(used[kRecordFields]));
  }
  const auto second = used.subspan(kRecordFields + 1);
  if (std::ranges::all_of(second, is_empty)) return {};
  TW_TRY(take_record(second.first(std::min(second.size(), kRecordFields))));
  if (second.size() <= kRecordFields) return {};
  if (std::ranges::all_of(second.subspan(kRecordFields), is_empty)) return {};
  return bad_line("there is more than two records; the report is damaged");
}

Status BrokerReportParser::take_record(std::span<const std::string> fields) {
  if (fields.size() < kRecordFields) {
    return bad_line("a record has {} of its {} fields; the report is cut or damaged", fields.size(),
                    kRecordFields);
  }
  TW_TRY(note_sequence(fields[0]));
  const std::string_view branch = fields[1];
  const size_t code_bytes = broker_code_bytes(branch);
  if (code_bytes == 0 || branch.size() > kBrokerFieldBytesMax || has_control_character(branch)) {
    return bad_line("'{}' does not begin with the code of a broker", shown(branch));
  }
  if (fields[2].size() > kPriceBytesMax || !is_price(fields[2])) {
    return bad_line("'{}' is no price", shown(fields[2]));
  }
  BrokerRecord record{.broker = branch.substr(0, code_bytes),
                      .broker_name = trimmed(branch.substr(code_bytes)),
                      .price = fields[2],
                      .buy_shares = shares_of(fields[3]),
                      .sell_shares = shares_of(fields[4])};
  if (record.buy_shares < 0 || record.sell_shares < 0) {
    return bad_line("'{}' is no number of shares", shown(fields[record.buy_shares < 0 ? 3 : 4]));
  }
  totals_.buy_shares += record.buy_shares;
  totals_.sell_shares += record.sell_shares;
  if (std::max(totals_.buy_shares, totals_.sell_shares) > kSharesMax) {
    return bad_line("more than {} shares; the report is damaged", kSharesMax);
  }
  ++totals_.record_count;
  records_.push_back(record);
  return {};
}

Status BrokerReportParser::note_sequence(std::string_view text) {
  const int64_t number = shares_of(text);
  if (number < 1) return bad_line("'{}' is no sequence number", shown(text));
  if (static_cast<uint64_t>(number) > kRecordsMax) {
    return bad_line("sequence number {} is above {}; the report is damaged", number, kRecordsMax);
  }
  const auto index = static_cast<size_t>(number);
  if (index >= seen_sequences_.size()) seen_sequences_.resize(index + 1);
  if (seen_sequences_[index]) {
    return bad_line("sequence number {} comes twice; download the report again", number);
  }
  seen_sequences_[index] = true;
  return {};
}

Result<BrokerReportTotals> BrokerReportParser::finish() const {
  if (part_ == Part::kTitle) {
    return corrupt("{}: the report is empty; download it again, or leave it out", where_);
  }
  if (totals_.record_count == 0) {
    return corrupt("{}: the report ends before its first record; download it again", where_);
  }
  if (!is_terminated_ && totals_.buy_shares != totals_.sell_shares) {
    return corrupt(
        "{}: line {}: the last line has no end, and {} shares bought are not the {} sold; the "
        "report is cut, download it again",
        where_, line_number_, totals_.buy_shares, totals_.sell_shares);
  }
  BrokerReportTotals totals = totals_;
  totals.missing_count = seen_sequences_.size() - 1 - totals_.record_count;
  return totals;
}

}  // namespace tapeworks
