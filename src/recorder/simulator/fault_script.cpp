#include "recorder/simulator/fault_script.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/printable_text.h"
#include "base/units.h"

namespace tapeworks::simulator {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kHugeBytesMax = uint64_t{16} << 20;
constexpr size_t kSymbolBytesMax = 255;
constexpr size_t kLineBytesMax = 4096;

struct KindFacts {
  std::string_view name;
  FaultKind kind;
  std::string_view members;  ///< that it takes besides when and where, each followed by a blank
  bool at_a_message;         ///< may happen before a message of a connection
};

constexpr std::array kKinds{
    KindFacts{"close", FaultKind::kClose, "code reason ", true},
    KindFacts{"abort", FaultKind::kAbort, "", true},
    KindFacts{"half_frame", FaultKind::kHalfFrame, "", true},
    KindFacts{"silence", FaultKind::kSilence, "duration pings ", true},
    KindFacts{"slow_reading", FaultKind::kSlowReading, "duration ", true},
    KindFacts{"duplicate", FaultKind::kDuplicate, "count ", true},
    KindFacts{"gap", FaultKind::kGap, "count ", true},
    KindFacts{"reorder", FaultKind::kReorder, "count ", true},
    KindFacts{"malformed_json", FaultKind::kMalformedJson, "count ", true},
    KindFacts{"wrong_numbers", FaultKind::kWrongNumbers, "count ", true},
    KindFacts{"huge_message", FaultKind::kHugeMessage, "bytes ", true},
    KindFacts{"scientific", FaultKind::kScientific, "count ", true},
    KindFacts{"extra_keys", FaultKind::kExtraKeys, "count ", true},
    KindFacts{"509", FaultKind::kRefuse509, "count ", false},
    KindFacts{"expired_token", FaultKind::kExpiredToken, "count ", false},
    KindFacts{"token_failure", FaultKind::kTokenFailure, "count status duration ", false},
    KindFacts{"day_cut", FaultKind::kDayCut, "code reason ", false},
    KindFacts{"server_shutdown", FaultKind::kServerShutdown, "code reason duration ", false},
    KindFacts{"compression", FaultKind::kCompression, "on ", false},
    KindFacts{"list_symbol", FaultKind::kListSymbol, "symbol ", false},
    KindFacts{"delist_symbol", FaultKind::kDelistSymbol, "symbol ", false},
    KindFacts{"clock_skew", FaultKind::kClockSkew, "duration ", false},
    KindFacts{"delay_acks", FaultKind::kDelayAcks, "duration ", false},
    KindFacts{"rest_failure", FaultKind::kRestFailure, "count status duration ", false},
    KindFacts{"rest_empty", FaultKind::kRestEmpty, "count ", false},
    KindFacts{"rest_partial", FaultKind::kRestPartial, "count ", false},
};

/// Reads the members of one line, and keeps the first complaint.
class LineReader {
 public:
  explicit LineReader(const Json& line) : line_(line) {}

  std::optional<uint64_t> count(const char* name, uint64_t min, uint64_t max) {
    const auto member = line_.find(name);
    if (member == line_.end()) return std::nullopt;
    if (member->is_number_unsigned() && *member >= min && *member <= max) {
      return member->get<uint64_t>();
    }
    complain("\"{}\" must be a whole number from {} to {}", name, min, max);
    return std::nullopt;
  }
  std::optional<std::chrono::milliseconds> duration(const char* name) {
    const auto text_value = text(name);
    if (!text_value) return std::nullopt;
    const bool negative = text_value->starts_with('-');
    const auto parsed = parse_duration(std::string_view(*text_value).substr(negative ? 1 : 0));
    if (parsed) return negative ? -*parsed : *parsed;
    complain("\"{}\" must be a duration with its unit, such as \"1500ms\" or \"5s\"", name);
    return std::nullopt;
  }
  std::optional<std::string> text(const char* name) {
    const auto member = line_.find(name);
    if (member == line_.end()) return std::nullopt;
    if (member->is_string()) return member->get<std::string>();
    complain("\"{}\" must be a text", name);
    return std::nullopt;
  }
  std::optional<bool> boolean(const char* name) {
    const auto member = line_.find(name);
    if (member == line_.end()) return std::nullopt;
    if (member->is_boolean()) return member->get<bool>();
    complain("\"{}\" must be true or false", name);
    return std::nullopt;
  }
  template <typename... Args>
  void complain(fmt::format_string<Args...> format, Args&&... args) {
    if (complaint_.empty()) complaint_ = fmt::format(format, std::forward<Args>(args)...);
  }
  const std::string& complaint() const { return complaint_; }

