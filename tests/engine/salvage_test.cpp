#include "engine/journal/salvage.hpp"

#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace muster;
using namespace muster::test;

namespace {

// Rows of one token: assign, enable, disable, and one row of another.
const std::vector<line_member>& line() {
    static const std::vector<line_member> members = [] {
        std::vector<line_member> m;
        for (const auto op : {operation_id::assign, operation_id::enable, operation_id::disable}) {
            const owned_row r(m.size(), op, "1");
            m.push_back({subject_of(r.view()), op, true});
        }
        const owned_row other(3, operation_id::assign, "2");
        m.push_back({subject_of(other.view()), operation_id::assign, true});
        return m;
    }();
    return members;
}

journal_replay begun() {
    journal_header h;
    h.rows = 4;
    h.job_size = 100;
    journal_replay r;
    REQUIRE(r.add(h));
    return r;
}

}  // namespace

TEST_CASE("salvage: where nothing is left, all is asked, and what a later row undoes is held") {
    auto r = begun();
    r.gap();
    CHECK(r.lost() == 4);
    CHECK(judge_rows(r, line()) == std::vector{fate::ask, fate::hold, fate::ask, fate::ask});
}

TEST_CASE("salvage: a row that was sent proves that those before it succeeded") {
    auto r = begun();
    r.gap();
    r.add(row_outcome{.row = 2, .result = outcome::applied, .attempts = 1});
    CHECK(judge_rows(r, line()) == std::vector{fate::succeeded, fate::succeeded, fate::keep, fate::ask});
    auto intended = begun();
    intended.add(intents_record{{1}});
    intended.gap();
    CHECK(judge_rows(intended, line()) == std::vector{fate::succeeded, fate::hold, fate::ask, fate::ask});
}

TEST_CASE("salvage: a row that has not succeeded proves that those behind it were never sent") {
    auto r = begun();
    r.gap();
    r.add(row_outcome{.row = 0, .result = outcome::rejected, .attempts = 1});
    CHECK(judge_rows(r, line()) == std::vector{fate::keep, fate::unsent, fate::unsent, fate::ask});
    auto underway = begun();
    underway.gap();
    underway.add(intents_record{{1}});
    CHECK(judge_rows(underway, line()) == std::vector{fate::succeeded, fate::ask, fate::unsent, fate::ask});
}

TEST_CASE("salvage: what was blocked before the gap may have been sent in it; what failed for good was not") {
    auto r = begun();
    r.add(row_outcome{.row = 3, .result = outcome::blocked});
    r.gap();
    CHECK(r.rows()[3] == row_state::lost);
    auto later = begun();
    later.gap();
    later.add(row_outcome{.row = 3, .result = outcome::blocked});
    CHECK(judge_rows(later, line())[3] == fate::keep);
}

TEST_CASE("salvage: a row that is held stays held however often it is asked about in vain") {
    auto r = begun();
    r.add(lost_record{{1}, true});
    r.add(row_outcome{.row = 1, .result = outcome::in_doubt});
    CHECK(r.rows()[1] == row_state::held);
    CHECK_FALSE(r.finished());
    r.add(row_outcome{.row = 1, .result = outcome::already});
    CHECK(r.rows()[1] == row_state::already);
}
