#include "engine/row_judge.hpp"

#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace muster::test;
using action = row_step::action;

namespace {

constexpr unsigned attempts = 3;

task task_of(operation_id op) {
    task t;
    t.what = owned_row(0, op, "000000000001").what;
    return t;
}

row_step operation_replied(row_judge& j, task& t, unsigned status, const std::string& words = {}) {
    return j.operation_replied(t, {status, "", {}}, words);
}

row_step looked_up(row_judge& j, task& t, const std::string& user, const std::string& status = "Disabled") {
    return j.lookup_replied(t,
                            {200,
                             fmt::format(R"({{"tokenSerialNumber":"000000000001","userId":{},)"
                                         R"("tokenState":"{}","tokenStatus":"{}"}})",
                                         user.empty() ? "null" : '"' + user + '"',
                                         user.empty() ? "Unassigned" : "Activated", status),
                             {}},
                            {});
}

}  // namespace

TEST_CASE("row judge: a reply that confirms the operation settles the row, with what it tells") {
    row_judge j(attempts);
    task t = task_of(operation_id::assign);
    const auto body = token_reply("000000000001", user_a, "tokenState", "Activated");
    const auto step = j.operation_replied(t, {200, body, {}}, {});
    CHECK(step.what == action::settle);
    CHECK(step.result == outcome::applied);
    CHECK(step.details.state == "Activated");
    CHECK(t.attempts == 1);
    CHECK(t.last_status == 200);
}

TEST_CASE("row judge: a 200 that does not confirm it may have been applied all the same") {
    row_judge j(attempts);
    task t = task_of(operation_id::assign);
    const auto body = token_reply("000000000001", user_b, "tokenState", "Activated");
    CHECK(j.operation_replied(t, {200, body, {}}, {}).what == action::try_later);
    CHECK(t.doubtful);
    CHECK(t.must_check);
}

TEST_CASE(
    "row judge: a refusal rejects the row in the service's words, or with the status where it has none") {
    row_judge j(attempts);
    for (const unsigned status : {400U, 404U, 410U, 422U}) {
        task t = task_of(operation_id::enable);
        CHECK(operation_replied(j, t, status, "no such user").message == "no such user");
        const auto step = operation_replied(j, t, status);
        CHECK(step.what == action::settle);
        CHECK(step.result == outcome::rejected);
        CHECK(step.message == fmt::format("HTTP {}", status));
    }
}

TEST_CASE("row judge: after a failure a harmless operation is sent again, any other is looked up first") {
    for (const operation& op : operations()) {
        row_judge j(attempts);
        task t = task_of(op.id);
        for (unsigned n = 1; n < attempts; ++n) {
            const auto step = operation_replied(j, t, 502, "bad gateway");
            CHECK(step.what == action::try_later);
            CHECK(step.tries == n);
            CHECK(t.must_check == !op.idempotent);
        }
        CHECK(operation_replied(j, t, 502, "bad gateway").what == action::try_later);
        CHECK(t.must_check);  // the attempts are used up: all that is left to do is to ask
        CHECK(t.last_message == "HTTP 502: bad gateway");
    }
}

TEST_CASE("row judge: failures before anything could be applied end exhausted, without a look-up") {
    row_judge j(attempts);
    task t = task_of(operation_id::assign);
    CHECK(j.operation_failed(t, false, "connection refused").what == action::try_later);
    CHECK(j.operation_failed(t, false, "connection refused").what == action::try_later);
    CHECK_FALSE(t.must_check);
    const auto step = j.operation_failed(t, false, "connection refused");
    CHECK(step.result == outcome::exhausted);
    CHECK(step.message == "connection refused");
}

