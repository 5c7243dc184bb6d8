#include "io/survey.hpp"

#include <fmt/format.h>

namespace muster {
namespace {

std::vector<std::string_view> views(const std::vector<std::string>& names) {
    return {names.begin(), names.end()};
}

}  // namespace

result<survey> survey_job(const job_file& job, row_mapper mapper, std::size_t keep) {
    const auto pass = job.start_pass();
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
            if (!fits) return error(errc::bad_job, fmt::format("{}:1: {}", job.name(), fits.error().message));
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
