#include "engine/coordinator.hpp"

#include "engine/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_rows_here = 65'536;  // bounds memory when very many rows wait behind few tokens

std::chrono::milliseconds until(instant later, instant now) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(later, now) - now);
}

std::string failure_text(unsigned status, std::string_view said) {
    return fmt::format("HTTP {}{}{}", status, said.empty() ? "" : ": ", said);
}

}  // namespace

coordinator::coordinator(const options& o, const outcome_counts& counts, journal_sink& journal,
                         run_observer& observer)
    : options_(o),
      rate_({.max_rate = o.max_rate, .share = o.max_share / 100}, o.remembered),
      window_(o.concurrency, o.remembered ? static_cast<std::size_t>(o.remembered->company) : 0),
      breaker_(o.stop_after),
      random_(o.seed),
      journal_(journal),
      observer_(observer),
      counts_(counts) {}

// ---- rows in

bool coordinator::wants_rows() const noexcept {
    const std::size_t enough = std::size_t{4} * options_.concurrency;
    return !all_rows_in_ && !stopped_ && scheduler_.fresh() + scheduler_.sendable() < enough &&
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
        case row_state::in_doubt: break;
        case row_state::blocked: throw std::logic_error("a blocked row was not reopened");
    }
    const subject_key subject = subject_of(r);
    if (const auto line = scheduler_.failed_line(subject)) {
        record(r.line,
               {.row = r.index,
                .result = outcome::blocked,
                .at = now,
                .details = {},
                .message = fmt::format("line {} did not succeed", *line)},
               outcome_of(before));
        return;
    }
    const bool intended = before == row_state::intended || before == row_state::in_doubt;
    task& t = scheduler_.at(scheduler_.admit(r, subject, intended));
    t.before = outcome_of(before);
    t.doubtful = intended;
    t.must_check = before == row_state::in_doubt ||
                   (before == row_state::intended && !operation_of(r.operation).idempotent);
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
    if (stopped_) return;
    // Intents run a little ahead of the connections, so that none waits for the disk; a crash makes these few
    // rows doubtful, which costs one look-up each.
    const std::size_t ahead = std::size_t{2} * options_.concurrency;
    const std::size_t standing = intents_under_way_.size() + scheduler_.sendable();
    if (standing >= ahead || scheduler_.fresh() == 0 || rate_.parked_until() > now) return;
    batch_.clear();
    const std::size_t first = intents_under_way_.size();
    for (std::size_t n = std::min(ahead - standing, scheduler_.fresh()); n > 0; --n) {
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
    return std::min(window_.size(), rate_.most_in_flight());
}

