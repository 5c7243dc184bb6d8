// Whole runs of several processes on one limit, each of whose refusals costs the refused one a second.
#include "tests/sim/simulation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace muster::sim;

TEST_CASE("costly neighbours: four processes on a limit that has a second waited use it, in parts") {
    constexpr unsigned seeds = 15;
    for (const seconds latency : {0.0005, 0.02}) {
        CAPTURE(latency);
        std::vector<double> together, least;
        for (unsigned seed = 1; seed <= seeds; ++seed) {
            token_bucket limit(200, 20);
            scenario s;
            s.processes = 4;
            s.told = hint::retry_after;
            const auto r = simulate(s, limit, {.latency = latency}, {}, seed);
            double all = 0, few = 1e9;
            for (const auto& p : r.processes) {
                all += static_cast<double>(p.accepted);
                few = std::min(few, static_cast<double>(p.accepted));
            }
            together.push_back(all / limit.allowance(60));
            least.push_back(few / limit.allowance(60));
        }
        std::ranges::sort(together);
        std::ranges::sort(least);
        CHECK(together[seeds / 2] > 0.915);
        CHECK(least[seeds / 2] > 0.15);
        CHECK(least.front() > 0.05);
    }
}
