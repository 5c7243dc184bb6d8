#include "engine/rate_controller.hpp"

#include "tests/support/limited_client.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

rate_controller with_max_rate(double rate) {
    return rate_controller({.max_rate = rate, .share = 1});
}

/// Requests in flight for 10 ms each, at 100 a second, none refused.
instant busy_for_5_seconds(rate_controller& c) {
    instant now{1h};
    for (int i = 0; i < 500; ++i, now += 10ms) c.accepted(c.sent(now), now + 10ms);
    return now;
}

}  // namespace

TEST_CASE("rate: an idle stretch is not taken for one in which the limit was used up") {
    sim::token_bucket limit(200, 20);
    limited_client user;
    user.work_until(60, limit);
    CHECK(user.controller.learnt()->rate > 190);
    CHECK(user.controller.learnt()->rate < 210);
    user.idle_until(360);
    CHECK(user.work_until(390, limit) > 190 * 30);
    CHECK(user.controller.learnt()->rate > 190);
    CHECK(user.controller.learnt()->rate < 210);
}

TEST_CASE("rate: a limit that comes after an hour without one is learnt like any other") {
    sim::token_bucket limit(400, 400);  // more than one request after the other can use
    limited_client user({.max_rate = 300, .share = 1});
    user.work_until(3600, limit);
    CHECK_FALSE(user.controller.learnt());
    limit.set_rate(3600, 20);
    user.work_until(3700, limit);
    CHECK(user.work_until(3760, limit) > 18 * 60);
}

TEST_CASE("rate: before anything is known, a refusal that may have another reason tells of the rate, too") {
    sim::token_bucket limit(50, 10);
    random_source random{7};
    rate_controller c({.max_rate = {}, .share = 1});
    instant now{1h};
    const auto until_refused = [&] {
        for (;;) {
            now = std::max(now, c.next_permit());
            const auto d = c.sent(now);
            const bool admitted = limit.admit(std::chrono::duration<double>(now - instant{1h}).count());
            now += 5ms;
            if (!admitted) return d;
            c.accepted(d, now);
        }
    };
    c.throttled(until_refused(), now, told_to_wait(1s), random);
    CHECK(c.learnt()->rate == 0);
    c.pause(until_refused(), now, told_to_wait(1s), random, true);
    CHECK(c.learnt()->rate == 0);
    c.pause(until_refused(), now, told_to_wait(1s), random, false);
    CHECK(c.learnt()->rate > 40);
    CHECK(c.learnt()->rate < 60);
    // Then it is the other reason's.
    const double known = c.learnt()->rate;
    c.pause(until_refused(), now, told_to_wait(1s), random, false);
    CHECK(c.learnt()->rate == known);
}

TEST_CASE("rate: a limit that was learnt a little too high is no sign of others") {
    for (const double rate : {200.0, 300.0, 500.0}) {
        CAPTURE(rate);
        sim::token_bucket limit(rate, rate / 10);
        limited_client user({}, told_to_wait(1s));
        user.work_until(10, limit);
        CHECK(user.work_until(70, limit) > 0.94 * rate * 60);
    }
}