order coordinator::take(instant now) {
    order o;
    o.slot = scheduler_.take_sendable();
    const task& t = scheduler_.at(o.slot);
    o.lookup = t.must_check;
    o.request = o.lookup ? build_lookup(t.what) : build_request(t.what);
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

void coordinator::durable(std::uint64_t position, moment now) {
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

void coordinator::replied(const order& o, const http_reply& reply, moment now) {
    --in_flight_;
    const verdict v = judge(reply.status);
    const auto said = v == verdict::success ? std::string() : reader_.read_error(reply.body);
    const bool speaks_of_limit = v != verdict::success && refused_by_limit(reply, said);
    if (speaks_of_limit && limits_the_run(o, reply.status, said)) return throttled(o.slot, o, reply, now);
    rate_.accepted(o.sent, now.mono);
    if (v == verdict::failed)
        window_.failed(o.sent.at, now.mono);
    else
        window_.answered(o.company, o.sent.at, now.mono);
    if (!o.lookup && v != verdict::unauthorised && v != verdict::misdirected) operations_authorised_ = true;
    if (v == verdict::unauthorised && !speaks_of_limit) return unauthorised(o.slot, o, reply, now);
    if (v == verdict::misdirected) {
        scheduler_.put_back(o.slot);
        stop(end_reason::misdirected,
             fmt::format(
                 "the server answered {} to {}{}: this is not the service's address (check --base-url)",
                 reply.status, o.request.target,
                 reply.header("location").empty()
                     ? std::string()
                     : fmt::format(", pointing to {}", printable(reply.header("location"), 100))));
        return;
    }
    if (o.lookup)
        lookup_replied(o.slot, reply, now);
    else
        operation_replied(o.slot, o, reply, now);
}

// A 429 is about the run, however often it comes. A 403 or 503 that speaks of a limit may be about its row
// alone and last for ever: it is believed a few times, then taken for what its status says.
bool coordinator::limits_the_run(const order& o, unsigned status, const std::string& said) {
    if (status == 429) return true;
    task& t = scheduler_.at(o.slot);
    if (++t.refusals >= options_.max_attempts) return false;
    if (o.lookup) return true;
    t.last_status = status;
    t.last_message = failure_text(status, said);
    if (status == 503) {  // unlike a 429 it does not promise that nothing was applied
        t.doubtful = true;
        t.must_check = t.must_check || !operation_of(t.what.operation()).idempotent;
    }
    return true;
}

void coordinator::throttled(slot_id s, const order& o, const http_reply& reply, moment now) {
    ++statistics_.throttled;
    // The row that met a 429 goes first again. After another refusal the others go first: if it is about the
    // row alone they are not held up, and if it is about the run no row alone bears all of it.
    if (reply.status == 429)
        scheduler_.put_back(s);
    else
        scheduler_.make_sendable(s);
    const auto hint = read_limit_hint(reply, now.wall);
    if (window_.refused(o.company, now.mono, hint.wait.value_or(0ms)))
        rate_.pause(now.mono, hint, random_);
    else
        rate_.throttled(o.sent, now.mono, hint, random_);
    const learnt_limit l = *limit();
    const auto wait = until(rate_.parked_until(), now.mono);
    if (notices_.worth_remembering(l)) journal_.limit(l);
    if (notices_.worth_telling(l, wait, now.mono)) observer_.throttled(wait, l);
}

std::optional<learnt_limit> coordinator::limit() const noexcept {
    if (!rate_.learnt() && window_.limit() == 0) return std::nullopt;
    learnt_limit l = rate_.learnt().value_or(learnt_limit{});
    l.company = window_.limit();
    return l;
}

void coordinator::unauthorised(slot_id s, const order& o, const http_reply& reply, moment now) {
    task& t = scheduler_.at(s);
    const bool freshly_signed = t.refused_generation != 0 && o.generation > t.refused_generation;
    t.refused_generation = std::max(t.refused_generation, o.generation);
    refused_generation_ = std::max(refused_generation_, o.generation);
    const auto said = reader_.read_error(reply.body);
    // A key that may provision but not look up fails the row it wants to know about, not the run.
    if (freshly_signed && o.lookup && operations_authorised_)
        return check_impossible(s, fmt::format("the key may not look tokens up (HTTP {})", reply.status),
                                now);
    scheduler_.put_back(s);
    if (!freshly_signed) return;
    stop(end_reason::not_authorised,
         fmt::format("the service refuses the key (HTTP {}{}{}), with a freshly signed token too: the key is "
                     "revoked, of "
                     "another tenant, or has no right to do this; or this machine's clock is wrong",
                     reply.status, said.empty() ? "" : "; ", said));
}

void coordinator::operation_replied(slot_id s, const order&, const http_reply& reply, moment now) {
    task& t = scheduler_.at(s);
    t.last_status = reply.status;
    switch (judge(reply.status)) {
        case verdict::success: {
            auto reading = reader_.read_reply(t.what, reply.body);
            if (!reading.confirmed)
                return operation_failed(s, true, fmt::format("the reply {}", reading.problem), now);
            ++t.attempts;
            return settle(s, outcome::applied, {}, now.wall, std::move(reading.details));
        }
        case verdict::unauthorised:  // a quota forbids it, which no fresh bearer token cures
        case verdict::refused: {
            ++t.attempts;
            t.last_message = reader_.read_error(reply.body);
            if (t.last_message.empty()) t.last_message = fmt::format("HTTP {}", reply.status);
            // "Already assigned" may mean: to this user, by an attempt of ours or before.
            if (reply.status == 409 && !operation_of(t.what.operation()).idempotent) {
                t.conflicted = true;
                t.must_check = true;
                scheduler_.put_back(s);
                return;
            }
            // A quota says nothing about what an earlier attempt may have done.
            if (reply.status == 403 && t.doubtful) {
                t.must_check = true;
                scheduler_.put_back(s);
                return;
            }
            return settle(s, outcome::rejected, t.last_message, now.wall);
        }
        default:
            return operation_failed(s, true, failure_text(reply.status, reader_.read_error(reply.body)), now);
    }
}

void coordinator::failed(const order& o, const transport_failure& why, moment now) {
    --in_flight_;
    if (why.timed_out) window_.failed(o.sent.at, now.mono);
    if (o.lookup)
        lookup_failed(o.slot, why.message, now);
    else
        operation_failed(o.slot, why.maybe_received, why.message, now);
}

void coordinator::operation_failed(slot_id s, bool maybe_applied, std::string why, moment now) {
    task& t = scheduler_.at(s);
    ++t.attempts;
    t.doubtful = t.doubtful || maybe_applied;
    t.last_message = std::move(why);
    const bool spent = t.attempts >= options_.max_attempts;
    if (spent && !t.doubtful) return settle(s, outcome::exhausted, t.last_message, now.wall);
    // What may have been applied is not sent again unasked, unless repeating it is harmless and allowed.
    t.must_check = t.doubtful && (spent || !operation_of(t.what.operation()).idempotent);
    try_again(s, t.attempts, now);
}

void coordinator::lookup_replied(slot_id s, const http_reply& reply, moment now) {
    task& t = scheduler_.at(s);
    const verdict v = judge(reply.status);
    if (v == verdict::failed)
        return lookup_failed(s, fmt::format("the look-up was answered {}", reply.status), now);
    lookup_reading seen;
    if (reply.status == 404)
        seen.state = actual_state::not_applied;
    else if (v == verdict::success)
        seen = reader_.read_lookup(t.what, reply.body);
    else
        return check_impossible(
            s, fmt::format("the look-up was answered {}: {}", reply.status, reader_.read_error(reply.body)),
            now);
    if (seen.state != actual_state::unreadable) t.checks = 0;
    switch (seen.state) {
        case actual_state::unreadable: return lookup_failed(s, seen.note, now);
        case actual_state::as_wanted:
            return settle(s, outcome::already, seen.note, now.wall, std::move(seen.details));
        case actual_state::conflicting:
            return settle(s, outcome::rejected, t.conflicted ? t.last_message : seen.note, now.wall);
        case actual_state::not_applied: break;
    }
    if (t.conflicted) return settle(s, outcome::rejected, t.last_message, now.wall);
    if (t.attempts >= options_.max_attempts) return settle(s, outcome::exhausted, t.last_message, now.wall);
    t.must_check = false;
    t.doubtful = false;
    scheduler_.put_back(s);
}

void coordinator::lookup_failed(slot_id s, std::string why, moment now) {
    task& t = scheduler_.at(s);
    ++t.checks;
    if (t.checks >= options_.max_attempts) return check_impossible(s, std::move(why), now);
    try_again(s, t.checks, now);
}

void coordinator::check_impossible(slot_id s, std::string why, moment now) {
    const task& t = scheduler_.at(s);
    if (t.conflicted && !t.doubtful) return settle(s, outcome::rejected, t.last_message, now.wall);
    settle(s, outcome::in_doubt,
           fmt::format("{}{}{}", t.last_message, t.last_message.empty() ? "" : "; ", why), now.wall);
}

void coordinator::try_again(slot_id s, unsigned attempt, moment now) {
    const auto wait = backoff(attempt, random_);
    ++statistics_.retries;
    scheduler_.delay(s, now.mono + wait);
    const task& t = scheduler_.at(s);
    observer_.retrying(t.what.line(), t.last_message, wait);
}

void coordinator::settle(slot_id s, outcome result, std::string message, wall_time now,
                         service_details details) {
    const task& t = scheduler_.at(s);
    const row_outcome o{.row = t.what.index(),
                        .result = result,
                        .status = t.last_status,
                        .attempts = t.attempts,
                        .at = now,
                        .details = std::move(details),
                        .message = std::move(message)};
    record(t.what.line(), o, t.before);
    outcomes_under_way_.back().slot = s;
    breaker_.settled(result);
    if (breaker_.open() && !stopped_)
        stop(end_reason::too_many_failures, fmt::format("{} rows failed: --stop-after-failures {} is reached",
                                                        breaker_.failed(), to_text(options_.stop_after)));
}

void coordinator::block(slot_id s, wall_time now) {
    const task& t = scheduler_.at(s);
    const auto line = scheduler_.failed_line(t.subject).value_or(0);
    record(t.what.line(),
           {.row = t.what.index(),
            .result = outcome::blocked,
            .at = now,
            .details = {},
            .message = fmt::format("line {} did not succeed", line)},
           t.before);
    scheduler_.release(s);
}

void coordinator::record(std::uint64_t line, const row_outcome& o, outcome before) {
    const std::uint64_t position = journal_.outcome(o);
    --counts_[before];
    ++counts_[o.result];
    observer_.settled(line, o);
    outcomes_under_way_.push_back({position, no_slot, succeeded(o.result)});
}

void coordinator::stop(end_reason reason, std::string why) {
    if (stopped_) return;
    stopped_ = reason;
    stop_message_ = std::move(why);
}

// ---- how it stands

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
    if (const auto l = limit(); l && notices_.worth_remembering(*l)) journal_.limit(*l);
    journal_.end({.reason = stopped_.value_or(end_reason::finished),
                  .requests = statistics_.requests,
                  .retries = statistics_.retries,
                  .throttled = statistics_.throttled,
                  .milliseconds = static_cast<std::uint64_t>(elapsed.count())});
}

}  // namespace muster
