// Retry-After and the reset are rounded up to what their form can say, so that waiting as told is always long
// enough.
#include "samples/tenant/quota.hpp"

#include <fmt/format.h>

namespace tenant {
namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// The first whole second at which `wait` is over.
std::chrono::sys_seconds second_after(Now now, nanoseconds wait) {
    return ceil<seconds>(now.wall + ceil<milliseconds>(wait) +
                         milliseconds{1});  // the wall clock is cut to 1 ms
}

std::string retry_after(RetryAfter style, Now now, nanoseconds wait) {
    switch (style) {
        case RetryAfter::seconds: return fmt::format("Retry-After: {}\r\n", ceil<seconds>(wait).count());
        case RetryAfter::date: return fmt::format("Retry-After: {}\r\n", http_date(second_after(now, wait)));
        case RetryAfter::none: break;
    }
    return {};
}

std::int64_t reset_number(QuotaHeaders style, Now now, nanoseconds reset) {
    switch (style) {
        case QuotaHeaders::epoch_seconds: return second_after(now, reset).time_since_epoch().count();
        case QuotaHeaders::epoch_millis:
            return (now.wall + ceil<milliseconds>(reset) + milliseconds{1}).time_since_epoch().count();
        case QuotaHeaders::delta_seconds: return ceil<seconds>(reset).count();
        case QuotaHeaders::none: break;
    }
    return 0;
}

}  // namespace

Quota::Quota(const std::vector<LimitSpec>& specs) {
    for (const auto& spec : specs) entries_.push_back({spec, make_limiter(spec)});
}

Quota::Decision Quota::admit(Now now) {
    if (entries_.empty()) return {};
    nanoseconds longest{0};
    const Entry* refusing = nullptr;
    for (const auto& entry : entries_) {
        const auto wait = entry.limiter->wait(now.steady);
        if (wait <= longest) continue;
        longest = wait;
        refusing = &entry;
    }
    Decision decision;
    if (refusing != nullptr) {
        decision.refused =
            refusal(429, "TOO_MANY_REQUESTS", "Too many requests: the tenant's limit is reached.");
        decision.refused->headers =
            retry_after(refusing->spec.retry_after, now, longest) + quota_headers(now);
        return decision;
    }
    for (const auto& entry : entries_) entry.limiter->take(now.steady);
    decision.headers = quota_headers(now);
    decision.pass = Pass(this);
    return decision;
}

void Quota::finish() {
    for (const auto& entry : entries_) entry.limiter->finish();
}

/// Of several limits that tell their headers, the one with the least left speaks.
std::string Quota::quota_headers(Now now) {
    const Entry* tightest = nullptr;
    std::uint64_t least = 0;
    for (const auto& entry : entries_) {
        if (entry.spec.headers == QuotaHeaders::none) continue;
        const auto left = entry.limiter->remaining(now.steady);
        if (tightest != nullptr && left >= least) continue;
        tightest = &entry;
        least = left;
    }
    if (tightest == nullptr) return {};
    const auto reset = reset_number(tightest->spec.headers, now, tightest->limiter->reset(now.steady));
    return fmt::format("X-RateLimit-Limit: {}\r\nX-RateLimit-Remaining: {}\r\nX-RateLimit-Reset: {}\r\n",
                       tightest->spec.count, least, reset);
}

}  // namespace tenant
