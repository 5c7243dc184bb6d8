// muster plan: reads a whole job and says what it would do and what is wrong with it. Sends nothing.
#include "cli/commands.hpp"
#include "cli/job_options.hpp"
#include "cli/plan_text.hpp"
#include "cli/session.hpp"
#include "cli/values.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <unistd.h>

namespace muster {
namespace {

struct plan_options {
    job_options job;
    std::size_t list = 20;
    std::string max_rate;
    std::string output = "text";
};

// Standard input is gone through once only, but a job is opened as a file: it is spooled to one without a
// name.
result<job_file> open_job(const job_options& options) {
    if (options.path != "-") return job_file::open(options.path, options.file_format());
    const auto spool =
        (std::filesystem::temp_directory_path() / fmt::format("muster-plan-{}", ::getpid())).string();
    const auto format = spool_standard_input(STDIN_FILENO, spool);
    if (!format) return format.error();
    auto job = job_file::open(spool, options.file_format().value_or(*format));
    ::unlink(spool.c_str());
    return job;
}

result<exit_code> plan_job(const plan_options& options) {
    std::optional<double> max_rate;
    if (!options.max_rate.empty()) {
        const auto rate = parse_rate("--max-rate", options.max_rate);
        if (!rate) return rate.error();
        max_rate = *rate;
    }
    const auto columns = options.job.columns();
    if (!columns) return columns.error();
    auto mapper = row_mapper::create(*columns);
    if (!mapper) return mapper.error();
    const auto job = open_job(options.job);
    if (!job) return job.error();
    const auto found = survey_job(*job, std::move(*mapper), options.list);
    if (!found) return found.error();
    const std::string name = options.job.path == "-" ? "standard input" : job->name();
    print_result(
        "{}", options.output == "json" ? plan_json(name, *found) + "\n" : plan_text(name, *found, max_rate));
    return found->of.invalid == 0 ? exit_code::done : exit_code::usage;
}

}  // namespace

void add_plan(command_line& line) {
    auto options = std::make_shared<plan_options>();
    command flags = line.add("plan", "Check a job and say what it would do; sends nothing");
    flags.footer(
        "Examples:\n"
        "  muster plan onboarding.csv\n"
        "  muster plan devices.csv --operation enable-ds100 --map deviceSerialNumber=Serial\n"
        "  grep -v '^#' tokens.csv | muster plan - --output json\n"
        "Exit code 0 when every row is valid, 2 when one is not.");
    options->job.declare(flags);
    flags.number("--list", options->list, "How many invalid rows and conflicts to list (20)");
    flags.value("--max-rate", options->max_rate, "N/s", "Estimate for this rate");
    flags.value("--output", options->output, "FORMAT", "text or json (text)", {"text", "json"});
    flags.action([options] {
        const auto done = plan_job(*options);
        console out(false);
        return done ? *done : report_failure(done.error(), options->output == "json", out);
    });
}

}  // namespace muster
