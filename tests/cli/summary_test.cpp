#include "cli/summary.hpp"

#include "cli/exit_codes.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <csignal>

using namespace muster;

namespace {

run_summary sample() {
    run_summary s{.job = "job.csv",
                  .journal = "my job.csv.journal",
                  .rows = 10,
                  .counts = {},
                  .statistics = {12, 2, 1},
                  .seconds = 1.5,
                  .stopped = {},
                  .stop_message = {}};
    s.counts[outcome::applied] = 8;
    s.counts[outcome::rejected] = 1;
    s.counts[outcome::blocked] = 1;
    return s;
}

}  // namespace

TEST_CASE("summary: the JSON object is the contract's") {
    simdjson::dom::parser parser;
    auto s = sample();
    s.stopped = end_reason::not_authorised;
    s.stop_message = "a \"quoted\" reason";
    const auto json = summary_json(s);
    CHECK(json.find('\n') == std::string::npos);
    const auto o = parser.parse(json);
    std::uint64_t sum = 0, names = 0;
    for (const auto& [name, value] : simdjson::dom::object(o["outcomes"])) {
        sum += std::uint64_t(value);
        ++names;
        CHECK(find_outcome(name));
    }
    CHECK(names == outcome_count);
    CHECK(sum == std::uint64_t(o["rows"]));
    CHECK(std::uint64_t(o["requests"]) == 12);
    CHECK(std::uint64_t(o["retries"]) == 2);
    CHECK(std::uint64_t(o["throttled"]) == 1);
    CHECK(double(o["seconds"]) == 1.5);
    CHECK(std::string_view(o["journal"]) == "my job.csv.journal");
    CHECK(std::string_view(o["stopped"]) == "notAuthorised");
}

TEST_CASE("summary: next steps are said only where there is something to do") {
    auto s = sample();
    CHECK(next_steps(s).find("resume") == std::string::npos);
    CHECK(next_steps(s).find("muster report 'my job.csv.journal' --only rejected,blocked") !=
          std::string::npos);
    s.counts[outcome::pending] = 1;
    CHECK(next_steps(s).find("muster resume 'my job.csv.journal'") != std::string::npos);
    s.counts = {};
    s.counts[outcome::applied] = 10;
    CHECK(next_steps(s).empty());
}

TEST_CASE("exit codes: what ended the process decides") {
    outcome_counts all;
    all[outcome::applied] = 3;
    all[outcome::already] = 1;
    CHECK(exit_code_of(all, {}, 0) == exit_code::done);
    for (const outcome o : {outcome::rejected, outcome::blocked, outcome::exhausted, outcome::in_doubt,
                            outcome::invalid, outcome::pending}) {
        auto some = all;
        some[o] = 1;
        CHECK(exit_code_of(some, {}, 0) == exit_code::incomplete);
    }
    CHECK(exit_code_of(all, end_reason::interrupted, SIGINT) == exit_code::interrupted);
    CHECK(exit_code_of(all, end_reason::interrupted, SIGTERM) == exit_code::terminated);
    CHECK(exit_code_of(all, end_reason::not_authorised, 0) == exit_code::stopped);
    CHECK(exit_code_of(all, end_reason::job_changed, 0) == exit_code::journal);
    CHECK(exit_code_of(error(errc::bad_job, "")) == exit_code::usage);
    CHECK(exit_code_of(error(errc::journal_damaged, "")) == exit_code::journal);
    CHECK(exit_code_of(error(errc::storage, "")) == exit_code::stopped);
}
