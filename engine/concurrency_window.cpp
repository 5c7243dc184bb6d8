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
    60;  // times what a try for more costs, till the next: less than 2 % of the time, in little company
constexpr auto longest_probe = 120s;
constexpr auto long_way = 5ms;             // there and back: a place is free again before its reply is read
constexpr std::size_t most_measured = 32;  // in more company a refusal is more likely due to the rate
constexpr std::size_t much = 16;           // in more, not measured, it may as well be due to the rate
constexpr int worth_by_number = 8 * worth_of_cost;
constexpr int least_worth = 5;

/// The more may be in flight, the more likely it is the rate that refuses, and the sooner more is tried.
int worth_of_many(std::size_t in_flight) {
    return std::clamp(worth_by_number / static_cast<int>(in_flight), least_worth, worth_of_cost);
}
int worth_unmeasured(std::size_t in_flight) {
    return in_flight > much ? worth_of_many(in_flight) : worth_of_cost;
}

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
    latest_[answered_++ % latest_.size()] = {in_flight, sent, now};
    if (suspected_ > 0 && in_flight >= suspected_ && ++against_ >= cleared) suspected_ = 0;
    if (late_places_ > 0 && answered_ % replies_of_trust == 0) --late_places_;
    if (measuring_ && sent >= capped_at_) measure_cap(now);
    if (cap_ > 0 && in_flight >= cap_) ++replies_at_cap_;
    if (limit_held()) on_trial_ = false;
    if (cap_ > 0 && !measuring_) {
        if (in_flight > cap_ && sent >= capped_at_) {  // the probe was let through
            cap_ = in_flight;
            replies_at_cap_ = 0;
            probing_ = false;
            step_ *= 2;
            probe_after_ = std::max<std::chrono::nanoseconds>(first_probe, worth_unmeasured(cap_) * cost_);
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
    return static_cast<std::size_t>(std::count_if(latest_.begin(), latest_.end(),
                                                  [&](const stay& s) { return s.in_flight >= in_flight; }));
}

// The most of the latest that were at the service at once, surely: one has got there for certain when the way
// there and back is over and a little more, and those that left before it and were not back by then were
// there too.
std::size_t concurrency_window::served_together() const noexcept {
    const auto known =
        latest_.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(answered_, latest_.size()));
    std::ptrdiff_t together = 0;
    for (auto one = latest_.begin(); one != known; ++one) {
        const instant there = one->sent + way_ * 5 / 4;
        const auto others = std::count_if(latest_.begin(), known, [&](const stay& s) {
            return &s != &*one && s.sent <= one->sent && s.answered > there;
        });
        together = std::max(together, 1 + others);
    }
    return static_cast<std::size_t>(together);
}

bool concurrency_window::refused(std::size_t in_flight, instant sent, instant now,
                                 std::chrono::milliseconds cost) {
    // A lone request has no company, and no place stays taken for long.
    if ((in_flight <= 1 && cap_ != 1) || cost > longest_wait) return false;
    if (doubts_ > 0) return not_the_company();
    if (measuring_ && sent < capped_at_) return false;                   // of the same overrun
    if (cap_ > 0 && sent < capped_at_ && in_flight > cap_) return true;  // likewise
    cost_ = cost;
    way_ = now - sent;
    const bool often = let_through(in_flight) >= many;
    if (cap_ > 0 && in_flight <= cap_) {
        const bool held = limit_held();
        if (on_trial_ && sent >= capped_at_) {
            if (served_together() >= in_flight || ++late_places_ >= 2) return not_the_company();
            cap_to(in_flight - 1, now);
            return true;
        }
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
            if (measurable(in_flight, cost)) {
                cap_to(in_flight - 1, now);
                measuring_ = on_trial_ = true;
                return false;
            }
            suspected_ = in_flight;
            against_ = 0;
            return false;
        }
        if (suspected_ > 0) in_flight = std::min(in_flight, suspected_);
        suspected_ = 0;
    }
    const std::size_t cap = cap_ > 0 ? cap_ : in_flight - 1;
    probe_after_ = std::max<std::chrono::nanoseconds>(probe_after_, worth_unmeasured(cap) * cost);
    cap_to(cap, now);
    return true;
}

bool concurrency_window::limit_held() const noexcept {
    return cap_ > 0 && replies_at_cap_ >= replies_of_trust;
}

// Those that were at the service together are seen where they are there for longer than under way, and no
// place is given free a moment too late. The first few of a run leave together anyway: where it is dear to
// be wrong, their number says nothing.
bool concurrency_window::measurable(std::size_t in_flight, std::chrono::milliseconds cost) const noexcept {
    return way_ >= long_way && answered_ > 0 && 2 * std::chrono::duration<double>(way_).count() < usual_ &&
           in_flight <= most_measured && (cost < dear || in_flight > least_suspect);
}

// What was on its way when the cap was met is back. Whether it was met is proved or refuted by keeping to it:
// the rate is refused in less company too.
void concurrency_window::measure_cap(instant now) {
    cap_to(std::min(cap_, served_together()), now);
    probe_after_ = std::max<std::chrono::nanoseconds>(first_probe, worth_of_many(cap_) * cost_);
    next_probe_ = now + probe_after_;
    measuring_ = false;
}

bool concurrency_window::not_the_company() {
    cap_ = 0;
    probe_after_ = first_probe;
    measuring_ = on_trial_ = false;
    doubts_ = replies_of_doubt;
    suspected_ = 0;
    late_places_ = 0;
    return false;
}

void concurrency_window::cap_to(std::size_t in_flight, instant now) {
    if (in_flight != cap_) replies_at_cap_ = 0;
    cap_ = std::max<std::size_t>(in_flight, 1);
    capped_at_ = now;
    probing_ = false;
    next_probe_ = now + probe_after_;
}

}  // namespace muster
