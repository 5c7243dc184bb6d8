// When to stop the whole run because too many of its rows fail (--stop-after-failures).
#pragma once

#include "engine/outcome.hpp"
#include "engine/run_settings.hpp"

#include <cstdint>

namespace muster {

class circuit_breaker {
  public:
    explicit circuit_breaker(failure_limit limit) : limit_(limit) {}

    /// A row of this process ended. Rows that were not sent (blocked, invalid) do not count.
    void settled(outcome o) noexcept {
        if (o == outcome::blocked || o == outcome::invalid) return;
        ++finished_;
        if (!succeeded(o)) ++failed_;
    }
    [[nodiscard]] bool open() const noexcept {
        constexpr std::uint64_t fewest_rows_for_a_share = 100;
        if (limit_.rows && failed_ >= *limit_.rows) return true;
        return limit_.percent && finished_ >= fewest_rows_for_a_share &&
               static_cast<double>(failed_) * 100 > *limit_.percent * static_cast<double>(finished_);
    }
    [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

  private:
    failure_limit limit_;
    std::uint64_t finished_ = 0;
    std::uint64_t failed_ = 0;
};

}  // namespace muster
