// The job file that a journal belongs to.
#pragma once

#include "engine/journal/record.hpp"
#include "io/job_file.hpp"

namespace muster {

/// Opens it and checks that it is the same, byte for byte. Fails: bad_job (it is gone), job_changed.
result<job_file> open_job_of(const journal_header& header, const std::string& journal_path);

}  // namespace muster
