#include "engine/coordinator.hpp"

#include "tests/support/simulated_process.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace muster::test;

TEST_CASE("coordinator: a job runs to its end, each row applied once, one request a row") {
    for (const bool interleaved : {true, false}) {
        const auto rows = onboarding(50, interleaved);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        simulated_process p(rows, service, journal, {}, test_options(), 1);
        CHECK(p.run());
        CHECK(p.state().counts()[outcome::applied] == rows.size());
        CHECK(service.requests == rows.size());
        CHECK(service.each_changed_once());
        CHECK(journal.reopen().finished());
    }
}

TEST_CASE("coordinator: under every kind of fault each row ends applied or already, exactly once") {
    std::size_t runs = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed, ++runs) {
        CAPTURE(seed);
        const auto rows = onboarding(40, seed % 2 == 0);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        const fault_shares faults{.server_error = 4,
                                  .server_error_after = 3,
                                  .lost_request = 4,
                                  .lost_reply = 4,
                                  .stalled = 3,
                                  .garbage = 3,
                                  .throttle = 5};
        simulated_process p(rows, service, journal, faults, test_options(8, 12, seed), seed);
        CHECK(p.run());
        const auto& counts = p.state().counts();
        CHECK(counts[outcome::applied] + counts[outcome::already] == rows.size());
        CHECK(counts == journal.reopen().counts());
        CHECK(service.each_changed_once());
    }
    MESSAGE("runs under faults: " << runs);
}

TEST_CASE("coordinator: killed at every event and resumed, nothing is lost and nothing is done twice") {
    const auto rows = onboarding(12, true);
    const fault_shares faults{.server_error = 3,
                              .server_error_after = 2,
                              .lost_request = 3,
                              .lost_reply = 3,
                              .stalled = 2,
                              .garbage = 2,
                              .throttle = 2};
    std::size_t crashes = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        for (std::size_t at = 1;; ++at) {
            CAPTURE(seed);
            CAPTURE(at);
            auto service = service_for(rows);
            simulated_journal journal(rows.size());
            std::mt19937_64 random(seed * 1000 + at);
            bool done =
                simulated_process(rows, service, journal, faults, test_options(4, 12, seed), seed).run(at);
            const bool reached_the_end = done;
            for (std::uint64_t session = 1; !done; ++session) {
                ++crashes;
                REQUIRE(session < 200);
                journal.crash(random());
                const std::size_t events = session < 4 ? 1 + random() % 40 : simulated_process::no_end;
                done = simulated_process(rows, service, journal, faults, test_options(4, 12, seed), random())
                           .run(events);
            }
            const auto replay = journal.reopen();
            const auto counts = replay.counts();
            CHECK(counts[outcome::applied] + counts[outcome::already] == rows.size());
            CHECK(service.each_changed_once());
            if (reached_the_end) break;
        }
    }
    MESSAGE("crashes tried: " << crashes);
    CHECK(crashes > 1000);
}

TEST_CASE(
    "coordinator: rows blocked by a doubt are sent once it is cleared up, wherever that session is cut off") {
    const auto rows = onboarding(3, true);
    std::size_t cases = 0;
    for (std::size_t at = 1;; ++at, ++cases) {
        CAPTURE(at);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        {
            simulated_process p(rows, service, journal, {}, test_options(2, 1), 1);
            p.interfere = [&](const order& o, const row& r) {
                if (!o.lookup) service.handle(r, false);
                return std::optional(http_reply{500, "", {}});
            };
            CHECK(p.run());
            CHECK(p.state().counts()[outcome::in_doubt] == 3);
            CHECK(p.state().counts()[outcome::blocked] == 3);
        }
        simulated_process second(rows, service, journal, {}, test_options(2), 2);
        const bool done = second.run(at);
        if (!done && at % 2 == 0) {
            second.state().stop(end_reason::interrupted, "");
            CHECK(second.run());
            CHECK(journal.reopen().counts() == second.state().counts());
        } else if (!done) {
            journal.crash(at * 7);
        }
        if (!journal.reopen().finished())
            CHECK(simulated_process(rows, service, journal, {}, test_options(2), 3).run());
        const auto counts = journal.reopen().counts();
        CHECK(counts[outcome::applied] + counts[outcome::already] == rows.size());
        CHECK(service.each_changed_once());
        if (done) break;
    }
    CHECK(cases > 10);
}

