// muster status: how a run stands, from its journal alone.
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/session.hpp"
#include "cli/summary.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>

#include <memory>

namespace muster {
namespace {

struct status_options {
    std::string journal;
    std::string output = "text";
};

std::string how_it_stands(const journal_replay& replay, bool in_use) {
    if (in_use) return "running";
    const auto& end = replay.last_end();
    if (replay.sessions() == 0) return "not started";
    if (!end) return "ended without a word (killed, or the machine went down)";
    if (end->reason != end_reason::finished)
        return fmt::format("stopped after {}: {}", lasting(static_cast<double>(end->milliseconds) / 1000),
                           words_for(end->reason));
    return fmt::format("finished; the last session took {}",
                       lasting(static_cast<double>(end->milliseconds) / 1000));
}

result<exit_code> tell_status(const status_options& options) {
    const auto contents = read_journal(options.journal);
    if (!contents) return contents.error();
    if (!contents->damages.empty())
        return error(errc::journal_damaged,
                     damage_text(options.journal, *contents) +
                         fmt::format("; muster verify {} tells more", shell_word(options.journal)));
    const journal_replay& replay = contents->replay;
    const auto& end = replay.last_end();
    run_summary summary{.job = printable(replay.header().job_name, 200),
                        .journal = options.journal,
                        .rows = replay.header().rows,
                        .counts = replay.counts(),
                        .statistics = {},
                        .seconds = end ? static_cast<double>(end->milliseconds) / 1000 : 0,
                        .stopped = {},
                        .stop_message = {}};
    if (end)
        summary.statistics = {
            .requests = end->requests, .retries = end->retries, .throttled = end->throttled};
    if (options.output == "json") {
        print_result("{}\n", summary_json(summary));
    } else {
        print_result("{}: {}\n{}  {} of the job, begun {}; {}\n", summary.job,
                     how_it_stands(replay, contents->in_use), counts_text(summary.counts),
                     counted(summary.rows, "row"), to_iso(replay.header().created_at),
                     counted(replay.sessions(), "session"));
        if (const auto next = next_steps(summary); !next.empty() && !contents->in_use)
            print_result("Next:\n{}", next);
    }
    return exit_code_of(summary.counts, std::nullopt, 0);
}

}  // namespace

void add_status(command_line& line) {
    auto options = std::make_shared<status_options>();
    command flags = line.add("status", "Say how a run stands and what to do next");
    flags.footer(
        "Examples:\n"
        "  muster status onboarding.csv.journal\n"
        "  muster status onboarding.csv.journal --output json | jq .outcomes\n"
        "Works while a run is going on. Exit code 0 when every row is applied or already, 1 when not.");
    flags.argument("JOURNAL", options->journal, "The journal of the run");
    flags.value("--output", options->output, "FORMAT", "text or json (text)", {"text", "json"});
    flags.action([options] {
        const auto done = tell_status(*options);
        console out(false);
        return done ? *done : report_failure(done.error(), options->output == "json", out);
    });
}

}  // namespace muster
