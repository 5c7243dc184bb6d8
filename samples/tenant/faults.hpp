// Which requests go wrong, and how: a seeded dice over the faults that `--fault` names.
//
// One draw decides which fault a request meets, so each has exactly its share and no request meets two; the
// latency comes on top, for every request. The sequence depends on the seed alone, not on time.
#pragma once

#include "samples/tenant/random.hpp"
#include "samples/tenant/spec.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace tenant {

enum class FaultKind { none, internal_error, reset_before, reset_after, stall, garbage, latency };

struct FaultSpec {
    FaultKind kind = FaultKind::none;
    double share = 1;     ///< of all requests, up to 1; latency: always 1
    nanoseconds span{0};  ///< of a stall or the latency
};

/// Reads `500:P%`, `reset-before:P%`, `reset-after:P%`, `garbage:P%`, `stall:P%:SECONDSs` or
/// `latency:MILLISms`.
[[nodiscard]] spec_result<FaultSpec> parse_fault(std::string_view text);

/// What happens to one request. `delay` comes first, and nothing is applied until it is over.
struct FaultPlan {
    FaultKind kind = FaultKind::none;
    nanoseconds delay{0};
    std::uint64_t variety = 0;  ///< chooses among the forms of garbage
};

class FaultDice {
  public:
    /// The shares must not add up to more than 1 (shares_fit).
    FaultDice(std::vector<FaultSpec> faults, std::uint64_t seed);

    /// Whether the dice can give every fault its share.
    [[nodiscard]] static bool shares_fit(const std::vector<FaultSpec>& faults);

    /// The next request's fate.
    [[nodiscard]] FaultPlan roll();

  private:
    std::vector<FaultSpec> faults_;
    nanoseconds latency_{0};
    Random random_;
};

/// A 200's body that is not the JSON the API promises: HTML, cut-off JSON, other JSON, or nothing.
[[nodiscard]] std::string_view garbage_body(std::uint64_t variety);

}  // namespace tenant
