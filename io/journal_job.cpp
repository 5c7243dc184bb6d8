#include "io/journal_job.hpp"

#include <fmt/format.h>

namespace muster {

result<job_file> open_job_of(const journal_header& header, const std::string& journal_path) {
    auto job =
        job_file::open(header.job_path, header.job_format == "csv" ? job_format::csv : job_format::jsonl);
    if (!job)
        return error(errc::job_changed, fmt::format("{}; {} belongs to it: put it back as it was",
                                                    job.error().message, journal_path));
    const auto changed = [&](std::string_view how) {
        return error(errc::job_changed,
                     fmt::format("{}: its content changed since {} was begun ({}); put it back as it "
                                 "was, or run the new file with a journal of its own",
                                 header.job_path, journal_path, how));
    };
    if (job->size() != header.job_size)
        return changed(fmt::format("{} bytes, not {}", job->size(), header.job_size));
    const auto sha256 = job->hash();
    if (!sha256) return sha256.error();
    if (*sha256 != header.job_sha256) return changed("same size, other SHA-256");
    return job;
}

}  // namespace muster
