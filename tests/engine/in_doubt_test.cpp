// What became of an assignment that brought no reply: Muster asks the service and tells the truth, however
// the reply came to be missing and whatever happened meanwhile.
#include "tests/support/simulated_process.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace muster::test;

namespace {

enum class missing { reply_lost, stalled, killed };
enum class found { ours, anothers, nobodys };

const std::string serial = "000000000000";

// One token to be assigned to user A and then enabled; what was asked about the assignment is noted.
struct doubtful_job {
    std::vector<owned_row> rows = onboarding(1, true);
    simulated_service service = service_for(rows);
    simulated_journal journal{rows.size()};
    std::string asked;  // "a" for an assignment that was sent, "?" for a look-up

    simulated_service::token& token() { return service.tokens.at(serial); }

    /// Notes what is asked; `first` is called once, when the first assignment is sent, and says what comes of
    /// it.
    void watch(simulated_process& p, std::function<std::optional<transport_failure>(const row&)> first) {
        p.lose = [this, first](const order& o, const row& r) -> std::optional<transport_failure> {
            if (!o.lookup && r.operation() != operation_id::assign) return std::nullopt;
            asked += o.lookup ? '?' : 'a';
            return asked == "a" && first ? first(r) : std::nullopt;
        };
    }
    void happens(found f, const row& r) {
        if (f == found::ours) service.handle(r, false);
        if (f == found::anothers) token().user = user_b;
    }
    outcome_counts counts() { return journal.reopen().counts(); }
    bool journal_says(const std::string& text) { return journal.bytes().find(text) != std::string::npos; }
};

transport_failure without_reply(missing m) {
    return {.maybe_received = true,
            .timed_out = m == missing::stalled,
            .message = m == missing::stalled ? "no reply within 30 s" : "connection reset"};
}

void check_truth(doubtful_job& job, found f) {
    const auto counts = job.counts();
    switch (f) {
        case found::ours:
            CHECK(job.asked == "a?");
            CHECK(counts[outcome::already] == 1);
            CHECK(counts[outcome::applied] == 1);
            break;
        case found::anothers:
            CHECK(job.asked == "a?");
            CHECK(counts[outcome::rejected] == 1);
            CHECK(counts[outcome::blocked] == 1);
            CHECK(job.journal_says("assigned to another user (" + user_b + ")"));
            CHECK(job.token().user == user_b);
            CHECK_FALSE(job.token().enabled);
            return;
        case found::nobodys:
            CHECK(job.asked == "a?a");
            CHECK(counts[outcome::applied] == 2);
            break;
    }
    CHECK(job.token().user == user_a);
    CHECK(job.token().assigned_times == 1);
    CHECK(job.token().enabled);
}

}  // namespace

TEST_CASE(
    "in doubt: an assignment without a reply is asked about, and already, rejected or sent again in truth") {
    for (const missing m : {missing::reply_lost, missing::stalled})
        for (const found f : {found::ours, found::anothers, found::nobodys}) {
            CAPTURE(static_cast<int>(m));
            CAPTURE(static_cast<int>(f));
            doubtful_job job;
            simulated_process p(job.rows, job.service, job.journal, {}, test_options(), 1);
            job.watch(p, [&](const row& r) {
                job.happens(f, r);
                return std::optional(without_reply(m));
            });
            CHECK(p.run());
            check_truth(job, f);
        }
}

TEST_CASE(
    "in doubt: an assignment in flight when muster is killed is asked about by resume, and told in truth") {
    for (const found f : {found::ours, found::anothers, found::nobodys})
        for (const std::size_t reached_disk : {0, 1, 7, 1000}) {
            CAPTURE(static_cast<int>(f));
            CAPTURE(reached_disk);
            doubtful_job job;
            {
                simulated_process p(job.rows, job.service, job.journal, {}, test_options(), 1);
                job.watch(p, [&](const row& r) {
                    job.happens(f, r);
                    return std::optional(without_reply(missing::killed));
                });
                while (job.asked.empty()) REQUIRE_FALSE(p.run(1));
            }
            job.journal.crash(reached_disk);
            CHECK(job.counts()[outcome::in_doubt] == 1);
            simulated_process p(job.rows, job.service, job.journal, {}, test_options(), 2);
            job.watch(p, {});
            CHECK(p.run());
            check_truth(job, f);
        }
}

TEST_CASE(
    "in doubt: an assignment that was given up and is applied after all, is found when it is sent again") {
    doubtful_job job;
    simulated_process p(job.rows, job.service, job.journal, {}, test_options(), 1);
    job.watch(p, [&](const row&) { return std::optional(without_reply(missing::stalled)); });
    p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
        if (!o.lookup && job.asked == "a?") job.service.handle(r, false);  // the stalled one gets there first
        return std::nullopt;
    };
    CHECK(p.run());
    CHECK(job.asked == "a?a?");
    CHECK(job.counts()[outcome::already] == 1);
    CHECK(job.counts()[outcome::applied] == 1);
    CHECK(job.token().assigned_times == 1);
}

TEST_CASE(
    "in doubt: a token that another user gets after it was asked about is rejected in the service's words") {
    doubtful_job job;
    simulated_process p(job.rows, job.service, job.journal, {}, test_options(), 1);
    job.watch(p, [&](const row&) { return std::optional(without_reply(missing::reply_lost)); });
    p.interfere = [&](const order& o, const row&) -> std::optional<http_reply> {
        if (!o.lookup && job.asked == "a?") job.token().user = user_b;
        return std::nullopt;
    };
    CHECK(p.run());
    CHECK(job.asked == "a?a?");
    CHECK(job.counts()[outcome::rejected] == 1);
    CHECK(job.counts()[outcome::blocked] == 1);
    CHECK(job.journal_says("already assigned"));
    CHECK(job.token().user == user_b);
}

TEST_CASE("in doubt: a doubt that no session could clear up is told in truth by the first one that can") {
    for (const found f : {found::ours, found::anothers, found::nobodys}) {
        CAPTURE(static_cast<int>(f));
        doubtful_job job;
        for (std::uint64_t session = 1; session <= 3; ++session) {
            simulated_process p(job.rows, job.service, job.journal, {}, test_options(4, 2), session);
            p.lose = [&](const order& o, const row& r) -> std::optional<transport_failure> {
                if (!o.lookup && r.operation() == operation_id::assign) {
                    CHECK(job.asked.empty());
                    job.asked = "a";
                }
                return without_reply(missing::reply_lost);
            };
            CHECK(p.run());
            CHECK(job.counts()[outcome::in_doubt] == 1);
            CHECK(job.counts()[outcome::blocked] == 1);
        }
        job.happens(f, job.rows.front().what);
        simulated_process p(job.rows, job.service, job.journal, {}, test_options(), 9);
        job.watch(p, {});
        CHECK(p.run());
        check_truth(job, f);
    }
}
