#include "engine/limit_hint.hpp"

#include "engine/retry_policy.hpp"
#include "engine/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace muster {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds longest_wait = std::chrono::hours(24);

using header_names = std::array<std::string_view, 3>;
constexpr header_names remaining_names{"x-ratelimit-remaining", "ratelimit-remaining",
                                       "x-rate-limit-remaining"};
constexpr header_names reset_names{"x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"};

std::string_view first_of(const http_reply& reply, const header_names& names) {
    for (const auto name : names)
        if (const auto value = reply.header(name); !value.empty()) return value;
    return {};
}

/// A number at the start of the value: some gateways append a policy ("100, 100;w=60").
std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || !(value >= 0 && value <= 1e15)) return std::nullopt;
    const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (!rest.empty() && rest.front() != ',' && rest.front() != ';' && rest.front() != ' ')
        return std::nullopt;
    return value;
}

/// Seconds from now, or a time of the epoch in seconds or milliseconds, told apart by their size.
std::optional<milliseconds> reset_in(std::string_view text, wall_time server_now) {
    constexpr double epoch_seconds_from = 1e9;  // 2001; as a span it would be 31 years
    constexpr double epoch_millis_from = 1e11;  // 1973 in milliseconds, the year 5138 in seconds
    if (text.empty()) return std::nullopt;
    wall_time at{};
    if (const auto value = number(text)) {
        if (*value < epoch_seconds_from)
            return std::min(milliseconds(static_cast<std::int64_t>(std::min(*value, 1e8) * 1000)),
                            longest_wait);
        at = wall_time(
            milliseconds(static_cast<std::int64_t>(*value < epoch_millis_from ? *value * 1000 : *value)));
    } else if (const auto date = parse_http_date(text)) {
        at = *date;
    } else {
        return std::nullopt;
    }
    return std::clamp<milliseconds>(at - server_now, milliseconds(0), longest_wait);
}

}  // namespace

bool refused_by_limit(const http_reply& reply, std::string_view message) {
    if (reply.status == 429) return true;
    if (reply.status != 403 && reply.status != 503) return false;
    if (reply.status == 503 && !reply.header("retry-after").empty()) return true;
    if (const auto left = number(first_of(reply, remaining_names)); left && *left == 0) return true;
    const std::string said = to_lower(message);
    return std::ranges::any_of(std::array{"quota", "rate limit", "ratelimit", "too many requests", "throttl"},
                               [&](const char* word) { return said.find(word) != std::string::npos; });
}

limit_hint read_limit_hint(const http_reply& reply, wall_time now) {
    limit_hint hint;
    if (reply.headers.empty()) return hint;
    hint.wait = retry_after(reply, now);
    const auto server_now = parse_http_date(reply.header("date")).value_or(now);
    hint.reset = reset_in(first_of(reply, reset_names), server_now);
    if (const auto left = number(first_of(reply, remaining_names)))
        hint.remaining = static_cast<std::uint64_t>(*left);
    const bool may_refuse = reply.status == 429 || reply.status == 403 || reply.status == 503;
    const bool used_up = hint.remaining ? *hint.remaining == 0 : reply.status == 429;
    if (!hint.wait && may_refuse && used_up) hint.wait = hint.reset;
    return hint;
}

}  // namespace muster