TEST_CASE("coordinator: a key that may not look up fails the row in question, not the run") {
    auto rows = onboarding(2, true);
    auto service = service_for(rows);
    service.tokens["000000000000"].user = user_b;
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(), 1);
    p.interfere = [&](const order& o, const row&) -> std::optional<http_reply> {
        if (o.lookup) return http_reply{403, "", {}};
        return std::nullopt;
    };
    CHECK(p.run());
    CHECK_FALSE(p.state().stop_reason());
    CHECK(p.state().counts()[outcome::rejected] == 1);
    CHECK(p.state().counts()[outcome::blocked] == 1);
    CHECK(p.state().counts()[outcome::applied] == 2);
}

TEST_CASE(
    "coordinator: what the service refuses is rejected with its words, and the rows behind it are blocked") {
    std::vector<owned_row> rows = onboarding(3, true);
    rows.emplace_back(rows.size(), operation_id::disable, "000000000001", user_b);
    auto service = service_for(rows);
    service.tokens["000000000001"].user = "someone-else";
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(), 1);
    CHECK(p.run());
    CHECK(p.state().counts()[outcome::rejected] == 1);
    CHECK(p.state().counts()[outcome::blocked] == 2);
    CHECK(p.state().counts()[outcome::applied] == 4);
    CHECK(journal.bytes().find("ASSIGNED: already assigned") != std::string::npos);
    CHECK(journal.bytes().find("line 4 did not succeed") != std::string::npos);
}

TEST_CASE("coordinator: a conflict about what is so already is no failure") {
    const auto rows = onboarding(1, true);
    auto service = service_for(rows);
    service.tokens["000000000000"].user = user_a;
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(), 1);
    CHECK(p.run());
    CHECK(p.state().counts()[outcome::already] == 1);
    CHECK(p.state().counts()[outcome::applied] == 1);
}

TEST_CASE(
    "coordinator: failures that outlast the attempts: exhausted when nothing was applied, already when it "
    "was") {
    for (const bool applied : {false, true}) {
        const auto rows = onboarding(1, true);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        simulated_process p(rows, service, journal, {}, test_options(2, 3), 1);
        unsigned sent = 0;
        p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
            if (o.lookup || r.operation() != operation_id::enable) return std::nullopt;
            ++sent;
            if (applied) service.handle(r, false);
            return http_reply{503, "", {}};
        };
        CHECK(p.run());
        CHECK(sent == 3);
        CHECK(p.state().counts()[applied ? outcome::already : outcome::exhausted] == 1);
        CHECK(p.state().counts()[outcome::applied] == 1);
    }
}

TEST_CASE(
    "coordinator: where the service does not even tell, the row is in doubt, and a later session asks "
    "again") {
    const auto rows = onboarding(1, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    {
        simulated_process p(rows, service, journal, {}, test_options(2, 3), 1);
        p.interfere = [&](const order&, const row&) { return std::optional(http_reply{500, "", {}}); };
        CHECK(p.run());
        CHECK(p.state().counts()[outcome::in_doubt] == 1);
        CHECK(p.state().counts()[outcome::blocked] == 1);
    }
    CHECK_FALSE(journal.reopen().finished());
    simulated_process p(rows, service, journal, {}, test_options(), 2);
    CHECK(p.run());
    CHECK(p.state().counts()[outcome::applied] == 2);
    CHECK(service.each_changed_once());
    CHECK(journal.reopen().finished());
}

TEST_CASE("coordinator: look-ups whose replies never make sense leave the row in doubt after its attempts") {
    const auto rows = onboarding(2, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(2, 3), 1);
    unsigned lookups = 0;
    p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
        if (r.index() != 0) return std::nullopt;
        if (!o.lookup) return http_reply{502, "", {}};
        ++lookups;
        return http_reply{200, "<html>", {}};
    };
    REQUIRE(p.run());
    CHECK(lookups == 3);
    CHECK(p.state().counts()[outcome::in_doubt] == 1);
    CHECK(p.state().counts()[outcome::blocked] == 1);
    CHECK(p.state().counts()[outcome::applied] == 2);
}

