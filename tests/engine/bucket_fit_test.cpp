#include "engine/bucket_fit.hpp"

#include "tests/sim/limiter_models.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace muster;

namespace {

/// Sends in order, a little faster than the limit allows, and waits a second after each refusal; what a
/// bucket kept meanwhile is used at once, in part. What is let through it keeps as stretches.
class user {
  public:
    explicit user(std::uint64_t seed) : random_(seed) {}

    double jitter = 0;         ///< seconds that a request may be longer under way than another
    double round_trip = 0.01;  ///< seconds till a refusal is known

    void work(sim::limiter& limit, double rate, double burst, std::size_t refusals) {
        for (std::size_t n = 0; n < refusals; ++n) {
            const double faster = std::exp(uniform(0.01, 0.3));
            const auto at_once = static_cast<std::size_t>(n == 0 ? 0 : 0.8 * burst * uniform(0.5, 1));
            bucket_stretch s{.from = from_, .known = known_};
            s.full_at_first = stretches_.empty();
            for (std::size_t sent = 0;; ++sent) {
                const double arrival = std::max(arrived_, now_ + uniform(0, jitter));
                if (!limit.admit(arrival)) break;
                arrived_ = arrival;
                s.let_through.push_back(now_);
                now_ += sent < at_once ? 0.0001 : 1 / (rate * faster);
            }
            s.to = from_ = now_;
            known_ = now_ + round_trip;
            now_ = known_ + 1.03;
            stretches_.push_back(std::move(s));
        }
    }
    [[nodiscard]] std::vector<bucket_stretch> newest_first() const {
        return {stretches_.rbegin(), stretches_.rend()};
    }

  private:
    double uniform(double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random_);
    }

    std::mt19937_64 random_;
    std::vector<bucket_stretch> stretches_;
    double now_ = 0, from_ = 0, known_ = 0, arrived_ = 0;
};

/// A limit of which others take, now and then all that is kept.
class jostled final : public sim::limiter {
  public:
    jostled(double rate, double burst, std::uint64_t seed)
        : bucket_(rate, burst), rate_(rate), random_(seed) {}
    bool admit(double now) override {
        for (; next_ < now; next_ += std::exponential_distribution<double>(rate_ / 20)(random_))
            for (int n = 0; n < 10; ++n) bucket_.admit(next_);
        return bucket_.admit(now);
    }
    [[nodiscard]] double wait(double now) const override { return bucket_.wait(now); }
    [[nodiscard]] double allowance(double end) const override { return bucket_.allowance(end); }

  private:
    sim::token_bucket bucket_;
    double rate_;
    std::mt19937_64 random_;
    double next_ = 0;
};

}  // namespace

TEST_CASE("bucket fit: three refusals tell the rate and the burst of a bucket, and how well they are known") {
    int found = 0, runs = 0;
    double doubt = 0;
    for (const double rate : {5.0, 20.0, 50.0, 200.0, 1000.0})
        for (const double burst : {5.0, 20.0, 100.0})
            for (std::uint64_t seed = 1; seed <= 20; ++seed) {
                CAPTURE(rate);
                CAPTURE(burst);
                CAPTURE(seed);
                sim::token_bucket limit(rate, burst);
                user u(seed);
                u.work(limit, rate, burst, 3 + seed % 4);
                ++runs;
                const auto fit = fit_bucket(u.newest_first(), 1);
                if (!fit) continue;
                ++found;
                CHECK(std::abs(std::log(fit->rate / rate)) <= 1.5 * fit->doubt + 0.01);
                doubt += fit->doubt;
                if (burst < 0.9 * rate && fit->doubt < 0.05)
                    CHECK(std::abs(fit->burst - burst) <= 1);
                else
                    CHECK(fit->burst < 2 * burst);
            }
    CHECK(found > 0.75 * runs);
    CHECK(doubt < 0.03 * found);
}

TEST_CASE("bucket fit: requests that are differently long under way make it less sure, not wrong") {
    int found = 0, wrong = 0;
    for (const double jitter : {0.001, 0.005, 0.01})
        for (std::uint64_t seed = 1; seed <= 50; ++seed) {
            sim::token_bucket limit(50, 10);
            user u(seed);
            u.jitter = jitter;
            u.work(limit, 50, 10, 5);
            const auto fit = fit_bucket(u.newest_first(), 1 + 50 * jitter);
            if (!fit) continue;
            ++found;
            wrong += std::abs(std::log(fit->rate / 50)) > 2 * fit->doubt + 0.005 ? 1 : 0;
        }
    CHECK(found > 135);
    CHECK(wrong == 0);
}

TEST_CASE("bucket fit: what was refused before the limit changed is left out") {
    for (const double change : {0.5, 0.8, 1.5, 3.0}) {
        CAPTURE(change);
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            sim::token_bucket before(100, 20), after(100 * change, 20);
            user u(seed);
            u.work(before, 100, 20, 4);
            u.work(after, 100 * change, 20, 3);
            const auto fit = fit_bucket(u.newest_first(), 1);
            if (!fit) continue;
            CHECK(fit->rate == doctest::Approx(100 * change).epsilon(0.05));
            CHECK(fit->stretches <= 4);
        }
    }
}

TEST_CASE("bucket fit: where others take from the bucket, seldom does one explain what was refused") {
    int fits = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        jostled limit(200, 20, seed);
        user u(seed + 1000);
        u.work(limit, 120, 5, 6);
        fits += fit_bucket(u.newest_first(), 1) ? 1 : 0;
    }
    CHECK(fits <= 20);  // of 100
}

TEST_CASE(
    "bucket fit: two stretches that a small and a large burst explain alike tell nothing, nor do too few") {
    sim::token_bucket limit(50, 10);
    user u(1);
    u.work(limit, 50, 10, 5);
    const auto all = u.newest_first();
    CHECK(fit_bucket(all, 1));
    for (std::size_t n = 0; n < 3; ++n) CHECK_FALSE(fit_bucket(std::span(all).first(n), 1));
    // 60 let through in each second between waits of one: 30/s with 60 at once, or 50 and more with 10.
    std::vector<bucket_stretch> alike;
    for (int n = 0; n < 3; ++n) {
        bucket_stretch s{.from = 2.0 * n, .known = 2.0 * n, .to = 2.0 * n + 2};
        for (int i = 0; i < 60; ++i) s.let_through.push_back(s.from + 1 + i / 60.0);
        alike.insert(alike.begin(), s);
    }
    CHECK_FALSE(fit_bucket(alike, 1));
}

TEST_CASE("bucket fit: stretches without length or requests, or with all at one moment, are no trouble") {
    const bucket_stretch nothing{}, backwards{.let_through = {1, 2, 3}, .from = 5, .known = 6, .to = 5};
    const bucket_stretch at_once{
        .let_through = std::vector<double>(500, 1.0), .from = 0, .known = 0, .to = 1};
    const bucket_stretch early{.let_through = {0.1, 0.2, 0.3}, .from = 0, .known = 10, .to = 1};
    for (const auto& newest : {nothing, backwards, at_once, early})
        for (const auto& older : {nothing, backwards, at_once, early}) {
            const auto fit = fit_bucket(std::vector{newest, older, older}, 1);
            if (!fit) continue;
            CHECK(std::isfinite(fit->rate));
            CHECK(fit->rate > 0);
            CHECK(fit->burst >= 1);
            CHECK(std::isfinite(fit->doubt));
        }
}
