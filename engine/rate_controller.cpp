#include "engine/rate_controller.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr double first_in_flight = 4;       // before anything is known
constexpr double accepted_per_flight = 64;  // one more in flight for so many accepted
constexpr double surely_many = 1e6;         // requests in flight: no limit of ours
constexpr double finest = 0.0025;           // probing beyond a well-known rate begins with so much
constexpr double dear = 0.05;               // seconds: a refusal that costs more is worth being avoided
constexpr double part_of_doubt = 0.3;  // of how much the rate is in doubt, below it where refusals cost time
constexpr double least_margin = 0.001, most_margin = 0.01;  // but at least and at most so much of it
constexpr double steepest = 1.4;                            // growth of the pace: a doubling in half a second
constexpr double share_of_burst = 0.8;     // used after waiting and lateness: it may be estimated too high
constexpr double sure_burst = 4;           // requests: a smaller one may be none at all
constexpr auto timer_lateness = 10ms;      // more than that says that the host was busy
constexpr double longest_lateness = 0.05;  // seconds that are made up for
constexpr auto relearn_after = 10min;
constexpr double no_time = 0.01;        // seconds: a try that is answered sooner costs nothing
constexpr double far_away = 0.25;       // seconds that a reply takes: the run is a good deal further by then
constexpr double kept_far_away = 0.85;  // of an assumed rate, after each wait
constexpr double quick = 0.5;  // seconds: replies that take longer leave in doubt what was let through when
constexpr double wall_after = 0.25;     // seconds of silence that make a wait of its own
constexpr double well_known = 0.02;     // a rate that is less in doubt is not overrun by chance
constexpr double hardly_known = 0.5;    // a rate that is more in doubt: as much so is what is kept besides it
constexpr double told_at_least = 1;     // seconds: services tell whole ones
constexpr double telling_part = 0.2;    // of its doubt: a rate that is less by so much tells of others
constexpr double least_tried = 0.2;     // requests a second, while the rate is not known
constexpr double tried_if_told = 8;     // requests, in the time so far: a whole second may be told for less
constexpr double after_opening = 0.05;  // seconds that one tries later than a window is to open
constexpr double slowest = 1.0 / 86'400;  // requests a second

double seconds_of(std::chrono::nanoseconds d) {
    return std::chrono::duration<double>(d).count();
}
std::chrono::nanoseconds span_of(double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, 86'400.0) * 1e9));
}

}  // namespace

rate_controller::rate_controller(const options& o, const std::optional<learnt_limit>& remembered)
    : options_(o) {
    if (!remembered || !(remembered->rate > 0)) return;
    limited_ = true;
    limit_ = limit_estimate(*remembered);
    window_ = window_estimate(*remembered);
    base_ = limit_.rate() * 0.9;
    free_ = false;
}

std::optional<learnt_limit> rate_controller::learnt() const noexcept {
    if (!limited_) return std::nullopt;
    if (window_.is_window())
        return learnt_limit{
            .rate = window_.count() / window_.cycle(), .burst = window_.count(), .cycle = window_.cycle()};
    return learnt_limit{.rate = !rate_known() ? 0 : limit_.rate(), .burst = limit_.burst()};
}

std::optional<double> rate_controller::used(instant now) const noexcept {
    const double time = seconds_of(now - first_refused_);
    if (!limited_ || first_refused_ == instant{} || time < 1) return std::nullopt;
    return let_through_ / (limit_.rate() * time);
}

bool rate_controller::binding(instant now) const noexcept {
    if (!limit_.has_refusal()) return false;
    const double rare = std::max({60.0, 2 * window_.cycle(), 200 * cost_});
    return parked_until_ > now || options_.share < 1 || seconds_of(now - limit_.last_refusal()) < rare;
}

instant rate_controller::next_permit() const noexcept {
    return std::max(next_, parked_until_);
}

std::size_t rate_controller::most_in_flight() const noexcept {
    double most = surely_many;
    // A probe; or, where the service told how long to wait and the rate is known, what that rate has on its
    // way.
    if (waiting_)
        return told_ && limit_.weight() >= 20 ? static_cast<std::size_t>(1 + limit_.rate() * latency_) : 1;
    const double slow_start = std::max(
        first_in_flight + window_.let_through() / accepted_per_flight,
        first_in_flight * std::exp2(std::min(seconds_of(latest_ - window_.opened_at()) / 0.85, 20.0)));
    if (free_) most = slow_start;
    if (limited_) {
        most = std::max(slow_start, (!rate_known() ? 0.5 : 1.25) * limit_.rate() * latency_ + 2);
        // Nothing came through since the refusal, nothing tells how soon it will, and one try takes no time.
        if (streak_ > 0 && !rate_known() && latency_ < no_time) most = 1;
        // Where a window is about to be used up, no more than are left of it.
        if (window_.is_window() && latest_ < window_.expected_opening())
            most = std::min(most, std::max(1.0, std::abs(window_.count() - window_.let_through())));
    }
    return static_cast<std::size_t>(most);
}

