#include "engine/limit_estimate.hpp"

#include "engine/window_estimate.hpp"
#include "tests/sim/limiter_models.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace muster;
using namespace std::chrono_literals;
using tells = window_estimate::told_by_opening;

namespace {

instant at(double seconds) {
    return instant{1h} + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

/// Sends at a steady pace and, after each refusal, nothing for a while; so many refusals in all. A refusal is
/// known `flight` seconds after the request left; meanwhile more leave.
class paced_user {
  public:
    explicit paced_user(std::uint64_t seed = 1) : random_(seed) {}

    /// `laid_to_other`: of the refusals it is only noted that they were.
    void work(sim::limiter& limit, double pace, double wait, int refusals, double flight = 0,
              double jitter = 0, bool laid_to_other = false) {
        std::uniform_real_distribution<double> late(0, jitter);
        while (refusals > 0) {
            // The requests of one run up to the refusal, in the order in which the limit sees them.
            struct request {
                departure d;
                double arrival;
            };
            std::vector<request> sent;
            double known_at = 1e18;
            const double begun = now_;
            bool fresh = true;
            std::size_t seen = 0;
            while (now_ < known_at) {
                const departure d{number_++, at(now_), waited_};
                estimate.sent(d);
                sent.push_back({d, now_ + late(random_)});
                now_ += std::exp(-growth * (now_ - begun)) /
                        (sent.size() <= at_once ? std::max(pace, fast) : pace);
                std::ranges::sort(sent.begin() + static_cast<std::ptrdiff_t>(seen), sent.end(), {},
                                  &request::arrival);
                for (; seen < sent.size() && sent[seen].arrival + jitter <= now_; ++seen) {
                    if (limit.admit(sent[seen].arrival)) continue;
                    if (fresh) known_at = now_ + flight;
                    if (laid_to_other)
                        estimate.note_refusal(sent[seen].d, at(known_at));
                    else
                        estimate.refused(sent[seen].d, fresh, at(known_at), jitter, pace, told);
                    fresh = false;
                }
            }
            for (; seen < sent.size(); ++seen)
                if (!limit.admit(sent[seen].arrival))
                    estimate.refused(sent[seen].d, false, at(known_at), jitter, pace, told);
            --refusals;
            now_ += wait;
            waited_ += wait;
        }
    }

    limit_estimate estimate;
    double told = 0;          ///< seconds that the service asks to wait
    std::size_t at_once = 0;  ///< so many leave at the pace `fast` when a wait is over
    double fast = 0;
    double growth = 0;  ///< of the pace, as a logarithm each second

  private:
    std::mt19937_64 random_;
    double now_ = 0, waited_ = 0;
    std::uint64_t number_ = 0;
};

}  // namespace

TEST_CASE("estimate: rate and burst of a bucket, from stretches of different paces with waits in between") {
    for (const double burst : {5.0, 10.0, 40.0})
        for (const double rate : {20.0, 50.0, 300.0}) {
            CAPTURE(burst);
            CAPTURE(rate);
            sim::token_bucket limit(rate, burst);
            paced_user user;
            for (const double faster : {3.0, 2.0, 1.5, 1.25}) user.work(limit, faster * rate, 1, 1);
            CHECK(user.estimate.rate() > 0.93 * rate);
            CHECK(user.estimate.rate() < 1.07 * rate);
            CHECK(user.estimate.burst() > 0.6 * burst);
            CHECK(user.estimate.burst() < 1.6 * burst);
            CHECK(std::abs(std::log(user.estimate.rate() / rate)) < 2 * user.estimate.uncertainty());
        }
}

TEST_CASE("estimate: the third refusal that has a second waited tells a bucket's rate to a hundredth") {
    const auto after_three = [](double rate, double burst, double told, double wait) {
        sim::token_bucket limit(rate, burst);
        paced_user user;
        user.told = told;
        user.at_once = static_cast<std::size_t>(burst / 2);
        user.fast = 20 * rate;
        for (const double faster : {2.0, 1.5, 1.03}) user.work(limit, faster * rate, wait, 1);
        return user.estimate;
    };
    for (const double burst : {10.0, 40.0})
        for (const double rate : {50.0, 300.0}) {
            CAPTURE(burst);
            CAPTURE(rate);
            const auto bucket = after_three(rate, burst, 1, 1);
            CHECK(bucket.rate() == doctest::Approx(rate).epsilon(0.01));
            CHECK(bucket.burst() == doctest::Approx(burst).epsilon(0.1));
            CHECK(bucket.uncertainty() < 0.01);
            // One of so many a second has nobody wait for half a minute: that says as much as silence.
            CHECK(after_three(rate, burst, 30, 30).rate() == after_three(rate, burst, 0, 30).rate());
            CHECK(after_three(rate, burst, 1, 30).rate() != after_three(rate, burst, 0, 30).rate());
        }
}

TEST_CASE("estimate: a bucket that changes is learnt anew though one explained all before") {
    for (const double change : {0.5, 2.0}) {
        CAPTURE(change);
        sim::token_bucket before(100, 20), after(100 * change, 20);
        paced_user user;
        user.told = 1;
        for (const double faster : {2.0, 1.5, 1.1, 1.05}) user.work(before, faster * 100, 1, 1);
        CHECK(user.estimate.uncertainty() < 0.01);
        for (const double faster : {1.5, 1.2, 1.1}) user.work(after, faster * 100 * change, 1, 1);
        CHECK(user.estimate.rate() == doctest::Approx(100 * change).epsilon(0.1));
    }
}

TEST_CASE("estimate: requests that overtake each other and refusals that are known late") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        CAPTURE(seed);
        sim::token_bucket limit(50, 10);
        paced_user user(seed);
        for (const double pace : {100.0, 80.0, 65.0, 60.0}) user.work(limit, pace, 1, 1, 0.1, 0.02);
        CHECK(user.estimate.rate() > 42);
        CHECK(user.estimate.rate() < 58);
    }
}

