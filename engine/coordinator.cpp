#include "engine/coordinator.hpp"

#include "engine/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_rows_here = 65'536;  // bounds memory when very many rows wait behind few tokens
// The more a sync of the journal takes along the fewer are needed: what nothing waits for is gathered so
// long.
constexpr auto gathered_for = 5ms;
constexpr auto share_lasts = 10min;       // of a limit on requests at once; then it is proved anew
constexpr std::size_t most_ahead = 8192;  // rows in doubt after a crash, where syncs take very long

std::chrono::milliseconds until(instant later, instant now) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(later, now) - now);
}

}  // namespace

coordinator::coordinator(const options& o, const outcome_counts& counts, journal_sink& journal,
                         run_observer& observer)
    : options_(o),
      rate_({.max_rate = o.max_rate, .share = o.max_share / 100}, o.remembered),
      window_(o.concurrency, o.remembered ? static_cast<std::size_t>(o.remembered->company) : 0),
      breaker_(o.stop_after),
      notices_(o.remembered.value_or(learnt_limit{})),
      random_(o.seed),
      judge_(o.max_attempts),
      least_ahead_(std::size_t{2} * o.concurrency),
      ahead_(least_ahead_),
      journal_(journal),
      observer_(observer),
      counts_(counts) {}

// ---- rows in

bool coordinator::wants_rows() const noexcept {
    return !all_rows_in_ && !stopped_ && scheduler_.fresh() + scheduler_.sendable() < 2 * ahead_ &&
           scheduler_.size() < most_rows_here;
}

void coordinator::admit(const row_view& r, row_state before, wall_time now) {
    switch (before) {
        case row_state::applied:
        case row_state::already: return;
        case row_state::rejected:
        case row_state::exhausted:
        case row_state::invalid: scheduler_.fail(subject_of(r), r.line); return;
        case row_state::untouched:
        case row_state::intended:
        case row_state::lost:
        case row_state::held:
        case row_state::in_doubt: break;
        case row_state::blocked: throw std::logic_error("a blocked row was not reopened");
    }
    const subject_key subject = subject_of(r);
    const bool intended = outcome_of(before) == outcome::in_doubt;
    if (const auto line = scheduler_.failed_line(subject))
        return record_blocked(r, intended, *line, outcome_of(before), now);
    task& t = scheduler_.at(scheduler_.admit(r, subject, intended));
    t.before = outcome_of(before);
    t.doubtful = intended;
    t.held = before == row_state::held;
    t.must_check = intended && (before != row_state::intended || !operation_of(r.operation).idempotent);
}

void coordinator::admit_invalid(const row_view& r, const row_problem& problem, row_state before,
                                wall_time now) {
    for (const field f : {field::token_serial, field::device_serial}) {
        if (r.get(f).empty()) continue;
        row_view subject = r;
        for (const operation& op : operations())
            if (op.subject == f) subject.operation = op.id;
        scheduler_.fail(subject_of(subject), r.line);
    }
    if (before == row_state::invalid) return;
    record(r.line,
           {.row = r.index, .result = outcome::invalid, .at = now, .details = {}, .message = problem.text()},
           outcome_of(before));
}

// ---- orders out

void coordinator::prepare(instant now) {
    scheduler_.advance(now);
    if (!shares_company()) {
        shared_since_ = now;
    } else if (now - shared_since_ > share_lasts) {
        window_.prove_limit_anew();
    }
    if (stopped_) return;
    if (scheduler_.fresh() == 0 || rate_.parked_until() > now) return;
    const std::size_t standing = intents_under_way_.size() + scheduler_.sendable();
    // Not one by one while there are enough.
    if (standing > ahead_ - ahead_ / 4) return;
    batch_.clear();
    const std::size_t first = intents_under_way_.size();
    for (std::size_t n = std::min(ahead_ - standing, scheduler_.fresh()); n > 0; --n) {
        const slot_id s = scheduler_.take_fresh();
        batch_.push_back(scheduler_.at(s).what.index());
        intents_under_way_.emplace_back(0, s);
    }
    const std::uint64_t position = journal_.intents(batch_);
    for (std::size_t i = first; i < intents_under_way_.size(); ++i) intents_under_way_[i].first = position;
}

bool coordinator::can_send(instant now) const {
    return !stopped_ && scheduler_.sendable() > 0 && in_flight_ < window() && rate_.next_permit() <= now;
}

