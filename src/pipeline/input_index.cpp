#include "pipeline/input_index.h"

#include <string_view>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/byte_codec.h"
#include "storage/parquet_write.h"

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWINDEX1";
constexpr size_t kChecksumBytes = 8;
// The least that an entry of a list takes.
constexpr size_t kFileBytesMin = 1 + 1 + 1 + 1 + 8 + 1;
constexpr size_t kRowGroupBytesMin = 1 + 8 + 1 + ProblemCounts{}.size() + 1 + 1;
constexpr size_t kNameBytesMin = 3;

void put_texts(const std::vector<std::string>& texts, ByteWriter& out) {
  out.put_varint(texts.size());
  for (const std::string& text : texts) out.put_varint_text(text);
}

std::vector<std::string> take_texts(ByteReader& in) {
  std::vector<std::string> texts(in.take_varint_count(1));
  for (std::string& text : texts) text = in.take_varint_text();
  return texts;
}

void write_row_group(ByteWriter& out, const RowGroupFacts& facts) {
  out.put_varint(facts.xxh3 ? 1 : 0);
  out.put(facts.xxh3.value_or(0));
  out.put_varint(facts.row_count);
  for (const uint64_t count : facts.problems) out.put_varint(count);
  out.put_varint(facts.days.size());
  int64_t previous = 0;
  for (const Day day : facts.days) {
    out.put_signed_varint(day.days_since_epoch - previous);
    previous = day.days_since_epoch;
  }
  out.put_varint(facts.names.size());
  for (const BrokerNameSeen& seen : facts.names) {
    out.put_varint(seen.broker);
    out.put_signed_varint(previous - seen.day.days_since_epoch);
    out.put_varint(seen.name);
  }
}

RowGroupFacts read_row_group(ByteReader& in, size_t broker_count, size_t name_count) {
  RowGroupFacts facts;
  facts.is_known = true;
  const bool has_hash = in.take_varint_below(2) == 1;
  const uint64_t hash = in.take<uint64_t>();
  if (has_hash) facts.xxh3 = hash;
  facts.row_count = in.take_varint();
  for (uint64_t& count : facts.problems) count = in.take_varint();
  facts.days.resize(in.take_varint_count(1));
  int64_t previous = 0;
  for (Day& day : facts.days) {
    previous += in.take_signed_varint();
    day = Day{static_cast<int32_t>(previous)};
  }
  facts.names.resize(in.take_varint_count(kNameBytesMin));
  for (BrokerNameSeen& seen : facts.names) {
    seen.broker = static_cast<uint32_t>(in.take_varint_below(broker_count));
    seen.day = Day{static_cast<int32_t>(previous - in.take_signed_varint())};
    seen.name = static_cast<uint32_t>(in.take_varint_below(name_count));
  }
  return facts;
}

}  // namespace

std::string index_options(const ScanOptions& options) {
  const auto& names = options.columns;
  std::string text = fmt::format(
      "mode={} amounts={} day_zone={} naive_zone={} on_bad_row={} problems={} encoding={}",
      to_string(options.mode), to_string(options.amounts), options.days.day_zone.offset_seconds,
      options.days.naive_zone ? std::to_string(options.days.naive_zone->offset_seconds) : "none",
      options.on_bad_row == OnBadRow::kFail ? "fail" : "skip", ProblemCounts{}.size(),
      kEncodingVersion);
  for (const std::string* name : {&names.symbol, &names.date, &names.broker, &names.broker_name,
                                  &names.price, &names.buy, &names.sell}) {
    text += fmt::format(" {}:{}", name->size(), *name);
  }
  return text;
}

std::string encode_index(const InputIndex& index) {
  ByteWriter out;
  out.put_raw(kMagic);
  out.put_varint_text(index.options);
  out.put_varint_text(index.summary_fingerprint);
  put_texts(index.brokers, out);
  put_texts(index.names, out);
  out.put_varint(index.files.size());
  for (const IndexedFile& file : index.files) {
    out.put_varint_text(file.path);
    out.put_varint(file.stamp.byte_count);
    out.put_signed_varint(file.stamp.modified_ns);
    out.put_signed_varint(file.stamp.changed_ns);
    out.put(file.stamp.footer_xxh3);
    out.put_varint(file.row_groups.size());
    for (const RowGroupFacts& facts : file.row_groups) write_row_group(out, facts);
  }
  out.put(uint64_t{XXH3_64bits(out.bytes().data(), out.bytes().size())});
  return std::move(out).take();
}

Result<InputIndex> decode_index(std::string_view bytes, const std::string& where) {
  const auto damaged = [&] {
    return corrupt(
        "{}: the record of the inputs is damaged; give the command all inputs once, "
        "without --incremental",
        where);
  };
  if (bytes.size() < kMagic.size() + kChecksumBytes || !bytes.starts_with(kMagic)) {
    return damaged();
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (ByteReader(bytes.substr(body.size())).take<uint64_t>() !=
      XXH3_64bits(body.data(), body.size())) {
    return damaged();
  }
  // The checksum fits, so nothing below guards against chance; the checks keep a file that somebody
  // made on purpose from reaching beyond its end.
  ByteReader in(body.substr(kMagic.size()));
  InputIndex index;
  index.options = in.take_varint_text();
  index.summary_fingerprint = in.take_varint_text();
  index.brokers = take_texts(in);
  index.names = take_texts(in);
  index.files.resize(in.take_varint_count(kFileBytesMin));
  for (IndexedFile& file : index.files) {
    file.path = in.take_varint_text();
    file.stamp.byte_count = in.take_varint();
    file.stamp.modified_ns = in.take_signed_varint();
    file.stamp.changed_ns = in.take_signed_varint();
    file.stamp.footer_xxh3 = in.take<uint64_t>();
    const size_t row_group_count = in.take_varint_count(kRowGroupBytesMin);
    for (size_t i = 0; i < row_group_count && in.ok(); ++i) {
      file.row_groups.push_back(read_row_group(in, index.brokers.size(), index.names.size()));
    }
    if (!in.ok()) return damaged();
  }
  if (!in.ok() || !in.at_end()) return damaged();
  return index;
}

}  // namespace tapeworks
