// What can be said of the rows of a damaged journal, in which any record may be missing. The records that are
// left tell of their own row, and, by the order of the rows of one token, of others: a row is sent only when
// every earlier row of its token has succeeded and that is durable. So a row that was sent proves that those
// before it succeeded, and a row that has not succeeded proves that those behind it were never sent. Of the
// rest nothing is known: the service is asked.
#pragma once

#include "engine/job.hpp"
#include "engine/journal/replay.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace muster {

/// A row as far as the order of the rows matters.
struct line_member {
    subject_key subject;
    operation_id operation = operation_id::assign;
    bool valid = false;  ///< false: it breaks a rule and is never sent
};

enum class fate : std::uint8_t {
    keep,       ///< its outcome is recorded, and nothing that is lost can have changed it
    unsent,     ///< never sent
    succeeded,  ///< its record is lost, and a later row of its token was sent: it had succeeded
    ask,        ///< in doubt: to be looked up, and sent if it was not applied
    hold  ///< in doubt: to be looked up, and not sent, since a later row that undoes it may have been applied
};

/// One fate for each row. `rows` are all rows of the job, in order; `replay` was told of each gap.
std::vector<fate> judge_rows(const journal_replay& replay, std::span<const line_member> rows);

}  // namespace muster
