#include "io/survey.hpp"

#include "io/block_survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <sched.h>

namespace muster {
namespace {

constexpr std::uint64_t large = 16 << 20;  // bytes; less is read in the time that threads take to start
constexpr std::size_t block_bytes = 1 << 20;
constexpr unsigned most_threads = 8;

std::vector<std::string_view> views(const std::vector<std::string>& names) {
    return {names.begin(), names.end()};
}

/// The cores that this process may run on; 1 where that cannot be told.
unsigned usable_cores() {
    cpu_set_t cores;
    if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
    return static_cast<unsigned>(CPU_COUNT(&cores));
}

}  // namespace

result<survey> survey_job(const job_file& job, row_mapper mapper, std::size_t keep) {
    const unsigned threads = std::min(usable_cores(), most_threads);
    if (job.format() == job_format::csv && job.size() >= large && threads > 1) {
        try {
            if (auto found = survey_in_blocks(job, mapper, keep, threads, block_bytes))
                return std::move(*found);
        } catch (const std::bad_alloc&) {  // one thread may have enough
        }
    }
    const auto pass = job.start_pass(hashing::on);
    record_reader& reader = pass->records();
    plan_builder builder(keep);
    record current;
    bool header_checked = job.format() == job_format::jsonl;
    for (std::uint64_t index = 0;; ++index) {
        const auto got = reader.next(current);
        if (!got) return got.error();
        if (!header_checked) {
            header_checked = true;
            const auto fits = mapper.check_header(views(reader.columns()));
            if (!fits)
                return error(errc::bad_job, fmt::format("{}:{}: {}", job.name(), reader.header_line(),
                                                        fits.error().message));
        }
        if (!*got) break;
        row_view r;
        if (const auto problem = mapper.map(current, index, r))
            builder.add_invalid(current.line, *problem);
        else
            builder.add(r);
    }
    survey s{
        .of = builder.finish(), .identity = pass->identity(), .columns = reader.columns(), .suspicious = {}};
    s.suspicious = mapper.suspicious_columns(views(s.columns));
    return s;
}

}  // namespace muster
