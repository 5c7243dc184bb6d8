#include "cli/values.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("values: rates") {
    CHECK(*parse_rate("--max-rate", "100/s") == 100);
    CHECK(*parse_rate("--max-rate", "100") == 100);
    CHECK(*parse_rate("--max-rate", "0.5/s") == 0.5);
    CHECK(*parse_rate("--max-rate", "600/min") == 10);
    CHECK(*parse_rate("--max-rate", "7200/h") == 2);
    for (const char* bad : {"", "0", "-1", "x", "1/d", "1 /s", "inf", "nan", "1e300"})
        CHECK_MESSAGE(parse_rate("--max-rate", bad).has_error(), bad);
    CHECK(parse_rate("--max-rate", "x").error().message.find("--max-rate x") == 0);
}

TEST_CASE("values: times") {
    CHECK(*parse_time("--t", "30") == 30s);
    CHECK(*parse_time("--t", "30s") == 30s);
    CHECK(*parse_time("--t", "500ms") == 500ms);
    CHECK(*parse_time("--t", "1.5min") == 90s);
    CHECK(*parse_time("--t", "1h") == 1h);
    for (const char* bad : {"", "0", "-1s", "x", "1d", "0.1ms", "s"})
        CHECK_MESSAGE(parse_time("--t", bad).has_error(), bad);
}
