#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/utf8.h"
#include "recorder/protocol/binance_common_internal.h"
#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/row_fields_internal.h"
#include "recorder/protocol/sbe_schema_internal.h"

namespace tapeworks::recorder {
namespace {

constexpr size_t kGroupsMax = 2;
/// The schema format's value for "no number".
constexpr int64_t kNullMantissa = std::numeric_limits<int64_t>::min();

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

/// Bytes from the front of a frame, until there are no more.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  Result<std::string_view> take(size_t count) {
    if (count > rest_.size()) {
      return corrupt("the SBE frame ends within a field: {} bytes are due, {} are left", count,
                     rest_.size());
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  Result<uint64_t> take_unsigned(size_t bytes) {
    TW_ASSIGN(const std::string_view taken, take(bytes));
    return little_endian(taken);
  }
  size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

/// One block with the fields that the table gives it.
class Block {
 public:
  Block(std::string_view bytes, std::span<const SbeField> fields)
      : bytes_(bytes), fields_(fields) {}

  /// The field `name`, which the table has.
  int64_t operator[](std::string_view name) const {
    size_t offset = 0;
    for (const SbeField& field : fields_) {
      const size_t bytes = bytes_of(field.type);
      if (field.name == name) {
        const uint64_t value = little_endian(bytes_.substr(offset, bytes));
        return field.type == SbeType::kExponent8 ? static_cast<int8_t>(value)
                                                 : static_cast<int64_t>(value);
      }
      offset += bytes;
    }
    return 0;
  }

 private:
  std::string_view bytes_;
  std::span<const SbeField> fields_;
};

/// The entries of a repeating group.
struct Entries {
  std::string_view bytes;
  size_t count = 0;
  size_t entry_bytes = 0;
  std::span<const SbeField> fields;

  Block operator[](size_t index) const {
    return {bytes.substr(index * entry_bytes, entry_bytes), fields};
  }
};

/// A frame taken apart by the lengths that it states itself, so that blocks may grow.
struct Message {
  Block root{{}, {}};
  std::array<Entries, kGroupsMax> groups;
  std::string_view symbol;
};

Status check_block(uint64_t bytes, std::span<const SbeField> fields, std::string_view name) {
  const size_t known_bytes = block_bytes_of(fields);
  if (bytes >= known_bytes) return {};
  return corrupt("the SBE block \"{}\" has {} bytes, and {} are the least", name, bytes,
                 known_bytes);
}

Result<Entries> take_group(ByteReader& reader, const SbeGroup& group) {
  TW_ASSIGN(const uint64_t entry_bytes, reader.take_unsigned(2));
  TW_ASSIGN(const uint64_t count, reader.take_unsigned(group.count_bytes));
  TW_TRY(check_block(entry_bytes, group.fields, group.name));
  // At most 2^16 x 2^32, which fits.
  TW_ASSIGN(const std::string_view bytes, reader.take(entry_bytes * count));
  return Entries{bytes, count, entry_bytes, group.fields};
}

Result<Message> take_message(ByteReader& reader, const SbeMessage& schema, uint64_t block_bytes,
                             uint64_t version) {
  Message message;
  TW_TRY(check_block(block_bytes, schema.fields, schema.name));
  TW_ASSIGN(const std::string_view root, reader.take(block_bytes));
  message.root = Block(root, schema.fields);
  for (size_t i = 0; i < schema.groups.size(); ++i) {
    TW_ASSIGN(message.groups[i], take_group(reader, schema.groups[i]));
  }
  TW_ASSIGN(const uint64_t symbol_bytes, reader.take_unsigned(1));
  TW_ASSIGN(message.symbol, reader.take(symbol_bytes));
  if (!is_utf8(message.symbol)) return corrupt("the symbol is not valid UTF-8");
  if (reader.left() > 0 && version <= kSbeSchemaVersion) {
    return corrupt("the SBE frame has {} bytes after its last field", reader.left());
  }
  return message;
}

struct Exponents {
  int32_t price;
  int32_t quantity;
};

Exponents exponents_of(const Block& root) {
  return {static_cast<int32_t>(root["priceExponent"]), static_cast<int32_t>(root["qtyExponent"])};
}

Status set_sbe_level(EventRow& row, BookSide side, size_t index, int64_t price, int64_t quantity,
                     const Exponents& exponents) {
  if (price == kNullMantissa || quantity == kNullMantissa) return {};
  return set_level(row, side, index, make_decimal(price, exponents.price),
                   make_decimal(quantity, exponents.quantity));
}

/// A row with what all messages have: symbol and the time of sending.
Result<EventRow*> start_row(const Message& message, Stream stream, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(stream));
  TW_TRY(set_symbol(*row, message.symbol));
  TW_ASSIGN(row->exchange_time_ns, time_ns(message.root["eventTime"], TimeUnit::kMicroseconds));
  row->quantity_unit = QuantityUnit::kBase;
  return row;
}

Status add_trades(const Message& message, DecodedFrame& decoded) {
  const Exponents exponents = exponents_of(message.root);
  TW_ASSIGN(const int64_t matched_ns,
            time_ns(message.root["transactTime"], TimeUnit::kMicroseconds));
  const Entries& trades = message.groups[0];
  for (size_t i = 0; i < trades.count; ++i) {
    const Block trade = trades[i];
    TW_ASSIGN(EventRow* const row, start_row(message, Stream::kTrade, decoded));
    row->event_time_ns = matched_ns;
    row->sequence = trade["id"];
    fmt::format_to(std::back_inserter(row->trade_id), "{}", trade["id"]);
    const int64_t buyer_is_maker = trade["isBuyerMaker"];
    if (buyer_is_maker != 0 && buyer_is_maker != 1) {
      return corrupt("isBuyerMaker is {}, neither 0 nor 1", buyer_is_maker);
    }
    row->side = buyer_is_maker == 1 ? Side::kSell : Side::kBuy;
    if (trade["price"] == kNullMantissa) return corrupt("a trade has no price");
    const Decimal price = make_decimal(trade["price"], exponents.price);
    const Decimal quantity = make_decimal(trade["qty"], exponents.quantity);
    if (quantity.negative) return corrupt("quantity is {}, below zero", to_string(quantity));
    TW_TRY(set_number(*row, "price", price, to_string(price), row->price));
    TW_TRY(set_number(*row, "quantity", quantity, to_string(quantity), row->quantity));
  }
  return {};
}

Status add_book(const Message& message, DecodedFrame& decoded) {
  const Block& root = message.root;
  const Exponents exponents = exponents_of(root);
  TW_ASSIGN(EventRow* const row, start_row(message, Stream::kBook, decoded));
  row->sequence = root["bookUpdateId"];
  TW_TRY(set_sbe_level(*row, BookSide::kBid, 0, root["bidPrice"], root["bidQty"], exponents));
  return set_sbe_level(*row, BookSide::kAsk, 0, root["askPrice"], root["askQty"], exponents);
}

/// Twenty levels are sent, since there is no stream of five.
Status add_snapshot(const Message& message, DecodedFrame& decoded) {
  const Exponents exponents = exponents_of(message.root);
  TW_ASSIGN(EventRow* const row, start_row(message, Stream::kL5, decoded));
  row->sequence = message.root["bookUpdateId"];
  for (const BookSide side : {BookSide::kBid, BookSide::kAsk}) {
    const Entries& levels = message.groups[side == BookSide::kBid ? 0 : 1];
    for (size_t i = 0; i < std::min(levels.count, kLevelsMax); ++i) {
      const Block level = levels[i];
      TW_TRY(set_sbe_level(*row, side, i, level["price"], level["qty"], exponents));
    }
  }
  return {};
}

}  // namespace

Status decode_binance_sbe(std::string_view payload, DecodedFrame& decoded) {
  ByteReader reader(payload);
  TW_ASSIGN(const uint64_t block_bytes, reader.take_unsigned(2));
  TW_ASSIGN(const uint64_t template_id, reader.take_unsigned(2));
  TW_ASSIGN(const uint64_t schema_id, reader.take_unsigned(2));
  TW_ASSIGN(const uint64_t version, reader.take_unsigned(2));
  if (schema_id != kSbeSchemaId) {
    return corrupt("the SBE schema is {}, and only {} is known", schema_id, kSbeSchemaId);
  }
  const auto schema = std::ranges::find(kSbeMessages, template_id, &SbeMessage::template_id);
  if (schema == kSbeMessages.end()) {
    decoded.ignore("other_stream");
    return {};
  }
  TW_ASSIGN(const Message message, take_message(reader, *schema, block_bytes, version));
  decoded.kind = FrameKind::kRows;
  switch (schema->template_id) {
    case kSbeTrades:
      return add_trades(message, decoded);
    case kSbeBestBidAsk:
      return add_book(message, decoded);
    case kSbeDepthSnapshot:
      return add_snapshot(message, decoded);
    default:
      decoded.ignore("depth_diff");
      return {};
  }
}

Status decode_binance_sbe_control(JsonValue root, DecodedFrame& decoded) {
  if (decode_binance_control(root, decoded)) return {};
  return corrupt("a text frame of an SBE connection is no control frame");
}

}  // namespace tapeworks::recorder
