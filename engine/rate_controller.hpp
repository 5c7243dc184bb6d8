// How fast requests may leave, so that the service's limit is used up and hardly ever overrun.
//
// Nothing is known of the limit but what its refusals tell, and they tell one thing for certain: at that
// moment nothing was left. What was accepted between two such moments, by the time between them, is therefore
// the limit's rate, whatever its kind (token bucket, cell rate, sliding or fixed window). The controller
// keeps these moments as marks, takes the rate from them, and sends a hair faster, so that a refusal now and
// then renews the estimate; the longer none comes, the more it speeds up, gently near the known limit and
// ever faster beyond.
//
// Where requests are refused that should have been let through, others use the limit too: see neighbours.
//
// What the limit lets through at once after a pause (its burst; a whole window's count) is learnt too and
// used after every wait, unless others seem to take it. The end of a window that is known is waited for
// without a refusal, but now and then, to see whether it lets more through; and always where it is so small
// that it may be what others leave, or so large that a refusal is little. Before the first refusal, and while
// such a credit lasts, requests are not paced but their number in flight grows slowly with what was accepted,
// which bounds how many can be refused together.
#pragma once

#include "engine/learnt_limit.hpp"
#include "engine/limit_estimate.hpp"
#include "engine/limit_hint.hpp"
#include "engine/neighbours.hpp"
#include "engine/outcome.hpp"
#include "engine/retry_policy.hpp"
#include "engine/window_estimate.hpp"

#include <cstdint>
#include <optional>

namespace muster {

class rate_controller {
  public:
    struct options {
        std::optional<double> max_rate;  ///< requests a second, the user's ceiling
        double share = 1;                ///< of the learnt limit that may be used (0 to 1]
    };
    explicit rate_controller(const options& o, const std::optional<learnt_limit>& remembered = {});

    /// The earliest time at which the next request may be sent; the past means at once.
    [[nodiscard]] instant next_permit() const noexcept;
    /// How many requests may be in flight as far as the limit is concerned.
    [[nodiscard]] std::size_t most_in_flight() const noexcept;
    /// A request leaves now.
    departure sent(instant now);
    /// A reply that is no refusal by the limit came.
    void accepted(const departure& d, instant now);
    /// A refusal by the limit came.
    void throttled(const departure& d, instant now, const limit_hint& hint, random_source& random);

    /// A refusal that seems to have another reason than the rate: the wait it asks for is kept, and nothing
    /// is learnt unless it_was_the_rate() is called before the next that is due to it. `sure`: it had that
    /// other reason; if not, it may count for the rate while there is none.
    void pause(const departure& d, instant now, const limit_hint& hint, random_source& random, bool sure);
    void it_was_the_rate() { limit_.count_noted(); }

    /// Nothing before the first refusal; the rate is 0 until enough was seen to tell it.
    [[nodiscard]] std::optional<learnt_limit> learnt() const noexcept;
    /// The share of the learnt limit that was used since it was first met, 0 to 1 and a little; nothing
    /// before.
    [[nodiscard]] std::optional<double> used(instant now) const noexcept;
    /// Whether the limit was met of late, and so decides how fast the run goes on.
    [[nodiscard]] bool binding(instant now) const noexcept;
    [[nodiscard]] double share() const noexcept { return options_.share; }
    /// Until when nothing is sent; in the past when not parked.
    [[nodiscard]] instant parked_until() const noexcept { return parked_until_; }

  private:
    /// What was thought of the limit when a refusal came, and how fast requests left then.
    struct expectation {
        double pace, rate, doubt;
        bool founded;  ///< on enough that was let through
    };

    [[nodiscard]] bool rate_known() const noexcept;
    [[nodiscard]] double pace(instant now) const noexcept;
    [[nodiscard]] bool sharing(instant now) const noexcept;
    [[nodiscard]] double below_limit() const noexcept;
    [[nodiscard]] double unpaced() const noexcept;
    void forget_refusals(instant now);
    [[nodiscard]] double most_likely_rate(const departure& refused, instant now) const noexcept;
    void look_for_others(const departure& d, const expectation& before, bool used_up);
    void wait_until(instant until, instant now);
    void wait_as_told(std::chrono::milliseconds told, instant now, random_source& random);
    void wait_untold(instant now, random_source& random);
    void wait_in_silence(instant now, random_source& random);
    [[nodiscard]] double in_the_long_run(instant now) const noexcept;
    [[nodiscard]] double cautious_rate(const departure& let_through, instant now) const noexcept;
    void recovered(const departure& d, instant now);

    options options_;
    bool limited_ = false;  ///< a refusal was met
    limit_estimate limit_;
    window_estimate window_;
    neighbours others_;
    double cost_ = 0;     ///< seconds lost by a refusal, of late
    double latency_ = 0;  ///< seconds, smoothed
    double spread_ = 0;   ///< of the latency, mean deviation

    std::uint64_t sent_ = 0;
    instant first_sent_{}, latest_{}, learnt_at_{};
    instant first_refused_{};
    double accepted_ = 0;     ///< in all
    double let_through_ = 0;  ///< since the first refusal

    double base_ = 0;  ///< pace right after the last refusal or wait
    instant since_{};  ///< from when on the pace grows
    instant next_{};
    std::chrono::nanoseconds made_up_for_{};  ///< how late the last request may have been
    instant parked_until_{};
    instant known_at_{};  ///< when the last refusal was learnt: what was sent before is of that episode

    bool shared_ = false;       ///< the last request was paced by the share
    bool free_ = true;          ///< not paced: nothing is known yet, or a credit is being used
    double credit_ = 0;         ///< requests left of it
    double free_accepted_ = 0;  ///< let through at once, since the run or a wait's end

    unsigned streak_ = 0;  ///< refusals in a row, each sent after the one before was known
    double waited_ = 0;
    bool waiting_ = false;  ///< since a wait began, nothing was accepted yet
    bool unasked_ = false;  ///< that wait was begun without a refusal, and none came in it
    bool told_ = false;     ///< how long to wait, by the service
    std::uint64_t sent_before_wait_ = 0;
    instant waiting_since_{};
    double told_wait_ = 0;  ///< the longest wait that the service asked for meanwhile, seconds
    double closed_ = 0;     ///< seconds that the service is known to have let nothing through in that wait
};

}  // namespace muster
