// What a reply's headers say of limits: the input's first line is the status and the message, the others are headers.
// No wait is negative or longer than a day, and only what refuses asks to wait.
#include "engine/limit_hint.hpp"
#include "engine/retry_policy.hpp"
#include "engine/text.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

using namespace muster;
using namespace muster::fuzz;

namespace {

std::string_view take_line(std::string_view& from) {
    const auto end = std::min(from.find('\n'), from.size());
    const auto line = from.substr(0, end);
    from.remove_prefix(std::min(end + 1, from.size()));
    return line;
}

bool within_a_day(const std::optional<std::chrono::milliseconds>& span) {
    return !span || (span->count() >= 0 && *span <= std::chrono::hours(24));
}

}  // namespace

FUZZ_TARGET(limit_hint) {
    const auto first = take_line(input);
    http_reply reply;
    (void)std::from_chars(first.data(), first.data() + first.size(), reply.status);
    while (!input.empty()) {
        const auto line = take_line(input);
        const auto colon = std::min(line.find(": "), line.size());
        reply.headers.emplace_back(to_lower(line.substr(0, colon)), line.substr(std::min(colon + 2, line.size())));
    }
    for (const std::int64_t now : {std::int64_t{0}, std::int64_t{1'800'000'000'000}, std::int64_t{253'402'300'799'999}}) {
        const wall_time at{std::chrono::milliseconds(now)};
        const auto hint = read_limit_hint(reply, at);
        require(within_a_day(hint.wait) && within_a_day(hint.reset), "a wait is from nothing to a day");
        require(within_a_day(retry_after(reply, at)), "Retry-After is from nothing to a day");
    }
    const bool refused = refused_by_limit(reply, first);
    require(!refused || reply.status == 429 || reply.status == 403 || reply.status == 503, "only these refuse");
    (void)judge(reply.status);
}
