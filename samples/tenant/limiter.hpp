// The models of a quota that `--limit` offers, under a clock the caller passes in.
//
// The real service publishes no model, so a client is tried against all of them. All arithmetic is in whole
// nanoseconds, so that "wait this long" is exact: a request made after the told wait, with no other in
// between, is admitted. Refused requests use nothing up.
#pragma once

#include "samples/tenant/spec.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tenant {

/// How a 429 says when to come again.
enum class RetryAfter { seconds, date, none };
/// X-RateLimit-* on every reply, and in which form the reset is told.
enum class QuotaHeaders { none, epoch_seconds, epoch_millis, delta_seconds };

struct LimitSpec {
    enum class Model { bucket, window, sliding, concurrent };
    Model model = Model::bucket;
    std::uint64_t count = 1;  ///< burst, requests a window, or requests at once
    nanoseconds period{0};    ///< bucket: from one refilled request to the next; windows: their length
    RetryAfter retry_after = RetryAfter::seconds;
    QuotaHeaders headers = QuotaHeaders::none;
};

/// Reads `bucket:RATE/s:BURST`, `window:N/SECONDSs`, `sliding:N/SECONDSs` or `concurrent:N` with suffixes
/// `,retry-after=seconds|date|none` and `,headers` (`,headers=delta` and `,headers=epoch-ms` tell the reset
/// otherwise than in epoch seconds).
[[nodiscard]] spec_result<LimitSpec> parse_limit(std::string_view text);

/// One quota. Times are from any one steady clock and never go back.
class Limiter {
  public:
    virtual ~Limiter() = default;
    /// Zero: a request may pass now. Otherwise how long until one may, if none else comes.
    [[nodiscard]] virtual nanoseconds wait(nanoseconds now) = 0;
    /// Counts a request, which wait() must just have let pass.
    virtual void take(nanoseconds now) = 0;
    /// The request is over; only the concurrency model cares.
    virtual void finish() {}
    /// Requests left right now.
    [[nodiscard]] virtual std::uint64_t remaining(nanoseconds now) = 0;
    /// How long until the whole quota is there again, if none else comes.
    [[nodiscard]] virtual nanoseconds reset(nanoseconds now) = 0;
};

[[nodiscard]] std::unique_ptr<Limiter> make_limiter(const LimitSpec& spec);

}  // namespace tenant
