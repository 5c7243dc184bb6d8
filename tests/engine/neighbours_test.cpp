#include "engine/neighbours.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>

using namespace muster;

TEST_CASE("neighbours: those who share a limit come to equal parts from unequal ones") {
    for (const double limit : {20.0, 200.0})
        for (const bool dear : {false, true})
            for (unsigned seed = 1; seed <= 10; ++seed) {
                CAPTURE(limit);
                CAPTURE(dear);
                CAPTURE(seed);
                constexpr double step = 0.05;  // seconds
                std::mt19937_64 random(seed);
                struct party {
                    double base, since = 0, rate = base;
                };
                std::array<party, 4> parties{
                    {{0.55 * limit}, {0.25 * limit}, {0.15 * limit}, {0.05 * limit}}};
                std::array<double, 4> used{};
                constexpr double end = 1200;
                for (double now = 0; now < end; now += step) {
                    std::array<double, 4> paces{};
                    double all = 0;
                    for (std::size_t i = 0; i < 4; ++i) {
                        const party& p = parties[i];
                        paces[i] = neighbours::grown(p.base, now - p.since, p.rate, dear ? 1 : 0, dear);
                        all += paces[i];
                        if (now > end / 2) used[i] += paces[i];
                    }
                    if (all <= limit) continue;
                    const std::size_t met =
                        std::discrete_distribution<std::size_t>(paces.begin(), paces.end())(random);
                    party& p = parties[met];
                    p.rate = (p.base + paces[met]) / 2;
                    p.base = neighbours::cut(paces[met], p.rate, dear);
                    p.since = now;
                }
                const double all = used[0] + used[1] + used[2] + used[3];
                CHECK(*std::ranges::min_element(used) > 0.15 * all);
                CHECK(*std::ranges::max_element(used) < 0.35 * all);
            }
}

TEST_CASE("neighbours: one refusal that nothing explains is chance, two are a sign") {
    neighbours others;
    others.refused({1000, 0.9, true, true, false, 10});
    CHECK_FALSE(others.present());
    others.refused({2000, 1.02, true, false, false, 10});
    others.refused({3000, 0.9, true, true, false, 10});
    CHECK_FALSE(others.present());
    others.refused({4000, 0.9, true, true, false, 10});
    CHECK(others.present());
    others.refused({5000, 1.5, true, false, false, 10});  // far above: the limit may have changed
    CHECK(others.present());
    others.refused({6000, 1.02, true, false, false, 10});
    CHECK_FALSE(others.present());
}

TEST_CASE("neighbours: refused again and again, however slowly the limit is tried, it is others") {
    neighbours others;
    double accepted = 0;
    int refusals = 0;
    for (; !others.present() && refusals < 100; ++refusals)
        others.refused({accepted += 50, 1.01, true, false, false, 10});
    CHECK(others.patience() == 6);
    CHECK(refusals >= 5);
    CHECK(refusals <= 10);
    neighbours none;
    for (accepted = 0, refusals = 0; refusals < 100; ++refusals)
        none.refused({accepted += 150, 1.01, true, false, false, 10});
    CHECK_FALSE(none.present());
}

TEST_CASE("neighbours: a refusal that was to be expected, or was met in search of the limit, says nothing") {
    neighbours others;
    for (int refusals = 1; refusals <= 20; ++refusals)
        others.refused({20.0 * refusals, 0.9, false, true, false, 10});
    CHECK_FALSE(others.present());
    CHECK(others.patience() == 1);
}

TEST_CASE(
    "neighbours: where a refusal takes time, one at once after the wait is enough, and signs last longer") {
    neighbours others, at_once, cheap;
    at_once.refused({1000, 0.9, true, true, true, 0.3});
    CHECK(at_once.present());
    others.refused({1000, 0.9, true, true, true, 10});
    CHECK(others.suspected());
    CHECK_FALSE(others.present());
    cheap.refused({1000, 0.9, true, true, false, 0.3});
    CHECK_FALSE(cheap.present());
    for (neighbours* n : {&others, &cheap}) n->refused({2000, 0.9, true, true, n == &others, 10});
    int costly_lasts = 0, cheap_lasts = 0;
    for (; others.present() && costly_lasts < 100; ++costly_lasts)
        others.refused({2000.0 + 1000 * costly_lasts, 1.02, true, false, true, 10});
    for (; cheap.present() && cheap_lasts < 100; ++cheap_lasts)
        cheap.refused({2000.0 + 1000 * cheap_lasts, 1.02, true, false, false, 10});
    CHECK(costly_lasts > cheap_lasts);
    CHECK(costly_lasts <= 8);
}
