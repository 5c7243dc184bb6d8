// The models of a quota under virtual time: what they let through, at their edges too, and that waiting as
// long as they say always suffices.
#include "samples/tenant/limiter.hpp"

#include "samples/tenant/quota.hpp"
#include "samples/tenant/random.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tenant;
using namespace std::chrono_literals;

namespace {

LimitSpec spec_of(const std::string& text) {
    const auto spec = parse_limit(text);
    REQUIRE_MESSAGE(spec.has_value(), text);
    return *spec;
}

/// A Now whose wall clock runs beside the steady one, offset by some odd amount.
Now at(nanoseconds steady) {
    const auto wall = Wall{1'700'000'000'123ms} + std::chrono::floor<std::chrono::milliseconds>(steady);
    return {wall, steady};
}

int admitted(Quota& quota, nanoseconds now, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += quota.admit(at(now)).refused ? 0 : 1;
    return count;
}

/// The value of a header line in a reply, or nothing.
std::string header(const std::string& lines, const std::string& name) {
    const auto found = lines.find(name + ": ");
    if (found == std::string::npos) return {};
    const auto begin = found + name.size() + 2;
    return lines.substr(begin, lines.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("limiter: a bucket lets its burst through, then one a period") {
    Quota quota({spec_of("bucket:10/s:5")});
    const nanoseconds start = 1000s;
    CHECK(admitted(quota, start, 20) == 5);
    CHECK(admitted(quota, start + 100ms - 1ns, 1) == 0);
    CHECK(admitted(quota, start + 100ms, 2) == 1);
    CHECK(admitted(quota, start + 100s, 20) == 5);
}

TEST_CASE("limiter: a bucket's long-run rate is the configured one") {
    for (const double rate : {3.0, 7.0, 500.0, 12'345.0}) {
        CAPTURE(rate);
        Quota quota({spec_of("bucket:" + std::to_string(rate) + "/s:1")});
        long count = 0;
        const auto step = nanoseconds{static_cast<long>(1e9 / rate / 7)};
        nanoseconds now = 5s;
        for (; now < 15s; now += step) count += admitted(quota, now, 1);
        CHECK(static_cast<double>(count) <= 10 * rate + 1);
        CHECK(static_cast<double>(count) >= 10 * rate * 6 / 7 - 1);
    }
}

TEST_CASE("limiter: fixed windows start afresh at each multiple of their length") {
    Quota quota({spec_of("window:10/2s")});
    CHECK(admitted(quota, 4s - 1ns, 30) == 10);
    CHECK(admitted(quota, 4s, 30) == 10);
    CHECK(admitted(quota, 6s - 1ns, 30) == 0);
    CHECK(admitted(quota, 6s, 30) == 10);
}

TEST_CASE("limiter: a sliding window never lets more than its number through in any span") {
    Quota quota({spec_of("sliding:10/2s")});
    CHECK(admitted(quota, 10s, 4) == 4);
    CHECK(admitted(quota, 11s, 30) == 6);
    CHECK(admitted(quota, 12s - 1ns, 30) == 0);
    CHECK(admitted(quota, 12s, 30) == 4);
    CHECK(admitted(quota, 13s, 30) == 6);
}

TEST_CASE("limiter: concurrency counts requests that are not over") {
    Quota quota({spec_of("concurrent:2")});
    auto first = quota.admit(at(0s));
    auto second = quota.admit(at(0s));
    CHECK_FALSE(first.refused);
    CHECK_FALSE(second.refused);
    CHECK(quota.admit(at(0s)).refused);
    first.pass = {};
    CHECK(admitted(quota, 0s, 3) == 3);  // each is over at once
}

TEST_CASE("limiter: a refused request uses nothing up") {
    for (const std::string text : {"bucket:1/s:1", "window:1/1s", "sliding:1/1s"}) {
        CAPTURE(text);
        Quota quota({spec_of(text)});
        CHECK(admitted(quota, 10s, 1) == 1);
        for (nanoseconds now = 10s; now < 11s; now += 10ms) CHECK(admitted(quota, now, 1) == 0);
        CHECK(admitted(quota, 11s, 1) == 1);
    }
}

TEST_CASE(
    "limiter: two limits let through what both let through, and a refusal by one costs the other nothing") {
    Quota quota({spec_of("window:3/1s"), spec_of("sliding:5/10s")});
    CHECK(admitted(quota, 10s, 9) == 3);
    CHECK(admitted(quota, 11s, 9) == 2);
    CHECK(admitted(quota, 12s, 9) == 0);
    const auto refused = quota.admit(at(12s)).refused;
    REQUIRE(refused);
    CHECK(header(refused->headers, "Retry-After") == "8");
}

TEST_CASE("limiter: waiting as Retry-After says always admits") {
    for (const std::string text : {"bucket:0.3/s:2", "bucket:7/s:3", "bucket:1000/s:10", "window:5/3s",
                                   "window:5/0.7s", "sliding:5/3s", "sliding:5/0.7s"}) {
        CAPTURE(text);
        Random random(42);
        Quota quota({spec_of(text)});
        nanoseconds now = 100s;
        int refusals = 0;
        for (int i = 0; i < 2000; ++i) {
            auto decision = quota.admit(at(now));
            if (decision.refused) {
                ++refusals;
                const auto told = std::stol(header(decision.refused->headers, "Retry-After"));
                REQUIRE(told >= 1);
                now += std::chrono::seconds{told};
                REQUIRE_FALSE(quota.admit(at(now)).refused);
            }
            if (i % 20 == 0) now += nanoseconds{static_cast<long>(random.below(20'000'000))};
        }
        CHECK(refusals > 0);
    }
}

TEST_CASE("limiter: waiting until the Retry-After date always admits") {
    Random random(43);
    for (int round = 0; round < 500; ++round) {
        CAPTURE(round);
        Quota quota({spec_of("sliding:1/1.3s,retry-after=date")});
        const nanoseconds first = 50s + nanoseconds{static_cast<long>(random.below(1'000'000'000))};
        REQUIRE_FALSE(quota.admit(at(first)).refused);
        const auto refused = quota.admit(at(first + 1ns)).refused;
        REQUIRE(refused);
        const auto date = header(refused->headers, "Retry-After");
        // The first moment whose Date header, in whole seconds, reaches the told one.
        nanoseconds now = first;
        while (http_date(at(now).wall) != date && now < first + 10s) now += 1ms;
        CHECK_FALSE(quota.admit(at(now)).refused);
    }
}

TEST_CASE("limiter: suffixes decide what a reply tells") {
    Quota silent({spec_of("window:1/10s,retry-after=none")});
    CHECK(silent.admit(at(100s)).headers.empty());
    CHECK(silent.admit(at(101s)).refused->headers.empty());

    Quota telling({spec_of("window:2/10s,headers")});
    const auto passed = telling.admit(at(100s));
    CHECK(header(passed.headers, "X-RateLimit-Limit") == "2");
    CHECK(header(passed.headers, "X-RateLimit-Remaining") == "1");
    CHECK(header(passed.headers, "X-RateLimit-Reset") == "1700000111");  // 100 s + 10 s, rounded up from .123
    (void)telling.admit(at(101s));
    const auto refused = telling.admit(at(102s)).refused;
    REQUIRE(refused);
    CHECK(header(refused->headers, "Retry-After") == "8");
    CHECK(header(refused->headers, "X-RateLimit-Remaining") == "0");

    Quota delta({spec_of("window:2/10s,headers=delta")});
    CHECK(header(delta.admit(at(101s)).headers, "X-RateLimit-Reset") == "9");
    Quota millis({spec_of("window:2/10s,headers=epoch-ms")});
    CHECK(header(millis.admit(at(101s)).headers, "X-RateLimit-Reset") == "1700000110124");
}

TEST_CASE("limiter: specifications that are read") {
    const auto bucket = spec_of("bucket:500/s:50,retry-after=date,headers");
    CHECK(bucket.model == LimitSpec::Model::bucket);
    CHECK(bucket.count == 50);
    CHECK(bucket.period == 2ms);
    CHECK(bucket.retry_after == RetryAfter::date);
    CHECK(bucket.headers == QuotaHeaders::epoch_seconds);
    CHECK(spec_of("window:100/10s").period == 10s);
    CHECK(spec_of("sliding:100/0.5s").period == 500ms);
    CHECK(spec_of("concurrent:8,retry-after=none").retry_after == RetryAfter::none);
}

TEST_CASE("limiter: specifications that are refused, with a reason") {
    for (const std::string text : {"",
                                   "bucket",
                                   "bucket:",
                                   "bucket:500",
                                   "bucket:500/s",
                                   "bucket:500:50",
                                   "bucket:0/s:1",
                                   "bucket:-1/s:1",
                                   "bucket:1/s:0",
                                   "bucket:1/s:1:1",
                                   "bucket:x/s:1",
                                   "bucket: 1/s:1",
                                   "bucket:1e9/s:1",
                                   "bucket:inf/s:1",
                                   "bucket:nan/s:1",
                                   "window:10",
                                   "window:10/",
                                   "window:10/10",
                                   "window:/10s",
                                   "window:0/10s",
                                   "window:1.5/10s",
                                   "window:10/0s",
                                   "window:10/99999s",
                                   "sliding:10/10m",
                                   "concurrent",
                                   "concurrent:",
                                   "concurrent:0",
                                   "concurrent:8s",
                                   "leaky:5",
                                   "Bucket:1/s:1",
                                   "bucket:1/s:1,",
                                   "bucket:1/s:1,retry-after",
                                   "bucket:1/s:1,retry-after=soon",
                                   "bucket:1/s:1,header",
                                   "window:10/10s:5",
                                   "window:99999999999999999999/1s",
                                   "bucket:0.00001/s:1000000000"}) {
        CAPTURE(text);
        const auto spec = parse_limit(text);
        CHECK_FALSE(spec.has_value());
        if (!spec) CHECK_FALSE(spec.error().message.empty());
    }
}
