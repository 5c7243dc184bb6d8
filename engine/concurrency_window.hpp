// How many requests may be in flight so that the service is not overloaded; apart from the rate, which its
// quota limits.
//
// The window grows by one for each of its fills while latency holds, and shrinks when requests time out, when
// the service answers 5xx, or when replies take far longer than they used to: then a queue is growing
// somewhere. A quick 429 says nothing about latency and is left out. Some services limit not the rate but the
// number of requests at once: a refusal of a request that had more company than most that were let through of
// late is taken for that, till one comes in less company. Where the way is long, the number is measured: it
// is how many of those that were let through were at the service together.
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
    /// One that left at `sent` was refused with 429, which costs the run so long a wait; `in_flight`: the
    /// most that were on their way with it. True when the company it had explains it; the rate is then not to
    /// blame. Of a first suspicion that is not said yet, though it may limit the company.
    bool refused(std::size_t in_flight, instant sent, instant now, std::chrono::milliseconds cost);
    /// Requests at once that the service allows, where it has shown such a limit; 0: it has not.
    [[nodiscard]] std::size_t limit() const noexcept { return on_trial_ ? 0 : cap_; }
    /// Hundreds of requests that used it up were let through since it was set.
    [[nodiscard]] bool limit_held() const noexcept;
    /// It may have changed: it does not hold until it was used up again.
    void prove_limit_anew() noexcept { replies_at_cap_ = 0; }
    /// Such a limit is kept to, proved or not.
    [[nodiscard]] bool capped() const noexcept { return cap_ > 0; }

  private:
    void shrink(double factor, instant sent, instant now);
    void cap_to(std::size_t in_flight, instant now);
    void measure_cap(instant now);
    [[nodiscard]] bool measurable(std::size_t in_flight, std::chrono::milliseconds cost) const noexcept;
    bool not_the_company();
    [[nodiscard]] std::size_t served_together() const noexcept;
    [[nodiscard]] std::size_t let_through(std::size_t in_flight) const noexcept;

    double ceiling_;
    double size_;
    instant shrunk_at_{};  ///< replies to what was sent before are of the same congestion
    double usual_ = 0;     ///< seconds a reply takes, over many replies
    double recent_ = 0;    ///< and over the last few

    bool probing_ = false;  ///< more than the cap may be in flight,
    std::size_t step_ = 1;  ///< by so many
    instant next_probe_{};
    std::chrono::nanoseconds probe_after_;
    std::chrono::milliseconds cost_{};  ///< of the last refusal
    std::size_t cap_;
    instant capped_at_{};     ///< what was sent before says nothing of the cap
    bool on_trial_ = false;   ///< the cap is measured, and a refusal in no more company refutes it
    bool measuring_ = false;  ///< what was under way when it was met is not back yet: it may be less

    /// A request that was let through, with how many on their way.
    struct stay {
        std::size_t in_flight = 0;
        instant sent{}, answered{};
    };
    std::array<stay, 64> latest_{};
    std::chrono::nanoseconds way_{};  ///< there and back: what the last refusal took
    std::uint64_t answered_ = 0;
    std::uint64_t replies_at_cap_ = 0;  ///< to requests that had all the company that it allows
    std::size_t suspected_ = 0;         ///< company of a refusal that may have been due to it
    std::size_t against_ = 0;           ///< replies since then to requests that had as much
    unsigned late_places_ = 0;          ///< refusals at the cap itself, of late
    unsigned doubts_ = 0;               ///< replies until a refusal may be laid to the company again
};

}  // namespace muster