std::size_t coordinator::window() const noexcept {
    std::size_t most = std::min(window_.size(), rate_.most_in_flight());
    // Not before it has held: a share of what is no limit would never be found out.
    if (shares_company()) {
        const double part = static_cast<double>(window_.limit()) * options_.max_share / 100;
        most = std::min(most, std::max<std::size_t>(static_cast<std::size_t>(part), 1));
    }
    return most;
}

bool coordinator::shares_company() const noexcept {
    return options_.max_share < 100 && window_.limit_held();
}

order coordinator::take(instant now, http_request reuse) {
    order o;
    o.slot = scheduler_.take_sendable();
    const task& t = scheduler_.at(o.slot);
    o.lookup = t.must_check;
    o.request = o.lookup ? build_lookup(t.what) : build_request(t.what, std::move(reuse));
    o.sent = rate_.sent(now);
    o.company = ++in_flight_;
    ++statistics_.requests;
    return o;
}

void coordinator::returned(const order& o) {
    --in_flight_;
    --statistics_.requests;
    scheduler_.put_back(o.slot);
}

std::optional<instant> coordinator::wake_at(instant now) const {
    if (stopped_) return std::nullopt;
    std::optional<instant> wake = scheduler_.next_delayed();
    if (wake && *wake <= now) wake.reset();
    const instant permit = rate_.next_permit();
    const bool waiting = scheduler_.sendable() > 0 || scheduler_.fresh() > 0;
    if (waiting && in_flight_ < window() && permit > now) wake = std::min(wake.value_or(permit), permit);
    return wake;
}

// ---- what happened

// Where connections stood idle for want of durable intents, or the journal must be synced more often than it
// would be for its own sake, intents begin earlier; where there are always enough, later.
void coordinator::keep_ahead(instant now) {
    const bool more_wait = scheduler_.fresh() > 0 && statistics_.requests > 0;
    const bool none_left = scheduler_.sendable() == 0 && in_flight_ < window() && rate_.next_permit() <= now;
    const bool hurried = scheduler_.sendable() <= ahead_ / 2 && now - durable_at_ < gathered_for;
    if (more_wait && none_left)
        ahead_ = std::min(2 * ahead_, most_ahead);
    else if (more_wait && hurried)
        ahead_ = std::min(ahead_ + ahead_ / 8, most_ahead);
    else if (scheduler_.sendable() > ahead_ / 4)
        ahead_ = std::max(least_ahead_, ahead_ - ahead_ / 32);
    durable_at_ = now;
}

instant coordinator::sync_due(instant now) const noexcept {
    return scheduler_.sendable() <= ahead_ / 2 ? now : durable_at_ + gathered_for;
}

void coordinator::durable(std::uint64_t position, moment now) {
    keep_ahead(now.mono);
    while (!intents_under_way_.empty() && intents_under_way_.front().first <= position) {
        scheduler_.make_sendable(intents_under_way_.front().second);
        intents_under_way_.pop_front();
    }
    while (!outcomes_under_way_.empty() && outcomes_under_way_.front().position <= position) {
        const settling done = outcomes_under_way_.front();
        outcomes_under_way_.pop_front();
        if (done.slot == no_slot) continue;  // never was in the scheduler
        for (const slot_id s : scheduler_.settle(done.slot, done.succeeded)) block(s, now.wall);
    }
}

bool coordinator::replied(const order& o, const http_reply& reply, moment now) {
    --in_flight_;
    task& t = scheduler_.at(o.slot);
    const verdict v = judge(reply.status);
    const auto words = v == verdict::success ? std::string() : judge_.words_in(reply);
    const bool speaks_of_limit = v != verdict::success && refused_by_limit(reply, words);
    if (speaks_of_limit && judge_.limits_the_run(t, o.lookup, reply.status, words)) {
        throttled(o, reply, now);
        return true;
    }
    rate_.accepted(o.sent, now.mono);
    if (v == verdict::failed)
        window_.failed(o.sent.at, now.mono);
    else
        window_.answered(o.company, o.sent.at, now.mono);
    if (!o.lookup && v != verdict::unauthorised && v != verdict::misdirected) operations_authorised_ = true;
    if (v == verdict::unauthorised && !speaks_of_limit) {
        unauthorised(o, reply.status, words, now);
        return true;
    }
    if (v == verdict::misdirected) {
        misdirected(o, reply);
        return true;
    }
    auto step = o.lookup ? keep_undone(t, judge_.lookup_replied(t, reply, words))
                         : judge_.operation_replied(t, reply, words);
    const bool in_step = !step.anothers;
    take_step(o.slot, std::move(step), now);
    if (rate_.parked_until() > now.mono && !stopped_ && more_to_send()) tell_of_limit(now.mono);
    return in_step;
}

