#include "storage/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tapeworks {
namespace {

constexpr uint32_t kReflectedPolynomial = 0x82f63b78;
constexpr size_t kWordBytes = 8;

/// tables[k][b] is what byte b contributes when k more bytes follow it, so that eight bytes are
/// done with eight look-ups that do not wait for each other.
using Tables = std::array<std::array<uint32_t, 256>, kWordBytes>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t k = 1; k < kWordBytes; ++k) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

/// The word whose lowest byte comes first in memory, on every machine.
uint64_t little_endian_word(const std::byte* at) {
  uint64_t word = 0;
  for (size_t i = 0; i < kWordBytes; ++i) word |= static_cast<uint64_t>(at[i]) << (8 * i);
  return word;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t
extend_with_instruction(uint32_t crc, std::span<const std::byte> bytes) {
  uint64_t state = ~crc;
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kWordBytes; at += kWordBytes, left -= kWordBytes) {
    uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; left > 0; ++at, --left) narrow = _mm_crc32_u8(narrow, static_cast<uint8_t>(*at));
  return ~narrow;
}
#endif

}  // namespace

uint32_t extend_crc32c_portable(uint32_t crc, std::span<const std::byte> bytes) {
  crc = ~crc;
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kWordBytes; at += kWordBytes, left -= kWordBytes) {
    const uint64_t word = little_endian_word(at) ^ crc;
    crc = 0;
    for (size_t i = 0; i < kWordBytes; ++i) {
      crc ^= kTables[kWordBytes - 1 - i][(word >> (8 * i)) & 0xff];
    }
  }
  for (; left > 0; ++at, --left) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint32_t>(*at)) & 0xff];
  }
  return ~crc;
}

bool crc32c_in_hardware() {
#if defined(__x86_64__)
  static const bool kAvailable = __builtin_cpu_supports("sse4.2") != 0;
  return kAvailable;
#else
  return false;
#endif
}

uint32_t extend_crc32c(uint32_t crc, std::span<const std::byte> bytes) {
#if defined(__x86_64__)
  if (crc32c_in_hardware()) return extend_with_instruction(crc, bytes);
#endif
  return extend_crc32c_portable(crc, bytes);
}

}  // namespace tapeworks
