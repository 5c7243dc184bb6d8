// How far intents run ahead of the connections: as far as the journal's syncs take, and no further.
#include "engine/coordinator.hpp"
#include "tests/support/simulated_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace muster;
using namespace muster::test;

namespace {

struct measured_run {
    double seconds = 0;
    std::size_t most_in_doubt = 0;  ///< rows with an intent and no outcome, of the moments looked at
};

// What is durable at any moment is what a crash leaves.
measured_run run_with(std::chrono::milliseconds sync_takes, std::size_t tokens,
                      std::optional<double> max_rate = {}) {
    const auto rows = onboarding(tokens, false);
    auto service = service_for(rows);
    simulated_journal journal(rows.size());
    auto options = test_options(64);
    options.max_rate = max_rate;
    simulated_process p(rows, service, journal, {}, options, 1);
    p.sync_takes = sync_takes;
    measured_run found;
    p.watch = [&] {
        const auto counts = journal.replayed().counts();
        found.most_in_doubt = std::max<std::size_t>(found.most_in_doubt, counts[outcome::in_doubt]);
    };
    CHECK(p.run());
    CHECK(p.state().counts()[outcome::applied] == rows.size());
    found.seconds = std::chrono::duration<double>(p.elapsed()).count();
    return found;
}

}  // namespace

TEST_CASE("coordinator: a disk that takes 20 ms a sync, or 100, costs little, as more intents go into each") {
    const auto quick = run_with(1ms, 10'000);
    for (const auto sync_takes : {20ms, 100ms}) {
        CAPTURE(sync_takes.count());
        const auto slow = run_with(sync_takes, 10'000);
        CHECK(slow.seconds < quick.seconds * (sync_takes == 20ms ? 1.15 : 1.5));
        MESSAGE("20,000 rows: " << quick.seconds << " s, with " << sync_takes.count() << " ms a sync "
                                << slow.seconds << " s; at most " << slow.most_in_doubt << " rows in doubt");
    }
}

TEST_CASE(
    "coordinator: where the pace is slow, few rows are in doubt after a crash, however slow the disk is") {
    const auto paced = run_with(20ms, 500, 100);
    CHECK(paced.most_in_doubt <= 3 * 64);
}