TEST_CASE("rate: that others took what there was when a wait was over is not the price of a refusal") {
    const auto used_of_more = [](double taken) {
        sim::token_bucket limit(50, 10);
        limited_client user({}, told_to_wait(1s));
        user.work_until(100, limit);
        limit.set_rate(100, 0);
        user.work_until(100 + taken, limit);
        limit.set_rate(100 + taken, 150);
        return user.work_until(700 + taken, limit);
    };
    const int after_one = used_of_more(0.5);
    CHECK(after_one > 40'000);
    for (const double taken : {1.5, 2.5, 3.5}) {
        CAPTURE(taken);
        CHECK(used_of_more(taken) > 0.9 * after_one);
    }
}

TEST_CASE("rate: a share stays what it is when the limit is learnt anew") {
    sim::token_bucket limit(200, 20);
    limited_client user({.max_rate = {}, .share = 0.6});
    user.work_until(60, limit);
    for (int minutes = 2; minutes <= 40; minutes += 2) {
        CAPTURE(minutes);
        const int used = user.work_until(60 * minutes, limit);
        if (minutes > 2) CHECK(used > 0.5 * 200 * 120);
        CHECK(used < 0.7 * 200 * 120);
    }
}

namespace {

/// How many leave in nine seconds when every reply takes 5 ms, nothing is refused, and the process stands
/// still for `stall` of every 200 ms. `most_in_1_ms`: of them at once.
std::size_t sent_with_stalls(rate_controller& c, std::chrono::milliseconds stall, std::size_t& most_in_1_ms) {
    std::deque<departure> under_way;
    std::deque<instant> latest;
    std::size_t sent = 0;
    for (std::chrono::nanoseconds time{}; time < 9s; time += 100us) {
        if (time % 200ms < stall) continue;
        const instant now = instant{1h} + time;
        for (; !under_way.empty() && now - under_way.front().at >= 5ms; under_way.pop_front())
            c.accepted(under_way.front(), now);
        while (c.next_permit() <= now && under_way.size() < 64) {
            under_way.push_back(c.sent(now));
            latest.push_back(now);
            ++sent;
        }
        while (!latest.empty() && latest.front() <= now - 1ms) latest.pop_front();
        most_in_1_ms = std::max(most_in_1_ms, latest.size());
    }
    return sent;
}

}  // namespace

TEST_CASE("rate: a host that stalls does not keep the run from seeing that the limit is gone") {
    for (const auto stall : {0ms, 15ms, 25ms, 40ms, 60ms}) {
        CAPTURE(stall.count());
        rate_controller c({}, learnt_limit{.rate = 1000, .burst = 50});
        std::size_t at_once = 0;
        CHECK(sent_with_stalls(c, stall, at_once) > 60'000);
    }
}

TEST_CASE("rate: what a stall held back is made up for, but not above --max-rate nor where nothing is kept") {
    struct expected {
        std::optional<double> max_rate;
        double burst;
        std::size_t at_most;
    };
    for (const expected& e : {expected{200, 50, 4}, expected{{}, 1, 20}, expected{{}, 50, 64}}) {
        CAPTURE(e.at_most);
        rate_controller c({.max_rate = e.max_rate, .share = 1}, learnt_limit{.rate = 1000, .burst = e.burst});
        std::size_t at_once = 0;
        const std::size_t sent = sent_with_stalls(c, 50ms, at_once);
        CHECK(at_once <= e.at_most);
        if (e.max_rate) CHECK(sent > 200 * 9 * 0.75);
        if (e.max_rate) CHECK(sent <= 200 * 9 + 1);
    }
}

TEST_CASE("rate: --max-rate paces from the start") {
    auto c = with_max_rate(100);
    instant now{1h};
    int sent = 0;
    for (; now < instant{1h + 10s}; now += 1ms)
        while (c.next_permit() <= now) {
            c.sent(now);
            ++sent;
        }
    CHECK(sent >= 990);
    CHECK(sent <= 1010);
}

TEST_CASE("rate: a very small --max-rate is no rate without limit") {
    for (const double rate : {1e-3, 1e-9, 1e-15, 1e-300}) {
        auto c = with_max_rate(rate);
        const instant now{1h};
        c.sent(now);
        CHECK(c.next_permit() >= now + 900s);
    }
}

TEST_CASE("rate: nothing is known of a limit before the first refusal, and little may be refused at once") {
    rate_controller c({});
    CHECK_FALSE(c.learnt());
    CHECK(c.most_in_flight() <= 4);
    instant half{1h};
    rate_controller young({});
    for (int i = 0; i < 50; ++i, half += 10ms) young.accepted(young.sent(half), half + 10ms);
    CHECK(young.most_in_flight() <= 8);
    const instant now = busy_for_5_seconds(c);
    CHECK_FALSE(c.learnt());
    CHECK(c.next_permit() <= now);
    CHECK(c.most_in_flight() >= 30);
}

TEST_CASE("rate: a throttle parks for as long as told, a little longer, however many were refused") {
    random_source random(3);
    rate_controller c({});
    instant now = busy_for_5_seconds(c);
    std::vector<departure> in_flight;
    for (int i = 0; i < 20; ++i) in_flight.push_back(c.sent(now));
    now += 5ms;
    c.throttled(in_flight[0], now, told_to_wait(2s), random);
    REQUIRE(c.learnt());
    const double rate = c.learnt()->rate;
    CHECK(c.next_permit() > now + 2s);
    CHECK(c.next_permit() < now + 2200ms);
    for (std::size_t i = 1; i < in_flight.size(); ++i)
        c.throttled(in_flight[i], now + 1ms, told_to_wait(2s), random);
    CHECK(c.next_permit() < now + 2300ms);
    CHECK(c.learnt()->rate == rate);
}

TEST_CASE("rate: after a wait one request goes first, and not all at once") {
    random_source random(4);
    rate_controller c({});
    instant now = busy_for_5_seconds(c);
    c.throttled(c.sent(now), now + 10ms, told_to_wait(1s), random);
    now = c.next_permit();
    CHECK(c.most_in_flight() == 1);
    c.accepted(c.sent(now), now + 10ms);
    CHECK(c.most_in_flight() <= 5);
}

TEST_CASE("rate: a remembered limit is kept to from the start") {
    rate_controller c({}, learnt_limit{.rate = 50, .burst = 10, .cycle = 0});
    instant now{1h};
    int sent = 0;
    for (; now < instant{1h + 200ms}; now += 1ms)
        while (c.next_permit() <= now) {
            c.accepted(c.sent(now), now + 1ms);
            ++sent;
        }
    CHECK(sent >= 8);
    CHECK(sent <= 15);
}

TEST_CASE("rate: a share of the limit is kept to") {
    rate_controller c({.max_rate = {}, .share = 0.5}, learnt_limit{.rate = 100, .burst = 10, .cycle = 0});
    instant now{1h};
    int sent = 0;
    for (; now < instant{1h + 10s}; now += 1ms)
        while (c.next_permit() <= now) {
            c.accepted(c.sent(now), now + 1ms);
            ++sent;
        }
    CHECK(sent >= 480);
    CHECK(sent <= 510);
}
