#include "cli/console.hpp"

#include <doctest/doctest.h>

using namespace muster;

TEST_CASE("console: numbers and times for people") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(1234567) == "1,234,567");
    CHECK(lasting(0.25) == "0.2 s");
    CHECK(lasting(45) == "45 s");
    CHECK(lasting(200) == "3 min 20 s");
    CHECK(lasting(7500) == "2 h 5 min");
    CHECK(lasting(273'600) == "3 days 4 h");
    CHECK(counted(1, "row") == "1 row");
    CHECK(counted(2, "row") == "2 rows");
}

TEST_CASE("console: words as a shell takes them") {
    CHECK(shell_word("job.csv.journal") == "job.csv.journal");
    CHECK(shell_word("my job.csv") == "'my job.csv'");
    CHECK(shell_word("it's") == "'it'\\''s'");
    CHECK(shell_word("") == "''");
    CHECK(shell_word("$(rm)") == "'$(rm)'");
}
