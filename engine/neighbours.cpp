#include "engine/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace muster {
namespace {

constexpr int enough_signs = 2;
constexpr int most_signs = 4;
constexpr double longest_patience = 6;
constexpr double too_soon = 60;  // requests let through since the refusal before: a sign, with that patience
constexpr double far_above = 1.15;  // times the rate: it may have changed, which says nothing of others
constexpr double part_cut = 0.1;
constexpr double part_cut_dear = 0.25;  // where a refusal costs time: there are to be fewer
constexpr double least_kept = 0.75;     // of the rate as learnt, so that a few wrong signs cost little
constexpr double step = 0.05;
constexpr double gain = 0.5;            // requests a second, each second
constexpr double gain_dear = 1;         // where a refusal costs time
constexpr double greatest_gain = 0.03;  // of the rate, each second

}  // namespace

void neighbours::refused(double accepted, double times_rate, bool telling, bool unexplained) {
    if (!telling) return;
    const double since = accepted - std::exchange(accepted_before_, accepted);
    // Refused too soon in spite of the longest patience: it is not the pace that brings the refusals.
    if (patience_ >= longest_patience && since < too_soon) unexplained = true;
    // Refused too often: others use the limit too, or it is not as even as it seems.
    patience_ = std::clamp(patience_ * (since < 100 ? 1.4 : since > 200 ? 0.7 : 1), 1.0, longest_patience);
    if (unexplained)
        signs_ = std::min(signs_ + 1, most_signs);
    else if (times_rate < far_above)
        signs_ = std::max(signs_ - 1, 0);
}

bool neighbours::present() const noexcept {
    return signs_ >= enough_signs;
}

double neighbours::cut(double pace, double rate, bool dear) noexcept {
    return std::max(pace * (1 - (dear ? part_cut_dear : part_cut)), least_kept * rate);
}

double neighbours::grown(double base, double time, double rate, double cost, bool dear) noexcept {
    const double x = time / std::max({2.0, 40 * cost, 50 / rate});
    return base * std::exp(std::min(step * (x + x * x * x * x), 10.0)) +
           std::min(dear ? gain_dear : gain, greatest_gain * rate) * time;
}

}  // namespace muster
