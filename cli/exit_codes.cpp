#include "cli/exit_codes.hpp"

#include <csignal>

namespace muster {

exit_code exit_code_of(const error& e) noexcept {
    if (e.is(errc::journal_damaged) || e.is(errc::job_changed)) return exit_code::journal;
    if (e.is(errc::not_authorised) || e.is(errc::untrusted_server) || e.is(errc::unreachable) ||
        e.is(errc::storage))
        return exit_code::stopped;
    return exit_code::usage;
}

exit_code exit_code_of(const outcome_counts& counts, std::optional<end_reason> reason, int signal) noexcept {
    if (reason == end_reason::interrupted)
        return signal == SIGINT ? exit_code::interrupted : exit_code::terminated;
    if (reason == end_reason::job_changed) return exit_code::journal;
    if (reason) return exit_code::stopped;
    for (const outcome o : {outcome::rejected, outcome::blocked, outcome::exhausted, outcome::in_doubt,
                            outcome::invalid, outcome::pending})
        if (counts[o] > 0) return exit_code::incomplete;
    return exit_code::done;
}

}  // namespace muster
