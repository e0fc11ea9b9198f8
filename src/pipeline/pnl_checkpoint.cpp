#include "pipeline/pnl_checkpoint.h"

#include <bit>

#include <xxhash.h>

#include "base/byte_codec.h"

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWPNLCP2";
constexpr size_t kChecksumBytes = 8;
// The least that an entry of a list takes.
constexpr size_t kEndBytesMin = 1;
constexpr size_t kAccountBytesMin = 2;
constexpr size_t kStateBytesMin = 1 + 8 + 1;
constexpr uint64_t kDailyBit = 1;
constexpr uint64_t kLedgerBit = 2;
/// Days are 32 bits long.
constexpr uint64_t kEncodedEndMax = uint64_t{1} << 34;

void put_day(Day day, ByteWriter& out) { out.put_signed_varint(day.days_since_epoch); }

Day take_day(ByteReader& in) { return Day{static_cast<int32_t>(in.take_signed_varint())}; }

/// The doubles of an account. Many are zero, so a mask says which ones follow.
std::array<double, 9> doubles_of(const AccountState& account) {
  return {
      account.realized.high,          account.realized.low,         account.buy_amount.high,
      account.buy_amount.low,         account.sell_amount.high,     account.sell_amount.low,
      account.opening_unrealized_pnl, account.timing.sum_xr().high, account.timing.sum_xr().low};
}

void put_account(const AccountState& account, ByteWriter& out) {
  out.put_signed_varint(account.open_shares);
  const auto doubles = doubles_of(account);
  uint64_t mask = 0;
  // By bits: a negative zero is kept.
  for (size_t i = 0; i < doubles.size(); ++i) {
    if (std::bit_cast<uint64_t>(doubles[i]) != 0) mask |= uint64_t{1} << i;
  }
  const bool has_timing = account.timing.sum_xx() != 0;
  if (has_timing) mask |= uint64_t{1} << doubles.size();
  out.put_varint(mask);
  for (const double number : doubles) {
    if (std::bit_cast<uint64_t>(number) != 0) out.put(number);
  }
  if (!has_timing) return;
  out.put_signed_varint(account.timing.sum_x());
  out.put_varint(static_cast<uint64_t>(account.timing.sum_xx()));
  out.put_varint(static_cast<uint64_t>(account.timing.sum_xx() >> 64));
}

AccountState take_account(ByteReader& in) {
  AccountState account;
  account.open_shares = in.take_signed_varint();
  std::array<double, 9> doubles{};
  const uint64_t mask = in.take_varint_below(uint64_t{1} << (doubles.size() + 1));
  for (size_t i = 0; i < doubles.size(); ++i) {
    if ((mask >> i & 1) != 0) doubles[i] = in.take<double>();
  }
  account.realized = {doubles[0], doubles[1]};
  account.buy_amount = {doubles[2], doubles[3]};
  account.sell_amount = {doubles[4], doubles[5]};
  account.opening_unrealized_pnl = doubles[6];
  int64_t sum_x = 0;
  TimingSums::Squares sum_xx = 0;
  if (mask >> doubles.size() != 0) {
    sum_x = in.take_signed_varint();
    sum_xx = in.take_varint();
    sum_xx |= static_cast<TimingSums::Squares>(in.take_varint()) << 64;
  }
  account.timing = TimingSums(sum_x, sum_xx, {doubles[7], doubles[8]});
  return account;
}

/// 0: no trade. Otherwise days before the symbol's last one, and whether lots are open.
uint64_t encoded_end(const AccountEnd& end, Day last_day) {
  if (end.last_trade_date == kNullDay) return 0;
  const int64_t days_before =
      int64_t{last_day.days_since_epoch} - int64_t{end.last_trade_date.days_since_epoch};
  return 1 + (static_cast<uint64_t>(days_before) << 1 | (end.has_open_lots ? 1 : 0));
}

AccountEnd decoded_end(uint64_t encoded, Day last_day) {
  if (encoded == 0) return {};
  const auto days_before = static_cast<int64_t>((encoded - 1) >> 1);
  return {Day{static_cast<int32_t>(last_day.days_since_epoch - days_before)},
          ((encoded - 1) & 1) != 0};
}

}  // namespace

