#include "cli/job_options.hpp"

#include <fmt/format.h>

namespace muster {

void job_options::declare(command& flags) {
    flags.argument("JOB", path, "The job file, CSV or JSONL; - reads standard input");
    flags.value("--format", format, "FORMAT", "csv or jsonl, where the file's name does not say it",
                {"csv", "jsonl"});
    flags.values("--map", map, "FIELD=COLUMN",
                 "The field stands in a column of another name; can be repeated");
    flags.value("--operation", operation, "NAME",
                "What to do with every row of a file without an operation column: assign, enable, disable or "
                "enable-ds100");
}

result<column_options> job_options::columns() const {
    column_options out{.map = {}, .operation = operation};
    for (const auto& entry : map) {
        const auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0)
            return error(errc::usage, fmt::format("--map {}: must be FIELD=COLUMN", entry));
        out.map[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return out;
}

std::optional<job_format> job_options::file_format() const {
    if (format == "csv") return job_format::csv;
    if (format == "jsonl") return job_format::jsonl;
    return std::nullopt;
}

std::string_view name_of(job_format f) noexcept {
    return f == job_format::csv ? "csv" : "jsonl";
}

}  // namespace muster
