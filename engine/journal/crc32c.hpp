// CRC-32C (Castagnoli), the checksum of journal records; in hardware where the processor has it.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster {

/// The checksum of `bytes` behind data whose checksum is `seed` (0 for none).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0) noexcept;

/// The same without the processor's help; for other machines, and to test the two against each other.
std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t seed = 0) noexcept;

}  // namespace muster