bool rate_controller::rate_known() const noexcept {
    return limit_.weight() >= 8;
}

double rate_controller::pace(instant now) const noexcept {
    const double time = std::max(0.0, seconds_of(now - since_));
    if (others_.present()) return neighbours::grown(base_, time, limit_.rate(), cost_, cost_ > dear);
    // A refusal is looked for every so often: more often where it costs little or where the rate is not well
    // known.
    const double step =
        cost_ > dear ? std::max(0.3 * limit_.uncertainty(), 0.0075) : std::max(limit_.uncertainty(), finest);
    const double settled = std::max({100 / limit_.rate(), std::min(200 / limit_.rate(), 5.0), 3 * latency_});
    const double costly = std::min(2 * cost_ / limit_.uncertainty(), 160 * cost_);
    const double shortest = std::max({8 / limit_.rate(), 3 * latency_, 0.1});
    const double time_scale =
        !rate_known() ? std::max(3 * latency_, 0.25)
                      : std::max({shortest, others_.patience() * settled * finest / step, costly});
    const double x = time / time_scale;
    const double growth = step * x + std::min(step * x * x * x * x, steepest * time);
    return base_ * std::exp(std::min(growth, 10.0));
}

// Not more at once than the replies make room for, also when there is suddenly room for many.
double rate_controller::unpaced() const noexcept {
    constexpr double felt = 0.02;
    return latency_ > felt ? 2 * static_cast<double>(most_in_flight()) / latency_ : 0;
}

// Where a refusal costs time, a part of its doubt below the limit. All of it would cost more: a rate in great
// doubt ends in a refusal soon, whatever it begins with.
double rate_controller::below_limit() const noexcept {
    return limit_.rate() *
           (1 -
            (cost_ > dear ? std::clamp(part_of_doubt * limit_.uncertainty(), least_margin, most_margin) : 0));
}

void rate_controller::forget_refusals(instant now) {
    limit_.forget_refusals();
    since_ = now;
}

// A share can be taken of a known limit only, and what is known grows old: now and then it is looked for
// anew.
bool rate_controller::sharing(instant now) const noexcept {
    return options_.share < 1 && limit_.weight() >= 100 &&
           (limit_.uncertainty() < 0.15 || !limit_.has_refusal()) && now - learnt_at_ < relearn_after;
}

departure rate_controller::sent(instant now) {
    if (sent_ == 0) {
        first_sent_ = since_ = learnt_at_ = now;
        window_.begin(now);
        if (limited_) first_refused_ = now;
    } else if (limited_ && now - std::max({next_, parked_until_, since_, latest_}) > 1s) {
        forget_refusals(
            now);  // nothing was sent though it might have been: the time since says nothing of the limit
    }
    latest_ = now;
    // Where not the pace held it back, the pace has not been tried, and grows no further.
    const auto late = now - std::max({next_, parked_until_, since_});
    if (limited_ && !waiting_ && late > std::max<std::chrono::nanoseconds>(timer_lateness, made_up_for_)) {
        since_ += late;
        if (seconds_of(late) > latency_) waited_ += seconds_of(late);
    }
    const departure d{sent_++, now, waited_};
    limit_.sent(d);
    double rate = free_ ? unpaced() : pace(now);
    if (free_ && limited_) {
        if (!sharing(now)) next_ = now;
        credit_ -= 1;
        free_ = credit_ >= 1;
        since_ = now;
    }
    if (shared_ && !sharing(now)) {  // time to look for the limit anew
        shared_ = false;
        forget_refusals(now);
        rate = pace(now);
    }
    if (sharing(now)) {  // what was used too much while the limit was learnt is made up for
        const double so_far = used(now).value_or(options_.share);
        shared_ = true;
        rate = limit_.rate() * options_.share * std::clamp(options_.share / so_far, 0.6, 1.02);
    }
    if (options_.max_rate) rate = rate > 0 ? std::min(rate, *options_.max_rate) : *options_.max_rate;
    if (rate <= 0) return d;
    const double interval = 1 / std::max(rate, slowest);
    // A timer that fired a little late is made up for, more than that as far as the limit has shown to keep
    // what is not used. The user's ceiling keeps nothing.
    const bool ceiling = options_.max_rate && rate >= *options_.max_rate;
    const bool keeps = !ceiling && rate_known() && limit_.burst() >= sure_burst;
    const double kept = keeps ? share_of_burst * limit_.burst() * interval : 0;
    made_up_for_ = std::max(std::min<std::chrono::nanoseconds>(span_of(interval), timer_lateness),
                            span_of(std::min(kept, longest_lateness)));
    if (waiting_) made_up_for_ = {};  // nothing was kept for the first after a wait
    next_ = std::max(next_, now - made_up_for_) + span_of(interval);
    return d;
}

