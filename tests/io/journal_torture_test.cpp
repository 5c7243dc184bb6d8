// Whole simulated runs whose journal is the real one, on a disk that fails: at every call of a run the
// process dies, the power fails, or the call does. What must hold whatever happens is checked at each
// restart.
#include "tests/support/journal_world.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>

using namespace muster;
using namespace muster::test;

namespace {

struct variant {
    fault what;
    end_of_process after;
    const char* name;
};
constexpr std::array variants{
    variant{fault::dies_before, end_of_process::power_failed, "power fails before the call"},
    variant{fault::dies_after, end_of_process::power_failed, "power fails behind the call"},
    variant{fault::dies_before, end_of_process::killed, "killed before the call"},
    variant{fault::dies_after, end_of_process::killed, "killed behind the call"},
    variant{fault::eio, end_of_process::killed, "EIO"},
    variant{fault::eio, end_of_process::killed_and_evicted, "EIO, and the pages are evicted"},
    variant{fault::eio, end_of_process::power_failed, "EIO, then the power fails"},
    variant{fault::enospc, end_of_process::killed, "ENOSPC"},
    variant{fault::eintr, end_of_process::killed, "EINTR"},
    variant{fault::short_write, end_of_process::killed, "a short write"},
    variant{fault::short_then_full, end_of_process::power_failed, "a short write, then ENOSPC and no power"},
};

constexpr fault_shares some_faults{.server_error = 2,
                                   .server_error_after = 2,
                                   .lost_request = 2,
                                   .lost_reply = 2,
                                   .garbage = 1,
                                   .throttle = 0};

// The job from its start, with this fault at call number `at`. False when the run was over before that.
bool tortured(const std::vector<owned_row>& rows, unsigned concurrency, const variant& v, std::size_t at,
              std::uint64_t seed, bool without_tmpfile = false) {
    world w(rows, concurrency, seed);
    w.disk.without_tmpfile = without_tmpfile;
    w.disk.plan(v.what, at);
    bool done = w.live(some_faults);
    const bool happened = w.disk.happened();
    while (!done && w.processes < 20) {
        w.end(w.processes == 1      ? v.after
              : w.random() % 2 == 0 ? end_of_process::killed
                                    : end_of_process::power_failed);
        // The process that cleans up behind the first may fare no better.
        if (w.processes < 3) w.disk.plan(variants[w.random() % variants.size()].what, w.random() % 40);
        done = w.live(some_faults);
    }
    CHECK(done);
    w.check_end();
    return happened;
}

}  // namespace

namespace {

std::size_t calls_of(const std::vector<owned_row>& rows, unsigned concurrency, std::uint64_t seed) {
    world w(rows, concurrency, seed);
    CHECK(w.live(some_faults));
    w.check_end();
    return w.disk.calls();
}

double seconds_since(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

TEST_CASE(
    "journal torture: whatever happens at any call of a run, no outcome is lost and nothing done twice" *
    doctest::test_suite("long")) {
    const auto began = std::chrono::steady_clock::now();
    const auto rows = job_of(60);
    std::size_t cases = 0, calls = 0;
    for (const std::uint64_t seed : {1, 2, 3}) {
        calls = calls_of(rows, 16, seed);
        for (const auto& v : variants)
            for (std::size_t at = 0; at < calls; ++at) {
                CAPTURE(v.name);
                CAPTURE(seed);
                CAPTURE(at);
                cases +=
                    tortured(rows, 16, v, at, seed);  // a short write is no case where nothing is written
            }
    }
    MESSAGE(rows.size() << " rows, " << calls << " calls a run; cases tried: " << cases << " in "
                        << seconds_since(began) << " s");
    CHECK(cases > 1000);
}

TEST_CASE("journal torture: torn at every byte of every write, the journal goes on from what was promised" *
          doctest::test_suite("long")) {
    const auto began = std::chrono::steady_clock::now();
    const auto rows = job_of(14);
    const std::size_t calls = calls_of(rows, 4, 3);
    std::size_t cases = 0;
    for (std::size_t at = 0; at < calls; ++at)
        for (std::size_t kept = 0, under_way = 0; kept <= under_way; ++kept, ++cases) {
            CAPTURE(at);
            CAPTURE(kept);
            world w(rows, 4, 3);
            w.disk.plan(fault::dies_after, at);
            CHECK_FALSE(w.live(some_faults));
            under_way = w.disk.under_way(journal_path);
            w.disk.process_ends();
            w.journal.close();
            w.disk.power_fails(kept, true);
            CHECK(w.live(some_faults));
            w.check_end();
        }
    MESSAGE(rows.size() << " rows; torn writes tried: " << cases << " in " << seconds_since(began) << " s");
    CHECK(cases > 1000);
}

TEST_CASE(
    "journal torture: where a file cannot be made before it has a name, nothing is sent either before it is "
    "whole") {
    const auto rows = job_of(6);
    std::size_t cases = 0;
    for (const auto& v : variants)
        for (std::size_t at = 0; at < 12; ++at) {
            CAPTURE(v.name);
            CAPTURE(at);
            cases += tortured(rows, 4, v, at, 5, true);
        }
    MESSAGE("cases tried: " << cases);
}