 private:
  const Json& line_;
  std::string complaint_;
};

std::string list_of_kinds() {
  std::string list;
  for (const KindFacts& kind : kKinds) {
    list += (list.empty() ? "" : ", ") + std::string(kind.name);
  }
  return list;
}

/// A symbol goes into messages as it is, so it must need no escapes there.
bool is_plain_symbol(std::string_view symbol) {
  return !symbol.empty() && symbol.size() <= kSymbolBytesMax &&
         std::ranges::none_of(symbol, [](char c) {
           return static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\' || c == ',';
         });
}

void read_when_and_where(LineReader& reader, const KindFacts& kind, Fault& fault) {
  fault.at = reader.duration("at");
  fault.every = reader.duration("every");
  fault.message = reader.count("message", 1, uint64_t{1} << 62);
  if (fault.at.has_value() + fault.every.has_value() + fault.message.has_value() != 1) {
    reader.complain("exactly one of \"at\", \"every\" and \"message\" says when");
  }
  if ((fault.at && fault.at->count() < 0) || (fault.every && fault.every->count() <= 0)) {
    reader.complain("a time of the script cannot be negative, and \"every\" not 0");
  }
  if (fault.message && !kind.at_a_message) {
    reader.complain("\"{}\" happens at a time, not at a message", kind.name);
  }
  if (const auto name = reader.text("venue")) {
    fault.venue = find_venue(*name);
    if (!fault.venue) reader.complain("there is no venue '{}'", printable_text(*name, 40));
  }
  if (kind.members == "symbol " && !fault.venue) {
    reader.complain("\"{}\" needs a \"venue\", because each spells symbols in its own way",
                    kind.name);
  }
  fault.connection = reader.count("connection", 1, uint64_t{1} << 62);
}

void read_how(LineReader& reader, Fault& fault) {
  fault.count = reader.count("count", 1, 1'000'000).value_or(fault.count);
  fault.code = static_cast<uint16_t>(reader.count("code", 1000, 4999).value_or(fault.code));
  fault.reason = reader.text("reason").value_or("");
  fault.duration = reader.duration("duration").value_or(fault.duration);
  if (fault.duration.count() < 0 && fault.kind != FaultKind::kClockSkew) {
    reader.complain("\"duration\" cannot be negative here");
  }
  fault.bytes = reader.count("bytes", 1, kHugeBytesMax).value_or(fault.bytes);
  fault.pings = reader.boolean("pings").value_or(fault.pings);
  fault.on = reader.boolean("on").value_or(fault.on);
  fault.status = static_cast<int>(reader.count("status", 200, 599).value_or(500));
  fault.symbol = reader.text("symbol").value_or("");
  const bool needs_symbol =
      fault.kind == FaultKind::kListSymbol || fault.kind == FaultKind::kDelistSymbol;
  if (needs_symbol && !is_plain_symbol(fault.symbol)) {
    reader.complain("\"symbol\" must be a name without quotes, commas and control characters");
  }
}

/// The complaint, or nothing when `fault` was filled.
std::string read_line(std::string_view text, Fault& fault) {
  const Json line = text.size() > kLineBytesMax ? Json(Json::value_t::discarded)
                                                : Json::parse(text, nullptr, false);
  if (!line.is_object()) return "it is no JSON object";
  LineReader reader(line);
  const auto name = reader.text("fault");
  if (!name) return "\"fault\" is missing; it is one of " + list_of_kinds();
  const auto kind = std::ranges::find(kKinds, std::string_view(*name), &KindFacts::name);
  if (kind == kKinds.end()) {
    return fmt::format("there is no fault '{}', only {}", printable_text(*name, 40),
                       list_of_kinds());
  }
  fault.kind = kind->kind;
  fault.name = *name;
  const std::string members =
      "fault at every message venue connection " + std::string(kind->members);
  for (const auto& [member, value] : line.items()) {
    if (member.contains(' ') || !(" " + members).contains(" " + member + " ")) {
      return fmt::format("'{}' takes no \"{}\"", *name, printable_text(member, 40));
    }
  }
  read_when_and_where(reader, *kind, fault);
  read_how(reader, fault);
  return reader.complaint();
}

}  // namespace

Result<std::vector<Fault>> parse_fault_script(std::string_view text, std::string_view file_name) {
  std::vector<Fault> faults;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const size_t begin = line.find_first_not_of(" \t\r"); begin == std::string_view::npos) {
      continue;
    } else if (line[begin] == '#') {
      continue;
    }
    Fault fault;
    if (const std::string complaint = read_line(line, fault); !complaint.empty()) {
      return invalid_argument("{}: line {}: {}", file_name, number, complaint);
    }
    faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace tapeworks::simulator