void rate_controller::accepted(const departure& d, instant now) {
    ++free_accepted_;
    if (!waiting_) window_.renew_if_over(now);
    if (limited_ && window_.let_through() < 1)
        window_.begin(now);  // it may have been used up by others till now
    window_.accepted();
    ++accepted_;
    ++let_through_;
    const double took = seconds_of(now - d.at);
    latest_ = now;
    if (latency_ == 0) latency_ = took;
    spread_ += (std::abs(took - latency_) - spread_) * 0.05;
    latency_ += (took - latency_) * 0.05;
    if (d.at < known_at_) return;
    streak_ = 0;
    if (waiting_) recovered(d, now);
    // Where no refusal is needed to tell how long to wait, it is not asked for each time.
    if (!waiting_ && !told_ && !others_.present() && window_.surely_used_up(now) &&
        !window_.worth_trying(now)) {
        wait_until(window_.expected_opening() + span_of(after_opening), now);
        known_at_ = now;
        unasked_ = true;
    }
}

// Before anything is known: what was let through till the first refusal, or what was in flight then. Where
// nothing was let through yet, the refusal itself tells how long a reply takes.
double rate_controller::most_likely_rate(const departure& refused, instant now) const noexcept {
    const auto in_flight =
        std::min(static_cast<double>(most_in_flight()), static_cast<double>(sent_ - refused.number));
    const double let_through =
        static_cast<double>(refused.number) / std::max(seconds_of(now - first_sent_), 0.001);
    const double latency = latency_ > 0 ? latency_ : std::max(seconds_of(now - refused.at), 0.001);
    // Far away, the pace has grown by much since the requests left that are answered.
    const double grown = latency_ > far_away ? limit_.late_pace(refused) : 0;
    return std::max({let_through, in_flight / latency, grown});
}

void rate_controller::throttled(const departure& d, instant now, const limit_hint& hint,
                                random_source& random) {
    const bool fresh = d.at >= known_at_;
    known_at_ = fresh ? now : known_at_;
    const bool used_up = window_.used_up();
    if (fresh && used_up) window_.tried(now);
    if (fresh) unasked_ = false;
    if (fresh && waiting_) {
        closed_ = seconds_of(d.at - waiting_since_);
        window_.still_closed(d.at);
    }
    if (shared_) {  // less than the share is left: the limit is another one, or others take more of it
        shared_ = false;
        forget_refusals(now);
    }
    const expectation before{
        .pace = limited_ ? std::min(pace(now), options_.max_rate.value_or(surely_many)) : 0,
        .rate = limit_.rate(),
        .doubt = limit_.uncertainty(),
        .founded = limited_ && limit_.weight() >= 20};
    limit_.refused(d, fresh, now, spread_, most_likely_rate(d, now), hint.wait ? seconds_of(*hint.wait) : 0);
    if (fresh) streak_ = limit_.next_in_line() ? streak_ + 1 : 1;
    const bool new_episode = fresh && streak_ == 1 && !waiting_;
    if (!limited_) {
        limited_ = true;
        first_refused_ = now;
        let_through_ = 0;
        base_ = limit_.rate() / 2;
    } else {
        learnt_at_ = latest_;
        if (new_episode) look_for_others(d, before, used_up);
        if (!others_.present())
            base_ = below_limit();
        else if (new_episode)
            base_ = neighbours::cut(before.pace, limit_.rate(), cost_ > dear);
        if (free_) limit_.burst_at_most(free_accepted_);
    }
    if (new_episode) since_ = now;
    free_ = false;
    credit_ = 0;
    if (hint.wait)
        wait_as_told(*hint.wait, now, random);
    else if (fresh)
        wait_untold(now, random);
}

