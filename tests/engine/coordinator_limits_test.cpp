// Refusals that may pass: 429, quota messages under 403, and 503 with a time to come back.
#include "engine/coordinator.hpp"
#include "tests/support/simulated_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace muster;
using namespace muster::test;

namespace {

const http_reply quota_refusal{403, R"({"message":"The quota of this group is used up"})", {}};
const http_reply come_back_later{503, R"({"message":"busy"})", {{"retry-after", "2"}}};
constexpr std::size_t soon = 20'000;  // events: a run that goes round in circles is cut off by it

}  // namespace

TEST_CASE(
    "coordinator: a 503 that says when to come back parks the run, and leaves the row in doubt until then") {
    const auto rows = onboarding(1, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(2, 6), 1);
    int refusals = 5;
    p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
        if (refusals == 5) service.handle(r, o.lookup);
        if (refusals-- > 0) return come_back_later;
        return std::nullopt;
    };
    CHECK(p.run());
    CHECK(p.state().counts()[outcome::already] == 1);
    CHECK(p.state().counts()[outcome::applied] == 1);
    CHECK(p.state().statistics().throttled == 5);
    CHECK(p.state().statistics().retries == 0);
    CHECK(service.each_changed_once());
}

TEST_CASE("coordinator: a 403 about one row that speaks of a quota for ever rejects that row, not the run") {
    const auto rows = onboarding(40, false);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(8, 6), 1);
    unsigned refusals = 0;
    p.interfere = [&](const order&, const row& r) -> std::optional<http_reply> {
        if (r.index() != 3) return std::nullopt;
        ++refusals;
        return quota_refusal;
    };
    REQUIRE(p.run(soon));
    CHECK_FALSE(p.state().stop_reason());
    CHECK(refusals == 6);
    const auto& counts = p.state().counts();
    CHECK(counts[outcome::rejected] == 1);
    CHECK(counts[outcome::blocked] == 1);  // the same token's other row
    CHECK(counts[outcome::applied] == rows.size() - 2);
    const auto refused = journal.outcomes().at(3);
    CHECK(refused.result == outcome::rejected);
    CHECK(refused.status == 403);
    CHECK(refused.message == "The quota of this group is used up");
}

TEST_CASE("coordinator: a row that may have been applied is asked about before a 403 rejects it") {
    for (const bool applied : {false, true}) {
        CAPTURE(applied);
        const auto rows = onboarding(1, true);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        simulated_process p(rows, service, journal, {}, test_options(2, 4), 1);
        unsigned sent = 0;
        p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
            if (o.lookup || r.operation() != operation_id::enable) return std::nullopt;
            if (++sent > 1) return quota_refusal;
            if (applied) service.handle(r, false);
            return http_reply{500, "", {}};
        };
        REQUIRE(p.run(soon));
        CHECK(p.state().counts()[applied ? outcome::already : outcome::rejected] == 1);
        CHECK(p.state().counts()[outcome::applied] == 1);
    }
}

TEST_CASE("coordinator: a look-up that a quota forbids for ever leaves its row in doubt") {
    const auto rows = onboarding(4, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(4, 6), 1);
    p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
        if (r.index() != 2) return std::nullopt;
        if (o.lookup) return quota_refusal;
        return http_reply{502, "", {}};
    };
    REQUIRE(p.run(soon));
    CHECK_FALSE(p.state().stop_reason());
    CHECK(p.state().counts()[outcome::in_doubt] == 1);
    CHECK(p.state().counts()[outcome::blocked] == 1);
    CHECK(p.state().counts()[outcome::applied] == rows.size() - 2);
    CHECK(journal.outcomes().at(2).message.find("quota of this group") != std::string::npos);
}

TEST_CASE(
    "coordinator: a 503 with Retry-After for ever on one row ends as any failure, and holds up no other") {
    enum class case_of { not_applied, applied, not_even_told };
    for (const auto how : {case_of::not_applied, case_of::applied, case_of::not_even_told}) {
        for (const std::uint64_t row_index : {std::uint64_t{3}, std::uint64_t{43}}) {  // an assign, an enable
            CAPTURE(static_cast<int>(how));
            CAPTURE(row_index);
            const auto rows = onboarding(40, false);
            auto service = service_for(rows);
            simulated_journal journal(rows.size());
            simulated_process p(rows, service, journal, {}, test_options(8, 6), 1);
            p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
                // A look-up is told by its token: it looks the same for each of its rows.
                if (o.lookup ? r.subject() != rows[row_index].what.subject() : r.index() != row_index)
                    return std::nullopt;
                if (o.lookup && how != case_of::not_even_told) return std::nullopt;
                if (how == case_of::applied) service.handle(r, false);
                return come_back_later;
            };
            REQUIRE(p.run(soon));
            CHECK_FALSE(p.state().stop_reason());
            const outcome ends = how == case_of::not_applied ? outcome::exhausted
                                 : how == case_of::applied   ? outcome::already
                                                             : outcome::in_doubt;
            const auto& counts = p.state().counts();
            const bool blocks = !succeeded(ends) && row_index == 3;
            CHECK(counts[ends] == 1);
            CHECK(counts[outcome::blocked] == (blocks ? 1 : 0));
            CHECK(counts[outcome::applied] == rows.size() - (blocks ? 2 : 1));
            const auto ended = journal.outcomes().at(row_index);
            CHECK(ended.result == ends);
            if (!succeeded(ends)) CHECK(ended.message.find("HTTP 503: busy") == 0);
        }
    }
}