// A row of a repaired journal that the look-up found not to be applied is sent only where no later row of its
// token can have undone it.
row_step coordinator::keep_undone(const task& t, row_step step) {
    const bool given_up = step.what == row_step::action::settle && step.result == outcome::exhausted;
    const bool not_applied = given_up || (step.what == row_step::action::send_again && !t.must_check);
    if (!not_applied) return step;
    if (t.held && !unsent_behind_.contains(t.subject))
        return {.what = row_step::action::settle,
                .result = outcome::in_doubt,
                .message =
                    "records about it were lost with a damaged part of the journal, and it is not so "
                    "now: it was not sent, or a later line of the same token has undone it; sending "
                    "it now might undo that line",
                .details = {}};
    if (t.before == outcome::in_doubt) unsent_behind_.insert(t.subject);
    return step;
}

void coordinator::failed(const order& o, const transport_failure& why, moment now) {
    --in_flight_;
    if (why.timed_out) window_.failed(o.sent.at, now.mono);
    task& t = scheduler_.at(o.slot);
    take_step(o.slot,
              o.lookup ? judge_.lookup_failed(t, why.message)
                       : judge_.operation_failed(t, why.maybe_received, why.message),
              now);
}

void coordinator::throttled(const order& o, const http_reply& reply, moment now) {
    ++statistics_.throttled;
    // The row that met a 429 goes first again. After another refusal the others go first: if it is about the
    // row alone they are not held up, and if it is about the run no row alone bears all of it.
    if (reply.status == 429)
        scheduler_.put_back(o.slot);
    else
        scheduler_.make_sendable(o.slot);
    const auto hint = read_limit_hint(reply, now.wall);
    const bool company_known = window_.limit_held();
    if (window_.refused(std::max(o.company, in_flight_ + 1), o.sent.at, now.mono, hint.wait.value_or(0ms)))
        rate_.pause(o.sent, now.mono, hint, random_, company_known);
    else {
        if (!window_.capped()) rate_.it_was_the_rate();
        rate_.throttled(o.sent, now.mono, hint, random_);
    }
    tell_of_limit(now.mono);
}

void coordinator::tell_of_limit(instant now) {
    const learnt_limit l = limit().value_or(learnt_limit{});
    const auto wait = until(rate_.parked_until(), now);
    if (const auto news = notices_.worth_remembering(l)) journal_.limit(*news);
    if (notices_.worth_telling(l, wait, now)) observer_.throttled(wait, l);
}

std::optional<learnt_limit> coordinator::limit() const noexcept {
    if (!rate_.learnt() && window_.limit() == 0) return std::nullopt;
    learnt_limit l = rate_.learnt().value_or(learnt_limit{});
    l.company = window_.limit();
    return l;
}

void coordinator::unauthorised(const order& o, unsigned status, const std::string& words, moment now) {
    task& t = scheduler_.at(o.slot);
    const bool freshly_signed = t.refused_generation != 0 && o.generation > t.refused_generation;
    t.refused_generation = std::max(t.refused_generation, o.generation);
    refused_generation_ = std::max(refused_generation_, o.generation);
    // A key that may provision but not look up fails the row it wants to know about, not the run.
    if (freshly_signed && o.lookup && operations_authorised_) {
        const auto why = fmt::format("the key may not look tokens up (HTTP {})", status);
        return take_step(o.slot, row_judge::lookup_impossible(t, why), now);
    }
    scheduler_.put_back(o.slot);
    if (!freshly_signed) return;
    stop(end_reason::not_authorised,
         fmt::format("the service refuses the key (HTTP {}{}{}), with a freshly signed token too: the key is "
                     "revoked, of "
                     "another tenant, or has no right to do this; or this machine's clock is wrong",
                     status, words.empty() ? "" : "; ", words));
}

