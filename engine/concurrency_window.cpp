#include "engine/concurrency_window.hpp"

#include <algorithm>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr double after_failure = 0.7;
constexpr double tolerated_rise = 2;     // replies may take twice as long as usual
constexpr double tolerated_delay = 0.1;  // seconds; queues shorter than this are nobody's trouble
constexpr double usual_weight = 1.0 / 500;
constexpr double recent_weight = 1.0 / 10;
// Of the latest 64 that were let through: with so many that had its company, a refusal is not due to that;
// with so many that had one less, it may be.
constexpr std::size_t many = 24;
constexpr std::size_t most = 40;
constexpr std::size_t cleared = 12;  // let through in company that was suspected, since then: it was not that
constexpr std::uint64_t replies_of_trust = 500;  // a limit that held for so many is one
constexpr unsigned replies_of_doubt = 2000;
constexpr std::size_t least_suspect = 5;  // in less company than this every run is at times,
constexpr std::size_t few = 2;     // where it is dear to be wrong, more than so many let through clear it
constexpr auto longest_wait = 5s;  // for a place: none stays taken longer
constexpr auto dear = 500ms;
constexpr auto first_probe = 1s;
constexpr int worth_of_cost =
    60;  // times what a try for more costs, till the next: less than 2 % of the time
constexpr auto longest_probe = 120s;

}  // namespace

concurrency_window::concurrency_window(std::size_t ceiling, std::size_t remembered_limit)
    : ceiling_(static_cast<double>(std::max<std::size_t>(ceiling, 1))),
      size_(ceiling_),
      probe_after_(first_probe),
      cap_(remembered_limit) {}

std::size_t concurrency_window::size() const noexcept {
    auto most = static_cast<std::size_t>(size_);
    if (cap_ > 0) most = std::min(most, cap_ + (probing_ ? step_ : 0));
    return std::max<std::size_t>(most, 1);
}

void concurrency_window::answered(std::size_t in_flight, instant sent, instant now) {
    if (doubts_ > 0) --doubts_;
    latest_[answered_++ % latest_.size()] = in_flight;
    if (suspected_ > 0 && in_flight >= suspected_ && ++against_ >= cleared) suspected_ = 0;
    if (late_places_ > 0 && answered_ % replies_of_trust == 0) --late_places_;
    if (cap_ > 0) {
        if (in_flight > cap_ && sent >= capped_at_) {  // the probe was let through
            cap_ = in_flight;
            answered_when_capped_ = answered_;
            probing_ = false;
            step_ *= 2;
            probe_after_ = std::max<std::chrono::nanoseconds>(first_probe, worth_of_cost * cost_);
            next_probe_ = cost_ < dear ? now : now + first_probe;
        } else if (in_flight == cap_ && now >= next_probe_) {
            probing_ = true;
        }
    }

    const double took = std::chrono::duration<double>(now - sent).count();
    if (answered_ == 1) usual_ = recent_ = took;
    recent_ += (took - recent_) * recent_weight;
    usual_ += (took - usual_) * std::max(usual_weight, 1.0 / static_cast<double>(answered_));
    if (sent < shrunk_at_) return;
    const double tolerated = std::max(usual_ * tolerated_rise, usual_ + tolerated_delay);
    if (recent_ > tolerated)
        shrink(std::max(after_failure, tolerated / recent_), sent, now);
    else
        size_ = std::min(ceiling_, size_ + 1 / size_);
}

void concurrency_window::failed(instant sent, instant now) {
    shrink(after_failure, sent, now);
}

void concurrency_window::shrink(double factor, instant sent, instant now) {
    if (sent < shrunk_at_) return;
    size_ = std::max(1.0, size_ * factor);
    shrunk_at_ = now;
}

// Of the latest replies, those that had so much company or more.
std::size_t concurrency_window::let_through(std::size_t in_flight) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(latest_.begin(), latest_.end(), [&](std::size_t c) { return c >= in_flight; }));
}

bool concurrency_window::refused(std::size_t in_flight, instant sent, instant now,
                                 std::chrono::milliseconds cost) {
    // A lone request has no company, and no place stays taken for long.
    if ((in_flight <= 1 && cap_ != 1) || cost > longest_wait) return false;
    if (doubts_ > 0) return not_the_company();
    if (cap_ > 0 && sent < capped_at_ && in_flight > cap_) return true;  // of the same overrun
    cost_ = cost;
    const bool often = let_through(in_flight) >= many;
    if (cap_ > 0 && in_flight <= cap_) {
        const bool held = answered_ - answered_when_capped_ >= replies_of_trust;
        const bool within = in_flight < cap_ && (often || answered_ < latest_.size());
        if (within && (held || !often)) return false;
        if (++late_places_ >= 3 || (often && !held)) return not_the_company();
        // A place may be given free a moment later than its reply is read: one such refusal proves nothing.
        // Where it is dear, one place is left free for that.
        if (cost >= dear || !often) cap_to(in_flight - 1, now);
        return true;
    }
    step_ = 1;
    if (cap_ > 0) {  // a try for more
        probe_after_ = std::min<std::chrono::nanoseconds>(probe_after_ * 4, longest_probe);
    } else {
        if (often) return not_the_company();
        if (cost >= dear && in_flight < least_suspect && let_through(in_flight) > few) return false;
        // Where replies take long, company grows faster than they come: that it is greater than ever says
        // little, but twice in a row it does.
        if (let_through(in_flight - 1) < most && suspected_ < least_suspect) {
            suspected_ = in_flight;
            against_ = 0;
            return false;
        }
        if (suspected_ > 0) in_flight = std::min(in_flight, suspected_);
        suspected_ = 0;
    }
    probe_after_ = std::max<std::chrono::nanoseconds>(probe_after_, worth_of_cost * cost);
    cap_to(cap_ > 0 ? cap_ : in_flight - 1, now);
    return true;
}

bool concurrency_window::not_the_company() {
    cap_ = 0;
    doubts_ = replies_of_doubt;
    suspected_ = 0;
    late_places_ = 0;
    return false;
}

void concurrency_window::cap_to(std::size_t in_flight, instant now) {
    if (in_flight != cap_) answered_when_capped_ = answered_;
    cap_ = std::max<std::size_t>(in_flight, 1);
    capped_at_ = now;
    probing_ = false;
    next_probe_ = now + probe_after_;
}

}  // namespace muster
