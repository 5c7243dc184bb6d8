// Joins a journal with its job file, row by row in the job's order: what the rows were and what became of
// them.
#pragma once

#include "engine/error.hpp"
#include "engine/outcome.hpp"
#include "io/report_format.hpp"

#include <cstdint>
#include <string>

namespace muster {

struct report_request {
    std::string journal;
    report_kind kind = report_kind::text;
    bool as_job = false;                     ///< in the job's own format; `kind` does not count then
    std::array<bool, outcome_count> only{};  ///< which outcomes; all false: every row
};

struct report_result {
    std::uint64_t rows = 0;      ///< written
    std::uint64_t left_out = 0;  ///< with as_job: rows so malformed that they cannot be written again
    column_options mapping;      ///< the flags that a job file needs to be read alike
};

/// Writes to the descriptor. Fails: as read_journal() and open_job_of(); journal_damaged; storage.
result<report_result> write_report(const report_request& request, int fd, const std::string& name);

}  // namespace muster
