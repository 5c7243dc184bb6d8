// The flags that say how a job file is to be read, shared by plan and run.
#pragma once

#include "cli/command_line.hpp"
#include "engine/job.hpp"
#include "io/job_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace muster {

struct job_options {
    std::string path;
    std::string format;
    std::vector<std::string> map;
    std::string operation;

    /// Declares JOB, --format, --map and --operation.
    void declare(command& flags);
    /// Fails (usage) on a --map that is not FIELD=COLUMN.
    [[nodiscard]] result<column_options> columns() const;
    [[nodiscard]] std::optional<job_format> file_format() const;
};

std::string_view name_of(job_format f) noexcept;

}  // namespace muster
