// What a reply, or none, makes of one row: whether it is settled and how, sent again, or looked up first. It
// keeps in the row's task what was tried and what may have been applied, and knows no other row and no time;
// the coordinator takes the step. The rule behind it: what may have been applied is not sent again unasked,
// unless repeating it is harmless.
#pragma once

#include "engine/exchange.hpp"
#include "engine/outcome.hpp"
#include "engine/scheduler.hpp"

#include <cstdint>
#include <string>

namespace muster {

/// What is to be done with a row next.
struct row_step {
    enum class action : std::uint8_t {
        settle,      ///< it is done with: `result`, `message` and `details` say how
        send_again,  ///< at once: a look-up where the task says so, else the operation
        try_later    ///< the same, after the backoff of so many `tries`
    };
    action what = action::send_again;
    unsigned tries = 0;
    outcome result = outcome::pending;
    std::string message;
    service_details details;
    bool anothers = false;  ///< the reply answers another request: its connection is out of step
};

/// One serves a whole run: it holds the parser's buffers.
class row_judge {
  public:
    /// `max_attempts`: of the operation, and of look-ups that fail in a row.
    explicit row_judge(unsigned max_attempts) : max_attempts_(max_attempts) {}

    /// The service's own words in a reply that is no success; empty when there are none.
    std::string words_in(const http_reply& reply) { return reader_.read_error(reply.body); }

    /// Whether a refusal that speaks of a limit is about the run. A 429 is, however often it comes. A 403 or
    /// 503 may be about its row alone and last for ever: it is believed a few times, then it is a reply to
    /// be judged like any other.
    bool limits_the_run(task& t, bool lookup, unsigned status, const std::string& words) const;

    /// A reply to the operation. `words` are words_in() it, here and below; a success needs none.
    row_step operation_replied(task& t, const http_reply& reply, const std::string& words);
    /// The operation brought no reply that tells what became of it.
    row_step operation_failed(task& t, bool maybe_applied, std::string why) const;
    /// A reply to the look-up.
    row_step lookup_replied(task& t, const http_reply& reply, const std::string& words);
    /// The look-up brought no reply that tells anything.
    row_step lookup_failed(task& t, const std::string& why) const;
    /// The service will not tell what became of the row.
    static row_step lookup_impossible(const task& t, const std::string& why);

  private:
    unsigned max_attempts_;
    reply_reader reader_;
};

}  // namespace muster
