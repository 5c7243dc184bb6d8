#include "engine/window_estimate.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace std::chrono_literals;
using tells = window_estimate::told_by_opening;

namespace {

/// A window's requests, then it is closed till `cycle` after its opening.
instant let_through(window_estimate& w, int count, instant opening, std::chrono::seconds cycle) {
    for (int i = 0; i < count; ++i) w.accepted();
    w.still_closed(opening + cycle - 5s);
    return opening + cycle;
}

}  // namespace

TEST_CASE("window estimate: its count is what was let through from one opening to the next") {
    window_estimate w;
    instant opening{1h};
    w.begin(opening);
    opening = let_through(w, 100, opening, 60s);
    w.accepted();
    w.opened(opening, 59, tells::by_itself);
    CHECK(w.is_window());
    CHECK(w.count() == 100);
    CHECK(w.cycle() == doctest::Approx(60));
    CHECK(w.let_through() == 1);
    opening = let_through(w, 99, opening, 60s);
    CHECK(w.used_up());
    CHECK(w.until_opening(opening - 50s) == doctest::Approx(50));
    w.accepted();
    w.opened(opening, 59, tells::by_itself);
    CHECK(w.count() == 100);
}

TEST_CASE("window estimate: round lengths are tried one after another, a little more than each") {
    window_estimate w;
    const instant opening{1h};
    w.begin(opening);
    for (int i = 0; i < 100; ++i) w.accepted();
    for (const double length : {10.0, 30.0, 60.0, 120.0}) {
        const double due = w.until_opening(opening + 6s) + 6;
        CHECK(due >= length);
        CHECK(due <= length * 1.061);
        w.still_closed(opening + std::chrono::milliseconds(static_cast<int>(due * 1000)));
    }
}

TEST_CASE("window estimate: a short wait soon after the opening is no end of it") {
    window_estimate w;
    instant opening{1h};
    w.begin(opening);
    opening = let_through(w, 100, opening, 60s);
    w.accepted();
    CHECK(!w.opened_gradually(opening, 0.5));  // not known as one yet
    w.opened(opening, 59, tells::by_itself);
    CHECK(!w.opened_gradually(opening + 20s, 18));
    CHECK(!w.opened_gradually(opening + 20s, 5));
    CHECK(!w.opened_gradually(opening + 45s, 0.5));
    int times = 0;
    while (times < 100 && w.opened_gradually(opening + 2s, 0.5)) ++times;
    CHECK(times > 2);
    CHECK(times < 20);
}

TEST_CASE("window estimate: it is surely used up when two that were seen were alike, and till it ends") {
    window_estimate w(learnt_limit{.rate = 1, .burst = 100, .cycle = 60});
    instant opening{1h};
    w.begin(opening);
    for (int cycle = 0; cycle < 3; ++cycle) {
        for (int i = w.let_through() > 0 ? 1 : 0; i < 100; ++i) w.accepted();
        CHECK(w.surely_used_up(opening + 5s) == (cycle > 0));
        CHECK(!w.surely_used_up(opening + 61s));
        opening += 60s;
        w.accepted();
        w.opened(opening, 50, tells::by_itself);
    }
    CHECK(w.expected_opening() == opening + 60s);
    w.opened(opening + 61s, 1, tells::nothing);
    CHECK(w.let_through() == 1);
    CHECK(w.count() == 100);
    CHECK(w.cycle() == doctest::Approx(60));
    CHECK(w.opened_at() == opening + 61s);
}

TEST_CASE("window estimate: one that ends without being used up is followed by another") {
    window_estimate w(learnt_limit{.rate = 1, .burst = 100, .cycle = 60});
    const instant opening{1h};
    w.begin(opening);
    for (int i = 0; i < 600; ++i) {
        w.renew_if_over(opening + std::chrono::seconds(i));
        w.accepted();
        CHECK(!w.used_up());
        CHECK(w.until_opening(opening + std::chrono::seconds(i)) <= 67);
    }
}

TEST_CASE("window estimate: one that was met once and lets far more through is none") {
    window_estimate w;
    instant opening{1h};
    w.begin(opening);
    opening = let_through(w, 25, opening, 5s);
    w.accepted();
    w.opened(opening, 4.5, tells::by_itself);
    REQUIRE(w.is_window());
    for (int i = 0; i < 60; ++i) {
        w.renew_if_over(opening + 100ms * i);
        w.accepted();
    }
    CHECK(!w.is_window());
    CHECK(!w.used_up());
}

TEST_CASE("window estimate: where nothing was let through before, the opening says nothing") {
    window_estimate w;
    w.begin(instant{1h});
    w.accepted();
    w.opened(instant{1h} + 600s, 600, tells::by_itself);
    CHECK_FALSE(w.is_window());
    CHECK(w.cycle() == 0);
}

TEST_CASE("window estimate: a service that was away is a window once it was so twice alike") {
    window_estimate w;
    instant opening{1h};
    w.begin(opening);
    for (int again = 0; again < 2; ++again) {
        CHECK_FALSE(w.is_window());
        opening = let_through(w, again == 0 ? 100 : 99, opening, 60s);
        w.accepted();
        w.opened(opening, 50, tells::with_another);
    }
    CHECK(w.is_window());
    CHECK(w.count() == 100);
}
