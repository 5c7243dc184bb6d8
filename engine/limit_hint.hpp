// What a reply says about the service's limit: Retry-After (RFC 9110, 10.2.3) and the headers that most
// gateways add, `RateLimit-*` (IETF draft), `X-RateLimit-*`, `X-Rate-Limit-*`. Their reset comes as seconds,
// seconds or milliseconds of the epoch, or as a date; all of them are judged by the server's own clock where
// the reply has a Date.
#pragma once

#include "engine/http.hpp"
#include "engine/outcome.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster {

struct limit_hint {
    std::optional<std::chrono::milliseconds> wait;   ///< Retry-After; else the reset where nothing remains
    std::optional<std::uint64_t> remaining;          ///< requests left
    std::optional<std::chrono::milliseconds> reset;  ///< until the count starts anew
};

/// Whether a reply is a refusal by a limit: a 429, or a 403 or 503 that says so in its headers or its
/// `message`, as some identity services do.
bool refused_by_limit(const http_reply& reply, std::string_view message);

/// Reads the hints of a reply that came at `now`. What makes no sense is left out; no wait is longer than a
/// day.
limit_hint read_limit_hint(const http_reply& reply, wall_time now);

}  // namespace muster
