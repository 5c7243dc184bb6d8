#include "engine/limit_estimate.hpp"

#include <algorithm>
#include <cmath>

namespace muster {
namespace {

constexpr double finest = 0.0025;
constexpr double coarsest = 0.7;
constexpr double slowest = 1.0 / 86'400;  // requests a second
constexpr double longest_burst = 10;      // seconds
constexpr std::size_t most_marks = 64;
constexpr std::size_t most_remembered = 4096;
constexpr double enough_to_prove = 100;         // requests let through: there is such a rate
constexpr std::ptrdiff_t enough_for_pace = 32;  // requests, to tell how fast the later half left
constexpr double enough_admitted = 2000;        // between two marks to know a rate well
constexpr std::size_t most_stretches_of_a_bucket = 9;
constexpr double told_too_much = 1.01;  // seconds: services that tell how long to wait tell whole ones
constexpr double finest_of_a_bucket = 0.0005;

double seconds_of(std::chrono::nanoseconds d) {
    return std::chrono::duration<double>(d).count();
}

}  // namespace

limit_estimate::limit_estimate(const learnt_limit& remembered)
    : rate_(std::clamp(remembered.rate, slowest, 1e6)),
      burst_(std::clamp(remembered.burst, 1.0, 1e6)),
      uncertainty_(0.2),
      weight_(enough_to_prove),
      once_proven_(remembered.cycle == 0),
      met_(true) {}

void limit_estimate::sent(const departure& d) {
    admitted_.push_back(d);
    if (admitted_.size() <= most_remembered) return;
    first_remembered_ = admitted_.front().number + 1;
    admitted_.pop_front();
}

void limit_estimate::burst_at_most(double requests) {
    if (burst_fitted_) burst_ = std::max(1.0, std::min(burst_, requests));
}

void limit_estimate::assume_rate(double rate) {
    rate_ = std::max(rate, slowest);
    uncertainty_ = coarsest;
}

void limit_estimate::refused(const departure& d, bool fresh, instant now, double jitter, double most_likely,
                             double told) {
    add_mark(d, fresh, now, told);
    noted_.clear();
    if (met_) {
        const bool ends_stretch = marks_.back().first.number == d.number;
        if (ends_stretch) as_bucket_ = told > 0 && fit_as_bucket(jitter);
        if (!as_bucket_) fit_rate(jitter);
        return;
    }
    met_ = true;
    since_full_ = true;
    for (const departure& sent : admitted_)
        if (sent.at < d.at && sent.waited == d.waited) first_burst_.push_back(seconds_of(d.at - sent.at));
    const bool all_remembered = first_burst_.size() < most_remembered - 1;
    burst_ = std::max(1.0, static_cast<double>(all_remembered ? first_burst_.size() : d.number));
    assume_rate(most_likely);
    // So long a time is no burst, but a limit that was nearly used up for a while.
    if (!first_burst_.empty() && first_burst_.front() > longest_burst)
        burst_ = std::min(burst_, first_burst(rate_));
}

double limit_estimate::late_pace(const departure& before) const noexcept {
    const auto end = std::ranges::lower_bound(admitted_, before.number, {}, &departure::number);
    const auto sent = end - admitted_.begin();
    if (sent < enough_for_pace) return 0;
    const auto half = admitted_.begin() + sent / 2;
    return static_cast<double>(end - half) / std::max(seconds_of(before.at - half->at), 1e-3);
}

void limit_estimate::note_refusal(const departure& d, instant now) {
    if (met_ && noted_.size() < most_marks) noted_.push_back({d, now});
}

void limit_estimate::count_noted() {
    instant known{};  // what left before the last of them was known is of the same overrun
    for (const note& n : noted_) {
        const bool fresh = n.refused.at >= known;
        add_mark(n.refused, fresh, n.known);
        if (fresh) known = n.known;
    }
    noted_.clear();
}

void limit_estimate::start_anew() {
    forget_refusals();
    assume_rate(rate_);
    weight_ = 0;
    once_proven_ = false;
}

// Requests overtake each other on their way, so the refusals of one overrun are taken together.
void limit_estimate::add_mark(const departure& d, bool fresh, instant now, double told) {
    const auto known = std::ranges::lower_bound(admitted_, d.number, {}, &departure::number);
    if (known != admitted_.end() && known->number == d.number) admitted_.erase(known);
    const auto number = static_cast<double>(d.number);
    new_stretch_ = false;
    if (marks_.empty()) {
        marks_.push_back({d, d, now, number, number, told});
        next_in_line_ = false;
        return;
    }
    mark& latest = marks_.back();
    const bool later = d.number > latest.last.number;
    const double since =
        later ? static_cast<double>(d.number - latest.last.number - 1) : 0;  // admitted in between
    next_in_line_ = later && since < 1;
    if (fresh && since >= 1) {
        marks_.push_back({d, d, now, latest.before_last + since, latest.before_last + since});
        if (marks_.size() > most_marks) {
            marks_.pop_front();
            since_full_ = false;
        }
        new_stretch_ = true;
    } else if (later) {
        latest.last = d;
        latest.before_last += since;
    } else if (d.number > latest.first.number) {
        latest.before_last -= 1;
    } else {
        const auto between = static_cast<double>(latest.first.number - d.number - 1);
        latest.first = d;
        latest.before_first -= between + 1;
        latest.before_last -= 1;
    }
    marks_.back().told = std::max(marks_.back().told, told);
    read_stretch(marks_.size() - 1);
}

double limit_estimate::admitted_before(std::size_t i) const noexcept {
    return marks_[i].before_first - marks_[i - 1].before_last;
}

void limit_estimate::read_stretch(std::size_t i) {
    if (i == 0) return;
    mark& m = marks_[i];
    const departure& from = marks_[i - 1].last;
    const bool whole = still_known(i);
    if (!whole && i + 1 < marks_.size()) return;  // what it told stays
    const double admitted = admitted_before(i);
    const double time = std::max(seconds_of(m.first.at - from.at), 1e-6);
    const double plain = admitted / time;
    m.rate = plain;
    m.weight = admitted;
    const double waited = std::min(m.first.waited - from.waited, time);
    const bool uneven = waited > 0 || weight_ < 8;
    const auto end = std::ranges::lower_bound(admitted_, m.first.at, {}, &departure::at);
    const double seen = whole ? admitted : static_cast<double>(end - admitted_.begin());
    if (!uneven || seen < 2) return;
    const double active = std::max(time - waited, 1e-3);
    m.rate = fitting_rate(i, plain, 1.5 * admitted / active);
    m.weight = std::max(1.0, seen - burst_for(m.rate));
}

// All of the stretch before the mark, not just its end.
bool limit_estimate::still_known(std::size_t i) const noexcept {
    return first_remembered_ <= marks_[i - 1].last.number + 1;
}

// Between the least rate that explains what was let through and the greatest that explains the refusal.
double limit_estimate::fitting_rate(std::size_t i, double lowest, double highest) const {
    const mark& from = marks_[i - 1];
    const instant to = marks_[i].first.at;
    // Of a stretch that is longer than what is remembered, its end: in the time before, all that the limit
    // keeps may have come together.
    const bool whole = still_known(i);
    const auto first = std::ranges::lower_bound(admitted_, from.last.at, {}, &departure::at);
    const instant begin = whole ? from.last.at : admitted_.front().at;
    // What would be left just before the refusal; or that something was let through for which nothing was, by
    // more than requests come at other distances than they leave. What was under way with a refused request
    // may have overtaken it.
    constexpr double unexplained = -2;
    const auto left = [&](double rate) {
        const double burst = burst_for(rate);
        double level = whole ? 0 : burst;
        instant at = begin;
        for (auto d = first; d != admitted_.end() && d->at < to; ++d) {
            level = std::min(burst, level + rate * seconds_of(d->at - at)) - 1;
            if (d->at < from.known) level = std::max(level, 0.0);
            if (level < -std::min(1.0, 0.5 * burst)) return unexplained;
            at = d->at;
        }
        return std::min(burst, level + rate * seconds_of(to - at));
    };
    const auto greatest_below = [&](double low, double high, double bound) {
        for (int step = 0; step < 8; ++step) {
            const double middle = std::sqrt(low * high);
            (left(middle) < bound ? low : high) = middle;
        }
        return low;
    };
    double low = lowest;
    if (burst_fitted_) {
        if (left(low) == unexplained) low = greatest_below(low, highest, -1);
    } else {
        // A burst that depends on the rate makes what is left rise and fall with it: so step by step.
        constexpr int steps = 32;
        const double step = std::pow(std::max(highest / lowest, 1.0), 1.0 / steps);
        for (int n = 0; n < steps && left(low) == unexplained; ++n) low *= step;
    }
    // Where a burst may be all that was let through, the least rate is taken: what follows it for longer
    // tells more than another refusal.
    if (left(highest) < 1.5) return low;
    const double high = greatest_below(low, highest, 1.5);
    return low * std::cbrt(std::max(high / low, 1.0));  // too low costs a little time, too high a refusal
}

// The first refusal ended a time that began with a full bucket.
double limit_estimate::first_burst(double rate) const noexcept {
    double burst = 1;
    for (std::size_t i = 0; i < first_burst_.size(); ++i)
        burst = std::max(burst, static_cast<double>(first_burst_.size() - i) - rate * first_burst_[i]);
    return burst;
}

double limit_estimate::burst_for(double rate) const noexcept {
    return burst_fitted_ || first_burst_.empty() ? burst_ : first_burst(rate);
}

// A small rate with a large burst and a large rate with a small one explain one stretch equally well, but not
// several of different lengths.
void limit_estimate::fit_burst() {
    constexpr std::size_t most_stretches = 6;
    std::vector<std::size_t> stretches;
    double most = burst_;
    bool waited = false;
    for (std::size_t i = marks_.size(); i-- > 1 && stretches.size() < most_stretches;) {
        if (admitted_before(i) < 4) continue;
        stretches.push_back(i);
        waited = waited || marks_[i].first.waited > marks_[i - 1].last.waited;
        most = std::max(most, admitted_before(i));
    }
    if (stretches.size() < 2 || !waited) return;
    burst_fitted_ = true;
    struct fit {
        double burst, misfit;
    };
    const auto with = [&](double burst) {
        burst_ = burst;
        double all = 0, sum = 0, squares = 0;
        for (const std::size_t i : stretches) {
            read_stretch(i);
            const double rate = std::log(marks_[i].rate);
            const double weight = std::min(admitted_before(i), 100.0);
            all += weight;
            sum += weight * rate;
            squares += weight * rate * rate;
        }
        const double mean = sum / all;
        const double first = first_burst_.empty() ? 0 : std::log(first_burst(std::exp(mean)) / burst);
        return fit{burst, std::max(squares / all - mean * mean, 0.0) + 0.02 * first * first};
    };
    std::vector<fit> fits;
    for (double burst = 1; burst <= most; burst *= 1.2) fits.push_back(with(burst));
    // Of those around the best that are as good as it, the one in the middle.
    const auto best = std::ranges::min_element(fits, {}, &fit::misfit);
    const auto worse = [&](const fit& f) { return f.misfit > 1.3 * best->misfit + 0.002; };
    const auto last = std::prev(std::find_if(best, fits.end(), worse));
    const auto first = std::find_if(std::reverse_iterator(best), fits.rend(), worse).base();
    // Others far from it may be as good: all of them are in doubt.
    burst_doubt_ = std::find_if_not(fits.rbegin(), fits.rend(), worse)->burst -
                   std::ranges::find_if_not(fits, worse)->burst;
    with(std::sqrt(first->burst * last->burst));
}

// From the newest mark back, as far as what is seen agrees: older marks make it exact, a change makes them
// wrong.
void limit_estimate::fit_rate(double jitter) {
    if (new_stretch_ && marks_.back().first.waited > marks_[marks_.size() - 2].last.waited) fit_burst();
    const double before = rate_;
    double rate = 0, admitted = 0, time = 0, doubt = 1;
    bool uneven = false;
    for (std::size_t i = marks_.size(); i-- > 1;) {
        const mark& m = marks_[i];
        if (m.weight <= 0 || m.rate <= 0) {
            time += admitted > 0 ? seconds_of(m.first.at - marks_[i - 1].last.at) : 0;
            continue;
        }
        const double all = admitted + m.weight;
        const double all_time = time + m.weight / m.rate;
        if (doubt < 0.3 && std::abs(std::log(all / all_time / rate)) > 2 * doubt + 0.01) break;
        admitted = all;
        time = all_time;
        uneven = uneven || m.first.waited > marks_[i - 1].last.waited;
        rate = all / all_time;
        doubt = 1 / admitted + (jitter + 0.002) / time;
        if (admitted >= enough_admitted) break;
    }
    if (admitted < 1 || doubt > 0.9) return;
    if (uneven) {
        if (!burst_fitted_) burst_doubt_ = (burst_for(rate / 1.3) - burst_for(rate * 1.3)) / 2;
        doubt += burst_doubt_ / admitted;
    }
    rate_ = std::max(rate, slowest);
    const bool well_known = weight_ >= 20;
    weight_ = admitted;
    once_proven_ = once_proven_ || admitted >= enough_to_prove;
    burst_ = burst_for(rate_);
    const double moved = std::abs(std::log(rate_ / before));
    const bool changed = well_known && moved > 2 * uncertainty_;
    if (changed) first_burst_.clear();
    uncertainty_ = std::clamp(std::max(changed ? 1.5 * moved : 0, 1.5 * doubt), finest, coarsest);
}

// The newest first, as far as all of each is remembered.
std::vector<bucket_stretch> limit_estimate::latest_stretches() const {
    std::vector<bucket_stretch> stretches;
    const auto seconds = [begin = admitted_.front().at](instant t) { return seconds_of(t - begin); };
    const auto add = [&](instant from, instant known, instant to, bool full_at_first) {
        bucket_stretch s{.from = seconds(from), .known = seconds(known), .to = seconds(to)};
        s.full_at_first = full_at_first;
        auto d = std::ranges::lower_bound(admitted_, from, {}, &departure::at);
        for (; d != admitted_.end() && d->at < to; ++d) s.let_through.push_back(seconds(d->at));
        stretches.push_back(std::move(s));
    };
    std::size_t i = marks_.size() - 1;
    for (; i > 0 && stretches.size() < most_stretches_of_a_bucket; --i) {
        if (!still_known(i)) return stretches;
        add(marks_[i - 1].last.at, marks_[i - 1].known, marks_[i].first.at, false);
    }
    if (i == 0 && since_full_ && first_remembered_ == 0 && stretches.size() < most_stretches_of_a_bucket)
        add(admitted_.front().at, admitted_.front().at, marks_.front().first.at, true);
    return stretches;
}

// Three stretches that one bucket explains were hardly left by others, and tell its rate better than each its
// own. But a bucket has no reason to ask for more than the time in which it has one more.
bool limit_estimate::fit_as_bucket(double jitter) {
    if (admitted_.empty()) return false;
    const auto stretches = latest_stretches();
    const auto fit = fit_bucket(stretches, 1 + rate_ * jitter);
    if (!fit) return false;
    double let_through = 0, longest_told = 0;
    for (std::size_t n = 0; n < fit->stretches; ++n) {
        let_through += static_cast<double>(stretches[n].let_through.size());
        longest_told = std::max(longest_told, marks_[marks_.size() - 1 - n].told);
    }
    if (longest_told > told_too_much + 1 / fit->rate) return false;
    rate_ = std::max(fit->rate, slowest);
    burst_ = fit->burst;
    burst_fitted_ = true;
    uncertainty_ = std::clamp(fit->doubt, finest_of_a_bucket, coarsest);
    weight_ = let_through;
    once_proven_ = once_proven_ || let_through >= enough_to_prove;
    return true;
}

}  // namespace muster
