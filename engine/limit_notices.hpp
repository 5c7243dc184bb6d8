// Which news of the learnt limit are worth a word. The limit is kept known by a refusal now and then, and
// changes a little with each: nobody wants to hear of these, and a resumed run does not need them. The
// journal gets a limit that differs from the one it has; a person is told of the first refusal, of a wait
// that is felt, and of a limit that has changed a good deal.
#pragma once

#include "engine/learnt_limit.hpp"
#include "engine/outcome.hpp"

#include <chrono>
#include <optional>

namespace muster {

class limit_notices {
  public:
    /// `remembered`: what the journal has of an earlier session.
    explicit limit_notices(const learnt_limit& remembered = {}) : remembered_(remembered) {}

    /// What the journal is to get, which counts as written then; nothing where it has as much. `found`: the
    /// limit, nothing where there is none (any more); a rate of 0 where it was met and is not known yet.
    std::optional<learnt_limit> worth_remembering(const std::optional<learnt_limit>& found);
    /// Whether a person is to be told at `now` that nothing is sent for `wait`, then as this limit allows; if
    /// so it counts as told.
    bool worth_telling(const learnt_limit& l, std::chrono::milliseconds wait, instant now);

  private:
    learnt_limit remembered_;
    learnt_limit told_;
    instant told_at_{};     ///< never yet
    instant told_until_{};  ///< the end of the wait that was told
};

}  // namespace muster
