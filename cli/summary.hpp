// How a run or a journal stands, for people and for scripts: counts per outcome, what was sent, what to do
// next.
#pragma once

#include "engine/coordinator.hpp"
#include "engine/journal/record.hpp"

#include <optional>
#include <string>

namespace muster {

struct run_summary {
    std::string job;      ///< as the user named it
    std::string journal;  ///< path, for the commands that are suggested
    std::uint64_t rows = 0;
    outcome_counts counts;
    run_statistics statistics;  ///< of this process
    double seconds = 0;
    std::optional<learnt_limit> limit;  ///< of the service, where it was met
    std::optional<double> limit_used;   ///< share of it that was used since then
    std::optional<end_reason> stopped;
    std::string stop_message;
};

/// "not authorised", "interrupted" …
std::string_view words_for(end_reason r) noexcept;

/// "about 500 requests a second", "100 requests in 60 s", "8 requests at once".
std::string words_for(const learnt_limit& l);

/// The counts, a line each, with what they mean where that needs saying.
std::string counts_text(const outcome_counts& counts);
/// What the person should do now: commands with the journal's name; empty when all is done.
std::string next_steps(const run_summary& s);
std::string summary_text(const run_summary& s);

/// The contract's object, on one line.
std::string summary_json(const run_summary& s);

/// With --output json: the last line where nothing was run.
std::string error_json(const std::string& message, int exit_code);

}  // namespace muster
