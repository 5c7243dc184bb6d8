#include "engine/limit_notices.hpp"

#include <algorithm>
#include <cmath>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr auto felt = 2s;
constexpr auto at_most_every = 10s;

bool differs(const learnt_limit& a, const learnt_limit& b, double by) noexcept {
    return std::abs(a.rate - b.rate) > by * std::max(a.rate, b.rate) || a.company != b.company;
}

bool of_another_kind(const learnt_limit& a, const learnt_limit& b) noexcept {
    const auto far = [](double x, double y) { return std::abs(x - y) > 0.5 * std::max(x, y); };
    return far(a.cycle, b.cycle) || far(a.burst, b.burst);
}

}  // namespace

std::optional<learnt_limit> limit_notices::worth_remembering(const std::optional<learnt_limit>& found) {
    learnt_limit l = found.value_or(learnt_limit{});
    if (found && l.rate <= 0) {  // it was met and is not known yet: what was known before stands
        l = remembered_;
        l.company = found->company;
    }
    if (!differs(l, remembered_, 0.05) && !of_another_kind(l, remembered_)) return std::nullopt;
    remembered_ = l;
    return l;
}

bool limit_notices::worth_telling(const learnt_limit& l, std::chrono::milliseconds wait, instant now) {
    const bool first = told_at_ == instant{};
    const bool longer = wait >= felt && now + wait > told_until_ + felt;
    const bool changed = now - told_at_ >= at_most_every && differs(l, told_, 0.25);
    if (!first && !longer && !changed) return false;
    told_at_ = now;
    told_until_ = now + wait;
    told_ = l;
    return true;
}

}  // namespace muster
