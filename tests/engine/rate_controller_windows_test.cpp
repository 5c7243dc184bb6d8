// Limits that let so many through in a window and then nothing till it ends.
#include "engine/rate_controller.hpp"
#include "tests/support/limited_client.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace muster;
using namespace muster::test;

namespace {

/// Lets `count` through in each minute (or other length), `later` from some moment on, and counts what it
/// refused.
class counted_window final : public sim::limiter {
  public:
    counted_window(double count, double later, double from, double length = 60)
        : now_(count, length, 13), later_(later, length, 13), from_(from) {}
    bool admit(double now) override {
        const bool admitted = now < from_ ? now_.admit(now) : later_.admit(now);
        refused += admitted ? 0 : 1;
        return admitted;
    }
    [[nodiscard]] double wait(double now) const override { return now_.wait(now); }
    [[nodiscard]] double allowance(double end) const override { return now_.allowance(end); }

    int refused = 0;

  private:
    sim::fixed_window now_, later_;
    double from_;
};

}  // namespace

TEST_CASE("rate: the end of a window that is known is not tried each time") {
    for (const double count : {25.0, 60.0, 100.0, 150.0}) {
        CAPTURE(count);
        counted_window limit(count, count, 1e9);
        limited_client user;
        user.work_until(5 * 60 - 13, limit);
        limit.refused = 0;
        CHECK(user.work_until(25 * 60 - 13, limit) >= 20 * count - 1);
        CHECK(limit.refused >= 20 * count / 400);
        CHECK(limit.refused <= 20 * count / 150);
    }
}

TEST_CASE("rate: a window that lets more through, or less, is found out") {
    for (const double later : {50.0, 120.0, 200.0}) {
        CAPTURE(later);
        counted_window limit(100, later, 10 * 60 - 13);
        limited_client user;
        user.work_until(13 * 60 - 13, limit);
        CHECK(user.work_until(23 * 60 - 13, limit) >= 0.98 * 10 * later);
    }
}

TEST_CASE("rate: what seems a window of a few is tried each time, as it may be what others leave") {
    for (const double left : {1.0, 5.0, 15.0})
        for (const double first : {57.0, 597.0}) {
            if (left == 1 && first > 57) continue;  // a rate of one each ten seconds, which is proven by then
            CAPTURE(left);
            CAPTURE(first);
            counted_window limit(left, 1000, first, 10);
            limited_client user;
            user.work_until(40, limit);
            limit.refused = 0;
            user.work_until(first, limit);
            CHECK(limit.refused <= 1.1 * (first - 40) / 10 + 1);
            CHECK(user.work_until(first + 60, limit) >= 2000);
        }
}

TEST_CASE("rate: a window where an earlier run knew a rate is learnt") {
    for (const double count : {5.0, 10.0, 40.0})
        for (const double length : {60.0, 3600.0}) {
            CAPTURE(count);
            CAPTURE(length);
            counted_window limit(count, count, 1e9, length);
            limited_client user({}, {}, learnt_limit{.rate = 50, .burst = 10});
            user.work_until(10 * length, limit);
            limit.refused = 0;
            CHECK(user.work_until(30 * length, limit) >= 19 * count);
            CHECK(limit.refused <= 40);
        }
}

TEST_CASE("rate: a window that begins after hours at a rate is learnt, and not waited for much longer" *
          doctest::test_suite("long")) {
    constexpr double hour = 3600;
    for (const double before : {10.0 / 60, 1.0, 3.0, 5.0})
        for (const double offset : {0.0, 600.0, 1700.0, 3000.0}) {
            CAPTURE(before);
            CAPTURE(offset);
            const double from = before * hour;
            sim::token_bucket rate(2, 5);
            counted_window limit(1000, 1000, 1e9, hour);
            limited_client user;
            user.work_until(from, rate);
            user.work_until(from + offset, limit);
            CHECK(user.work_until(from + offset + 20 * hour, limit) >= 17 * 1000);
        }
}

