#include "engine/rate_controller.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr double first_in_flight = 4;       // before anything is known
constexpr double accepted_per_flight = 48;  // one more in flight for so many accepted
constexpr double surely_many = 1e6;         // requests in flight: no limit of ours
constexpr double finest = 0.0025;           // probing beyond a well-known rate begins with so much
constexpr double coarsest = 0.7;
constexpr double steepest = 1.4;  // growth of the pace: a doubling in half a second
constexpr double share_of_burst =
    0.8;  // of a burst is used after a wait: it may have been estimated too high
constexpr auto relearn_after = 10min;
constexpr double wall_after = 0.25;  // seconds of silence that make a wait of its own
constexpr std::size_t most_marks = 64;
constexpr std::size_t most_remembered = 4096;
constexpr double enough_admitted = 2000;  // between two marks to know a rate well
constexpr double slowest = 1.0 / 86'400;  // requests a second

double seconds_of(std::chrono::nanoseconds d) {
    return std::chrono::duration<double>(d).count();
}
std::chrono::nanoseconds span_of(double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, 86'400.0) * 1e9));
}

// People set limits per second, minute, hour: a window that has closed opens again at one of these, most
// likely.
constexpr std::array<double, 16> likely_windows{1,   5,   10,   15,   30,   60,     120,    300,
                                                600, 900, 1800, 3600, 7200, 14'400, 43'200, 86'400};

}  // namespace

