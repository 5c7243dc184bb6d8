// How fast requests may leave. Without a limit from the user or a sign of one from the service it holds
// nothing back. The first 429 ends that: the run parks for as long as the service says (or a growing time
// where it says nothing), and goes on at a paced rate below the one that was refused. The rate then rises
// along a cubic curve: quickly back to where it was refused, slowly past that, and faster again where nothing
// is refused for long. 429s to requests that were sent before a cut belong to the same episode and do not cut
// again.
#pragma once

#include "engine/outcome.hpp"
#include "engine/retry_policy.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace muster {

class rate_controller {
  public:
    /// `max_rate`: requests a second, the user's ceiling; nothing for none.
    explicit rate_controller(std::optional<double> max_rate) : max_rate_(max_rate) {}

    /// The earliest time at which the next request may be sent; `now` or before means at once.
    [[nodiscard]] instant next_permit() const noexcept;
    /// A request leaves now.
    void sent(instant now);
    /// A reply that is no throttle came to a request sent at `sent_at`.
    void accepted(instant sent_at, instant now);
    /// A 429 came. True when it begins a new episode (one notice is due).
    bool throttled(instant sent_at, instant now, std::optional<std::chrono::milliseconds> wait,
                   random_source& random);

    /// What the service seems to allow, requests a second; nothing before the first throttle.
    [[nodiscard]] std::optional<double> learnt_rate() const noexcept { return rate_; }
    /// Until when nothing is sent; in the past when not parked.
    [[nodiscard]] instant parked_until() const noexcept { return parked_until_; }

  private:
    [[nodiscard]] std::optional<double> rate() const noexcept;
    /// Accepted requests a second, of late; nothing when there were too few to tell.
    [[nodiscard]] std::optional<double> measured(instant now);

    std::optional<double> max_rate_;
    std::optional<double> rate_;
    double refused_rate_ = 0;  // where the last cut was made
    instant next_{};
    instant parked_until_{};
    instant last_cut_{};
    unsigned silent_throttles_ = 0;  // in a row, without Retry-After
    std::deque<instant> accepted_;   // of the last seconds
};

}  // namespace muster
