// A small seeded generator (SplitMix64) whose numbers are the same on every platform and library, which the
// distributions of <random> do not promise. Not for keys.
#pragma once

#include <cstdint>

namespace tenant {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    /// 64 random bits.
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    /// A number below `bound`, which must not be 0. Its bias is below 2^-32 for any bound used here.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

    /// A number in [0, 1).
    double share() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  private:
    std::uint64_t state_;
};

}  // namespace tenant