void coordinator::misdirected(const order& o, const http_reply& reply) {
    scheduler_.put_back(o.slot);
    const auto to = reply.header("location");
    stop(end_reason::misdirected,
         fmt::format("the server answered {} to {}{}: this is not the service's address (check --base-url)",
                     reply.status, o.request.target,
                     to.empty() ? std::string() : fmt::format(", pointing to {}", printable(to, 100))));
}

void coordinator::take_step(slot_id s, row_step step, moment now) {
    switch (step.what) {
        case row_step::action::settle: return settle(s, std::move(step), now.wall);
        case row_step::action::send_again: return scheduler_.put_back(s);
        case row_step::action::try_later: return try_later(s, step.tries, now);
    }
}

void coordinator::try_later(slot_id s, unsigned tries, moment now) {
    const auto wait = backoff(tries, random_);
    ++statistics_.retries;
    scheduler_.delay(s, now.mono + wait);
    const task& t = scheduler_.at(s);
    observer_.retrying(t.what.line(), t.last_message, wait);
}

void coordinator::settle(slot_id s, row_step how, wall_time now) {
    const task& t = scheduler_.at(s);
    const row_outcome o{.row = t.what.index(),
                        .result = how.result,
                        .status = t.last_status,
                        .attempts = t.attempts,
                        .at = now,
                        .details = std::move(how.details),
                        .message = std::move(how.message)};
    record(t.what.line(), o, t.before);
    outcomes_under_way_.back().slot = s;
    breaker_.settled(how.result);
    if (breaker_.open() && !stopped_)
        stop(end_reason::too_many_failures, fmt::format("{} rows failed: --stop-after-failures {} is reached",
                                                        breaker_.failed(), to_text(options_.stop_after)));
}

void coordinator::block(slot_id s, wall_time now) {
    const task& t = scheduler_.at(s);
    record_blocked(t.what.view(), t.doubtful, scheduler_.failed_line(t.subject).value_or(0), t.before, now);
    scheduler_.release(s);
}

// A row that may have been sent, behind one of which nobody knows whether it succeeded, is not known to be
// unsent. (It takes a damaged journal to come to that.)
void coordinator::record_blocked(const row_view& r, bool doubtful, std::uint64_t by_line, outcome before,
                                 wall_time now) {
    const bool unknown = doubtful && doubted_lines_.contains(by_line);
    record(r.line,
           {.row = r.index,
            .result = unknown ? outcome::in_doubt : outcome::blocked,
            .at = now,
            .details = {},
            .message = unknown ? fmt::format("line {} is in doubt, and so is this line behind it", by_line)
                               : fmt::format("line {} did not succeed", by_line)},
           before);
}

void coordinator::record(std::uint64_t line, const row_outcome& o, outcome before) {
    const std::uint64_t position = journal_.outcome(o);
    --counts_[before];
    ++counts_[o.result];
    if (o.result == outcome::in_doubt) doubted_lines_.insert(line);
    observer_.settled(line, o);
    outcomes_under_way_.push_back({position, no_slot, succeeded(o.result)});
}

void coordinator::stop(end_reason reason, std::string why) {
    if (stopped_) return;
    stopped_ = reason;
    stop_message_ = std::move(why);
}

// ---- how it stands

bool coordinator::more_to_send() const noexcept {
    return !all_rows_in_ || scheduler_.size() > in_flight_ + outcomes_under_way_.size();
}

bool coordinator::done() const noexcept {
    if (in_flight_ > 0 || !outcomes_under_way_.empty()) return false;
    return stopped_ || (all_rows_in_ && scheduler_.size() == 0);
}

void coordinator::finish(std::chrono::milliseconds elapsed) {
    batch_.clear();
    scheduler_.for_each([&](slot_id s) {
        const task& t = scheduler_.at(s);
        const outcome now = t.doubtful ? outcome::in_doubt : outcome::pending;
        --counts_[t.before];
        ++counts_[now];
        if (!t.doubtful) batch_.push_back(t.what.index());
    });
    std::ranges::sort(batch_);
    if (!batch_.empty()) journal_.withdrawn(batch_);
    if (const auto news = notices_.worth_remembering(limit()))
        journal_.limit(*news);  // of one that is gone, too
    journal_.end({.reason = stopped_.value_or(end_reason::finished),
                  .requests = statistics_.requests,
                  .retries = statistics_.retries,
                  .throttled = statistics_.throttled,
                  .milliseconds = static_cast<std::uint64_t>(elapsed.count())});
}

}  // namespace muster
