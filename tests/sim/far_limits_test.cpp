// Whole runs against limits that are far away: what a refusal tells is late, and many requests are on their
// way.
#include "tests/sim/simulation.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace muster::sim;

namespace {

/// Of what the limit allows in the time and the connections carry.
double used(const scenario& s, limiter& limit, double latency, std::uint64_t seed) {
    const auto accepted =
        static_cast<double>(simulate(s, limit, {.latency = latency}, {}, seed).total().accepted);
    return accepted / std::min(limit.allowance(s.duration), s.concurrency * s.duration / latency);
}

void log_is_used(double latency, double least) {
    for (const unsigned seed : {1U, 2U, 3U, 4U}) {
        CAPTURE(latency);
        CAPTURE(seed);
        sliding_log limit(300, 10);
        CHECK(used({}, limit, latency, seed) > least);
    }
}

}  // namespace

TEST_CASE("far limits: what a log lets through at first, when it opens, is not taken for a window") {
    for (const double latency : {0.15, 0.2, 0.25}) log_is_used(latency, 0.95);
}

TEST_CASE("far limits: a bucket whose refusals cost a second is not crept up to") {
    scenario told;
    told.told = hint::retry_after;
    double all = 0;
    for (const double latency : {0.7, 0.9, 1.1})
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            CAPTURE(latency);
            CAPTURE(seed);
            token_bucket limit(50, 10);
            const double part = used(told, limit, latency, seed);
            CHECK(part > 0.6);
            all += part;
        }
    CHECK(all / 24 > 0.8);
}

TEST_CASE("far limits: the time that a reply takes is not the time for which the limit was closed") {
    for (const double latency : {1.2, 1.5, 1.7, 1.9}) log_is_used(latency, 0.7);
}

TEST_CASE("far limits: a window that lets thousands through is tried often enough to be found open") {
    scenario two_minutes;
    two_minutes.duration = 120;
    for (const double latency : {0.01, 0.67, 0.72})
        for (const double phase : {10.0, 30.0, 53.0, 54.0, 55.0, 56.0}) {
            CAPTURE(latency);
            CAPTURE(phase);
            both limit(std::make_unique<token_bucket>(100, 20),
                       std::make_unique<fixed_window>(2000, 60, phase));
            double allowed = 0;
            for (double opens = -phase; opens < 120; opens += 60) {
                const double open = std::min(opens + 60, 120.0) - std::max(opens, 0.0);
                allowed += std::min(2000.0, std::min(100.0, 64 / latency) * open + 20);
            }
            const auto r = simulate(two_minutes, limit, {.latency = latency}, {}, 7);
            CHECK(static_cast<double>(r.total().accepted) > 0.85 * allowed);
        }
}
