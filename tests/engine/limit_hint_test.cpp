#include "engine/limit_hint.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace std::chrono_literals;

namespace {

using headers = std::vector<std::pair<std::string, std::string>>;
const wall_time now{1'800'000'000'000ms};  // Fri, 15 Jan 2027 08:00:00 GMT

limit_hint read(headers h, unsigned status = 429) {
    return read_limit_hint({status, "", std::move(h)}, now);
}

}  // namespace

TEST_CASE("hints: a reset in each of its forms") {
    CHECK(read({{"x-ratelimit-reset", "30"}}).reset == 30'000ms);
    CHECK(read({{"ratelimit-reset", "1.5"}}).reset == 1500ms);
    CHECK(read({{"x-rate-limit-reset", "1800000012"}}).reset == 12'000ms);
    CHECK(read({{"x-ratelimit-reset", "1800000012500"}}).reset == 12'500ms);
    CHECK(read({{"x-ratelimit-reset", "Fri, 15 Jan 2027 08:00:20 GMT"}}).reset == 20'000ms);
}

TEST_CASE("hints: times are judged by the server's clock") {
    const std::string an_hour_ahead = "Fri, 15 Jan 2027 09:00:00 GMT";
    CHECK(read({{"date", an_hour_ahead}, {"x-ratelimit-reset", "1800003612"}}).reset == 12'000ms);
    CHECK(read({{"date", an_hour_ahead}, {"retry-after", "Fri, 15 Jan 2027 09:00:07 GMT"}}).wait == 7'000ms);
    CHECK(read({{"x-ratelimit-reset", "1799999990"}}).reset == 0ms);
}

TEST_CASE("hints: Retry-After comes before the reset, and only a refusal asks to wait") {
    CHECK(read({{"retry-after", "3"}, {"x-ratelimit-reset", "30"}}).wait == 3'000ms);
    CHECK(read({{"x-ratelimit-reset", "30"}}).wait == 30'000ms);
    CHECK_FALSE(read({{"x-ratelimit-reset", "30"}}, 200).wait);
    CHECK_FALSE(read({{"x-ratelimit-reset", "3000"}, {"x-ratelimit-remaining", "4000"}}).wait);
    CHECK_FALSE(read({{"x-ratelimit-reset", "30"}}, 403).wait);
    CHECK(read({{"x-ratelimit-reset", "30"}, {"x-ratelimit-remaining", "0"}}, 403).wait == 30'000ms);
}

TEST_CASE("hints: what remains, also where a policy follows it") {
    CHECK(read({{"x-ratelimit-remaining", "0"}}).remaining == 0);
    CHECK(read({{"ratelimit-remaining", "17;w=60"}}).remaining == 17);
    CHECK(read({{"x-rate-limit-remaining", "17, 100;w=60"}}).remaining == 17);
}

TEST_CASE("hints: a refusal by a limit hides under 403 and 503 too") {
    const auto refused = [](unsigned status, headers h, const char* message) {
        return refused_by_limit({status, "", std::move(h)}, message);
    };
    CHECK(refused(429, {}, ""));
    CHECK(refused(403, {}, "Quota exceeded for this tenant."));
    CHECK(refused(403, {}, "API rate limit reached"));
    CHECK(refused(403, {{"x-ratelimit-remaining", "0"}}, ""));
    CHECK(refused(503, {}, "Too Many Requests"));
    CHECK(refused(503, {{"retry-after", "5"}}, "Maintenance"));
    CHECK_FALSE(refused(403, {}, "You do not have the role to do this."));
    CHECK_FALSE(refused(403, {{"retry-after", "5"}}, "Forbidden"));
    CHECK_FALSE(refused(403, {{"x-ratelimit-remaining", "12"}}, "Forbidden"));
    CHECK_FALSE(refused(503, {}, "Service Unavailable"));
    CHECK_FALSE(refused(500, {}, "the quota service failed"));
}

TEST_CASE("hints: nonsense is no hint, and nothing waits for more than a day") {
    for (const char* nonsense :
         {"", "-1", "soon", "1e", "0x10", "NaN", "inf", "1e300", "99999999999999999999"}) {
        CAPTURE(nonsense);
        const auto hint = read({{"x-ratelimit-reset", nonsense}, {"x-ratelimit-remaining", nonsense}});
        CHECK_FALSE(hint.reset);
        CHECK_FALSE(hint.remaining);
    }
    CHECK(read({{"x-ratelimit-reset", "900000"}}).reset == 24h);
    CHECK(read({{"x-ratelimit-reset", "99999999999999"}}).reset == 24h);
}
