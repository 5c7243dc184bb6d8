// What a reply means for a row, and how long to wait before the next try. Pure: no state but the random
// numbers that the caller owns.
#pragma once

#include "engine/http.hpp"
#include "engine/outcome.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

namespace muster {

/// The random numbers of a run; seeded by whoever starts it.
using random_source = std::mt19937_64;

/// What an HTTP status asks for.
enum class verdict : std::uint8_t {
    success,       ///< 200: the body decides
    refused,       ///< for good: 400, 404, 409 and every other 4xx not named here
    throttled,     ///< 429: later, and no attempt is used up
    unauthorised,  ///< 401, 403: a fresh bearer token, once
    failed,        ///< 408, 425, 5xx: may be tried again; it may have been applied
    misdirected    ///< 3xx, 407: we talk to the wrong place; no row can do better
};
verdict judge(unsigned status) noexcept;

/// Full jitter: a random time up to base·2^(attempt-1), capped. `attempt` counts the tries made, from 1.
std::chrono::milliseconds backoff(unsigned attempt, random_source& random);

/// Retry-After in either form (RFC 9110, 10.2.3), as a time to wait from now. A date is judged by the
/// server's own clock where the reply has a Date header, else by ours. Nothing when absent or senseless; at
/// most a day.
std::optional<std::chrono::milliseconds> retry_after(const http_reply& reply, wall_time now);

/// An HTTP date in any of its three forms (RFC 9110, 5.6.7).
std::optional<wall_time> parse_http_date(std::string_view text);

}  // namespace muster
