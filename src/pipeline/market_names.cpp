#include "pipeline/market_names.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "base/random.h"

namespace tapeworks {
namespace {

constexpr std::array<std::string_view, 24> kFamilies = {
    "元大",     "凱基", "富邦", "群益", "永豐金", "國泰", "統一",   "兆豐",
    "華南永昌", "元富", "中信", "台新", "玉山",   "合庫", "第一金", "新光",
    "康和",     "宏遠", "福邦", "致和", "大昌",   "德信", "安泰",   "北城"};
constexpr std::array<std::string_view, 48> kPlaces = {
    "台北", "松山", "內湖", "士林", "天母", "大安", "信義", "中山", "板橋", "新店", "土城", "樹林",
    "三峽", "淡水", "汐止", "蘆洲", "基隆", "宜蘭", "羅東", "花蓮", "台東", "桃園", "中壢", "平鎮",
    "楊梅", "新竹", "竹北", "竹東", "苗栗", "頭份", "台中", "豐原", "大里", "沙鹿", "彰化", "員林",
    "鹿港", "南投", "斗六", "虎尾", "嘉義", "朴子", "台南", "永康", "高雄", "鳳山", "屏東", "潮州"};
constexpr std::array<std::string_view, 6> kOrdinals = {"", "二", "三", "四", "五", "六"};

std::string symbol_code(uint64_t bits) {
  const uint32_t kind = random_below(bits, 100);
  const auto number = static_cast<uint32_t>(bits & 0xffffffff);
  const uint32_t company = 1101 + number % 8898;
  const uint32_t variant = number / 8898;
  if (kind < 86) return fmt::format("{:04}", company);
  if (kind < 90) return fmt::format("00{:02}", 50 + number % 50);
  if (kind < 94) return fmt::format("00{:03}{}", 600 + number % 390, "BLRU"[variant % 4]);
  if (kind < 97) return fmt::format("{:04}{}", company, "ABC"[variant % 3]);
  return fmt::format("{:04}{}", company, 1 + variant % 9);
}

std::string branch_code(uint64_t bits) {
  static constexpr std::string_view kHeads = "156789";
  static constexpr std::string_view kSeconds = "0123456789A";
  static constexpr std::string_view kLasts =
      "0123456789ABCDEFGHJKLMNPQRSUVWXYZabcdefghijkmnpqrstuvwxyz";
  const bool any_last = (bits >> 56 & 1) != 0;
  const auto last_count = static_cast<uint64_t>(any_last ? kLasts.size() : 10);
  return {kHeads[(bits & 0xffff) % kHeads.size()], kSeconds[(bits >> 16 & 0xff) % kSeconds.size()],
          kLasts[(bits >> 24 & 0xffff) % 10], kLasts[(bits >> 40 & 0xffff) % last_count]};
}

/// `count` distinct codes, sorted: `first` and what `make` gives.
template <typename Make>
std::vector<std::string> distinct_codes(uint32_t count, std::set<std::string> first, uint64_t key,
                                        Make make) {
  for (uint64_t index = 0; first.size() < count; ++index) {
    first.insert(make(random_bits(key, index)));
  }
  return {first.begin(), first.end()};
}

/// Numbers 0 to count - 1 in a random order that uses up one block of `block` numbers before the
/// next.
std::vector<uint32_t> shuffled_in_blocks(uint32_t count, uint32_t block, uint64_t key) {
  std::vector<uint32_t> numbers((count + block - 1) / block * size_t{block});
  std::iota(numbers.begin(), numbers.end(), 0U);
  for (size_t begin = 0; begin < numbers.size(); begin += block) {
    shuffle_items(std::span(numbers).subspan(begin, block), derive_key(key, begin));
  }
  numbers.resize(count);
  return numbers;
}

}  // namespace

std::vector<std::string> make_symbol_codes(uint32_t count, uint64_t key) {
  return distinct_codes(count, {std::string(kBusiestSymbol)}, key, symbol_code);
}

std::vector<BrokerName> make_brokers(uint32_t count, uint64_t key) {
  const uint32_t desk_count = count < 3 ? 0 : std::max(1U, count / 50);
  const uint32_t branch_count = count - desk_count;
  const auto branch_codes =
      distinct_codes(branch_count, {std::string(kBusiestBroker)}, derive_key(key, 1), branch_code);
  const auto desk_codes = distinct_codes(desk_count, {}, derive_key(key, 2), [](uint64_t bits) {
    return fmt::format("{}T", 100 + random_below(bits, 900));
  });
  std::vector<BrokerName> brokers;
  const auto families = static_cast<uint32_t>(kFamilies.size());
  const auto branches = families * static_cast<uint32_t>(kPlaces.size());
  const auto branch_numbers = shuffled_in_blocks(branch_count, branches, derive_key(key, 3));
  for (uint32_t index = 0; index < branch_count; ++index) {
    const uint32_t number = branch_numbers[index];
    brokers.push_back(
        {branch_codes[index],
         fmt::format("{}-{}{}", kFamilies[number % families], kPlaces[number % branches / families],
                     kOrdinals[number / branches]),
         false});
  }
  const auto desk_numbers = shuffled_in_blocks(desk_count, families, derive_key(key, 4));
  for (uint32_t index = 0; index < desk_count; ++index) {
    const uint32_t number = desk_numbers[index];
    brokers.push_back(
        {desk_codes[index],
         fmt::format("{}-自營{}", kFamilies[number % families], kOrdinals[number / families]),
         true});
  }
  std::ranges::sort(brokers, {}, &BrokerName::code);
  return brokers;
}

}  // namespace tapeworks
