// muster resume: goes on with a run where it stopped; the journal knows the job and the flags.
#include "cli/commands.hpp"
#include "cli/descriptors.hpp"
#include "cli/job_options.hpp"
#include "cli/run_options.hpp"
#include "cli/session.hpp"
#include "cli/summary.hpp"
#include "io/journal_job.hpp"

#include <fmt/format.h>

#include <memory>

namespace muster {
namespace {

struct options_of_resume {
    std::string journal;
    run_options run;
};

exit_code say_finished(const journal_replay& replay, const std::string& path, const run_settings& settings) {
    const run_summary summary{.job = replay.header().job_name,
                              .journal = path,
                              .rows = replay.header().rows,
                              .counts = replay.counts(),
                              .statistics = {},
                              .seconds = 0,
                              .stopped = {},
                              .stop_message = {}};
    if (settings.output == "json")
        print_result("{}\n", summary_json(summary));
    else
        print_result("{}: this run is finished; nothing was sent.\n{}{}", summary.job,
                     counts_text(summary.counts), next_steps(summary));
    return exit_code_of(summary.counts, std::nullopt, 0);
}

// The service that this session goes to has answered this run: a row is done, or a limit known.
bool answered_before(const journal_replay& before, const run_settings& now) {
    const run_settings& then = before.header().settings;
    const auto counts = before.counts();
    const bool answered = counts[outcome::applied] + counts[outcome::already] + counts[outcome::rejected] > 0;
    return (answered || before.limit()) && then.credentials == now.credentials &&
           then.base_url == now.base_url && then.proxy == now.proxy;
}

result<exit_code> resume_run(const options_of_resume& options, run_settings& settings, console& out) {
    if (const auto room = room_for_connections(1); !room) return room.error();
    boost::asio::io_context context(1);
    journal_contents contents;
    auto journal = journal_file::resume(context.get_executor(), options.journal, contents);
    if (!journal) return journal.error();
    journal_header header = contents.replay.header();
    settings = header.settings;
    if (const auto applied = options.run.apply(settings); !applied) return applied.error();
    out = console(settings.log_format == "json");
    if (contents.torn_bytes > 0)
        out.log(console::level::info, "torn-tail",
                fmt::format("{}: the last write was not finished ({} bytes cut off); nothing is lost by that",
                            options.journal, contents.torn_bytes));
    if (contents.replay.finished()) return say_finished(contents.replay, options.journal, settings);

    const auto job = open_job_of(header, options.journal);
    if (!job) return job.error();
    auto mapper = row_mapper::create(header.mapping);
    if (!mapper) return mapper.error();
    auto service =
        open_service(settings, options.run.proxy().empty() ? settings.proxy : options.run.proxy(), out);
    if (!service) return service.error();
    service->reached_before = answered_before(contents.replay, settings);
    contents.replay.use_settings(settings);
    if (const auto blocked = contents.replay.reopen_blocked(); !blocked.empty())
        (*journal)->withdrawn(blocked);
    const auto counts = contents.replay.counts();
    out.log(console::level::info, "resuming",
            fmt::format("{}: {} of {} rows are done, {} in doubt", header.job_name,
                        grouped(header.rows - counts[outcome::pending] - counts[outcome::in_doubt]),
                        grouped(header.rows), grouped(counts[outcome::in_doubt])));
    return work_on(context, *job, std::move(*mapper), **journal, options.journal, contents.replay,
                   std::move(*service), out);
}

}  // namespace

void add_resume(command_line& line) {
    auto options = std::make_shared<options_of_resume>();
    command flags = line.add("resume", "Go on with a run where it stopped");
    flags.footer(
        "Examples:\n"
        "  muster resume onboarding.csv.journal\n"
        "  muster resume onboarding.csv.journal --credentials new.key --concurrency 8\n"
        "Flags that are not given are those of the run. Rows that are done are not sent again; what is in\n"
        "doubt is looked up first, or repeated where that is harmless. Resuming a finished run sends "
        "nothing\n"
        "and prints its outcomes. Exit codes as for run.");
    flags.argument("JOURNAL", options->journal, "The journal of the run");
    options->run.declare(flags);
    flags.config("Read flags from this file (flag = value)");
    flags.action([options] {
        run_settings settings;
        const auto applied = options->run.apply(settings);
        console out(settings.log_format == "json");
        const auto done = applied ? resume_run(*options, settings, out) : result<exit_code>(applied.error());
        return done ? *done : report_failure(done.error(), settings.output == "json", out);
    });
}

}  // namespace muster