TEST_CASE("estimate: a long stretch makes the rate sure, whatever the burst may be") {
    for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
        CAPTURE(seed);
        sim::token_bucket limit(50, 10);
        paced_user user(seed);
        for (const double pace : {90.0, 75.0, 65.0, 50.5}) user.work(limit, pace, 1, 1, 0.1, 0.02);
        CHECK(user.estimate.weight() > 500);
        CHECK(user.estimate.rate() > 49);
        CHECK(user.estimate.rate() < 51);
        CHECK(user.estimate.uncertainty() < 0.03);
    }
}

TEST_CASE("estimate: of a stretch that is longer than what is remembered, its end is read") {
    sim::token_bucket limit(500, 50);
    paced_user user;
    for (const double pace : {1000.0, 750.0, 600.0}) user.work(limit, pace, 1, 1);
    for (const double pace : {504.0, 503.0, 502.5}) {
        CAPTURE(pace);
        user.work(limit, pace, 1, 1);
        CHECK(user.estimate.rate() > 490);
        CHECK(user.estimate.rate() < 510);
        CHECK(user.estimate.burst() > 30);
        CHECK(user.estimate.burst() < 80);
    }
}

TEST_CASE("estimate: of the rates that fit where nothing bounds them the least is taken") {
    for (const double pace : {60.0, 80.0, 100.0}) {
        CAPTURE(pace);
        sim::token_bucket limit(50, 10);
        paced_user user;
        user.work(limit, pace, 1, 1);
        user.work(limit, pace * 0.9, 1, 1);
        CHECK(user.estimate.rate() > 30);
        CHECK(user.estimate.rate() < 54);
    }
}