// A refusal after a time without one, at a limit that is not new: do others take of it?
void rate_controller::look_for_others(const departure& d, const expectation& before, bool used_up) {
    const bool costly = cost_ > dear;
    // Less was sent than the limit lets through, as far as it was known. (Where a refusal is dear, the pace
    // begins below the rate: refused there, it is hardly by chance.)
    const double overrun_by_chance = costly ? 0 : well_known;
    const double none_expected =
        before.rate * (before.doubt > well_known ? 1 + before.doubt : 1 - overrun_by_chance);
    // But it is no sign of others where the time before it shows the rate that was known, or nothing. (Where
    // each costs time, it takes the very same to trust that others are gone.)
    const double latest = limit_.latest_rate();
    const bool the_same = std::abs(latest / before.rate - 1) < well_known;
    const bool trusting = !costly || !others_.present();
    const bool less = trusting ? latest <= before.rate * (1 - telling_part * before.doubt) : !the_same;
    // While a cheap limit is still looked for, one refusal follows the other, whoever else is there; and the
    // end of a window says nothing of anyone, unless it may be no window, but what others leave.
    const bool window_ended = used_up && (window_.proven() || !others_.present());
    others_.refused(
        {.accepted = accepted_,
         .times_rate = !trusting && the_same ? 1 : before.pace / before.rate,
         .telling = (before.founded || costly) && !window_ended,
         .unexplained = before.founded && !free_ && before.pace < none_expected && latest > 0 && less,
         .costly = costly,
         .after_wait = seconds_of(d.at - window_.opened_at())});
}

void rate_controller::pause(const departure& d, instant now, const limit_hint& hint, random_source& random,
                            bool sure) {
    if (!hint.wait) return;
    // While there is no rate at all, it may as well have been that.
    if (!sure && limited_ && !rate_known() && latency_ < quick) return throttled(d, now, hint, random);
    limit_.note_refusal(d, now);
    const double margin = std::uniform_real_distribution<double>(0.01, 0.06)(random);
    const instant until = now + *hint.wait + span_of(margin);
    if (until <= parked_until_) return;
    waited_ += seconds_of(until - std::max(parked_until_, now));
    parked_until_ = until;
    window_.begin(until);
}

void rate_controller::wait_until(instant until, instant now) {
    if (until <= parked_until_) return;
    const instant from = std::max(parked_until_, now);
    if (!waiting_) {
        waiting_ = true;
        waiting_since_ = now;
        told_wait_ = 0;
        closed_ = 0;
    }
    sent_before_wait_ = sent_;
    since_ = until;
    waited_ += seconds_of(until - from);
    parked_until_ = until;
}

void rate_controller::wait_as_told(std::chrono::milliseconds told, instant now, random_source& random) {
    const double margin = std::uniform_real_distribution<double>(0.01, 0.06)(random);
    wait_until(now + told + span_of(margin), now);
    told_ = true;
    told_wait_ = std::max(told_wait_, seconds_of(told));
    closed_ += seconds_of(told);
}

void rate_controller::wait_untold(instant now, random_source& random) {
    // So few, and then closed before half of them came through again: that was no window, but others who took
    // what there was.
    if (!waiting_ && window_.is_window() && window_.of_few() && window_.closed_early()) {
        window_ = {};
        window_.begin(now);
        limit_.start_anew();
        cost_ = 0;
    }
    if (streak_ >= 2 || window_.used_up()) {
        wait_in_silence(now, random);
    } else {
        next_ = std::max(next_, now + span_of(1 / std::max(base_, slowest)));
        cost_ /= 2;
    }
}

// Nothing says how long to wait. A rate limit lets the next one through soon; a window that is used up only
// when it ends, so that is waited for after a few quick tries.
void rate_controller::wait_in_silence(instant now, random_source& random) {
    const double so_far = waiting_ ? seconds_of(now - waiting_since_) : 0;
    double wait = 0;
    if (so_far < wall_after && !window_.proven_used_up()) {
        const double intervals = std::pow(8, static_cast<double>(streak_) - (!rate_known() ? 0 : 1));
        wait = std::min(intervals / std::max(base_, slowest), wall_after);
    } else {
        wait = window_.until_try(now, so_far, limit_.once_proven());
    }
    const double margin = std::uniform_real_distribution<double>(0.02, 0.12)(random);
    wait_until(now + span_of(wait + std::min(margin, wait)), now);
    told_ = false;
}

