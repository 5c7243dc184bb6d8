// Exit codes: scripts depend on them.
#pragma once

#include "engine/error.hpp"
#include "engine/journal/record.hpp"

#include <optional>

namespace muster {

enum class exit_code : int {
    done = 0,        ///< every row applied or already
    incomplete = 1,  ///< finished, but some rows are not
    usage = 2,       ///< usage error, bad job or credentials file; nothing was sent
    journal = 3,     ///< the journal is damaged, or belongs to another job
    stopped = 4,     ///< stopped early; can be resumed
    interrupted = 130,
    terminated = 143
};

exit_code exit_code_of(const error& e) noexcept;

/// Of a process that ended in good order. `reason`: why it stopped early, if it did; `signal`: by which
/// signal.
exit_code exit_code_of(const outcome_counts& counts, std::optional<end_reason> reason, int signal) noexcept;

}  // namespace muster
