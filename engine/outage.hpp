// When to try to connect again, and when to give up: rows are not used up while the service cannot be
// reached.
#pragma once

#include "engine/retry_policy.hpp"

#include <chrono>

namespace muster {

class outage {
  public:
    /// `attempts`: failed connects in a row before a service that was never reached is given up.
    /// `patience`: how long a service that was there before is waited for.
    /// `reached_before`: it was there in an earlier session of the run.
    outage(unsigned attempts, std::chrono::milliseconds patience, bool reached_before = false)
        : attempts_(attempts), patience_(patience), reached_(reached_before) {}

    /// A connection was made, or a reply came.
    void reached() noexcept {
        reached_ = true;
        failures_ = 0;
    }
    /// A connection could not be made. True when it is time to give up. Attempts that fail together, before
    /// the next one was due, are one failure.
    [[nodiscard]] bool failed(instant now, random_source& random) {
        if (failures_ > 0 && now < retry_at_) return false;
        if (failures_++ == 0) since_ = now;
        retry_at_ = now + backoff(failures_, random);
        return reached_ ? now - since_ >= patience_ : failures_ >= attempts_;
    }
    [[nodiscard]] bool lasts() const noexcept { return failures_ > 0; }
    /// When the next attempt is due; only one is made at a time while the outage lasts.
    [[nodiscard]] instant retry_at() const noexcept { return retry_at_; }

  private:
    unsigned attempts_;
    std::chrono::milliseconds patience_;
    unsigned failures_ = 0;
    bool reached_;
    instant since_{};
    instant retry_at_{};
};

}  // namespace muster
