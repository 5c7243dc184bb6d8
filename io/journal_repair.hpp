// Mends a damaged journal so that its run can go on: what is recorded beyond doubt is kept, what follows from
// the order of the rows is filled in, and every other row is put in doubt, so that resume asks the service
// about it before anything is sent. The damaged file stays beside the new one.
#pragma once

#include "engine/outcome.hpp"
#include "io/journal_reader.hpp"

#include <cstdint>
#include <string>

namespace muster {

/// What a repair did with the rows of the job.
struct repair_result {
    bool was_sound = false;  ///< nothing was done
    std::string original;    ///< where the damaged journal is kept
    std::uint64_t kept = 0;
    std::uint64_t inferred = 0;  ///< had succeeded, since a later row of the same token was sent
    std::uint64_t unsent = 0;
    std::uint64_t asked = 0;  ///< in doubt
    std::uint64_t held = 0;   ///< in doubt, and not sent again where the service does not tell what was
};

/// `now` is the time given to outcomes that are filled in. Fails: as read_journal() and open_job_of();
/// journal_busy; journal_damaged where the header is; storage, and then the journal is as it was.
result<repair_result> repair_journal(const std::string& path, wall_time now,
                                     storage& disk = system_storage());

}  // namespace muster