TEST_CASE("estimate: a refusal that was laid to another reason still ends a stretch") {
    for (const double pace : {70.0, 90.0, 120.0}) {
        CAPTURE(pace);
        sim::token_bucket limit(50, 10);
        paced_user user;
        user.work(limit, pace, 1, 1);
        user.work(limit, pace * 0.9, 1, 1, 0, 0, true);
        CHECK(user.estimate.weight() == 0);
        user.estimate.count_noted();
        user.work(limit, pace * 0.8, 1, 1);
        CHECK(user.estimate.rate() > 43);
        CHECK(user.estimate.rate() < 58);
    }
}

TEST_CASE("estimate: a small burst with a great rate does not explain a refusal at a lower pace") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        const auto between = [&](double a, double b) {
            return std::uniform_real_distribution<double>(a, b)(random);
        };
        const double rate = std::exp(between(std::log(30), std::log(500)));
        const double burst = rate * between(0.08, 0.25);
        const double flight = between(0.002, 0.03);
        sim::token_bucket limit(rate, burst);
        paced_user user(seed);
        user.work(limit, between(1.5, 4) * rate, 1.04, 1, flight, flight / 10);
        user.at_once = static_cast<std::size_t>(0.8 * std::min(burst, rate));
        user.fast = between(1.1, 1.6) * rate;
        user.growth = 2;
        user.work(limit, between(0.5, 0.8) * rate, 1.04, 1, flight, flight / 10);
        user.growth = 0.04;
        user.work(limit, rate, 1.04, 1, flight, flight / 10);
        const double off = std::abs(std::log(user.estimate.rate() / rate));
        CHECK(off < 0.06);
    }
}

TEST_CASE("estimate: where several bursts explain what was seen, the rate is as much in doubt") {
    int surer_than_right = 0;
    for (std::uint64_t seed = 201; seed <= 400; ++seed) {
        std::mt19937_64 random(seed);
        const auto between = [&](double a, double b) {
            return std::uniform_real_distribution<double>(a, b)(random);
        };
        const double rate = 50;
        const double flight = between(0.03, 0.1);
        sim::token_bucket limit(rate, 10);
        paced_user user(seed);
        user.growth = between(0.5, 2);
        user.work(limit, between(0.1, 0.8) * rate, 1.05, 1, flight, flight);
        user.at_once = 8;
        user.fast = 40;
        user.growth = between(0.2, 0.6);
        const double pace = between(0.3, 0.6) * rate;
        user.work(limit, pace, 1.05, 1, flight, flight);
        for (int more = 0; more < 3; ++more) {
            user.work(limit, pace, 1.05, 1, flight, flight);
            const double off = std::abs(std::log(user.estimate.rate() / rate));
            surer_than_right += off > 3 * user.estimate.uncertainty() + 0.05 ? 1 : 0;
        }
    }
    CHECK(surer_than_right <= 5);
}

TEST_CASE("estimate: without waits the rate is exact whatever the burst") {
    sim::token_bucket limit(100, 20);
    paced_user user;
    user.work(limit, 101, 0, 40);
    CHECK(user.estimate.rate() > 99);
    CHECK(user.estimate.rate() < 101);
    CHECK(user.estimate.uncertainty() < 0.01);
}

TEST_CASE("estimate: an earlier wait leaves no doubt about what was measured without one since") {
    for (const double burst : {5.0, 50.0, 200.0}) {
        CAPTURE(burst);
        sim::token_bucket limit(500, burst);
        paced_user user;
        for (const double pace : {900.0, 700.0, 600.0}) user.work(limit, pace, 0.5, 1);
        user.work(limit, 510, 0, 55);
        CHECK(user.estimate.rate() > 495);
        CHECK(user.estimate.rate() < 505);
        CHECK(user.estimate.uncertainty() < 0.01);
    }
}

TEST_CASE("estimate: a limit that changed is seen at the next refusals") {
    sim::token_bucket limit(100, 20);
    paced_user user;
    user.work(limit, 105, 0, 20);
    limit.set_rate(1e9, 30);
    sim::token_bucket other(30, 20);
    user.work(other, 40, 0, 4);
    CHECK(user.estimate.rate() > 28);
    CHECK(user.estimate.rate() < 32);
}

