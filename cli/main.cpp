// muster: reads the command line, hands over to the command, returns its exit code.
#include "cli/commands.hpp"
#include "cli/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <clocale>
#include <csignal>
#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    using namespace muster;
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or connection is an error code, not the end

    CLI::App app{
        "Muster provisions hardware tokens in bulk: it checks a job file, sends it to the Cloud\n"
        "Administration API as fast as the service allows, and keeps a journal, so that a run can be\n"
        "stopped anywhere and goes on where it was.",
        "muster"};
    app.footer(
        "Exit codes: 0 all rows applied; 1 finished, some rows are not; 2 usage, bad job or key file, "
        "nothing\n"
        "sent; 3 journal damaged or of another job; 4 stopped early, can be resumed; 130/143 interrupted.\n\n"
        "Start with: muster plan JOB, then muster run JOB --credentials KEYFILE");
    app.set_version_flag("--version", std::string("muster ") + version);
    app.require_subcommand(1);
    app.set_help_all_flag("--help-all", "Help for all commands");

    exit_code exit = exit_code::done;
    add_plan(app, exit);
    add_run(app, exit);
    add_resume(app, exit);
    add_status(app, exit);
    add_report(app, exit);
    add_verify(app, exit);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : static_cast<int>(exit_code::usage);
    } catch (const std::exception& e) {
        fmt::print(stderr, "muster: internal error: {}\n", e.what());
        return static_cast<int>(exit_code::stopped);
    }
    if (std::fflush(stdout) != 0 && exit == exit_code::done) exit = exit_code::stopped;
    return static_cast<int>(exit);
}
