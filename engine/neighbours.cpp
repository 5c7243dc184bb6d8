#include "engine/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace muster {
namespace {

constexpr int sign = 2;  // in halves, as all of them
constexpr int enough_signs = 3;
constexpr double longest_patience = 6;
constexpr double too_soon = 60;  // requests let through since the refusal before: a sign, with that patience
constexpr double at_once = 0.5;  // seconds: what the limit kept during a wait lasts longer than that
constexpr double step = 0.05;

/// How others are told from chance, and what is done where they are.
struct response {
    int most_signs;
    int taken_back;        ///< by a refusal that has another reason
    double far_above;      ///< times the rate: it may have changed, which says nothing of others
    double cut;            ///< part of the pace, after a refusal
    double least_kept;     ///< of the rate as learnt: a few wrong signs are not to cost much
    double gain;           ///< requests a second, each second
    double greatest_gain;  ///< of the rate, each second
};
constexpr response cheap{.most_signs = 4 * sign,
                         .taken_back = sign,
                         .far_above = 1.15,
                         .cut = 0.1,
                         .least_kept = 0.75,
                         .gain = 0.5,
                         .greatest_gain = 0.03};
// Where a refusal takes time, there are to be fewer of them, and so there are fewer signs.
constexpr response dear{.most_signs = 3 * sign,
                        .taken_back = sign / 2,
                        .far_above = 1.5,
                        .cut = 0.25,
                        .least_kept = 0.5,
                        .gain = 1,
                        .greatest_gain = 0.05};

const response& response_to(bool costly) {
    return costly ? dear : cheap;
}

}  // namespace

void neighbours::refused(const refusal& r) {
    if (!r.telling) return;
    const double since = r.accepted - std::exchange(accepted_before_, r.accepted);
    // Refused too soon in spite of the longest patience: it is not the pace that brings the refusals. (Where
    // they take time, one is met sooner after each anyway, as the pace grows faster.)
    const bool unexplained =
        r.unexplained || (!r.costly && patience_ >= longest_patience && since < too_soon);
    // Refused too often: others use the limit too, or it is not as even as it seems.
    patience_ = std::clamp(patience_ * (since < 100 ? 1.4 : since > 200 ? 0.7 : 1), 1.0, longest_patience);
    const response& to = response_to(r.costly);
    const bool twice = r.costly && r.after_wait >= 0 && r.after_wait < at_once;
    if (unexplained)
        signs_ = std::min(signs_ + (twice ? 2 : 1) * sign, to.most_signs);
    else if (r.times_rate < to.far_above)
        signs_ = std::max(signs_ - to.taken_back, 0);
}

bool neighbours::present() const noexcept {
    return signs_ >= enough_signs;
}

double neighbours::cut(double pace, double rate, bool costly) noexcept {
    const response& to = response_to(costly);
    return std::max(pace * (1 - to.cut), to.least_kept * rate);
}

double neighbours::grown(double base, double time, double rate, double cost, bool costly) noexcept {
    const response& to = response_to(costly);
    const double x = time / std::max({2.0, 40 * cost, 50 / rate});
    return base * std::exp(std::min(step * (x + x * x * x * x), 10.0)) +
           std::min(to.gain / std::sqrt(std::max(cost, 1.0)), to.greatest_gain * rate) * time;
}

}  // namespace muster