bool PnlSources::gives_same_tables(const PnlSources& other) const {
  const bool sees_same_rows =
      as_of == other.as_of || (last_day <= as_of && last_day <= other.as_of);
  return sees_same_rows && summary_xxh3 == other.summary_xxh3 && closes_xxh3 == other.closes_xxh3 &&
         mergers_xxh3 == other.mergers_xxh3 && rules_version == other.rules_version &&
         start == other.start && daily == other.daily && ledger == other.ledger;
}

std::string encode_pnl_checkpoint(const PnlCheckpoint& checkpoint) {
  ByteWriter out;
  out.put_raw(kMagic);
  out.put_varint_text(checkpoint.symbol);
  const PnlSources& sources = checkpoint.sources;
  out.put(sources.summary_xxh3);
  out.put(sources.closes_xxh3);
  out.put(sources.mergers_xxh3);
  out.put_varint(sources.rules_version);
  put_day(sources.start, out);
  put_day(sources.as_of, out);
  put_day(sources.last_day, out);
  out.put_varint((sources.daily ? kDailyBit : 0) | (sources.ledger ? kLedgerBit : 0));
  for (const uint64_t xxh3 : checkpoint.files) out.put(xxh3);
  out.put_varint(checkpoint.ends.size());
  for (const AccountEnd& end : checkpoint.ends) out.put_varint(encoded_end(end, sources.last_day));
  out.put_varint(checkpoint.states.size());
  for (const SavedState& saved : checkpoint.states) {
    put_day(saved.state.day, out);
    out.put(saved.fingerprint);
    out.put_varint(saved.state.accounts.size());
    for (const AccountState& account : saved.state.accounts) put_account(account, out);
  }
  out.put(uint64_t{XXH3_64bits(out.bytes().data(), out.bytes().size())});
  return std::move(out).take();
}

Status check_pnl_checkpoint(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + kChecksumBytes || !bytes.starts_with(kMagic)) {
    return corrupt("it is no checkpoint of this version");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (ByteReader(bytes.substr(body.size())).take<uint64_t>() !=
      XXH3_64bits(body.data(), body.size())) {
    return corrupt("its checksum is wrong");
  }
  return {};
}

Result<PnlCheckpoint> decode_pnl_checkpoint(std::string_view bytes) {
  TW_TRY(check_pnl_checkpoint(bytes));
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader in(body.substr(kMagic.size()));
  PnlCheckpoint checkpoint;
  checkpoint.symbol = in.take_varint_text();
  PnlSources& sources = checkpoint.sources;
  sources.summary_xxh3 = in.take<uint64_t>();
  sources.closes_xxh3 = in.take<uint64_t>();
  sources.mergers_xxh3 = in.take<uint64_t>();
  sources.rules_version = static_cast<uint32_t>(in.take_varint());
  sources.start = take_day(in);
  sources.as_of = take_day(in);
  sources.last_day = take_day(in);
  const uint64_t tables = in.take_varint_below(kDailyBit + kLedgerBit + 1);
  sources.daily = (tables & kDailyBit) != 0;
  sources.ledger = (tables & kLedgerBit) != 0;
  for (uint64_t& xxh3 : checkpoint.files) xxh3 = in.take<uint64_t>();
  checkpoint.ends.resize(in.take_varint_count(kEndBytesMin));
  for (AccountEnd& end : checkpoint.ends) {
    end = decoded_end(in.take_varint_below(kEncodedEndMax), sources.last_day);
  }
  checkpoint.states.resize(in.take_varint_count(kStateBytesMin));
  for (SavedState& saved : checkpoint.states) {
    saved.state.day = take_day(in);
    saved.fingerprint = in.take<uint64_t>();
    saved.state.accounts.resize(in.take_varint_count(kAccountBytesMin));
    for (AccountState& account : saved.state.accounts) account = take_account(in);
  }
  if (!in.ok() || !in.at_end()) return corrupt("its length is wrong");
  return checkpoint;
}

uint64_t pnl_checkpoint_memory_bytes(uint64_t encoded_bytes) {
  // An account without anything is the worst case; its state must be reserved for as well.
  static_assert(sizeof(AccountEnd) / kEndBytesMin <= sizeof(AccountState) / kAccountBytesMin);
  return encoded_bytes + encoded_bytes / kAccountBytesMin * sizeof(AccountState);
}

}  // namespace tapeworks
