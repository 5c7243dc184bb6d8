#include "engine/circuit_breaker.hpp"
#include "engine/connection_reuse.hpp"
#include "engine/outage.hpp"
#include "engine/retry_policy.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("judge: every status has its verdict") {
    for (unsigned status = 100; status < 600; ++status) {
        const verdict v = judge(status);
        CAPTURE(status);
        if (status == 200)
            CHECK(v == verdict::success);
        else if (status == 429)
            CHECK(v == verdict::throttled);
        else if (status == 401 || status == 403)
            CHECK(v == verdict::unauthorised);
        else if (status == 407 || status / 100 == 3)
            CHECK(v == verdict::misdirected);
        else if (status == 408 || status == 425 || status / 100 != 4)
            CHECK(v == verdict::failed);
        else
            CHECK(v == verdict::refused);
    }
}

TEST_CASE("backoff: full jitter below a doubling ceiling") {
    random_source random(1);
    for (unsigned attempt = 1; attempt < 100; ++attempt) {
        std::chrono::milliseconds longest{};
        for (int i = 0; i < 200; ++i) {
            const auto wait = backoff(attempt, random);
            CHECK(wait >= 0ms);
            longest = std::max(longest, wait);
        }
        const auto ceiling =
            std::min<std::chrono::milliseconds>(200ms * (1LL << std::min(attempt - 1, 20U)), 30s);
        CHECK(longest <= ceiling);
        CHECK(longest >= ceiling / 2);
    }
}

TEST_CASE("http dates: the three forms, and nothing else") {
    const auto want = *from_iso("1994-11-06T08:49:37.000Z");
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == want);
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == want);
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == want);
    for (const char* bad : {"", "soon", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
                            "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", ", , , , , ",
                            "1 2 3 4 5 6", "Sun, 06 Nov -1994 08:49:37 GMT", "Sun, 06 Nov 67530 08:49:37 GMT",
                            "Sun, 06 Nov 199 08:49:37 GMT", "Sun, 262 Nov 1994 08:49:37 GMT",
                            "Sun, 06 Nov 1994 08:49:+7 GMT", "Sunday, 06-Nov--4 08:49:37 GMT"})
        CHECK_MESSAGE(!parse_http_date(bad), bad);
    const std::string good = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (std::size_t n = 0; n < good.size(); ++n) (void)parse_http_date(good.substr(0, n));
}

TEST_CASE("retry-after: seconds and dates, judged by the server's own clock") {
    const auto now = *from_iso("2026-11-22T08:00:00.000Z");
    const auto wait = [&](std::string value, std::string date = "") {
        http_reply r{429, "", {{"retry-after", std::move(value)}}};
        if (!date.empty()) r.headers.emplace_back("date", std::move(date));
        return retry_after(r, now);
    };
    CHECK(wait("7") == 7s);
    CHECK(wait("0") == 0s);
    CHECK(wait("Sun, 22 Nov 2026 08:00:30 GMT") == 30s);
    CHECK(wait("Sun, 22 Nov 2026 09:00:30 GMT", "Sun, 22 Nov 2026 09:00:00 GMT") == 30s);
    CHECK(wait("Sun, 22 Nov 2026 07:00:00 GMT") == 0s);
    CHECK(wait("99999999999") == 24h);
    CHECK_FALSE(wait("-1"));
    CHECK_FALSE(wait("soon"));
    CHECK_FALSE(retry_after({429, "", {}}, now));
}

TEST_CASE("reuse: a service that closes without a word gets a connection for each request, for a while") {
    connection_reuse reuse;
    for (int i = 0; i < 10; ++i) {  // what breaks now and then, or is new, is no reason
        reuse.broke(true);
        reuse.answered(true);
        reuse.broke(false);
        reuse.answered(false);
    }
    CHECK(reuse.allowed());
    reuse.broke(true);
    reuse.answered(false);
    reuse.broke(true);
    for (int i = 0; i < 100; ++i) {
        CHECK_FALSE(reuse.allowed());
        reuse.answered(false);
    }
    CHECK(reuse.allowed());
}

TEST_CASE("breaker: counts what was sent and failed, not what was never sent") {
    circuit_breaker b(*parse_failure_limit("3"));
    for (int i = 0; i < 10; ++i) {
        b.settled(outcome::blocked);
        b.settled(outcome::invalid);
        b.settled(outcome::applied);
    }
    b.settled(outcome::rejected);
    b.settled(outcome::exhausted);
    CHECK_FALSE(b.open());
    b.settled(outcome::in_doubt);
    CHECK(b.open());
}

TEST_CASE("failure limits: read and refused") {
    CHECK(parse_failure_limit("25")->rows == 25);
    CHECK(parse_failure_limit("2.5%")->percent == 2.5);
    CHECK(to_text(*parse_failure_limit("25")) == "25");
    for (const char* bad : {"0", "-1", "x", "101%", "0%", "%", "5 %", "1e3"})
        CHECK_MESSAGE(parse_failure_limit(bad).has_error(), bad);
}

TEST_CASE("outage: a service never reached is given up soon, one that was there is waited for") {
    random_source random(1);
    outage never(3, 5min);
    instant now{1h};
    CHECK_FALSE(never.failed(now, random));
    CHECK(never.lasts());
    for (int i = 0; i < 50; ++i)
        CHECK_FALSE(never.failed(now, random));  // attempts that fail together are one
    now = never.retry_at();
    CHECK_FALSE(never.failed(now, random));
    now = never.retry_at();
    CHECK(never.failed(now, random));

    outage was(3, 5min);
    was.reached();
    CHECK_FALSE(was.lasts());
    for (int i = 0; i < 100; ++i) CHECK_FALSE(was.failed(now + 4min, random));
    CHECK(was.retry_at() <= now + 4min + 30s);
    CHECK(was.failed(now + 10min, random));
    was.reached();
    CHECK_FALSE(was.failed(now + 20min, random));

    outage earlier(1, 5min, true);  // it answered an earlier session
    CHECK_FALSE(earlier.failed(now, random));
    CHECK_FALSE(earlier.failed(now + 4min, random));
    CHECK(earlier.failed(now + 10min, random));
}
