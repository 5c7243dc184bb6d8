#include "engine/row_judge.hpp"

#include "engine/retry_policy.hpp"

#include <fmt/format.h>

#include <utility>

namespace muster {
namespace {

row_step settled(outcome result, std::string message, service_details details = {}) {
    return {.what = row_step::action::settle,
            .result = result,
            .message = std::move(message),
            .details = std::move(details)};
}

row_step send_again() {
    return {.what = row_step::action::send_again, .message = {}, .details = {}};
}

row_step try_later(unsigned tries) {
    return {.what = row_step::action::try_later, .tries = tries, .message = {}, .details = {}};
}

std::string failure_text(unsigned status, std::string_view words) {
    return fmt::format("HTTP {}{}{}", status, words.empty() ? "" : ": ", words);
}

bool idempotent(const task& t) {
    return operation_of(t.what.operation()).idempotent;
}

}  // namespace

bool row_judge::limits_the_run(task& t, bool lookup, unsigned status, const std::string& words) const {
    if (status == 429) return true;
    if (++t.refusals >= max_attempts_) return false;
    if (lookup) return true;
    t.last_status = status;
    t.last_message = failure_text(status, words);
    if (status == 503) {  // unlike a 429 it does not promise that nothing was applied
        t.doubtful = true;
        t.must_check = t.must_check || !idempotent(t);
    }
    return true;
}

row_step row_judge::operation_replied(task& t, const http_reply& reply, const std::string& words) {
    t.last_status = reply.status;
    switch (judge(reply.status)) {
        case verdict::success: {
            auto reading = reader_.read_reply(t.what, reply.body);
            if (!reading.confirmed) {
                auto step = operation_failed(t, true, fmt::format("the reply {}", reading.problem));
                step.anothers = reading.anothers;
                return step;
            }
            ++t.attempts;
            return settled(outcome::applied, {}, std::move(reading.details));
        }
        case verdict::unauthorised:  // a quota forbids it, which no fresh bearer token cures
        case verdict::refused: {
            ++t.attempts;
            t.last_message = words.empty() ? failure_text(reply.status, {}) : words;
            // "Already assigned" may mean: to this user, by an attempt of ours or before.
            const bool conflicts = reply.status == 409 && !idempotent(t);
            t.conflicted = t.conflicted || conflicts;
            // A quota says nothing about what an earlier attempt may have done.
            t.must_check = conflicts || (reply.status == 403 && t.doubtful);
            return t.must_check ? send_again() : settled(outcome::rejected, t.last_message);
        }
        default: return operation_failed(t, true, failure_text(reply.status, words));
    }
}

row_step row_judge::operation_failed(task& t, bool maybe_applied, std::string why) const {
    ++t.attempts;
    t.doubtful = t.doubtful || maybe_applied;
    t.last_message = std::move(why);
    const bool spent = t.attempts >= max_attempts_;
    if (spent && !t.doubtful) return settled(outcome::exhausted, t.last_message);
    t.must_check = t.doubtful && (spent || !idempotent(t));
    return try_later(t.attempts);
}

row_step row_judge::lookup_replied(task& t, const http_reply& reply, const std::string& words) {
    const verdict v = judge(reply.status);
    if (v == verdict::failed)
        return lookup_failed(t, fmt::format("the look-up was answered {}", reply.status));
    lookup_reading seen;
    if (reply.status == 404)
        seen.state = actual_state::not_applied;
    else if (v == verdict::success)
        seen = reader_.read_lookup(t.what, reply.body);
    else
        return lookup_impossible(t, fmt::format("the look-up was answered {}: {}", reply.status, words));
    if (seen.state == actual_state::unreadable) {
        auto step = lookup_failed(t, seen.note);
        step.anothers = seen.anothers;
        return step;
    }
    t.checks = 0;
    if (seen.state == actual_state::as_wanted)
        return settled(outcome::already, seen.note, std::move(seen.details));
    if (t.conflicted) return settled(outcome::rejected, t.last_message);
    if (seen.state == actual_state::conflicting) return settled(outcome::rejected, seen.note);
    if (t.attempts >= max_attempts_) return settled(outcome::exhausted, t.last_message);
    t.must_check = false;
    t.doubtful = false;
    return send_again();
}

row_step row_judge::lookup_failed(task& t, const std::string& why) const {
    ++t.checks;
    return t.checks >= max_attempts_ ? lookup_impossible(t, why) : try_later(t.checks);
}

row_step row_judge::lookup_impossible(const task& t, const std::string& why) {
    if (t.conflicted && !t.doubtful) return settled(outcome::rejected, t.last_message);
    return settled(outcome::in_doubt,
                   fmt::format("{}{}{}", t.last_message, t.last_message.empty() ? "" : "; ", why));
}

}  // namespace muster
