#include "engine/concurrency_window.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace std::chrono_literals;

namespace {

const instant start{1h};

/// So many replies of that latency, the window always full. The time at the end.
instant replies(concurrency_window& w, int count, std::chrono::milliseconds latency, instant now = start) {
    for (int i = 0; i < count; ++i) {
        now += std::max<std::chrono::nanoseconds>(latency / static_cast<int>(w.size()), 1us);
        w.answered(w.size(), now - latency, now);
    }
    return now;
}

instant in_company_of_8(concurrency_window& w) {
    instant now = start;
    for (int i = 0; i < 500; ++i)
        w.answered(std::min<std::size_t>(1 + static_cast<std::size_t>(i), 8), now, now + 10ms), now += 1ms;
    return now;
}

/// A service so far away that a refusal takes a fifth of what a reply takes.
constexpr auto far_reply = 100ms, far_refusal = 20ms;

/// So many that leave a little after each other, all let through.
instant served_at_once(concurrency_window& w, std::size_t count, instant now) {
    for (std::size_t i = 1; i <= count; ++i) {
        const instant sent = now + i * 1ms;
        w.answered(i, sent, sent + far_reply);
    }
    return now + count * 1ms + far_reply;
}

/// After a few in little company twelve leave, of whom `places` are let through. The time then.
instant met_places(concurrency_window& w, std::size_t places, std::chrono::milliseconds cost) {
    instant now = start;
    for (int i = 0; i < 8; ++i) w.answered(1, now, now + far_reply), now += far_reply;
    for (std::size_t n = places + 1; n <= 12; ++n)
        CHECK_FALSE(w.refused(12, now + n * 1ms, now + n * 1ms + far_refusal, cost));
    return served_at_once(w, places, now) + cost;
}

}  // namespace

