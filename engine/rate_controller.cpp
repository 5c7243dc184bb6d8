#include "engine/rate_controller.hpp"

#include <algorithm>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr auto measure_window = 5s;
constexpr double cut = 0.7;
constexpr double slowest = 0.2;  // requests a second
constexpr std::size_t most_samples = 100'000;

std::chrono::nanoseconds interval(double rate) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / rate));
}

}  // namespace

std::optional<double> rate_controller::rate() const noexcept {
    if (rate_ && max_rate_) return std::min(*rate_, *max_rate_);
    return rate_ ? rate_ : max_rate_;
}

instant rate_controller::next_permit() const noexcept {
    return std::max(next_, parked_until_);
}

void rate_controller::sent(instant now) {
    if (const auto r = rate()) next_ = std::max(next_, now - interval(*r)) + interval(*r);
}

void rate_controller::accepted(instant sent_at, instant now) {
    accepted_.push_back(now);
    if (accepted_.size() > most_samples) accepted_.pop_front();
    if (!rate_ || sent_at < last_cut_) return;
    silent_throttles_ = 0;
    if (now - last_raise_ >= 1s) {
        last_raise_ = now;
        *rate_ *= now - last_cut_ > 10s ? 1.05 : 1.02;
    }
}

double rate_controller::measured(instant now) {
    while (!accepted_.empty() && now - accepted_.front() > measure_window) accepted_.pop_front();
    if (accepted_.size() < 2) return slowest;
    const std::chrono::duration<double> span = now - accepted_.front();
    return static_cast<double>(accepted_.size()) / std::max(span.count(), 0.1);
}

bool rate_controller::throttled(instant sent_at, instant now, std::optional<std::chrono::milliseconds> wait,
                                random_source& random) {
    const bool new_episode = sent_at >= last_cut_;
    if (new_episode) {
        const double seen = measured(now);
        rate_ = std::max(slowest, cut * (rate_ ? std::min(*rate_, seen) : seen));
        last_cut_ = now;
        last_raise_ = now;
        if (!wait) {
            const auto ceiling =
                std::min<std::chrono::milliseconds>(250ms * (1 << std::min(silent_throttles_, 7U)), 20s);
            wait = std::chrono::milliseconds(
                std::uniform_int_distribution<std::int64_t>(ceiling.count() / 2, ceiling.count())(random));
            ++silent_throttles_;
        }
    }
    if (wait) {
        // A little after the time told: retrying exactly at it meets clocks that are not quite alike.
        const auto margin =
            std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(20, 120)(random));
        parked_until_ = std::max(parked_until_, now + *wait + margin);
    }
    return new_episode;
}

}  // namespace muster
