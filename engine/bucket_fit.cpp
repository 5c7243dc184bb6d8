#include "engine/bucket_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace muster {
namespace {

constexpr std::size_t fewest_stretches = 3;
constexpr double least_tolerance = 0.25;  // requests: none comes as long after it left as another
constexpr double ample = 1.5;             // times the tolerance without which nothing explains them
constexpr double most_strained = 0.25;    // see strain()
constexpr double vague = 0.1;             // of the rate: what may be so far off tells nothing
constexpr std::size_t coarse_points = 96, fine_points = 12;
constexpr int zooms = 4;
constexpr std::size_t most_valleys = 4;
constexpr int halvings = 12;
constexpr double unbounded = std::numeric_limits<double>::infinity();

/// The bursts that explain a stretch at some rate: with a smaller one less is let through, with a greater one
/// the request at its end is.
struct burst_bounds {
    double least = 1, most = unbounded;
    double missing = 0;  ///< requests that were let through though nothing was left yet, whatever the burst
};

burst_bounds bursts_at(double rate, const bucket_stretch& s) {
    burst_bounds b;
    double used = 0;  // of a bucket that was full at some time since the beginning
    double left = s.full_at_first ? unbounded : 1;  // at most, in one that was not
    double at = s.from;
    const auto wait_until = [&](double t) {
        used = std::max(used - rate * (t - at), 0.0);
        left += rate * (t - at);
        at = t;
    };
    for (const double t : s.let_through) {
        wait_until(t);
        used += 1;
        left -= 1;
        if (!s.full_at_first && t < s.known) {
            left = std::max(left, 0.0);
            continue;
        }
        b.least = std::max(b.least, used);
        b.missing = std::max(b.missing, -left);
    }
    wait_until(s.to);
    if (left >= 2 + least_tolerance) b.most = 1 + used;
    return b;
}

void narrow(burst_bounds& all, const burst_bounds& one) {
    all.least = std::max(all.least, one.least);
    all.most = std::min(all.most, one.most);
    all.missing = std::max(all.missing, one.missing);
}

burst_bounds bursts_at(double rate, std::span<const bucket_stretch> stretches) {
    burst_bounds all;
    for (const bucket_stretch& s : stretches) narrow(all, bursts_at(rate, s));
    return all;
}

/// By how many requests what came must differ from what left, for a burst to explain it; below 0: by how many
/// it may.
double needed_tolerance(const burst_bounds& b) {
    return std::max((b.least - b.most) / 2, b.missing > 0 ? b.missing : -unbounded);
}

/// That, by what a bucket may have used when it refused: from 1 on the tolerance explains all and the bucket
/// nothing.
double strain(const burst_bounds& b) {
    constexpr double some = 0.01;
    return b.most == unbounded ? needed_tolerance(b)
                               : (needed_tolerance(b) + some) / ((b.most - 1) / 2 + 1e-6);
}

struct candidate {
    double rate;
    burst_bounds burst;
};

double strain_of(const candidate& c) {
    return strain(c.burst);
}

/// At rates between these, each as many times the one before.
std::vector<candidate> candidates(double low, double high, std::size_t count,
                                  std::span<const bucket_stretch> stretches) {
    std::vector<candidate> all(count);
    const double step = std::pow(high / low, 1 / static_cast<double>(count - 1));
    double rate = low;
    for (candidate& c : all) {
        c = {rate, bursts_at(rate, stretches)};
        rate *= step;
    }
    return all;
}

/// The places whose neighbours explain less, the best first.
std::vector<std::size_t> valleys_of(const std::vector<candidate>& line) {
    std::vector<std::size_t> valleys;
    const auto here = [&](std::size_t i) { return strain_of(line[i]); };
    for (std::size_t i = 0; i < line.size(); ++i)
        if ((i == 0 || here(i) <= here(i - 1)) && (i + 1 == line.size() || here(i) < here(i + 1)))
            valleys.push_back(i);
    std::ranges::sort(valleys, {}, here);
    valleys.resize(std::min(valleys.size(), most_valleys));
    return valleys;
}

/// The best one between the neighbours of that at `place`.
candidate best_around(std::size_t place, std::vector<candidate> line,
                      std::span<const bucket_stretch> stretches) {
    for (int zoom = 0; zoom < zooms; ++zoom) {
        const double low = line[place > 0 ? place - 1 : 0].rate;
        const double high = line[std::min(place + 1, line.size() - 1)].rate;
        line = candidates(low, high, fine_points, stretches);
        const auto best =
            std::ranges::min_element(line, {}, [](const candidate& c) { return strain(c.burst); });
        place = static_cast<std::size_t>(best - line.begin());
    }
    return line[place];
}

struct range {
    double low, high;
};

/// The rates to look at: below, the newest stretch would not have been let through; above, not refused.
std::optional<range> possible_rates(const bucket_stretch& newest) {
    const auto count = static_cast<double>(newest.let_through.size());
    if (count < 2 || newest.to <= newest.from) return std::nullopt;
    const auto after = std::ranges::lower_bound(newest.let_through, newest.known);
    const double active = newest.to - (after == newest.let_through.end() ? newest.from : *after);
    const double low = 0.8 * count / (newest.to - newest.from);
    return range{low, std::max(2 * low, 2 * (count + 2) / std::max(active, 1e-3))};
}

std::optional<bucket_fit> explaining(std::span<const bucket_stretch> stretches, const range& possible,
                                     double most_tolerance) {
    const auto line = candidates(possible.low, possible.high, coarse_points, stretches);
    std::vector<candidate> bests;
    for (const std::size_t valley : valleys_of(line)) {
        const candidate best = best_around(valley, line, stretches);
        if (strain_of(best) < most_strained) bests.push_back(best);
    }
    if (bests.empty()) return std::nullopt;
    const auto least_strained = std::ranges::min_element(bests, {}, strain_of);
    const double tolerance = std::max(least_tolerance, ample * needed_tolerance(least_strained->burst));
    if (tolerance > most_tolerance) return std::nullopt;
    const auto explains = [&](const burst_bounds& b) {
        return needed_tolerance(b) <= tolerance && strain(b) < most_strained;
    };
    const auto last_that_does = [&](double does, double end) {
        if (explains(bursts_at(end, stretches))) return end;
        for (int n = 0; n < halvings; ++n) {
            const double middle = std::sqrt(does * end);
            (explains(bursts_at(middle, stretches)) ? does : end) = middle;
        }
        return does;
    };
    double low = unbounded, high = 0;
    for (const candidate& c : bests) {
        if (!explains(c.burst)) continue;
        low = std::min(low, last_that_does(c.rate, possible.low));
        high = std::max(high, last_that_does(c.rate, possible.high));
    }
    const double doubt = std::log(high / low) / 2;
    if (!(doubt < vague)) return std::nullopt;
    const double rate = std::sqrt(low * high);
    const auto burst = bursts_at(rate, stretches);
    return bucket_fit{
        .rate = rate,
        .burst = burst.most == unbounded ? burst.least : std::max((burst.least + burst.most) / 2, 1.0),
        .doubt = doubt,
        .stretches = stretches.size()};
}

}  // namespace

std::optional<bucket_fit> fit_bucket(std::span<const bucket_stretch> newest_first, double out_of_step) {
    if (newest_first.size() < fewest_stretches) return std::nullopt;
    const auto possible = possible_rates(newest_first.front());
    if (!possible) return std::nullopt;
    for (std::size_t n = newest_first.size(); n >= fewest_stretches; --n)
        if (const auto fit = explaining(newest_first.first(n), *possible, least_tolerance + out_of_step))
            return fit;
    return std::nullopt;
}

}  // namespace muster
