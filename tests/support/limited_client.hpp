// A client that sends one request after the other against a model of a limit, in virtual time.
#pragma once

#include "engine/rate_controller.hpp"
#include "tests/sim/limiter_models.hpp"

#include <algorithm>
#include <optional>

namespace muster::test {

inline limit_hint told_to_wait(std::chrono::milliseconds wait) {
    limit_hint hint;
    hint.wait = wait;
    return hint;
}

/// One request after the other, each answered after a millisecond, by a limit that tells nothing, or asks to
/// wait.
class limited_client {
  public:
    explicit limited_client(rate_controller::options o = {}, const limit_hint& told = {},
                            const std::optional<learnt_limit>& remembered = {})
        : controller(o, remembered), told_(told) {}

    /// Requests let through until then.
    int work_until(double end, sim::limiter& limit) {
        int let_through = 0;
        while (now_ < end) {
            const double permit = std::chrono::duration<double>(controller.next_permit() - begin_).count();
            now_ = std::max(now_, permit);
            if (now_ >= end) break;
            const auto d = controller.sent(at(now_));
            const bool admitted = limit.admit(now_);
            now_ += 0.001;
            if (admitted)
                controller.accepted(d, at(now_));
            else
                controller.throttled(d, at(now_), told_, random_);
            let_through += admitted ? 1 : 0;
            refused += admitted ? 0 : 1;
        }
        now_ = end;
        return let_through;
    }
    void idle_until(double end) { now_ = end; }

    rate_controller controller;
    int refused = 0;  ///< in all

  private:
    static constexpr instant begin_{std::chrono::hours(1)};
    static instant at(double seconds) {
        return begin_ + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    }
    limit_hint told_;
    double now_ = 0;
    random_source random_{7};
};

}  // namespace muster::test
