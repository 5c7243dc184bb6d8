#include "engine/outcome.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace muster;

TEST_CASE("outcomes: names go both ways") {
    for (std::size_t i = 0; i < outcome_count; ++i) {
        const auto o = static_cast<outcome>(i);
        CHECK(find_outcome(name_of(o)) == o);
    }
    CHECK(find_outcome("indoubt") == outcome::in_doubt);
    CHECK_FALSE(find_outcome("failed"));
}

TEST_CASE("times: ISO 8601 there and back") {
    CHECK(to_iso(*from_iso("2021-06-11T19:10:30.045Z")) == "2021-06-11T19:10:30.045Z");
    std::mt19937_64 random(1);
    for (int i = 0; i < 10'000; ++i) {
        const wall_time t(std::chrono::milliseconds(static_cast<std::int64_t>(random() % 4'000'000'000'000)));
        CHECK(from_iso(to_iso(t)) == t);
    }
    std::string line = "at ";
    append_iso(line, wall_time{});
    CHECK(line == "at 1970-01-01T00:00:00.000Z");
    const auto new_year = [](int year) {
        return to_iso(std::chrono::sys_days(std::chrono::year(year) / 1 / 1));
    };
    CHECK(new_year(0) == "0000-01-01T00:00:00.000Z");
    CHECK(new_year(9999) == "9999-01-01T00:00:00.000Z");
    CHECK(new_year(10'000) == "10000-01-01T00:00:00.000Z");
    CHECK(new_year(-1) == "-001-01-01T00:00:00.000Z");
    CHECK(to_iso(wall_time(std::chrono::milliseconds(-1))) == "1969-12-31T23:59:59.999Z");
    for (const char* bad :
         {"", "2021-06-11T19:10:30Z", "2021-06-11 19:10:30.045Z", "2021-13-11T19:10:30.045Z",
          "2021-02-30T19:10:30.045Z", "2021-06-11T24:10:30.045Z", "2021-06-11T19:10:30.04xZ"})
        CHECK_MESSAGE(!from_iso(bad), bad);
}
