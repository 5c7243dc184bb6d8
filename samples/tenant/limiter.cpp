// The four models and the grammar of their specifications.
#include "samples/tenant/limiter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>

namespace tenant {
namespace {

/// A token bucket as the generic cell rate algorithm: one number, the time at which the bucket would be full
/// again. Equal to counting tokens, without their fractions.
class Bucket final : public Limiter {
  public:
    Bucket(nanoseconds period, std::uint64_t burst)
        : period_(period), capacity_(period * static_cast<std::int64_t>(burst)) {}

    nanoseconds wait(nanoseconds now) override {
        return std::max(nanoseconds{0}, reset(now) + period_ - capacity_);
    }
    void take(nanoseconds now) override { full_at_ = std::max(full_at_, now) + period_; }
    std::uint64_t remaining(nanoseconds now) override {
        return static_cast<std::uint64_t>((capacity_ - std::min(reset(now), capacity_)) / period_);
    }
    nanoseconds reset(nanoseconds now) override { return std::max(nanoseconds{0}, full_at_ - now); }

  private:
    nanoseconds period_;
    nanoseconds capacity_;
    nanoseconds full_at_{0};
};

/// Windows one after another, aligned to the clock; the count starts again with each. Lets 2N through around
/// an edge.
class FixedWindow final : public Limiter {
  public:
    FixedWindow(nanoseconds length, std::uint64_t limit) : length_(length), limit_(limit) {}

    nanoseconds wait(nanoseconds now) override {
        return remaining(now) > 0 ? nanoseconds{0} : (window_ + 1) * length_ - now;
    }
    void take(nanoseconds now) override {
        turn_to(now);
        ++used_;
    }
    std::uint64_t remaining(nanoseconds now) override {
        turn_to(now);
        return limit_ - used_;
    }
    nanoseconds reset(nanoseconds now) override {
        turn_to(now);
        return (window_ + 1) * length_ - now;
    }

  private:
    void turn_to(nanoseconds now) {
        if (now / length_ == window_) return;
        window_ = now / length_;
        used_ = 0;
    }
    nanoseconds length_;
    std::uint64_t limit_;
    std::int64_t window_ = 0;
    std::uint64_t used_ = 0;
};

/// No more than N in any span of the length: the time of each request is kept until it is that old.
class SlidingWindow final : public Limiter {
  public:
    SlidingWindow(nanoseconds length, std::uint64_t limit) : length_(length), limit_(limit) {}

    nanoseconds wait(nanoseconds now) override {
        return remaining(now) > 0 ? nanoseconds{0} : taken_.front() + length_ - now;
    }
    void take(nanoseconds now) override { taken_.push_back(now); }
    std::uint64_t remaining(nanoseconds now) override {
        while (!taken_.empty() && taken_.front() + length_ <= now) taken_.pop_front();
        return limit_ - std::min<std::uint64_t>(limit_, taken_.size());
    }
    nanoseconds reset(nanoseconds now) override {
        return remaining(now) == limit_ ? nanoseconds{0} : taken_.back() + length_ - now;
    }

  private:
    nanoseconds length_;
    std::uint64_t limit_;
    std::deque<nanoseconds> taken_;
};

/// So many requests at once. When one will end cannot be known; a second is told, as a guess.
class Concurrent final : public Limiter {
  public:
    explicit Concurrent(std::uint64_t limit) : limit_(limit) {}

    nanoseconds wait(nanoseconds) override { return running_ < limit_ ? nanoseconds{0} : guess; }
    void take(nanoseconds) override { ++running_; }
    void finish() override { --running_; }
    std::uint64_t remaining(nanoseconds) override { return limit_ - running_; }
    nanoseconds reset(nanoseconds) override { return running_ == 0 ? nanoseconds{0} : guess; }