TEST_CASE("window: its ceiling while replies take what they always took") {
    concurrency_window w(64);
    replies(w, 5'000, 40ms);
    CHECK(w.size() == 64);
}

TEST_CASE("window: timeouts and 5xx shrink it once for all that was under way, and it grows again") {
    concurrency_window w(64);
    instant now = replies(w, 1'000, 40ms);
    for (int i = 0; i < 30; ++i) w.failed(now - 30ms, now);
    CHECK(w.size() == 44);
    now += 50ms;
    w.failed(now, now + 1ms);
    CHECK(w.size() == 31);
    replies(w, 5'000, 40ms, now);
    CHECK(w.size() == 64);
}

TEST_CASE("window: rising latency shrinks it, and it never closes") {
    concurrency_window w(64);
    instant now = replies(w, 2'000, 50ms);
    now = replies(w, 100, 2'000ms, now);
    CHECK(w.size() < 40);
    for (int i = 0; i < 100; ++i) w.failed(now += 1s, now);
    CHECK(w.size() == 1);
}

TEST_CASE("window: short queues are nobody's trouble") {
    concurrency_window w(64);
    instant now = replies(w, 2'000, 1ms);
    replies(w, 2'000, 60ms, now);
    CHECK(w.size() == 64);
}

TEST_CASE("window: a refusal in more company than ever is a limit on company, and is tried again later") {
    concurrency_window w(64);
    instant now = in_company_of_8(w);
    CHECK(w.refused(9, now, now, 0ms));
    CHECK(w.limit() == 8);
    CHECK(w.size() == 8);
    for (int i = 0; i < 900; ++i) w.answered(8, now, now + 10ms), now += 1ms;
    CHECK(w.size() == 8);
    for (int i = 0; i < 200; ++i) w.answered(8, now, now + 10ms), now += 1ms;
    CHECK(w.size() == 9);
    CHECK(w.refused(9, now, now, 0ms));
    CHECK(w.size() == 8);
    for (int i = 0; i < 3'500; ++i) w.answered(8, now, now + 10ms), now += 1ms;
    CHECK(w.size() == 8);
    for (int i = 0; i < 1'000; ++i) w.answered(8, now, now + 10ms), now += 1ms;
    CHECK(w.size() == 9);
}

TEST_CASE("window: where more than the limit is let through, it is given up in growing steps") {
    concurrency_window w(64);
    instant now = in_company_of_8(w);
    CHECK(w.refused(9, now, now, 0ms));
    now += 2s;
    for (int i = 0; i < 100 && w.size() < 64; ++i) w.answered(w.size(), now, now + 10ms), now += 10ms;
    CHECK(w.size() == 64);
}

TEST_CASE("window: a refusal in more company than the few replies so far had says nothing") {
    concurrency_window w(64);
    instant now = start;
    for (std::size_t i = 1; i < 8; ++i) w.answered(i, now, now + 10ms), now += 1ms;
    CHECK_FALSE(w.refused(9, now, now, 0ms));
}

TEST_CASE("window: a refusal in company that was let through before is not laid to it") {
    concurrency_window w(64);
    instant now = start;
    for (int i = 0; i < 500; ++i) w.answered(8, now, now + 10ms), now += 1ms;
    CHECK_FALSE(w.refused(8, now, now, 0ms));
    CHECK_FALSE(w.refused(9, now, now, 0ms));  // and from then on none is, for a while
    CHECK(w.size() == 64);
}

TEST_CASE("window: what left before the limit was known does not lift it") {
    concurrency_window w(64);
    instant now = in_company_of_8(w);
    CHECK(w.refused(9, now, now, 1000ms));
    w.answered(9, now - 1ms, now + 10ms);
    CHECK(w.limit() == 8);
    CHECK(w.size() == 8);
}

TEST_CASE("window: where a refusal is dear, a place is left free for one that is given free late") {
    for (const auto cost : {0ms, 1000ms}) {
        concurrency_window w(64);
        instant now = in_company_of_8(w);
        CHECK(w.refused(9, now, now, cost));
        now = replies(w, 600, 10ms, now);
        CHECK(w.refused(8, now, now, cost));
        CHECK(w.size() == (cost == 0ms ? 8 : 7));
    }
}

TEST_CASE("window: a limit on company that was just assumed and is refused within is given up") {
    concurrency_window w(64);
    instant now = in_company_of_8(w);
    CHECK(w.refused(9, now, now, 1000ms));
    now = replies(w, 100, 10ms, now + 1s);
    CHECK_FALSE(w.refused(8, now, now, 1000ms));
    CHECK(w.limit() == 0);
}

TEST_CASE("window: twice refused in more company than ever, it is the company, however few replies came") {
    concurrency_window w(64);
    instant now = start;
    for (std::size_t i = 1; i < 9; ++i) w.answered(i, now, now + 10ms), now += 1ms;
    CHECK_FALSE(w.refused(10, now, now, 1000ms));
    for (std::size_t i = 1; i < 9; ++i) w.answered(i, now, now + 10ms), now += 1ms;
    CHECK(w.refused(11, now, now, 1000ms));
    CHECK(w.limit() == 9);
}

TEST_CASE("window: where so much company is let through afterwards, an earlier refusal was not due to it") {
    for (const bool let_through : {true, false}) {
        CAPTURE(let_through);
        concurrency_window w(64);
        instant now = start;
        for (std::size_t i = 0; i < 20; ++i) w.answered(5, now, now + 10ms), now += 1ms;
        CHECK_FALSE(w.refused(5, now, now, 1000ms));
        now += 1s;
        for (std::size_t i = 0; i < 12; ++i) w.answered(let_through ? 6 : 4, now, now + 10ms), now += 1ms;
        CHECK(w.refused(7, now, now, 1000ms) != let_through);
        CHECK(w.limit() == (let_through ? 0 : 4));
    }
}

TEST_CASE("window: a long wait is not for a place") {
    concurrency_window w(64);
    instant now = in_company_of_8(w);
    CHECK_FALSE(w.refused(9, now, now, 30s));
}

TEST_CASE("window: a request that had no company was not refused for its company") {
    for (const std::size_t ceiling : {std::size_t{1}, std::size_t{64}}) {
        concurrency_window w(ceiling);
        for (int i = 0; i < 3; ++i) CHECK_FALSE(w.refused(1, start, start, 2000ms));
        CHECK(w.limit() == 0);
        CHECK(w.size() == ceiling);
    }
}

TEST_CASE(
    "window: a request or two more at once than usual, let through a few times, are not what was refused") {
    for (const bool let_through_before : {false, true}) {
        concurrency_window w(64);
        instant now = start;
        for (int i = 0; i < 200; ++i)
            w.answered(let_through_before && i % 20 == 0 ? 2 : 1, now, now + 10ms), now += 20ms;
        concurrency_window cheap = w;
        for (int i = 0; i < 2; ++i) {
            w.refused(2, now, now, 1000ms);
            cheap.refused(2, now, now, 0ms);
        }
        CHECK((w.limit() == 0) == let_through_before);
        CHECK(cheap.limit() == 1);  // where a wrong guess costs little
    }
}

TEST_CASE("window: a refusal in less company than the limit allows leaves the limit as it is") {
    concurrency_window w(64);
    instant now = in_company_of_8(w);
    CHECK(w.refused(9, now, now, 1000ms));
    now = replies(w, 600, 10ms, now + 1s);
    CHECK_FALSE(w.refused(2, now, now, 1000ms));
    CHECK(w.limit() == 8);
    concurrency_window remembered(64, 50);
    CHECK_FALSE(remembered.refused(3, start, start, 1000ms));
    CHECK(remembered.limit() == 50);
}

TEST_CASE("window: a long wait, for the rate, leaves a proven limit on company as it is") {
    concurrency_window w(64);
    const instant now = in_company_of_8(w);
    CHECK(w.refused(9, now, now, 1000ms));
    CHECK_FALSE(w.refused(5, now + 10s, now + 10s, 30s));
    CHECK(w.limit() == 8);
}

TEST_CASE(
    "window: a limit on company of a service far away is what was served together, of its first refusal") {
    for (const auto cost : {0ms, 1000ms}) {
        for (const std::size_t places : {2, 5, 8}) {
            CAPTURE(places);
            concurrency_window w(64);
            instant now = met_places(w, places, cost);
            CHECK(w.size() == 11);
            now = served_at_once(w, 1, now);
            CHECK(w.size() == places);
            CHECK(w.limit() == 0);  // not yet told: the rate may have refused them
            for (int i = 0; i < 500; ++i) w.answered(places, now, now + far_reply), now += 1ms;
            CHECK(w.limit() == places);
        }
    }
}

TEST_CASE("window: a limit that was measured is refuted by a refusal of no more than were served together") {
    concurrency_window w(64);
    instant now = met_places(w, 8, 1000ms);
    now = served_at_once(w, 8, now);
    CHECK(w.size() == 8);
    CHECK_FALSE(w.refused(8, now, now + far_refusal, 1000ms));
    CHECK(w.size() == 64);
    CHECK_FALSE(w.refused(20, now + 50ms, now + 70ms, 1000ms));  // it is not looked for any more for a while
    CHECK(w.size() == 64);
}

TEST_CASE("window: a limit that was measured too high is lowered once, then it is none") {
    concurrency_window w(64);
    instant now = met_places(w, 8, 1000ms);
    now = served_at_once(w, 4, now);
    for (int i = 0; i < 64; ++i) {  // seven, never surely together
        now += 200ms;
        w.answered(7, now, now + far_reply);
    }
    now += 200ms;
    CHECK(w.refused(8, now, now + far_refusal, 1000ms));
    CHECK(w.size() == 7);
    now += 2s;
    CHECK_FALSE(w.refused(7, now, now + far_refusal, 1000ms));
    CHECK(w.size() == 64);
}

TEST_CASE("window: requests that leave at the same moment are served together") {
    concurrency_window w(64);
    w.answered(1, start, start + far_reply);
    const instant now = start + 1s;
    CHECK_FALSE(w.refused(9, now, now + far_refusal, 1000ms));
    for (int i = 0; i < 6; ++i) w.answered(6, now, now + far_reply);
    served_at_once(w, 1, now + 2s);
    CHECK(w.size() == 6);
}

TEST_CASE("window: where a refusal takes about as long as a reply, what was served together is not seen") {
    concurrency_window w(64);
    instant now = start;
    for (int i = 0; i < 8; ++i) w.answered(1, now, now + far_reply), now += far_reply;
    CHECK_FALSE(w.refused(12, now, now + 60ms, 1000ms));
    served_at_once(w, 8, now);
    served_at_once(w, 1, now + 2s);
    CHECK(w.size() == 64);
}

TEST_CASE("window: the first few of a run that leave together are no limit, where it is dear to be wrong") {
    for (const auto cost : {0ms, 1000ms}) {
        concurrency_window w(64);
        w.answered(1, start, start + far_reply);
        const instant now = start + 1s;
        CHECK_FALSE(w.refused(4, now, now + far_refusal, cost));
        for (int i = 0; i < 3; ++i) w.answered(4, now, now + far_reply);
        served_at_once(w, 1, now + 2s);
        CHECK(w.size() == (cost == 0ms ? 3 : 64));
    }
}

TEST_CASE("window: a limit is trusted for replies to requests that had all the company it allows, alone") {
    concurrency_window w(64);
    instant now = met_places(w, 8, 0ms);
    now = served_at_once(w, 1, now);
    for (int i = 0; i < 900; ++i) w.answered(2, now, now + far_reply), now += 1ms;
    CHECK(w.size() == 8);
    CHECK(w.limit() == 0);
}

TEST_CASE("window: a greater number that was measured is tried to be exceeded sooner") {
    std::chrono::milliseconds before{};
    for (const std::size_t places : {6, 12, 24}) {
        concurrency_window w(64);
        w.answered(1, start, start + far_reply);
        const instant met = start + 1s;
        CHECK_FALSE(w.refused(places + 4, met + 30ms, met + 30ms + far_refusal, 1000ms));
        instant now = served_at_once(w, places, met) + 1s;
        now = served_at_once(w, 1, now);
        const instant measured = now;
        while (w.size() == places && now < measured + 200s)
            w.answered(places, now, now + far_reply), now += 100ms;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - measured);
        CHECK(w.size() == places + 1);
        if (places > 6) CHECK(took < before);
        before = took;
    }
}

TEST_CASE("window: a limit on much company is soon tried again, each time, as it may have been the rate") {
    for (const std::size_t company : {20, 40}) {
        CAPTURE(company);
        concurrency_window w(64);
        instant now = start;
        const auto grown_to = [&](std::size_t in_flight) {
            for (std::size_t i = 1; i <= in_flight; ++i) w.answered(i, now, now + 1s), now += 20ms;
        };
        const auto answered_until_larger_than = [&](std::size_t size) {
            const instant from = now;
            while (w.size() <= size && now < from + 200s) w.answered(w.size(), now, now + 1s), now += 25ms;
            return now - from;
        };
        grown_to(company - 1);
        CHECK_FALSE(w.refused(company, now, now + 60ms, 1000ms));
        grown_to(company - 1);
        CHECK(w.refused(company + 1, now, now + 60ms, 1000ms));
        CHECK(answered_until_larger_than(company) < 40s);
        answered_until_larger_than(company + 8);  // some are let through, one then is not
        CHECK(w.refused(w.size(), now, now + 60ms, 1000ms));
        const std::size_t kept = w.size();
        CHECK(answered_until_larger_than(kept) < 80s);
        answered_until_larger_than(63);
        CHECK(w.size() == 64);
    }
}

TEST_CASE("window: in very much company nothing is measured, nor where the way is short") {
    concurrency_window many(64);
    CHECK_FALSE(many.refused(40, start, start + far_refusal, 1000ms));
    CHECK(many.size() == 64);
    concurrency_window near(64);
    CHECK_FALSE(near.refused(12, start, start + 1ms, 1000ms));
    CHECK(near.size() == 64);
}
