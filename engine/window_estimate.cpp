#include "engine/window_estimate.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace muster {
namespace {

// People set limits per second, minute, hour.
constexpr std::array<double, 15> likely_windows{1,   5,    10,   30,   60,     120,    300,   600,
                                                900, 1800, 3600, 7200, 14'400, 43'200, 86'400};

constexpr double far_longer = 1.5;
constexpr double shortest = 4;       // seconds
constexpr double notable = 0.2;      // of the time between two openings: closed for less, it may be a trouble
constexpr double few_requests = 20;  // a window of less proves little
constexpr double enough_for_tries = 500;  // requests: a few refusals more are little among so many
constexpr double worth_a_refusal = 200;   // requests let through, to see whether a window lets through more
constexpr double seldom = 600;            // seconds
constexpr double shortest_try = 0.25;     // seconds
constexpr double longest_unknown = 900;   // seconds: the longest wait for what may be no window
constexpr double long_overdue = 1.5;      // times its length: this time it is not the window that is closed

double seconds_of(std::chrono::nanoseconds d) {
    return std::chrono::duration<double>(d).count();
}

}  // namespace

window_estimate::window_estimate(const learnt_limit& remembered)
    : cycle_(std::clamp(remembered.cycle, 0.0, 86'400.0)),
      count_(std::clamp(remembered.burst, 1.0, 1e6)),
      closed_(cycle_),
      tested_(cycle_ > 0) {}

void window_estimate::begin(instant now) noexcept {
    since_ = now;
    accepted_ = 0;
    gradual_ = 0;
}

void window_estimate::opened(instant now, double waited, told_by_opening tells) {
    // Where nothing was let through before, what ended is no cycle: another run may have begun it.
    if (tells != told_by_opening::nothing && accepted_ > 1) {
        const double cycle = seconds_of(now - since_);
        const double count = accepted_ - 1;            // the last of them opens the next
        if (too_short_ > 1.2 * cycle) too_short_ = 0;  // that was something else
        // An opening may have been missed for once: then the length that was known is tried again.
        if (is_window() && regular_ && cycle > far_longer * cycle_)
            too_short_ = std::min(too_short_, 0.9 * cycle_);
        regular_ = std::abs(cycle / cycle_ - 1) < 0.1 && std::abs(count / count_ - 1) < 0.1;
        tested_ = tested_ && regular_;
        cycle_ = cycle;
        count_ = count;
        closed_ = tells == told_by_opening::by_itself ? waited
                  : waited > notable * cycle          ? std::min(waited, long_closed())
                                                      : 0;
    }
    begin(now);
    accepted_ = 1;
}

void window_estimate::renew_if_over(instant now) noexcept {
    constexpr double surely_over = 1.1, far_more = 1.5;
    if (!is_window() || seconds_of(now - since_) <= surely_over * cycle_) return;
    const bool refuted = !regular_ && !tested_ && accepted_ > far_more * count_;
    if (refuted) *this = {};
    if (refuted || regular_ || tested_) begin(now);
}

bool window_estimate::surely_used_up(instant now) const noexcept {
    constexpr double nearly_all = 0.95;
    return is_window() && regular_ && accepted_ >= count_ && seconds_of(now - since_) < nearly_all * cycle_;
}

instant window_estimate::expected_opening() const noexcept {
    return since_ + std::chrono::nanoseconds(static_cast<std::int64_t>(cycle_ * 1e9));
}

bool window_estimate::opened_gradually(instant now, double waited) noexcept {
    constexpr double at_first = 0.5, shortly = 0.1, longest = 4;
    constexpr int most = 8;
    return is_window() && seconds_of(now - since_) < at_first * cycle_ &&
           waited < std::min(shortly * cycle_, longest) && gradual_++ < most;
}

void window_estimate::still_closed(instant at) noexcept {
    tested_ = tested_ || used_up();
    too_short_ = std::max(too_short_, seconds_of(at - since_));
}

// A bucket whose service tells whole seconds is closed for one, and may be so at like distances.
bool window_estimate::is_window() const noexcept {
    constexpr double a_whole_second = 1.5;
    return cycle_ > shortest && ((regular_ && closed_ > a_whole_second) || closed_ > long_closed());
}

// Closed for longer, it is a window even if that was seen once only.
double window_estimate::long_closed() const noexcept {
    return std::max(shortest, 0.5 * cycle_);
}

bool window_estimate::proven() const noexcept {
    constexpr double many = 60;
    return tested_ || count_ >= many;
}

void window_estimate::tried(instant now) noexcept {
    tried_at_ = now;
    since_try_ = 0;
}

bool window_estimate::of_few() const noexcept {
    return count_ < few_requests;
}

bool window_estimate::proven_used_up() const noexcept {
    return used_up() && proven() && count_ < enough_for_tries;
}

bool window_estimate::worth_trying(instant now) const noexcept {
    return of_few() || count_ >= enough_for_tries || since_try_ >= worth_a_refusal ||
           seconds_of(now - tried_at_) >= std::max(seldom, 3 * cycle_);
}

// A cycle that was found late may be shorter. At first a little more than the round length is waited for:
// counters that fade from one window into the next open late.
double window_estimate::until_opening(instant now) const noexcept {
    constexpr double fading = 1.06;
    const double so_far = seconds_of(now - since_);
    const bool known = cycle_ > so_far * 1.01;
    bool round = false;
    for (const double w : likely_windows) {
        const bool seen = cycle_ > 0.97 * w && cycle_ < 1.08 * w;
        round = round || seen;
        if (known && w > 0.97 * cycle_) break;
        const double due = known || w < 10 ? w : fading * w;
        // One that was seen and is closed a little longer than that began late.
        if (due > so_far * 1.02 && (w > too_short_ || (seen && due > too_short_ * 1.02))) return due - so_far;
    }
    if (!known) return so_far;
    const double between = (too_short_ + cycle_) / 2;
    return (round || between > 0.95 * cycle_ || between < so_far * 1.02 ? cycle_ : between) - so_far;
}

// The likely lengths of windows are tried, and before them, the more often the less is known, by a part of
// the time so far.
double window_estimate::until_try(instant now, double so_far, bool other_limit) const noexcept {
    // A limit of which no window is known, or that closes too early, does not wait for the end of one.
    if ((other_limit && !is_window()) || closed_early())
        return std::clamp(so_far, shortest_try, std::clamp(so_far / 15, 8.0, longest_unknown));
    const double opening = until_opening(now);
    if (is_window()) {
        const bool overdue = regular_ && seconds_of(now - since_) > long_overdue * cycle_;
        return overdue ? std::min(opening, std::max(cycle_, so_far / 15)) : opening;
    }
    // The more it let through, the less a try more counts; after a few, others may have taken the rest.
    const bool others = accepted_ < few_requests;
    const double part = others || accepted_ > enough_for_tries ? 0.5 : 2.1;
    return std::min({opening, std::max(others ? shortest_try : 6.5, part * so_far), longest_unknown});
}

}  // namespace muster
