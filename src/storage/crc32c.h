#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tapeworks {

/// CRC-32C (Castagnoli), as iSCSI, ext4 and most logs use it: the check value of "123456789" is
/// 0xe3069283. extend_crc32c(0, bytes) is the checksum of bytes; extend_crc32c(crc32c(a), b) is
/// that of a followed by b. Uses the processor's instruction where there is one. Threads: any.
uint32_t extend_crc32c(uint32_t crc, std::span<const std::byte> bytes);

inline uint32_t crc32c(std::span<const std::byte> bytes) { return extend_crc32c(0, bytes); }

/// The same with tables only: what machines without the instruction use, and what the fast one is
/// tested against.
uint32_t extend_crc32c_portable(uint32_t crc, std::span<const std::byte> bytes);

/// extend_crc32c() uses the instruction on this machine.
bool crc32c_in_hardware();

}  // namespace tapeworks
