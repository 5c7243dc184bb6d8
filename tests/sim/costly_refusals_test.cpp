// Whole runs against limits each of whose refusals costs the refused one a second.
#include "tests/sim/simulation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace muster::sim;

TEST_CASE("costly refusals: four processes on a limit that has a second waited use it, in parts") {
    constexpr unsigned seeds = 5;
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

TEST_CASE("costly refusals: what others left at first is not taken for a burst that makes up for the waits") {
    for (const unsigned seed : {11U, 18U, 22U, 27U}) {
        CAPTURE(seed);
        token_bucket limit(200, 20);
        scenario s;
        s.processes = 4;
        s.told = hint::retry_after;
        const auto r = simulate(s, limit, {.latency = 0.1}, {}, seed);
        CHECK(static_cast<double>(r.total(0, 60).accepted) > 0.84 * 60 * 200);
    }
}

TEST_CASE("costly refusals: a limit that keeps nothing is used, also where replies take their time") {
    for (const seconds latency : {0.005, 0.02, 0.1})
        for (const unsigned seed : {1U, 2U, 3U, 4U, 5U}) {
            CAPTURE(latency);
            CAPTURE(seed);
            token_bucket limit(50, 1);
            scenario s;
            s.told = hint::retry_after;
            const auto r = simulate(s, limit, {.latency = latency}, {}, seed);
            CHECK(static_cast<double>(r.total(0, 60).accepted) > 0.3 * 60 * 50);
        }
}

TEST_CASE("costly refusals: a bucket is known by the third, so that hardly any follows") {
    std::vector<double> goodput;
    for (unsigned seed = 1; seed <= 40; ++seed) {
        token_bucket limit(50, 10);
        scenario s;
        s.told = hint::retry_after;
        const auto r = simulate(s, limit, {.latency = 0.002 * (1 + seed % 10)}, {}, seed);
        goodput.push_back(static_cast<double>(r.total().accepted) / limit.allowance(60));
        CHECK(r.total().throttled < 12);
    }
    std::ranges::sort(goodput);
    CHECK(goodput[goodput.size() / 2] > 0.952);
    CHECK(goodput[goodput.size() / 10] > 0.94);
}

TEST_CASE("costly refusals: a share of what they tell is kept to") {
    constexpr unsigned seeds = 100;
    unsigned far_off = 0;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        token_bucket limit(200, 20);
        scenario s;
        s.told = hint::retry_after;
        s.max_share = 60;
        const auto r = simulate(s, limit, {.latency = 0.001 * seed}, {}, seed);
        const double share = static_cast<double>(r.total().accepted) / limit.allowance(60);
        CHECK(share < 0.75);
        far_off += share > 0.65 || share < 0.52 ? 1 : 0;
    }
    CHECK(far_off <= 2);
}
