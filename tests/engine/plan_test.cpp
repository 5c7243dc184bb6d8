#include "engine/plan.hpp"

#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <random>

using namespace muster;
using namespace muster::test;

TEST_CASE("plan: counts, lines of rows, duplicates and contradictions") {
    plan_builder b(10);
    std::uint64_t n = 0;
    const auto add = [&](operation_id op, const std::string& serial, const std::string& user = user_a) {
        b.add(owned_row(n++, op, serial, user).view());
    };
    add(operation_id::assign, "1");          // line 2
    add(operation_id::enable, "1");          // 3
    add(operation_id::enable, "1");          // 4: again
    add(operation_id::disable, "1");         // 5: against 4
    add(operation_id::assign, "2");          // 6
    add(operation_id::assign, "2", user_b);  // 7: another user
    add(operation_id::enable, "3");          // 8
    add(operation_id::assign, "3");          // 9: too late
    add(operation_id::enable_ds100, "1");    // 10: a device, not token 1
    b.add_invalid(11, {"userId", "is missing"});
    const plan p = b.finish();
    CHECK(p.rows == 10);
    CHECK(p.invalid == 1);
    CHECK(p.first_invalid.at(0).problem == "userId is missing");
    CHECK(p.by_operation[static_cast<std::size_t>(operation_id::assign)] == 4);
    CHECK(p.subjects == 4);
    CHECK(p.waiting_rows == 5);
    CHECK(p.longest_line == 4);
    CHECK(p.duplicates == 1);
    CHECK(p.contradictions == 3);
    REQUIRE(p.first_conflicts.size() == 4);
    CHECK(p.first_conflicts[0].what == row_conflict::kind::duplicate);
    CHECK(p.first_conflicts[1].what == row_conflict::kind::enable_disable);
    CHECK(p.first_conflicts[2].what == row_conflict::kind::two_users);
    CHECK(p.first_conflicts[3].what == row_conflict::kind::before_assigned);
    CHECK(p.first_conflicts[3].text() == "line 8 changes a token that only line 9 assigns");
}

TEST_CASE("plan: user IDs of different case are one user") {
    plan_builder b(10);
    b.add(owned_row(0, operation_id::assign, "1", "eb2e12ae-1112-451b-98e1-dfe4e6afd60d").view());
    b.add(owned_row(1, operation_id::enable, "1", "EB2E12AE-1112-451B-98E1-DFE4E6AFD60D").view());
    CHECK(b.finish().contradictions == 0);
}

TEST_CASE("plan: an empty job is a plan too") {
    plan_builder b(10);
    CHECK(b.finish().rows == 0);
}

TEST_CASE("plan: of a large job with long lines of rows it counts what a plain look at each token counts") {
    std::mt19937 random(1);
    plan_builder b(0);
    std::map<std::string, std::vector<std::pair<operation_id, bool>>> by_token;
    constexpr std::uint64_t rows = 120'000;
    for (std::uint64_t n = 0; n < rows; ++n) {
        const auto serial = std::to_string(random() % 10 == 0 ? random() % 3 : random() % 90'000);
        const auto op = static_cast<operation_id>(random() % 3);
        const bool other = random() % 8 == 0;
        b.add(owned_row(n, op, serial, other ? user_b : user_a).view());
        by_token[serial].emplace_back(op, other);
    }
    std::uint64_t waiting = 0, longest = 0, duplicates = 0, contradictions = 0;
    for (const auto& [serial, line] : by_token) {
        waiting += line.size() - 1;
        longest = std::max<std::uint64_t>(longest, line.size());
        for (std::size_t i = 1; i < line.size(); ++i) {
            if (line[i].second != line[i - 1].second)
                ++contradictions;
            else if (line[i].first == line[i - 1].first)
                ++duplicates;
            else if (line[i].first == operation_id::assign || line[i - 1].first != operation_id::assign)
                ++contradictions;
        }
    }
    const plan p = b.finish();
    CHECK(p.rows == rows);
    CHECK(p.subjects == by_token.size());
    CHECK(p.waiting_rows == waiting);
    CHECK(p.longest_line == longest);
    CHECK(p.duplicates == duplicates);
    CHECK(p.contradictions == contradictions);
}

TEST_CASE("plan: all conflicts are listed where all are asked for") {
    constexpr std::size_t pairs = 100'000;
    plan_builder b(std::numeric_limits<std::size_t>::max());
    for (std::size_t i = 0; i < 2 * pairs; ++i)
        b.add(owned_row(i, operation_id::enable, std::to_string(i / 2)).view());
    const plan p = b.finish();
    CHECK(p.duplicates == pairs);
    CHECK(p.first_conflicts.size() == pairs);
}
