#include "engine/rate_controller.hpp"

#include "tests/support/limited_client.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

limit_hint told_to_wait(std::chrono::milliseconds wait) {
    limit_hint hint;
    hint.wait = wait;
    return hint;
}

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

TEST_CASE("rate controller: refused from the very first request on, without a word, it soon tries again") {
    for (const int at_once : {1, 2, 8, 32}) {
        CAPTURE(at_once);
        rate_controller c({});
        random_source random(1);
        instant now{1h};
        std::vector<departure> sent;
        for (int i = 0; i < at_once; ++i) sent.push_back(c.sent(now));
        now += 20ms;
        for (const departure& d : sent) c.throttled(d, now, {}, random);
        // Others may take what there is, each time by chance: never for much longer than it has been so.
        int tries = 0;
        for (; now < instant{1h} + 2min; ++tries) {
            CHECK(c.next_permit() - now <
                  std::max<std::chrono::nanoseconds>(500ms, (now - instant{1h}) * 7 / 10));
            now = std::max(now, c.next_permit());
            const departure d = c.sent(now);
            now += 20ms;
            c.throttled(d, now, {}, random);
        }
        CHECK(tries <= 25);
    }
}

namespace {

/// A bucket of 50 a second that others keep empty for 21 s, all but for a moment after 10 and after 20 s.
class crowded_bucket final : public sim::limiter {
  public:
    bool admit(double now) override {
        const bool crowded =
            (now > 0.02 && now < 10.5) || (now > 13 && now < 20.5) || (now > 20.51 && now < 21);
        return !crowded && bucket_.admit(now);
    }
    [[nodiscard]] double wait(double now) const override { return bucket_.wait(now); }
    [[nodiscard]] double allowance(double end) const override { return bucket_.allowance(end); }

  private:
    sim::token_bucket bucket_{50, 10};
};

}  // namespace

TEST_CASE("rate: one that others left next to nothing does not take that for a window") {
    crowded_bucket limit;
    limited_client user;
    user.work_until(40, limit);
    CHECK(user.work_until(60, limit) > 0.75 * 20 * 50);
}

namespace {

/// A bucket of 200 a second of which others leave 8 a second at first, nothing at all for a while in that,
/// and then nearly everything: one in 40 requests still finds nothing.
class jostled_bucket final : public sim::limiter {
  public:
    jostled_bucket(double closed_from, double closed_until)
        : closed_from_(closed_from), closed_until_(closed_until) {}
    bool admit(double now) override {
        if (now > closed_from_ && now < closed_until_) return false;
        if (now < 8) return left_.admit(now);
        return ++asked_ % 40 != 0 && bucket_.admit(now);
    }
    [[nodiscard]] double wait(double now) const override { return bucket_.wait(now); }
    [[nodiscard]] double allowance(double end) const override { return bucket_.allowance(end); }

  private:
    double closed_from_, closed_until_;
    sim::token_bucket left_{8, 2}, bucket_{200, 20};
    int asked_ = 0;
};

}  // namespace

TEST_CASE("rate: what others take now and then does not keep a process at what little they left it once") {
    jostled_bucket limit(0, 0);
    limited_client user;
    user.work_until(60, limit);
    CHECK(user.work_until(70, limit) > 120);
}

TEST_CASE("rate: a wait that nobody asked for is not what a refusal costs") {
    jostled_bucket limit(0.1, 0.6);
    limited_client user;
    user.work_until(60, limit);
    CHECK(user.work_until(70, limit) > 200);
}

TEST_CASE("rate: a bucket whose every refusal costs a second is soon used well") {
    for (const double rate : {20.0, 50.0, 100.0}) {
        CAPTURE(rate);
        sim::token_bucket limit(rate, rate / 5);
        limited_client user({}, told_to_wait(1s));
        const double after_10 = user.work_until(10, limit);
        CHECK(after_10 > 0.80 * 10 * rate);
        CHECK(after_10 + user.work_until(60, limit) > 0.93 * 60 * rate);
    }
}

TEST_CASE("rate: a limit that keeps nothing but has whole seconds waited is used, too") {
    for (const double rate : {20.0, 50.0})
        for (const double burst : {1.0, 2.0}) {
            CAPTURE(rate);
            CAPTURE(burst);
            sim::token_bucket limit(rate, burst);
            limited_client user({}, told_to_wait(1s));
            CHECK(user.work_until(60, limit) > 0.5 * 60 * rate);
            CHECK(user.work_until(300, limit) > 0.7 * 240 * rate);
        }
}

