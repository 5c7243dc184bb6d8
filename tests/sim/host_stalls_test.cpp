// Whole runs on hosts that see and do nothing for a while, now and then: what happened meanwhile seems to
// have happened at once.
#include "tests/sim/simulation.hpp"

#include <doctest/doctest.h>

using namespace muster::sim;

TEST_CASE("host stalls: a fast limit that shows the same rate each time is not thought to be shared") {
    constexpr double rate = 5000;
    for (const unsigned seed : {1U, 2U, 3U, 4U}) {
        CAPTURE(seed);
        token_bucket limit(rate, 100);
        scenario s;
        s.duration = 12;
        const auto r = simulate(s, limit, {.latency = 0.0002, .stalls = 2, .stall = 0.01}, {}, seed);
        CHECK(static_cast<double>(r.total(2, 12).accepted) > 0.97 * rate * 10);
    }
}
