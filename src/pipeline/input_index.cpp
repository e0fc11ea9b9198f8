#include "pipeline/input_index.h"

#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <xxhash.h>

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWINDEX1";
constexpr size_t kChecksumBytes = 8;

uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
int64_t from_zigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

class IndexWriter {
 public:
  void raw(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<std::byte>(value | 0x80));
    out_.push_back(static_cast<std::byte>(value));
  }
  void fixed(uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) out_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  void text(std::string_view value) {
    number(value.size());
    raw(value);
  }
  void texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const std::string& value : values) text(value);
  }
  std::vector<std::byte> finish() {
    fixed(XXH3_64bits(out_.data(), out_.size()));
    return std::move(out_);
  }

 private:
  std::vector<std::byte> out_;
};

/// Reads what IndexWriter wrote. The checksum fits, so nothing here guards against chance; the
/// checks keep a file that somebody made on purpose from reaching beyond its end.
class IndexReader {
 public:
  explicit IndexReader(std::span<const std::byte> bytes) : left_(bytes) {}

  bool failed() const { return failed_; }
  bool at_end() const { return left_.empty() && !failed_; }

  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) break;
      const auto byte = static_cast<uint64_t>(left_.front());
      left_ = left_.subspan(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  uint64_t fixed() {
    uint64_t value = 0;
    if (left_.size() < 8) return fail();
    for (unsigned i = 0; i < 8; ++i) value |= static_cast<uint64_t>(left_[i]) << (8 * i);
    left_ = left_.subspan(8);
    return value;
  }
  std::string text() {
    const uint64_t size = number();
    if (size > left_.size()) {
      fail();
      return {};
    }
    std::string value(reinterpret_cast<const char*>(left_.data()), size);
    left_ = left_.subspan(size);
    return value;
  }
  /// A number of things of which each takes at least one byte.
  size_t count() {
    const uint64_t value = number();
    return value > left_.size() ? fail() : value;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> values(count());
    for (std::string& value : values) value = text();
    return values;
  }
  uint64_t below(uint64_t bound) {
    const uint64_t value = number();
    return value < bound ? value : fail();
  }

 private:
  uint64_t fail() {
    failed_ = true;
    left_ = {};
    return 0;
  }

  std::span<const std::byte> left_;
  bool failed_ = false;
};

void write_row_group(IndexWriter& out, const RowGroupFacts& facts) {
  out.number(facts.xxh3 ? 1 : 0);
  out.fixed(facts.xxh3.value_or(0));
  out.number(facts.row_count);
  for (const uint64_t count : facts.problems) out.number(count);
  out.number(facts.days.size());
  int64_t previous = 0;
  for (const Day day : facts.days) {
    out.number(zigzag(day.days_since_epoch - previous));
    previous = day.days_since_epoch;
  }
  out.number(facts.names.size());
  for (const BrokerNameSeen& seen : facts.names) {
    out.number(seen.broker);
    out.number(zigzag(previous - seen.day.days_since_epoch));
    out.number(seen.name);
  }
}

RowGroupFacts read_row_group(IndexReader& in, size_t broker_count, size_t name_count) {
  RowGroupFacts facts;
  facts.is_known = true;
  const bool has_hash = in.below(2) == 1;
  const uint64_t hash = in.fixed();
  if (has_hash) facts.xxh3 = hash;
  facts.row_count = in.number();
  for (uint64_t& count : facts.problems) count = in.number();
  facts.days.resize(in.count());
  int64_t previous = 0;
  for (Day& day : facts.days) {
    previous += from_zigzag(in.number());
    day = Day{static_cast<int32_t>(previous)};
  }
  facts.names.resize(in.count());
  for (BrokerNameSeen& seen : facts.names) {
    seen.broker = static_cast<uint32_t>(in.below(broker_count));
    seen.day = Day{static_cast<int32_t>(previous - from_zigzag(in.number()))};
    seen.name = static_cast<uint32_t>(in.below(name_count));
  }
  return facts;
}

}  // namespace

std::string index_options(const ScanOptions& options) {
  const auto& names = options.columns;
  std::string text = fmt::format(
      "mode={} amounts={} day_zone={} naive_zone={} on_bad_row={} problems={}",
      to_string(options.mode), to_string(options.amounts), options.days.day_zone.offset_seconds,
      options.days.naive_zone ? std::to_string(options.days.naive_zone->offset_seconds) : "none",
      options.on_bad_row == OnBadRow::kFail ? "fail" : "skip", ProblemCounts{}.size());
  for (const std::string* name : {&names.symbol, &names.date, &names.broker, &names.broker_name,
                                  &names.price, &names.buy, &names.sell}) {
    text += fmt::format(" {}:{}", name->size(), *name);
  }
  return text;
}

std::vector<std::byte> encode_index(const InputIndex& index) {
  IndexWriter out;
  out.raw(kMagic);
  out.text(index.options);
  out.text(index.summary_fingerprint);
  out.texts(index.brokers);
  out.texts(index.names);
  out.number(index.files.size());
  for (const IndexedFile& file : index.files) {
    out.text(file.path);
    out.number(file.stamp.byte_count);
    out.number(zigzag(file.stamp.modified_ns));
    out.number(zigzag(file.stamp.changed_ns));
    out.fixed(file.stamp.footer_xxh3);
    out.number(file.row_groups.size());
    for (const RowGroupFacts& facts : file.row_groups) write_row_group(out, facts);
  }
  return out.finish();
}

Result<InputIndex> decode_index(std::span<const std::byte> bytes, const std::string& where) {
  const auto damaged = [&] {
    return corrupt(
        "{}: the record of the inputs is damaged; run `tapeworks etl` over all inputs once "
        "without --incremental",
        where);
  };
  if (bytes.size() < kMagic.size() + kChecksumBytes ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return damaged();
  }
  const auto body = bytes.first(bytes.size() - kChecksumBytes);
  if (IndexReader(bytes.last(kChecksumBytes)).fixed() != XXH3_64bits(body.data(), body.size())) {
    return damaged();
  }
  IndexReader in(body.subspan(kMagic.size()));
  InputIndex index;
  index.options = in.text();
  index.summary_fingerprint = in.text();
  index.brokers = in.texts();
  index.names = in.texts();
  index.files.resize(in.count());
  for (IndexedFile& file : index.files) {
    file.path = in.text();
    file.stamp.byte_count = in.number();
    file.stamp.modified_ns = from_zigzag(in.number());
    file.stamp.changed_ns = from_zigzag(in.number());
    file.stamp.footer_xxh3 = in.fixed();
    const size_t row_group_count = in.count();
    for (size_t i = 0; i < row_group_count && !in.failed(); ++i) {
      file.row_groups.push_back(read_row_group(in, index.brokers.size(), index.names.size()));
    }
    if (in.failed()) return damaged();
  }
  if (!in.at_end()) return damaged();
  return index;
}

}  // namespace tapeworks
