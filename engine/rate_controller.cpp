#include "engine/rate_controller.hpp"

#include <algorithm>
#include <cmath>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr auto measure_window = 2s;
constexpr std::size_t fewest_samples = 4;
constexpr std::size_t most_samples = 20'000;
constexpr double cut = 0.7;         // what is left of the rate after a refusal
constexpr double curvature = 0.4;   // of the cubic, as TCP CUBIC has it
constexpr double slowest = 0.5;     // requests a second
constexpr double first_guess = 10;  // where nothing was measured yet
constexpr auto shortest_silence = 250ms;
constexpr auto longest_silence = 20'000ms;

std::chrono::nanoseconds interval(double rate) {
    constexpr double longest = 86'400e9;  // a day: slower rates would overflow
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(1e9 / rate, longest)));
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
    const auto r = rate();
    if (!r) return;
    // A timer that fired a little late is made up for, idle time is not.
    const auto lateness = std::min<std::chrono::nanoseconds>(interval(*r), 10ms);
    next_ = std::max(next_, now - lateness) + interval(*r);
}

void rate_controller::accepted(instant sent_at, instant now) {
    accepted_.push_back(now);
    if (accepted_.size() > most_samples) accepted_.pop_front();
    if (!rate_ || sent_at < last_cut_) return;
    silent_throttles_ = 0;
    const std::chrono::duration<double> since = now - std::max(last_cut_, parked_until_);
    const double back = std::cbrt(refused_rate_ * (1 - cut) / curvature);  // seconds until it is where it was
    const double curve = curvature * std::pow(since.count() - back, 3) + refused_rate_;
    // Never far beyond what is really sent: an idle run learns nothing.
    const double most = 2 * measured(now).value_or(first_guess / 2);
    rate_ = std::max(*rate_, std::min(curve, most));
}

std::optional<double> rate_controller::measured(instant now) {
    while (!accepted_.empty() && now - accepted_.front() > measure_window) accepted_.pop_front();
    if (accepted_.size() < fewest_samples) return std::nullopt;
    const std::chrono::duration<double> span = now - accepted_.front();
    return static_cast<double>(accepted_.size()) / std::max(span.count(), 0.5);
}

bool rate_controller::throttled(instant sent_at, instant now, std::optional<std::chrono::milliseconds> wait,
                                random_source& random) {
    const bool new_episode = sent_at >= last_cut_;
    if (new_episode) {
        const double seen = measured(now).value_or(rate_.value_or(first_guess));
        refused_rate_ = rate_ ? std::min(*rate_, std::max(seen, cut * *rate_)) : seen;
        rate_ = std::max(slowest, cut * refused_rate_);
        last_cut_ = now;
        if (!wait) {
            const auto ceiling = std::min<std::chrono::milliseconds>(
                shortest_silence * (1 << std::min(silent_throttles_, 7U)), longest_silence);
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
