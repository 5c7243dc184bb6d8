// Whole runs in virtual time: the real coordinator with its scheduler, retry policy, rate controller and
// concurrency window, against a limit behind a network. Nothing is measured by a clock: the same seed gives
// the same run.
#pragma once

#include "engine/coordinator.hpp"
#include "tests/sim/limiter_models.hpp"

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace muster::sim {

/// How a refusal tells when to come back.
enum class hint { none, retry_after, retry_date, reset_delta, reset_epoch, reset_epoch_ms };

/// The way to the service and back, and the hosts at this end of it. Every request takes `latency` in all,
/// most of it in the service, each a little different.
struct network {
    seconds latency = 0.01;
    double jitter = 0.1;   ///< standard deviation, as a share of the latency
    double stalls = 0;     ///< a second, of each process's host: it sees and does nothing for a while
    seconds stall = 0.01;  ///< how long such a one takes, on average
};

/// Something that happens to the service at a moment of the run.
struct incident {
    seconds at;
    std::function<void(seconds now)> what;
};

struct scenario {
    std::string name;
    seconds duration = 60;
    unsigned concurrency = 64;
    unsigned processes = 1;
    double max_share = 100;
    hint told = hint::none;
    double other_traffic = 0;  ///< requests a second of others on the same limit
};

struct tally {
    std::uint64_t requests = 0;
    std::uint64_t accepted = 0;
    std::uint64_t throttled = 0;
};

struct run_result {
    std::vector<tally> processes;
    std::vector<tally> by_second;  ///< all processes together
    std::uint64_t rows = 0;        ///< that were begun
    std::uint64_t lost = 0;        ///< of them, not applied a day later
    std::uint64_t overtaken = 0;   ///< the most requests let through while one that had been refused was not

    [[nodiscard]] tally total(std::size_t from = 0, std::size_t to = ~std::size_t{0}) const;
};

run_result simulate(const scenario& s, limiter& limit, const network& net, std::vector<incident> incidents,
                    std::uint64_t seed, bool trace = false);

}  // namespace muster::sim
