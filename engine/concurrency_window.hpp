// How many requests may be in flight so that the service is not overloaded; apart from the rate, which its
// quota limits.
//
// The window grows by one for each of its fills while latency holds, and shrinks when requests time out, when
// the service answers 5xx, or when replies take far longer than they used to: then a queue is growing
// somewhere. A quick 429 says nothing about latency and is left out. Some services limit not the rate but the
// number of requests at once: a refusal of a request that had more company than any that was let through of
// late is taken for that.
#pragma once

#include "engine/outcome.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace muster {

class concurrency_window {
  public:
    /// `ceiling`: --concurrency; at least 1. `remembered_limit`: on requests at once, from an earlier run; 0
    /// for none.
    explicit concurrency_window(std::size_t ceiling, std::size_t remembered_limit = 0);

    /// How many requests may be in flight.
    [[nodiscard]] std::size_t size() const noexcept;
    /// A request that left with `in_flight` requests on their way, itself among them, was answered by the
    /// service.
    void answered(std::size_t in_flight, instant sent, instant now);
    /// The service failed on it (5xx) or did not answer in time.
    void failed(instant sent, instant now);
    /// It was refused with 429, which costs the run so long a wait. True when the company it had explains it;
    /// the rate is then not to blame.
    bool refused(std::size_t in_flight, instant now, std::chrono::milliseconds cost);
    /// Requests at once that the service allows, where it has shown such a limit; 0: it has not.
    [[nodiscard]] std::size_t limit() const noexcept { return cap_; }

  private:
    void shrink(double factor, instant sent, instant now);

    double ceiling_;
    double size_;
    instant shrunk_at_{};  ///< replies to what was sent before are of the same congestion
    double usual_ = 0;     ///< seconds a reply takes, over many replies
    double recent_ = 0;    ///< and over the last few
    std::uint64_t replies_ = 0;

    bool probing_ = false;  ///< more than the cap may be in flight,
    std::size_t step_ = 1;  ///< by so many
    instant next_probe_{};
    std::chrono::nanoseconds probe_after_;
    std::chrono::milliseconds cost_{};  ///< of the last refusal
    std::size_t cap_;
    instant capped_at_{};  ///< what was sent before says nothing of the cap
    /// The most company that requests had which were let through, and how many had it.
    struct peak {
        std::size_t company = 0;
        unsigned replies = 0;
    };
    std::array<peak, 2> peaks_{};  ///< of the latest replies, and of those before
    unsigned in_this_peak_ = 0;
    unsigned late_places_ = 0;  ///< refusals at the cap itself, of late
    unsigned doubts_ = 0;       ///< replies until a refusal may be laid to the company again
};

}  // namespace muster
