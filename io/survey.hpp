// The look at a whole job before anything is sent: one pass that checks every row, counts, and hashes.
#pragma once

#include "engine/plan.hpp"
#include "io/job_file.hpp"

#include <string>
#include <utility>
#include <vector>

namespace muster {

struct survey {
    plan of;
    job_identity identity;
    std::vector<std::string> columns;
    /// Columns that look like a misspelt field, and the field.
    std::vector<std::pair<std::string, std::string>> suspicious;
};

/// Reads the job to its end. Fails (bad_job, "FILE:LINE: …") where the file as a whole cannot be a job; rows
/// that break a rule are in the plan. `keep`: how many of them are listed.
result<survey> survey_job(const job_file& job, row_mapper mapper, std::size_t keep);

}  // namespace muster