  private:
    static constexpr nanoseconds guess = std::chrono::seconds{1};
    std::uint64_t limit_;
    std::uint64_t running_ = 0;
};

BadSpec unknown_model(std::string_view model) {
    return BadSpec{
        fmt::format("unknown limit '{}': expected bucket:RATE/s:BURST, window:N/SECONDSs, "
                    "sliding:N/SECONDSs or concurrent:N",
                    model)};
}

spec_result<LimitSpec> parse_bucket(const std::vector<std::string_view>& parts) {
    if (parts.size() != 3) return BadSpec{"a bucket is written bucket:RATE/s:BURST, such as bucket:500/s:50"};
    const auto rate = parse_number(parts[1], "/s");
    if (!rate) return rate.error();
    const auto burst = parse_count(parts[2]);
    if (!burst) return burst.error();
    const double period = 1e9 / *rate;
    if (period < 1 || period > 86'400e9) {
        return BadSpec{fmt::format("the rate '{}' is not between one a day and 1000000000/s", parts[1])};
    }
    if (period * static_cast<double>(*burst) > 9e18) {
        return BadSpec{"a bucket that takes longer than 285 years to fill is of no use"};
    }
    return LimitSpec{.model = LimitSpec::Model::bucket,
                     .count = *burst,
                     .period = nanoseconds{static_cast<std::int64_t>(std::llround(period))}};
}

spec_result<LimitSpec> parse_window(LimitSpec::Model model, const std::vector<std::string_view>& parts) {
    const auto sides = parts.size() == 2 ? split(parts[1], '/') : std::vector<std::string_view>{};
    if (sides.size() != 2) {
        return BadSpec{fmt::format("a {0} limit is written {0}:N/SECONDSs, such as {0}:100/10s", parts[0])};
    }
    const auto count = parse_count(sides[0]);
    if (!count) return count.error();
    const auto length = parse_duration(sides[1], "s");
    if (!length) return length.error();
    return LimitSpec{.model = model, .count = *count, .period = *length};
}

spec_result<LimitSpec> parse_model(std::string_view text) {
    const auto parts = split(text, ':');
    if (parts[0] == "bucket") return parse_bucket(parts);
    if (parts[0] == "window") return parse_window(LimitSpec::Model::window, parts);
    if (parts[0] == "sliding") return parse_window(LimitSpec::Model::sliding, parts);
    if (parts[0] != "concurrent") return unknown_model(parts[0]);
    if (parts.size() != 2)
        return BadSpec{"a concurrency limit is written concurrent:N, such as concurrent:8"};
    const auto count = parse_count(parts[1]);
    if (!count) return count.error();
    return LimitSpec{.model = LimitSpec::Model::concurrent, .count = *count};
}

bool apply_suffix(LimitSpec& spec, std::string_view suffix) {
    if (suffix == "retry-after=seconds") {
        spec.retry_after = RetryAfter::seconds;
    } else if (suffix == "retry-after=date") {
        spec.retry_after = RetryAfter::date;
    } else if (suffix == "retry-after=none") {
        spec.retry_after = RetryAfter::none;
    } else if (suffix == "headers" || suffix == "headers=epoch") {
        spec.headers = QuotaHeaders::epoch_seconds;
    } else if (suffix == "headers=epoch-ms") {
        spec.headers = QuotaHeaders::epoch_millis;
    } else if (suffix == "headers=delta") {
        spec.headers = QuotaHeaders::delta_seconds;
    } else {
        return false;
    }
    return true;
}

}  // namespace

spec_result<LimitSpec> parse_limit(std::string_view text) {
    const auto parts = split(text, ',');
    auto spec = parse_model(parts[0]);
    if (!spec) return spec;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (apply_suffix(*spec, parts[i])) continue;
        return BadSpec{
            fmt::format("unknown suffix '{}': expected retry-after=seconds|date|none or headers", parts[i])};
    }
    return spec;
}

std::unique_ptr<Limiter> make_limiter(const LimitSpec& spec) {
    switch (spec.model) {
        case LimitSpec::Model::bucket: return std::make_unique<Bucket>(spec.period, spec.count);
        case LimitSpec::Model::window: return std::make_unique<FixedWindow>(spec.period, spec.count);
        case LimitSpec::Model::sliding: return std::make_unique<SlidingWindow>(spec.period, spec.count);
        case LimitSpec::Model::concurrent: return std::make_unique<Concurrent>(spec.count);
    }
    return nullptr;
}

}  // namespace tenant
