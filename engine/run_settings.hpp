// The flags of a run, as the journal remembers them for `resume`. No secret is among them.
#pragma once

#include "engine/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace muster {

/// When to give up a whole run because too many rows fail; both absent: never.
struct failure_limit {
    std::optional<std::uint64_t> rows;  ///< this many rejected, exhausted or in-doubt rows
    std::optional<double> percent;      ///< this share of the finished rows, judged from 100 on
};

/// Reads "25" or "2.5%". Fails (usage).
result<failure_limit> parse_failure_limit(const std::string& text);
std::string to_text(const failure_limit& limit);

struct run_settings {
    std::string credentials;  ///< path of the key file, absolute
    std::string base_url;
    std::string ca_file;  ///< absolute
    std::string proxy;    ///< without user and password
    unsigned concurrency = 32;
    std::optional<double> max_rate;  ///< requests a second
    double max_share = 100;          ///< percent of the service's limit
    unsigned max_attempts = 6;
    std::string stop_after_failures;  ///< as parse_failure_limit() reads it; empty: never
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds request_timeout{30'000};
    std::chrono::milliseconds outage_timeout{
        300'000};  ///< how long to wait for a service that was there before
    bool skip_invalid = false;
    std::string output = "text";
    std::string log_format = "text";
    bool progress = true;
};

}  // namespace muster
