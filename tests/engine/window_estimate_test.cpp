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

TEST_CASE("window estimate: its end is met after so many requests or so long a time, if it is not of a few") {
    for (const double count : {10.0, 60.0, 100.0, 499.0, 500.0}) {
        CAPTURE(count);
        window_estimate w(learnt_limit{.rate = 1, .burst = count, .cycle = 60});
        const instant met{1h};
        CHECK(w.worth_trying(met));  // never met yet
        w.tried(met);
        const bool always = count < 20 || count >= 500;
        CHECK(w.worth_trying(met + 5s) == always);
        CHECK(w.worth_trying(met + 11min));
        for (int i = 0; i < 199; ++i) w.accepted();
        CHECK(w.worth_trying(met + 5s) == always);
        w.accepted();
        CHECK(w.worth_trying(met + 5s));
    }
    window_estimate slow(learnt_limit{.rate = 1, .burst = 100, .cycle = 3600});
    slow.tried(instant{1h});
    CHECK(!slow.worth_trying(instant{1h} + 2h));
    CHECK(slow.worth_trying(instant{1h} + 3h));
}

TEST_CASE("window estimate: used up beyond doubt is one that closed as it should, of neither few nor many") {
    for (const double count : {50.0, 100.0, 499.0, 500.0}) {
        CAPTURE(count);
        window_estimate w;
        instant opening{1h};
        w.begin(opening);
        opening = let_through(w, static_cast<int>(count), opening, 60s);
        w.accepted();
        w.opened(opening, 59, tells::by_itself);
        REQUIRE(w.is_window());
        CHECK(!w.proven_used_up());
        for (int i = 1; i < count; ++i) w.accepted();
        CHECK(w.used_up());
        CHECK(w.proven_used_up() == (count >= 60 && count < 500));
        w.still_closed(opening + 30s);
        CHECK(w.proven_used_up() == (count < 500));
    }
}

TEST_CASE("window estimate: closed for hours where none is known, it is tried by a part of that time") {
    for (const int count : {0, 19, 20, 100, 500, 501}) {
        CAPTURE(count);
        window_estimate w;
        const instant begin{100h};
        w.begin(begin);
        for (int i = 0; i < count; ++i) w.accepted();
        for (double so_far = 1; so_far < 80'000; so_far *= 1.5) {
            CAPTURE(so_far);
            const instant now = begin + std::chrono::milliseconds(static_cast<std::int64_t>(so_far * 1000));
            const double part = count < 20 || count > 500 ? 0.5 : 2.1;
            const double least = count < 20 ? 0.25 : 6.5;
            const double most = std::min(std::max(least, part * so_far), 900.0);
            CHECK(w.until_try(now, so_far, false) <= most);
            CHECK(w.until_try(now, so_far, false) <= w.until_opening(now));
            CHECK(w.until_try(now, so_far, false) > 0.01 * so_far);
            // Where there is another limit, this is no window.
            CHECK(w.until_try(now, so_far, true) <= std::max(8.0, so_far / 15));
        }
    }
}

TEST_CASE("window estimate: one that is known is waited for, and tried when it is overdue") {
    window_estimate w;
    instant opening{1h};
    w.begin(opening);
    for (int cycle = 0; cycle < 3; ++cycle) {
        opening = let_through(w, cycle > 0 ? 99 : 100, opening, 600s);
        w.accepted();
        w.opened(opening, 590, tells::by_itself);
    }
    for (int i = 1; i < 100; ++i) w.accepted();
    CHECK(w.until_try(opening + 10s, 9, true) == doctest::Approx(590));
    CHECK(w.until_try(opening + 610s, 609, true) > 0);
    for (double late = 901; late < 20'000; late *= 1.3) {
        const instant now = opening + std::chrono::seconds(static_cast<int>(late));
        w.still_closed(now);
        CHECK(w.until_try(now, late, true) <= std::max(600.0, late / 15));
    }
    // Closed though it has let through far less than it does: that is not its end.
    w.opened(opening + 1h, 600, tells::nothing);
    for (int i = 1; i < 49; ++i) w.accepted();
    CHECK(w.closed_early());
    CHECK(w.until_try(opening + 1h + 10s, 5, true) == doctest::Approx(5));
    w.accepted();
    CHECK(!w.closed_early());
    CHECK(w.until_try(opening + 1h + 10s, 5, true) > 100);
}
