// How a limit opens and closes: a window lets its count through and then nothing until it ends. What is known
// of it is when it opened again after being closed; people set round lengths, so those are tried first.
#pragma once

#include "engine/learnt_limit.hpp"
#include "engine/outcome.hpp"

namespace muster {

class window_estimate {
  public:
    window_estimate() = default;
    explicit window_estimate(const learnt_limit& remembered);

    /// What an opening says of the window's length and count: nothing; something once another is like it, as
    /// the service closed in a way it had not before; or all by itself.
    enum class told_by_opening { nothing, with_another, by_itself };
    /// The first acceptance, counted already, after a wait of `waited` seconds.
    void opened(instant now, double waited, told_by_opening tells);
    /// The run begins, or is begun anew at this moment after a wait that says nothing of windows.
    void begin(instant now) noexcept;
    void accepted() noexcept {
        ++accepted_;
        ++since_try_;
    }
    /// While nothing is waited for: where it ended meanwhile without being used up, another one began. One
    /// that was met once and lets far more through than it did then is none.
    void renew_if_over(instant now) noexcept;
    /// A request that left at this moment was refused, while it was being waited for the opening.
    void still_closed(instant at) noexcept;
    /// Its end was met by a refusal.
    void tried(instant now) noexcept;

    /// It behaves like a window, not like a bucket.
    [[nodiscard]] bool is_window() const noexcept;
    /// Seconds from one opening to the next; 0: none was met.
    [[nodiscard]] double cycle() const noexcept { return cycle_; }
    /// Requests let through in that time.
    [[nodiscard]] double count() const noexcept { return count_; }
    /// Requests let through since it opened.
    [[nodiscard]] double let_through() const noexcept { return accepted_; }
    /// It was found closed when it should have been, and not only when it was met; or it lets so many through
    /// that others cannot have made a bucket look like it.
    [[nodiscard]] bool proven() const noexcept;
    [[nodiscard]] bool used_up() const noexcept { return is_window() && accepted_ > 0.95 * count_; }
    /// Used up beyond doubt. Of one that lets very many through this is not taken on trust, as a refusal more
    /// is little among them; nor where others may have left a bucket empty, which would be waited for again
    /// and again.
    [[nodiscard]] bool proven_used_up() const noexcept;
    /// It lets so few through that it may be none, but what others leave.
    [[nodiscard]] bool of_few() const noexcept;
    /// Closed when not half of what it lets through was.
    [[nodiscard]] bool closed_early() const noexcept { return accepted_ < 0.5 * count_; }
    /// Whether its end is to be met when it seems used up, to see whether it lets more through by now.
    [[nodiscard]] bool worth_trying(instant now) const noexcept;
    /// It has not ended yet, and has let through as many as the last two, which were alike: the next would be
    /// refused.
    [[nodiscard]] bool surely_used_up(instant now) const noexcept;
    /// When it opens next, if it is as long as the last.
    [[nodiscard]] instant expected_opening() const noexcept;
    /// Whether a wait of so many seconds, which is over, came of its opening little by little: what is
    /// counted over the last so many seconds becomes free as it was used. It counts as one of few then.
    [[nodiscard]] bool opened_gradually(instant now, double waited) noexcept;
    [[nodiscard]] instant opened_at() const noexcept { return since_; }
    /// How long to wait for the next opening, in seconds from now.
    [[nodiscard]] double until_opening(instant now) const noexcept;
    /// Likewise, where nothing but refusals tells that it is closed, and `so_far` seconds were waited: a part
    /// of that time where it may be no window, or not the window that is closed. `other_limit`: there is
    /// another limit for certain.
    [[nodiscard]] double until_try(instant now, double so_far, bool other_limit) const noexcept;

  private:
    [[nodiscard]] double long_closed() const noexcept;

    double cycle_ = 0;
    double count_ = 0;
    double closed_ = 0;     ///< seconds from the last wait's begin to the departure of what ended it
    double too_short_ = 0;  ///< seconds after an opening at which it was closed still
    bool regular_ = false;  ///< the last two were alike in length and count
    bool tested_ = false;   ///< found closed once more after its count, since its cycle is known
    int gradual_ = 0;       ///< short waits since it opened
    instant since_{};
    double accepted_ = 0;
    instant tried_at_{};    ///< when its end was last met
    double since_try_ = 0;  ///< let through since then
};

}  // namespace muster