double rate_controller::in_the_long_run(instant now) const noexcept {
    return accepted_ / std::max(seconds_of(now - first_sent_), 1e-3);
}

// Where the rate is much in doubt: one came through in the time since the refusal, but none in the time for
// which it is known to have been closed.
double rate_controller::cautious_rate(const departure& let_through, instant now) const noexcept {
    const double open_after = std::max(seconds_of(let_through.at - waiting_since_), 1e-3);
    const double most = closed_ > 0 ? std::min(limit_.rate(), 1 / closed_) : limit_.rate();
    return std::clamp(0.5 * in_the_long_run(now), std::min(1 / open_after, most), most);
}

// The first acceptance after a wait.
void rate_controller::recovered(const departure& d, instant now) {
    waiting_ = false;
    const double paused = seconds_of(now - waiting_since_);
    since_ = now;
    if (!options_.max_rate) next_ = now;
    // There is such a rate, and no window is known: the service is back, or a window is met for the first
    // time.
    const bool outage = limit_.once_proven() && !window_.is_window() && !told_;
    const bool unasked = std::exchange(unasked_, false);
    const double closed_for = seconds_of(d.at - waiting_since_);
    const bool gradual = !told_ && !unasked && window_.opened_gradually(now, closed_for);
    using tells = window_estimate::told_by_opening;
    if (!unasked && (outage || gradual || (window_.is_window() ? paused : closed_) < wall_after)) {
        cost_ = 0;
        if (!others_.present())
            base_ = outage || limit_.uncertainty() < 0.3 ? limit_.rate() : cautious_rate(d, now);
        if (paused >= wall_after && !gradual)
            window_.opened(now, closed_for, outage ? tells::with_another : tells::nothing);
        return;
    }
    window_.opened(now, closed_for, unasked ? tells::nothing : tells::by_itself);
    if (!rate_known()) {
        const double in_a_window = window_.count() / std::max(window_.cycle(), 1e-3);
        const double untold = told_ && accepted_ <= first_in_flight
                                  ? tried_if_told / std::max(seconds_of(now - first_sent_), 1.0)
                                  : 0;
        const double least = std::max({in_a_window, in_the_long_run(now), untold, least_tried});
        // Rather twice as much, where the service asks for whole seconds that it does not need; and far away,
        // where what is answered by then is little, most of what was assumed, while nothing else tells more.
        const bool assumed = latency_ > far_away && limit_.latest_rate() <= 0;
        const double most = std::max(2 * least, assumed ? kept_far_away * limit_.rate() : 0);
        limit_.assume_rate(std::clamp(limit_.rate(), least, told_ ? most : least));
    }
    if (!others_.present()) base_ = below_limit();
    // Where the service did not tell how long to wait, nor a window that is known, the wait may have been
    // longer than it had to be.
    const bool due = told_ || (window_.is_window() && window_.proven());
    // If others took what there was when the service said that it would be open, that is no refusal's price.
    const double lost = told_ && !window_.is_window()
                            ? std::min(paused, std::max(told_wait_, told_at_least) + latency_)
                            : paused;
    // What the limit keeps meanwhile makes up for it, unless others take that. While it is hardly known how
    // much that is, it may be little, where a whole second was told for less.
    const bool doubtful =
        told_ && told_wait_ <= told_at_least && rate_known() && limit_.uncertainty() > hardly_known;
    const double made_up = others_.present() || doubtful ? 0 : limit_.burst() / limit_.rate();
    if (!unasked) cost_ = due ? std::max(0.0, lost - made_up) : 0;
    // What seems a window may be what others leave.
    if (window_.is_window() && (window_.proven() || !others_.present()))
        credit_ = window_.count();
    else if (others_.present() || (told_ && others_.suspected()))
        credit_ = 0;
    else
        credit_ = share_of_burst * std::min(limit_.burst(), limit_.rate() * paused);
    const auto probes = static_cast<double>(sent_ - sent_before_wait_);
    credit_ -= probes;
    free_ = credit_ >= 1;
    free_accepted_ = 1;
    // What the limit does not keep it does not let through at once.
    const double under_way = std::min(probes, 1 + limit_.rate() * latency_);
    if (!free_) next_ = std::max(next_, d.at + span_of(under_way / std::max(base_, slowest)));
}

}  // namespace muster