TEST_CASE("coordinator: an assignment whose reply is lost is looked up before it is sent again") {
    const auto rows = onboarding(1, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {.lost_reply = 0}, test_options(), 1);
    std::vector<bool> lookups;
    p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
        if (r.operation() != operation_id::assign) return std::nullopt;
        lookups.push_back(o.lookup);
        if (lookups.size() > 1) return std::nullopt;
        service.handle(r, false);
        return http_reply{502, "<html>", {}};
    };
    CHECK(p.run());
    CHECK(lookups == std::vector<bool>{false, true});
    CHECK(p.state().counts()[outcome::already] == 1);
}

TEST_CASE(
    "coordinator: a 403 is cured by a fresh token, and one that is not stops the run with the rest pending") {
    const auto rows = onboarding(100, true);
    for (const bool curable : {true, false}) {
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        simulated_process p(rows, service, journal, {}, test_options(8), 1);
        p.interfere = [&](const order& o, const row&) -> std::optional<http_reply> {
            if (curable && o.generation > 1) return std::nullopt;
            return http_reply{403, R"({"message":"bad token"})", {}};
        };
        CHECK(p.run());
        const auto counts = journal.reopen().counts();
        CHECK(counts == p.state().counts());
        if (curable) {
            CHECK(counts[outcome::applied] == rows.size());
            CHECK(service.requests <= rows.size() + 8);
        } else {
            CHECK(p.state().stop_reason() == end_reason::not_authorised);
            CHECK(p.state().stop_message().find("bad token") != std::string::npos);
            CHECK(counts[outcome::pending] == rows.size());
            CHECK(service.requests <= 16);
        }
    }
}

TEST_CASE("coordinator: stopped, it lets what is in flight finish and withdraws the rest") {
    const auto rows = onboarding(60, false);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(4), 1);
    CHECK_FALSE(p.run(30));
    p.state().stop(end_reason::interrupted, "");
    CHECK(p.run());
    const auto counts = journal.reopen().counts();
    CHECK(counts == p.state().counts());
    CHECK(counts[outcome::in_doubt] == 0);
    CHECK(counts[outcome::applied] > 0);
    CHECK(counts[outcome::applied] + counts[outcome::pending] == rows.size());
    CHECK(p.state().in_flight() == 0);
}

TEST_CASE("coordinator: --stop-after-failures stops, by number and by share") {
    std::vector<owned_row> rows;
    for (std::size_t i = 0; i < 1000; ++i) rows.emplace_back(i, operation_id::enable, fmt::format("{}", i));
    for (const std::string limit : {"10", "50%"}) {
        simulated_service service;  // knows no token: every row fails
        simulated_journal journal(rows.size());
        auto o = test_options(4);
        o.stop_after = *parse_failure_limit(limit);
        simulated_process p(rows, service, journal, {}, o, 1);
        CHECK(p.run());
        CHECK(p.state().stop_reason() == end_reason::too_many_failures);
        const auto rejected = p.state().counts()[outcome::rejected];
        const std::uint64_t least = limit == "10" ? 10 : 100;
        CHECK(rejected >= least);
        CHECK(rejected <= least + 4);
        CHECK(p.state().counts()[outcome::pending] == rows.size() - rejected);
    }
}

TEST_CASE("coordinator: a redirect stops the run") {
    const auto rows = onboarding(10, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(), 1);
    p.interfere = [&](const order&, const row&) {
        return std::optional(http_reply{302, "", {{"location", "https://login"}}});
    };
    CHECK(p.run());
    CHECK(p.state().stop_reason() == end_reason::misdirected);
    CHECK(p.state().counts()[outcome::pending] == rows.size());
}

TEST_CASE("coordinator: an invalid row blocks the later rows of its token") {
    simulated_journal journal(2);
    journal_replay replay = journal.reopen();
    run_observer observer;
    coordinator c(test_options(), replay.counts(), journal, observer);
    row_view bad{.index = 0, .line = 2, .operation = operation_id::assign};
    bad.fields[static_cast<std::size_t>(field::token_serial)] = "1";
    c.admit_invalid(bad, {"userId", "is missing"}, row_state::untouched, {});
    const owned_row good(1, operation_id::enable, "1");
    c.admit(good.view(), row_state::untouched, {});
    c.end_of_job();
    CHECK(c.counts()[outcome::invalid] == 1);
    CHECK(c.counts()[outcome::blocked] == 1);
    CHECK_FALSE(c.done());  // the outcomes are not durable yet
    journal.begin_sync();
    c.durable(journal.end_sync(), {});
    CHECK(c.done());
}