TEST_CASE("row judge: what a look-up tells of a row in doubt") {
    for (const bool spent : {false, true}) {
        CAPTURE(spent);
        const auto in_doubt = [&](row_judge& j) {
            task t = task_of(operation_id::assign);
            for (unsigned n = 0; n < (spent ? attempts : 1); ++n) operation_replied(j, t, 500);
            return t;
        };
        row_judge j(attempts);
        task t = in_doubt(j);
        CHECK(looked_up(j, t, user_a).result == outcome::already);
        t = in_doubt(j);
        CHECK(looked_up(j, t, user_b).result == outcome::rejected);
        for (const bool unknown_token : {false, true}) {
            t = in_doubt(j);
            const auto step =
                unknown_token ? j.lookup_replied(t, {404, "", {}}, "no such token") : looked_up(j, t, "");
            CHECK(step.what == (spent ? action::settle : action::send_again));
            if (spent) CHECK(step.result == outcome::exhausted);
            CHECK(t.must_check == spent);
        }
    }
}

TEST_CASE("row judge: a conflict is looked up: it may be about what is so already") {
    for (const bool so_already : {true, false}) {
        row_judge j(attempts);
        task t = task_of(operation_id::assign);
        CHECK(operation_replied(j, t, 409, "assigned already").what == action::send_again);
        CHECK(t.must_check);
        const auto step = looked_up(j, t, so_already ? user_a : user_b);
        CHECK(step.result == (so_already ? outcome::already : outcome::rejected));
        if (!so_already) CHECK(step.message == "assigned already");
    }
    // Where nothing of ours can have been applied it is a refusal, also when the service will not tell more.
    row_judge j(attempts);
    task t = task_of(operation_id::assign);
    operation_replied(j, t, 409, "assigned already");
    CHECK(row_judge::lookup_impossible(t, "forbidden").result == outcome::rejected);
}

TEST_CASE(
    "row judge: look-ups that tell nothing are tried as often as the operation, then the row is in doubt") {
    using failure = row_step (*)(row_judge&, task&);
    const failure failures[] = {
        [](row_judge& j, task& t) {
            return j.lookup_replied(t, {500, "", {}}, {});
        },
        [](row_judge& j, task& t) {
            return j.lookup_replied(t, {200, "<html>", {}}, {});
        },
        [](row_judge& j, task& t) { return j.lookup_failed(t, "timed out"); },
    };
    for (const failure fails : failures) {
        row_judge j(attempts);
        task t = task_of(operation_id::assign);
        operation_replied(j, t, 500);
        for (unsigned n = 1; n < attempts; ++n) {
            const auto step = fails(j, t);
            CHECK(step.what == action::try_later);
            CHECK(step.tries == n);
        }
        const auto step = fails(j, t);
        CHECK(step.what == action::settle);
        CHECK(step.result == outcome::in_doubt);
        CHECK(step.message.find("HTTP 500; ") == 0);
    }
}

TEST_CASE("row judge: failed look-ups are counted in a row, one that tells something begins anew") {
    row_judge j(attempts);
    task t = task_of(operation_id::assign);
    operation_replied(j, t, 500);
    j.lookup_failed(t, "timed out");
    j.lookup_failed(t, "timed out");
    CHECK(looked_up(j, t, "").what == action::send_again);
    operation_replied(j, t, 500);
    CHECK(j.lookup_failed(t, "timed out").tries == 1);
}

TEST_CASE("row judge: a 429 is about the run for ever, a 403 or 503 as often as the row may be tried") {
    const row_judge j(attempts);
    task t = task_of(operation_id::enable);
    for (unsigned i = 0; i < 1000; ++i) CHECK(j.limits_the_run(t, i % 2 == 0, 429, {}));
    CHECK(t.refusals == 0);
    for (const unsigned status : {403U, 503U}) {
        for (const bool lookup : {false, true}) {
            t = task_of(operation_id::assign);
            for (unsigned n = 1; n < attempts; ++n) CHECK(j.limits_the_run(t, lookup, status, "quota"));
            CHECK_FALSE(j.limits_the_run(t, lookup, status, "quota"));
            CHECK_FALSE(j.limits_the_run(t, lookup, status, "quota"));
            CHECK(t.attempts == 0);
            CHECK(t.doubtful == (status == 503 && !lookup));
            CHECK(t.must_check == t.doubtful);
        }
    }
}
