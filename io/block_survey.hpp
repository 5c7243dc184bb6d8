// The survey of a large CSV job by several threads, each of which reads blocks of whole records.
#pragma once

#include "io/survey.hpp"

#include <cstddef>
#include <optional>

namespace muster {

/// As survey_job(). Nothing where the job must be read in order: a record breaks a rule of CSV, so that
/// nobody knows where the next one begins or what is to be said of it, or the file cannot be read.
std::optional<survey> survey_in_blocks(const job_file& job, const row_mapper& mapper, std::size_t keep,
                                       unsigned threads, std::size_t block_bytes);

}  // namespace muster