rate_controller::rate_controller(const options& o, const std::optional<learnt_limit>& remembered)
    : options_(o) {
    if (!remembered || !(remembered->rate > 0)) return;
    limited_ = true;
    limit_ = {.rate = std::clamp(remembered->rate, slowest, 1e6),
              .burst = std::clamp(remembered->burst, 1.0, 1e6),
              .cycle = std::clamp(remembered->cycle, 0.0, 86'400.0)};
    uncertainty_ = 0.2;  // it may have changed since
    weight_ = 100;
    base_ = limit_.rate * 0.9;
    free_ = false;
}

std::optional<learnt_limit> rate_controller::learnt() const noexcept {
    if (!limited_) return std::nullopt;
    learnt_limit known = limit_;
    // A window lets as much through at once as it does in its whole length; other limits have none.
    const bool window = std::abs(limit_.rate * limit_.cycle / std::max(limit_.burst, 1.0) - 1) < 0.2;
    if (!window) known.cycle = 0;
    if (weight_ < 8 && (!window || walls_ < 2)) known.rate = 0;
    return known;
}

std::optional<double> rate_controller::used(instant now) const noexcept {
    const double time = seconds_of(now - first_refused_);
    if (!limited_ || first_refused_ == instant{} || time < 1) return std::nullopt;
    return let_through_ / (limit_.rate * time);
}

bool rate_controller::binding(instant now) const noexcept {
    if (marks_.empty()) return false;
    const double rare = std::max({60.0, 2 * limit_.cycle, 200 * cost_});
    return parked_until_ > now || options_.share < 1 || seconds_of(now - marks_.back().sent.at) < rare;
}

instant rate_controller::next_permit() const noexcept {
    if (free_ && !options_.max_rate && options_.share >= 1) return parked_until_;
    return std::max(next_, parked_until_);
}

std::size_t rate_controller::most_in_flight() const noexcept {
    double most = surely_many;
    if (waiting_) return 1;  // a probe
    const double slow_start =
        std::max(first_in_flight + epoch_accepted_ / accepted_per_flight,
                 first_in_flight * std::exp2(std::min(seconds_of(latest_ - epoch_) / 1.2, 20.0)));
    if (free_) most = slow_start;
    if (limited_) {
        if (free_) most = std::min(most, std::max(1.0, credit_));
        if (!free_) most = std::max(slow_start, 1.25 * limit_.rate * latency_ + 2);
        // Where a window is about to be used up, one at a time.
        if (limit_.cycle > 0 && epoch_accepted_ > 0.95 * limit_.burst &&
            epoch_accepted_ < 1.05 * limit_.burst)
            most = std::min(most, 2.0);
    }
    return static_cast<std::size_t>(most);
}

double rate_controller::pace(instant now) const noexcept {
    // A refusal is looked for every so often: more often where it costs little or where the rate is not well
    // known.
    const bool contended = cost_ > 0.05 && margin_ > 0.08;  // others seem to use the same limit
    const double step = std::max(uncertainty_, cost_ > 0.05 ? contended ? margin_ * 0.5 : 0.0075 : finest);
    const double settled = std::max({100 / limit_.rate, std::min(200 / limit_.rate, 5.0), 3 * latency_});
    const double costly = contended ? 10 * cost_ : std::min(80 * cost_, 0.25 * cost_ / uncertainty_);
    const double shortest = std::max({8 / limit_.rate, 3 * latency_, 0.1});
    const double time_scale =
        weight_ < 8 ? std::max(3 * latency_, 0.25) : std::max({shortest, settled * finest / step, costly});
    const double time = std::max(0.0, seconds_of(now - since_));
    const double x = time / time_scale;
    const double growth = step * x + std::min(step * x * x * x * x, steepest * time);
    return base_ * std::exp(std::min(growth, 10.0));
}

void rate_controller::forget_marks(instant now) {
    marks_.clear();
    since_ = now;
}

// A share can be taken of a known limit only, and what is known grows old: now and then it is looked for
// anew.
bool rate_controller::sharing(instant now) const noexcept {
    return options_.share < 1 && weight_ >= 100 && (uncertainty_ < 0.03 || marks_.empty()) &&
           now - learnt_at_ < relearn_after;
}

departure rate_controller::sent(instant now) {
    if (sent_ == 0) {
        first_sent_ = epoch_ = since_ = learnt_at_ = now;
        if (limited_) first_refused_ = now;
    } else if (limited_ && now - std::max({next_, parked_until_, since_, latest_}) > 1s) {
        forget_marks(
            now);  // nothing was sent though it might have been: the time since says nothing of the limit
    }
    latest_ = now;
    const departure d{sent_++, now, waited_};
    admitted_.push_back(d);
    if (admitted_.size() > most_remembered) admitted_.pop_front();
    double rate = limited_ ? pace(now) : 0;
    if (free_ && limited_) {
        if (!sharing(now)) next_ = now;
        credit_ -= 1;
        free_ = credit_ >= 1;
    }
    if (shared_ && !sharing(now)) {  // time to look for the limit anew
        shared_ = false;
        forget_marks(now);
        rate = pace(now);
    }
    if (sharing(now)) {  // what was used too much while the limit was learnt is made up for
        const double so_far = used(now).value_or(options_.share);
        shared_ = true;
        rate = limit_.rate * options_.share * std::clamp(options_.share / so_far, 0.6, 1.02);
    }
    if (options_.max_rate) rate = rate > 0 ? std::min(rate, *options_.max_rate) : *options_.max_rate;
    if (rate <= 0) return d;
    const double interval = 1 / std::max(rate, slowest);
    // A timer that fired a little late is made up for, idle time is not.
    const auto lateness = span_of(std::min(interval, 0.01));
    next_ = std::max(next_, now - lateness) + span_of(interval);
    return d;
}

void rate_controller::accepted(const departure& d, instant now) {
    ++free_accepted_;
    ++epoch_accepted_;
    ++let_through_;
    refused_in_a_row_ = 0;
    const double took = seconds_of(now - d.at);
    latest_ = now;
    if (latency_ == 0) latency_ = took;
    spread_ += (std::abs(took - latency_) - spread_) * 0.05;
    latency_ += (took - latency_) * 0.05;
    if (d.at < known_at_) return;
    streak_ = 0;
    if (waiting_) recovered(now);
}

bool rate_controller::throttled(const departure& d, instant now, const limit_hint& hint,
                                random_source& random) {
    const bool fresh = d.at >= known_at_;
    const auto in_flight =
        std::min(static_cast<double>(most_in_flight()), static_cast<double>(sent_ - d.number));
    known_at_ = fresh ? now : known_at_;
    ++refused_in_a_row_;
    if (shared_) {  // less than the share is left: the limit is another one, or others take more of it
        shared_ = false;
        learnt_at_ = now - relearn_after;
        forget_marks(now);
    }
    add_mark(d);
    const bool next_in_line = marks_.size() >= 2 && marks_.back().sent.number == d.number &&
                              marks_.back().admitted - marks_[marks_.size() - 2].admitted < 1;
    if (fresh) streak_ = next_in_line ? streak_ + 1 : 1;
    const bool new_episode = fresh && streak_ == 1 && !waiting_;
    if (!limited_) {
        limited_ = true;
        first_refused_ = now;
        let_through_ = 0;
        limit_.burst = std::max(1.0, static_cast<double>(d.number));
        for (const departure& sent : admitted_)
            if (sent.at < d.at) first_burst_.push_back(seconds_of(d.at - sent.at));
        limit_.rate = std::max(limit_.burst / std::max(seconds_of(now - first_sent_), 0.001),
                               latency_ > 0 ? in_flight / latency_ : 0);
        base_ = limit_.rate / 2;
        uncertainty_ = coarsest;
        since_ = now;
    } else {
        // Where refusals cost time and come too often, a little less is more.
        if (new_episode && weight_ >= 20)
            margin_ = seconds_of(now - since_) < 20 * cost_ ? std::min(margin_ + 0.04, 0.4)
                                                            : std::max(margin_ / 2, finest);
        estimate();
        if (free_ && free_accepted_ > 0 && first_burst_.empty())
            limit_.burst = std::max(1.0, std::min(limit_.burst, free_accepted_));
        if (new_episode) since_ = now;
    }
    free_ = false;
    credit_ = 0;
    if (hint.wait) {
        const double margin = std::uniform_real_distribution<double>(0.01, 0.06)(random);
        wait_until(now + *hint.wait + span_of(margin), now);
    } else if (fresh) {
        const bool used_up = walls_ > 0 && std::abs(epoch_accepted_ / limit_.burst - 1) < 0.05;
        if (streak_ >= 2 || used_up) {
            wait_in_silence(used_up, now, random);
        } else {
            next_ = std::max(next_, now + span_of(1 / std::max(base_, slowest)));
            cost_ /= 2;
        }
    }
    return new_episode;
}

void rate_controller::pause(instant now, const limit_hint& hint, random_source& random) {
    if (!hint.wait) return;
    const double margin = std::uniform_real_distribution<double>(0.01, 0.06)(random);
    parked_until_ = std::max(parked_until_, now + *hint.wait + span_of(margin));
}

void rate_controller::add_mark(const departure& d) {
    const auto known = std::ranges::lower_bound(admitted_, d.number, {}, &departure::number);
    if (known != admitted_.end() && known->number == d.number) admitted_.erase(known);
    std::size_t place = marks_.size();
    while (place > 0 && marks_[place - 1].sent.number > d.number) --marks_[--place].admitted;
    mark m{d, static_cast<double>(d.number), 0, 0};
    if (place > 0) {
        const mark& before = marks_[place - 1];
        m.admitted = before.admitted + static_cast<double>(d.number - before.sent.number - 1);
        read_interval(m, before);
    }
    const auto inserted = marks_.insert(marks_.begin() + static_cast<std::ptrdiff_t>(place), m);
    if (std::next(inserted) != marks_.end()) read_interval(*std::next(inserted), *inserted);
    if (marks_.size() > most_marks) marks_.pop_front();
}

// Nothing was left at either end, so what was admitted in between is what the limit allowed in that time -
// unless there was a pause in which more came together than the limit keeps: then the least rate is looked
// for with which a bucket of that burst would have let through what was let through.
void rate_controller::read_interval(mark& m, const mark& before) const {
    const double admitted = m.admitted - before.admitted;
    const double time = std::max(seconds_of(m.sent.at - before.sent.at), 1e-6);
    const double plain = admitted / time;
    m.rate = plain;
    m.weight = admitted;
    const bool remembered = !admitted_.empty() && admitted_.front().at <= before.sent.at;
    const double waited = std::min(m.sent.waited - before.sent.waited, time);
    const bool uneven = waited > 0 || weight_ < 8;
    if (!uneven || admitted < 2 || !remembered) return;
    const double active = std::max(time - waited, 1e-3);
    m.rate = fitting_rate(before.sent.at, m.sent.at, plain, 1.5 * admitted / active);
    m.weight = std::max(1.0, admitted - burst_for(m.rate));
}

double rate_controller::fitting_rate(instant from, instant to, double lowest, double highest) const {
    const auto first = std::ranges::lower_bound(admitted_, from, {}, &departure::at);
    // What would be left just before the refusal; less than -1 where something was let through for which
    // nothing was.
    const auto left = [&](double rate) {
        const double burst = burst_for(rate);
        double level = 0, least = 0;
        instant at = from;
        for (auto i = first; i != admitted_.end() && i->at < to; ++i) {
            level = std::min(burst, level + rate * seconds_of(i->at - at)) - 1;
            least = std::min(least, level);
            at = i->at;
        }
        return least < -1 ? least : std::min(burst, level + rate * seconds_of(to - at));
    };
    constexpr int steps = 48;
    const double step = std::pow(std::max(highest / lowest, 1.0), 1.0 / steps);
    double low = lowest;
    int i = 0;
    while (i++ < steps && left(low) < -1) low *= step;
    double high = low;
    while (i++ < steps && left(high * step) < 1.5) high *= step;
    return low * std::cbrt(high / low);  // too low costs a little time, too high a refusal
}

// The first refusal ended a time that began with a full bucket.
double rate_controller::burst_for(double rate) const noexcept {
    if (first_burst_.empty()) return limit_.burst;
    double burst = 1;
    for (std::size_t i = 0; i < first_burst_.size(); ++i)
        burst = std::max(burst, static_cast<double>(first_burst_.size() - i) - rate * first_burst_[i]);
    return burst;
}

// A small rate with a large burst and a large rate with a small one explain one interval equally well, but
// not several of different lengths: the burst with which they tell the most alike rates is the true one.
void rate_controller::refine_burst() {
    constexpr std::size_t most_intervals = 5;
    std::vector<std::size_t> after_waits;
    for (std::size_t i = marks_.size(); i-- > 1 && after_waits.size() < most_intervals;)
        if (marks_[i].sent.waited > marks_[i - 1].sent.waited &&
            marks_[i].admitted - marks_[i - 1].admitted >= 4)
            after_waits.push_back(i);
    if (after_waits.size() < 2) return;
    if (!first_burst_.empty()) limit_.burst = burst_for(limit_.rate);
    first_burst_.clear();
    const auto spread_with = [&](double burst) {
        limit_.burst = burst;
        double sum = 0, squares = 0;
        for (const std::size_t i : after_waits) {
            read_interval(marks_[i], marks_[i - 1]);
            const double rate = std::log(marks_[i].rate);
            sum += rate;
            squares += rate * rate;
        }
        const auto n = static_cast<double>(after_waits.size());
        return std::max(squares / n - (sum / n) * (sum / n), 0.0);
    };
    const double usual = limit_.burst;
    double best = usual;
    double least = 0.6 * spread_with(usual);
    for (const double factor : {0.85, 0.7, 0.5, 0.35, 0.25, 1.2, 1.5}) {
        const double spread = spread_with(std::max(usual * factor, 1.0));
        if (spread < least) {
            least = spread;
            best = std::max(usual * factor, 1.0);
        }
    }
    spread_with(best);
}

void rate_controller::estimate() {
    if (marks_.size() >= 2 && marks_.back().sent.waited > marks_[marks_.size() - 2].sent.waited)
        refine_burst();
    const double before = limit_.rate;
    // From the newest mark back, as far as what is seen agrees: older marks make it exact, a change makes
    // them wrong.
    double rate = 0, admitted = 0, time = 0, doubt = 1;
    for (std::size_t i = marks_.size(); i-- > 1;) {
        const mark& m = marks_[i];
        if (m.weight <= 0 || m.rate <= 0) {
            time += admitted > 0 ? seconds_of(m.sent.at - marks_[i - 1].sent.at) : 0;
            continue;
        }
        const double all = admitted + m.weight;
        const double all_time = time + m.weight / m.rate;
        if (doubt < 0.3 && std::abs(std::log(all / all_time / rate)) > 2 * doubt + 0.01) break;
        admitted = all;
        time = all_time;
        rate = all / all_time;
        doubt = 1 / admitted + (spread_ + 0.002) / time;
        if (admitted >= enough_admitted) break;
    }
    if (admitted < 1 || doubt > 0.9) return;
    limit_.rate = std::max(rate, slowest);
    const bool well_known = weight_ >= 20;
    weight_ = admitted;
    learnt_at_ = latest_;
    if (!first_burst_.empty()) limit_.burst = burst_for(limit_.rate);
    if (weight_ > 100) first_burst_.clear();
    const double moved = std::abs(std::log(limit_.rate / before));
    const bool changed = well_known && moved > 2 * uncertainty_;
    uncertainty_ = std::clamp(std::max(changed ? 1.5 * moved : 0, 1.5 * doubt), finest, coarsest);
    base_ = limit_.rate * (1 - (cost_ > 0.05 ? margin_ : 0));
}

void rate_controller::wait_until(instant until, instant now) {
    if (until <= parked_until_) return;
    const instant from = std::max(parked_until_, now);
    if (!waiting_) {
        waiting_ = true;
        waiting_since_ = now;
    }
    waited_ += seconds_of(until - from);
    parked_until_ = until;
}

// Nothing says how long to wait. A rate limit lets the next one through soon; a window that is used up only
// when it ends, so after a few quick tries the likely lengths of windows are tried.
void rate_controller::wait_in_silence(bool used_up, instant now, random_source& random) {
    double wait = std::pow(8, static_cast<double>(streak_) - 1) / std::max(base_, slowest);
    const double since_epoch = seconds_of(now - epoch_);
    if (wait >= wall_after || used_up || (streak_ >= 3 && refused_in_a_row_ >= 6) ||
        (waiting_ && seconds_of(now - waiting_since_) >= wall_after) || walls_ >= 2) {
        double open = 0;
        if (limit_.cycle > since_epoch * 1.01) open = limit_.cycle;
        for (const double w : likely_windows) {
            // Counters that fade from one window into the next open a little later.
            const bool just_missed = w >= 10 && since_epoch >= w && since_epoch < 1.03 * w;
            if (open == 0 && just_missed) open = 1.06 * w;
            if (open == 0 && w > since_epoch * 1.6) open = w;
        }
        if (open == 0) open = since_epoch * 2;
        wait = open - since_epoch;
        // A service that never closed before and does so now will not wait for the end of a window.
        if (weight_ >= 100 && walls_ == 0)
            wait = std::clamp(waiting_ ? seconds_of(now - waiting_since_) : 0, wall_after, 10.0);
        else if (walls_ < 2)
            wait = std::min(wait, std::max(60.0, waiting_ ? seconds_of(now - waiting_since_) : 0));
    }
    const double margin = std::uniform_real_distribution<double>(0.02, 0.12)(random);
    wait_until(now + span_of(wait + std::min(margin, wait)), now);
}

// The first acceptance after a wait.
void rate_controller::recovered(instant now) {
    waiting_ = false;
    const double paused = seconds_of(now - waiting_since_);
    since_ = now;
    if (!options_.max_rate) next_ = now;
    if (paused < wall_after) {
        walls_ = 0;
        cost_ = 0;
        base_ = uncertainty_ < 0.3 ? limit_.rate : std::min(limit_.rate, 1 / paused);
        return;
    }
    ++walls_;
    const double epoch = seconds_of(now - epoch_);
    const double in_the_long_run = std::max(epoch_accepted_ - 1, 1.0) / std::max(epoch, 1e-3);
    if (weight_ < 8) {
        limit_.rate = in_the_long_run;
        uncertainty_ = coarsest;
    }
    base_ = limit_.rate * (1 - margin_);
    limit_.cycle = epoch;
    cost_ = std::max(0.0, paused - limit_.burst / limit_.rate);
    credit_ = share_of_burst * std::min(limit_.burst, limit_.rate * paused) - 1;
    free_ = credit_ >= 1;
    free_accepted_ = 0;
    epoch_ = now;
    epoch_accepted_ = 1;
}

}  // namespace muster