TEST_CASE("coordinator: a service that limits by 403 is waited for, and costs no row anything") {
    const auto rows = onboarding(40, false);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(8, 6), 1);
    int refusals = 60;
    p.interfere = [&](const order&, const row&) -> std::optional<http_reply> {
        if (refusals-- > 0) return quota_refusal;
        return std::nullopt;
    };
    REQUIRE(p.run(soon));
    CHECK(p.state().counts()[outcome::applied] == rows.size());
    CHECK(p.state().statistics().throttled == 60);
}

TEST_CASE("coordinator: a row that is refused without a 429 lets the others go first") {
    const auto rows = onboarding(40, false);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(1, 6), 1);
    std::vector<std::uint64_t> sent;
    p.interfere = [&](const order&, const row& r) -> std::optional<http_reply> {
        sent.push_back(r.index());
        if (r.index() != 0) return std::nullopt;
        return quota_refusal;
    };
    REQUIRE(p.run(soon));
    CHECK(std::ranges::count(sent, std::uint64_t{0}) == 6);
    CHECK(std::ranges::adjacent_find(sent, [](auto a, auto b) { return a == 0 && b == 0; }) == sent.end());
}

TEST_CASE("coordinator: being throttled uses up no attempt and parks the run") {
    const auto rows = onboarding(5, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    simulated_process p(rows, service, journal, {}, test_options(4, 2), 1);
    int refusals = 40;
    p.interfere = [&](const order&, const row&) -> std::optional<http_reply> {
        if (refusals-- > 0) return http_reply{429, "", {{"retry-after", "2"}}};
        return std::nullopt;
    };
    CHECK(p.run());
    CHECK(p.state().counts()[outcome::applied] == rows.size());
    CHECK(p.state().statistics().throttled == 40);
    CHECK(p.state().statistics().retries == 0);
}

TEST_CASE("coordinator: hundreds of 429 use up no attempt, and do not count with refusals of another kind") {
    for (const bool mixed : {false, true}) {
        CAPTURE(mixed);
        const auto rows = onboarding(5, true);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        simulated_process p(rows, service, journal, {}, test_options(4, 2), 1);
        unsigned refusals = 0;
        p.interfere = [&](const order&, const row& r) -> std::optional<http_reply> {
            if (r.index() != 4 || refusals == 500) return std::nullopt;
            if (++refusals == 100 && mixed) return quota_refusal;
            return http_reply{429, "", {{"retry-after", "1"}}};
        };
        REQUIRE(p.run(soon));
        CHECK(refusals == 500);
        CHECK(p.state().counts()[outcome::applied] == rows.size());
        CHECK(p.state().statistics().throttled == 500);
        CHECK(p.state().statistics().retries == 0);
        CHECK(journal.outcomes().at(4).attempts == 1);
    }
}

TEST_CASE("coordinator: of a limit on requests at once that is known a share is used") {
    const auto rows = onboarding(2000, true);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    auto options = test_options(16, 6);
    options.max_share = 60;
    options.remembered = learnt_limit{.rate = 0, .burst = 0, .cycle = 0, .company = 8};
    simulated_process p(rows, service, journal, {}, options, 1);
    std::vector<std::size_t> company;
    p.interfere = [&](const order& o, const row&) -> std::optional<http_reply> {
        company.push_back(o.company);
        if (o.company > 8) return http_reply{429, "", {}};
        return std::nullopt;
    };
    REQUIRE(p.run());
    CHECK(p.state().counts()[outcome::applied] == rows.size());
    const auto later = company.begin() + static_cast<std::ptrdiff_t>(company.size() / 2);
    CHECK(*std::max_element(company.begin(), later) >= 8);  // it was known only when it had held
    CHECK(*std::max_element(later, company.end()) == 4);
}

TEST_CASE("coordinator: each wait for a window is told, and none that the run does not sit out") {
    for (const std::size_t tokens : {150U, 175U, 200U, 225U, 250U, 300U}) {
        CAPTURE(tokens);
        const auto rows = onboarding(tokens, true);
        auto service = service_for(rows);
        simulated_journal journal(rows.size());
        simulated_process p(rows, service, journal, {}, test_options(8, 6), 1);
        std::chrono::minutes window{-1};
        int let_through = 0;
        p.interfere = [&](const order&, const row&) -> std::optional<http_reply> {
            const auto now = std::chrono::floor<std::chrono::minutes>(p.elapsed());
            if (now != window) let_through = 0;
            window = now;
            if (++let_through > 50) return http_reply{429, "", {}};
            return std::nullopt;
        };
        std::chrono::nanoseconds waited_for{}, last_end{};
        p.told_of_wait = [&](std::chrono::milliseconds wait) {
            last_end = p.elapsed() + wait;
            waited_for += wait;
        };
        REQUIRE(p.run());
        CHECK(last_end < p.elapsed() + 5s);
        CHECK(waited_for > 0.7 * p.elapsed());
    }
}