TEST_CASE("rate: where a window is known, an outage is not taken for a much longer one") {
    for (const double away : {600.0, 3900.0, 7800.0, 15'600.0}) {
        CAPTURE(away);
        sim::fixed_window limit(100, 60, 13);
        sim::token_bucket nothing(0, 0);
        limited_client user;
        user.work_until(600, limit);
        user.work_until(600 + away, nothing);
        user.work_until(600 + away * 16 / 15 + 130, limit);
        CHECK(user.work_until(600 + away * 16 / 15 + 130 + 1200, limit) >= 0.9 * 20 * 100);
    }
}

TEST_CASE("rate: nothing was let through at first, and then a window") {
    for (const double closed : {20.0, 100.0, 600.0, 4000.0}) {
        CAPTURE(closed);
        sim::fixed_window limit(100, 60, 13);
        sim::token_bucket nothing(0, 0);
        limited_client user;
        user.work_until(closed, nothing);
        user.work_until(closed + 0.5 * closed + 300, limit);
        CHECK(user.work_until(closed + 0.5 * closed + 1500, limit) >= 0.9 * 20 * 100);
    }
}

TEST_CASE("rate: a window that is used up when the run goes on is still one") {
    for (const double count : {5.0, 30.0, 100.0})
        for (const double over : {2.0, 6.0, 15.0, 25.0, 50.0}) {  // seconds after which it opens
            CAPTURE(count);
            CAPTURE(over);
            sim::fixed_window limit(count, 60, 60 - over);
            for (int i = 0; i < count; ++i) (void)limit.admit(0);
            limited_client user({}, {}, learnt_limit{.rate = count / 60, .burst = count, .cycle = 60});
            user.work_until(600 + over, limit);
            CHECK(user.work_until(1800 + over, limit) >= 19 * count);
        }
}

TEST_CASE("rate: a slow window that lets more through is found out within hours, not days") {
    constexpr double hour = 3600;
    counted_window limit(10, 30, 10 * hour - 13, hour);
    limited_client user;
    user.work_until(15 * hour - 13, limit);
    CHECK(user.work_until(20 * hour - 13, limit) >= 0.9 * 5 * 30);
}

TEST_CASE("rate: a window that is remembered but gone is not waited for") {
    for (const double max_rate : {0.5, 1.5, 5.0, 50.0}) {
        CAPTURE(max_rate);
        sim::token_bucket limit(1000, 1000);
        limited_client user({.max_rate = max_rate, .share = 1}, {},
                            learnt_limit{.rate = 100.0 / 60, .burst = 100, .cycle = 60});
        CHECK(user.work_until(300, limit) >= 0.97 * 300 * std::min(max_rate, 100.0 / 60));
    }
}

namespace {

/// Lets `count` through in the minute that begins with the first of them, and loses `late` seconds on the way
/// of the first request of one of these minutes.
class begun_window final : public sim::limiter {
  public:
    begun_window(double count, int unlucky, double late) : count_(count), unlucky_(unlucky), late_(late) {}
    bool admit(double now) override {
        if (now >= begun_ + 60) {
            begun_ = now + (++windows_ == unlucky_ ? late_ : 0);
            used_ = 0;
        }
        return used_++ < count_;
    }
    [[nodiscard]] double wait(double now) const override { return std::max(0.0, begun_ + 60 - now); }
    [[nodiscard]] double allowance(double end) const override { return count_ * end / 60; }

  private:
    double count_;
    int unlucky_;
    double late_;
    double begun_ = -60, used_ = 0;
    int windows_ = 0;
};

}  // namespace

TEST_CASE("rate: a request that is late once does not make a window that begins with it seem twice as long") {
    for (const double late : {0.5, 1.0, 1.8, 5.0, 20.0})
        for (int unlucky = 4; unlucky < 10; ++unlucky) {
            CAPTURE(late);
            CAPTURE(unlucky);
            begun_window limit(100, unlucky, late);
            limited_client user;
            CHECK(user.work_until(30 * 60, limit) >= 0.9 * 30 * 100);
        }
}

TEST_CASE("rate: a refusal by chance is not answered with a wait for a window that began long ago") {
    for (const double max_rate : {0.5, 1.5}) {
        CAPTURE(max_rate);
        sim::token_bucket empty(1, 1), limit(1000, 1000);
        limited_client user({.max_rate = max_rate, .share = 1}, {},
                            learnt_limit{.rate = 100.0 / 60, .burst = 100, .cycle = 60});
        user.work_until(1900, limit);
        limit.set_rate(1900, 0);
        user.work_until(1902, empty);
        limit.set_rate(1902, 1000);
        CHECK(user.work_until(2502, limit) >= 0.85 * 600 * max_rate);
    }
}