TEST_CASE("estimate: the window's end is waited for once its length is known") {
    window_estimate w;
    w.begin(at(0));
    for (int i = 0; i < 100; ++i) w.accepted();
    CHECK_FALSE(w.is_window());
    w.opened(at(60), 59, tells::by_itself);
    CHECK(w.is_window());
    CHECK(w.cycle() == doctest::Approx(60));
    for (int i = 0; i < 99; ++i) w.accepted();
    CHECK(w.used_up());
    w.still_closed(at(91));
    CHECK(w.until_opening(at(91)) == doctest::Approx(29));
}

TEST_CASE("estimate: a window that was found too long is tried at the round lengths below") {
    window_estimate w;
    w.begin(at(0));
    for (int i = 0; i < 100; ++i) w.accepted();
    w.still_closed(at(30.5));
    w.opened(at(111), 110, tells::by_itself);
    CHECK(w.until_opening(at(112)) == doctest::Approx(59));
    w.still_closed(at(111 + 60));
    CHECK(w.until_opening(at(111 + 60.1)) == doctest::Approx((60 + 111) / 2.0 - 60.1));
    w.still_closed(at(111 + 107));
    CHECK(w.until_opening(at(111 + 107.1)) == doctest::Approx(3.9));
}

TEST_CASE("estimate: a bucket whose service tells a whole second is no window") {
    for (const double distance : {1.1, 5.0, 15.0, 100.0}) {
        CAPTURE(distance);
        window_estimate w;
        w.begin(at(0));
        for (double now = distance; now < 20 * distance; now += distance) {
            for (int i = 0; i < 10; ++i) w.accepted();
            w.opened(at(now), 1.05, tells::by_itself);
            CHECK_FALSE(w.is_window());
        }
    }
}

TEST_CASE("estimate: the pace of late is that of the later half of what left, where that is not too little") {
    limit_estimate estimate;
    std::uint64_t number = 0;
    for (; number < 20; ++number) {
        const departure d{number, at(static_cast<double>(number))};
        CHECK(estimate.late_pace(d) == 0);
        estimate.sent(d);
    }
    for (; number < 40; ++number) estimate.sent({number, at(20 + 0.1 * static_cast<double>(number - 20))});
    CHECK(estimate.late_pace({number, at(22)}) == doctest::Approx(10));
    CHECK(estimate.late_pace({number, at(24)}) == doctest::Approx(5));
    CHECK(estimate.late_pace({30, at(21)}) == 0);
}

TEST_CASE("estimate: what was let through evenly for long before the first refusal is no burst") {
    for (const double seconds : {5.0, 20.0}) {
        CAPTURE(seconds);
        limit_estimate estimate;
        std::uint64_t number = 0;
        for (; static_cast<double>(number) < 36 * seconds; ++number)
            estimate.sent({number, at(static_cast<double>(number) / 36)});
        estimate.sent({number, at(seconds)});
        estimate.refused({number, at(seconds)}, true, at(seconds + 0.1), 0.01, 36);
        CHECK(estimate.rate() == doctest::Approx(36));
        CHECK((estimate.burst() < 10) == (seconds > 10));
    }
}

TEST_CASE("estimate: a rate that an earlier run knew is one, a window proves none") {
    CHECK(limit_estimate(learnt_limit{.rate = 50, .burst = 10}).once_proven());
    CHECK_FALSE(limit_estimate(learnt_limit{.rate = 0.5, .burst = 30, .cycle = 60}).once_proven());
}

TEST_CASE("estimate: a window that an earlier run met is one") {
    const window_estimate w(learnt_limit{.rate = 20, .burst = 100, .cycle = 5});
    CHECK(w.is_window());
    CHECK(w.proven());
}
