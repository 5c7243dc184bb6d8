// When the limit is tried again after it closed, told or untold, alone or among others; and what comes of it.
#include "engine/rate_controller.hpp"
#include "tests/support/limited_client.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

TEST_CASE("rate: refused from the very first request on, without a word, it soon tries again") {
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
