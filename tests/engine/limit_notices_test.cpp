#include "engine/limit_notices.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace std::chrono_literals;

namespace {

const instant start{1h};

learnt_limit rate(double r) {
    return {.rate = r};
}

}  // namespace

TEST_CASE("limit notices: the journal gets a limit when it is known and differs from the one it has") {
    limit_notices n;
    CHECK_FALSE(n.worth_remembering({}).has_value());                        // refused, and nothing known yet
    CHECK_FALSE(n.worth_remembering(learnt_limit{.burst = 7}).has_value());  // of no use without a rate
    CHECK(n.worth_remembering(rate(100)).has_value());
    CHECK_FALSE(n.worth_remembering(rate(100)).has_value());
    CHECK_FALSE(n.worth_remembering(rate(104)).has_value());
    CHECK_FALSE(n.worth_remembering(rate(96)).has_value());
    CHECK(n.worth_remembering(rate(106)).has_value());
    CHECK(n.worth_remembering(learnt_limit{.rate = 106, .company = 8}).has_value());
    CHECK_FALSE(n.worth_remembering(learnt_limit{.rate = 106, .company = 8}).has_value());
}

TEST_CASE(
    "limit notices: the journal gets a limit that is gone, and not one that it has of an earlier session") {
    limit_notices n({.rate = 100, .company = 8});
    CHECK_FALSE(n.worth_remembering(learnt_limit{.rate = 101, .company = 8}).has_value());
    CHECK(n.worth_remembering(learnt_limit{.rate = 101}).has_value());
    CHECK(n.worth_remembering({}).has_value());
    CHECK_FALSE(n.worth_remembering({}).has_value());
}

TEST_CASE("limit notices: a limit that is met anew and not known yet leaves what the journal has of it") {
    limit_notices n({.rate = 100, .burst = 20, .cycle = 60, .company = 8});
    CHECK_FALSE(n.worth_remembering(learnt_limit{.burst = 3, .company = 8}).has_value());
    const auto news = n.worth_remembering(learnt_limit{.burst = 3, .company = 4});
    REQUIRE(news);
    CHECK(news->rate == 100);
    CHECK(news->cycle == 60);
    CHECK(news->company == 4);
}

TEST_CASE("limit notices: the journal gets a window's length and a burst that it did not know") {
    limit_notices n({.rate = 10});
    CHECK(n.worth_remembering(learnt_limit{.rate = 10, .cycle = 60}).has_value());
    CHECK(n.worth_remembering(learnt_limit{.rate = 10, .burst = 5, .cycle = 60}).has_value());
    CHECK_FALSE(n.worth_remembering(learnt_limit{.rate = 10, .burst = 6, .cycle = 55}).has_value());
}

TEST_CASE("limit notices: small steps add up, in the journal and for a person") {
    limit_notices n;
    CHECK(n.worth_remembering(rate(100)).has_value());
    CHECK(n.worth_telling(rate(100), 0ms, start));
    int written = 0, told = 0;
    for (int i = 1; i <= 50; ++i) {
        written += n.worth_remembering(rate(100 + i)) ? 1 : 0;
        told += n.worth_telling(rate(100 + i), 0ms, start + i * 20s) ? 1 : 0;
    }
    CHECK(written > 3);
    CHECK(written < 10);
    CHECK(told == 1);
}

TEST_CASE("limit notices: a limit on requests at once is remembered without a rate") {
    limit_notices n;
    CHECK(n.worth_remembering(learnt_limit{.company = 4}).has_value());
    CHECK(n.worth_remembering(learnt_limit{.company = 5}).has_value());
}

TEST_CASE("limit notices: the first refusal is told, the single ones that keep the limit known are not") {
    limit_notices n;
    CHECK(n.worth_telling(rate(0), 0ms, start));
    for (int i = 1; i < 1000; ++i) {
        CHECK_FALSE(n.worth_telling(rate(0), 0ms, start + i * 1s));
        CHECK_FALSE(n.worth_telling(rate(0), 1999ms, start + i * 1s));
    }
}

TEST_CASE("limit notices: a wait that is felt is told once, and again when it becomes longer") {
    limit_notices n;
    CHECK(n.worth_telling(rate(10), 30s, start));
    CHECK_FALSE(n.worth_telling(rate(10), 29s, start + 1s));  // what was in flight is refused too
    CHECK_FALSE(n.worth_telling(rate(10), 31s, start + 1s));
    CHECK(n.worth_telling(rate(10), 60s, start + 1s));
    CHECK_FALSE(n.worth_telling(rate(10), 1s, start + 62s));
    CHECK(n.worth_telling(rate(10), 3s, start + 70s));
}

TEST_CASE("limit notices: a limit that has changed a good deal is told, at most every ten seconds") {
    limit_notices n;
    CHECK(n.worth_telling(rate(100), 0ms, start));
    CHECK_FALSE(n.worth_telling(rate(200), 0ms, start + 9s));
    CHECK_FALSE(n.worth_telling(rate(120), 0ms, start + 10s));
    CHECK(n.worth_telling(rate(200), 0ms, start + 10s));
    CHECK_FALSE(n.worth_telling({.rate = 200, .company = 3}, 0ms, start + 19s));
    CHECK(n.worth_telling({.rate = 200, .company = 3}, 0ms, start + 20s));
}
