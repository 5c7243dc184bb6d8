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
constexpr unsigned replies_of_a_peak = 64;
constexpr unsigned replies_of_proof = 8;
constexpr unsigned replies_of_doubt = 2000;
constexpr auto dear = 500ms;
constexpr auto first_probe = 1s;
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
    if (in_flight > peaks_[0].company) peaks_[0] = {in_flight, 0};
    if (in_flight == peaks_[0].company) ++peaks_[0].replies;
    if (++in_this_peak_ == replies_of_a_peak) {
        peaks_ = {peak{}, peaks_[0]};
        in_this_peak_ = 0;
        if (late_places_ > 0) --late_places_;
    }
    if (cap_ > 0) {
        if (in_flight > cap_ && sent >= capped_at_) {  // the probe was let through
            cap_ = in_flight;
            probing_ = false;
            step_ *= 2;
            probe_after_ = std::max<std::chrono::nanoseconds>(first_probe, 10 * cost_);
            next_probe_ = cost_ < dear ? now : now + probe_after_;
        } else if (in_flight == cap_ && now >= next_probe_) {
            probing_ = true;
        }
    }

    const double took = std::chrono::duration<double>(now - sent).count();
    if (replies_++ == 0) usual_ = recent_ = took;
    recent_ += (took - recent_) * recent_weight;
    usual_ += (took - usual_) * std::max(usual_weight, 1.0 / static_cast<double>(replies_));
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

bool concurrency_window::refused(std::size_t in_flight, instant now, std::chrono::milliseconds cost) {
    if (doubts_ > 0) {
        doubts_ = replies_of_doubt;
        return false;
    }
    cost_ = cost;
    const peak& highest = peaks_[0].company > peaks_[1].company ? peaks_[0] : peaks_[1];
    const std::size_t most = cap_ > 0 ? cap_ : highest.company;
    // A place may be given free a moment later than its reply is read: one such refusal proves nothing.
    // Where it is dear, one place is left free for that.
    if (cap_ > 0 && in_flight == cap_ && ++late_places_ < 4) {
        if (cost >= dear) {
            cap_ = std::max<std::size_t>(cap_ - 1, 1);
            capped_at_ = now;
            next_probe_ = now + probe_after_;
        }
        return true;
    }
    if (most == 0 || in_flight <= most) {
        cap_ = 0;  // it was refused in less company than others had: that is not what is limited
        doubts_ = replies_of_doubt;
        return false;
    }
    // Where replies take long, company grows faster than they come: that it is greater than ever says little.
    if (cap_ == 0 && highest.replies < replies_of_proof) return false;
    if (cap_ > 0) probe_after_ = std::min<std::chrono::nanoseconds>(probe_after_ * 4, longest_probe);
    probe_after_ = std::max<std::chrono::nanoseconds>(probe_after_, 10 * cost);
    probing_ = false;
    step_ = 1;
    cap_ = most;
    capped_at_ = now;
    next_probe_ = now + probe_after_;
    return true;
}

}  // namespace muster
