// Invents a tenant's users, tokens and devices from a seed: the same seed and numbers, the same tenant.
#pragma once

#include "samples/tenant/model.hpp"

#include <cstddef>
#include <cstdint>

namespace tenant {

struct PopulationOptions {
    std::size_t users = 2000;
    std::size_t tokens = 2000;
    std::size_t devices = 500;
    std::uint64_t seed = 1;
};

/// A tenant without administrators' keys: of each role one administrator whose public_key is still empty.
/// About two in a hundred users are disabled and tokens expired, at least one of ten. Devices belong to
/// enabled users only; without an enabled user (`users` 0) there are no devices.
[[nodiscard]] Snapshot make_population(const PopulationOptions& options);

}  // namespace tenant