TEST_CASE("rate: one that is left alone at a limit that has each refusal waited for finds that out") {
    struct shared_limit {
        double rate, burst;
        std::chrono::seconds told;
    };
    for (const auto [rate, burst, told] :
         {shared_limit{5, 1, 1s}, {10, 1, 1s}, {20, 7, 1s}, {10, 1, 2s}, {50, 10, 2s}}) {
        CAPTURE(rate);
        CAPTURE(burst);
        CAPTURE(told.count());
        sim::token_bucket limit(rate, burst);
        limited_client stays({}, told_to_wait(told)), leaves({}, told_to_wait(told));
        for (double now = 0; now < 60; now += 0.001) {
            stays.work_until(now, limit);
            leaves.work_until(now, limit);
        }
        stays.work_until(1200, limit);
        CHECK(stays.work_until(1800, limit) > 0.85 * 600 * rate);
    }
}

TEST_CASE("rate: requests that were lost while the limit was waited for are not waited for again") {
    rate_controller c({}, learnt_limit{.rate = 50, .burst = 1, .cycle = 0});
    random_source random(1);
    instant now{1h};
    c.throttled(c.sent(now), now + 10ms, told_to_wait(1s), random);
    for (int lost = 0; lost < 500; ++lost) {
        now = std::max(now, c.next_permit());
        c.sent(now);
    }
    now = std::max(now, c.next_permit());
    const departure d = c.sent(now);
    c.accepted(d, now + 10ms);
    CHECK(c.next_permit() - now < 200ms);
}

TEST_CASE("rate: while nothing is known but a refusal, one goes at a time where that takes no time") {
    for (const auto latency : {1ms, 300ms}) {
        CAPTURE(latency.count());
        rate_controller c({});
        random_source random(1);
        instant now{1h};
        const auto send_as_many_as_may = [&] {
            std::vector<departure> sent;
            while (sent.size() < c.most_in_flight()) sent.push_back(c.sent(now));
            now += latency;
            return sent;
        };
        for (const auto& d : send_as_many_as_may()) c.accepted(d, now);
        for (const auto& d : send_as_many_as_may()) c.throttled(d, now, {}, random);
        now = std::max(now, c.next_permit());
        const auto again = send_as_many_as_may();
        CHECK((again.size() == 1) == (latency == 1ms));
        for (const auto& d : again) c.accepted(d, now);
        CHECK(c.most_in_flight() > 1);
    }
}

TEST_CASE("rate: a limit that changed just before the service went away is used when it comes back") {
    for (double away = 10.02; away < 11; away += 0.02) {
        CAPTURE(away);
        limited_client client;
        sim::token_bucket limit(500, 50);
        client.work_until(10, limit);
        limit.set_rate(10, 250);
        client.work_until(away, limit);
        limit.set_rate(away, 0);
        client.work_until(130, limit);
        limit.set_rate(130, 250);
        client.work_until(140, limit);
        CHECK(client.work_until(150, limit) > 0.95 * 250 * 10);
    }
}

TEST_CASE("rate: a service that lets nothing through at first is used in full once it does") {
    for (const auto hint : {limit_hint{}, told_to_wait(10s), told_to_wait(600s)})
        for (const double closed : {20.0, 600.0, 36'000.0}) {
            CAPTURE(hint.wait.has_value());
            CAPTURE(closed);
            limited_client client({}, hint);
            sim::token_bucket nothing(0, 0);
            client.work_until(closed, nothing);
            // What is still waited for may be as long as was asked for, or a part of the time so far.
            const double from = closed + std::max(600.0, std::min(0.5 * closed, 900.0)) + 20;
            sim::token_bucket limit = hint.wait ? sim::token_bucket(1e6, 1e6) : sim::token_bucket(50, 10);
            client.work_until(from, limit);
            CHECK(client.work_until(from + 100, limit) > 0.9 * 100 * 50);
        }
}

TEST_CASE("rate: a service that went away for hours is tried seldom, and found soon enough") {
    limited_client client;
    sim::token_bucket limit(50, 10);
    client.work_until(60, limit);
    limit.set_rate(60, 0);
    client.refused = 0;
    client.work_until(60 + 7200, limit);
    CHECK(client.refused <= 120);
    limit.set_rate(60 + 7200, 50);
    const double from = 60 + 7200 + 7200 / 15.0 + 10;
    client.work_until(from, limit);
    CHECK(client.work_until(from + 60, limit) > 0.9 * 60 * 50);
}
