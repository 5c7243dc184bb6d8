// muster: reads the command line, hands over to the command, returns its exit code.
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/version.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    using namespace muster;
    take_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or connection is an error code, not the end
    std::signal(SIGXFSZ, SIG_IGN);  // as is a file that has reached its limit

    command_line line(
        "muster",
        "Muster provisions hardware tokens in bulk: it checks a job file, sends it to the Cloud\n"
        "Administration API as fast as the service allows, and keeps a journal, so that a run can be\n"
        "stopped anywhere and goes on where it was.",
        "Exit codes: 0 all rows applied; 1 finished, some rows are not; 2 usage, bad job or key file, "
        "nothing\n"
        "sent; 3 journal damaged or of another job; 4 stopped early, can be resumed; 130/143 interrupted.\n\n"
        "Start with: muster plan JOB, then muster run JOB --credentials KEYFILE",
        std::string("muster ") + version);
    add_plan(line);
    add_run(line);
    add_resume(line);
    add_status(line);
    add_report(line);
    add_verify(line);

    exit_code exit = exit_code::stopped;
    try {
        exit = line.run(argc, argv);
    } catch (const std::exception& e) {
        console(false).log(console::level::failure, "internal", fmt::format("internal error: {}", e.what()));
    }
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        console(false).log(console::level::failure, "output",
                           "standard output cannot be written; the result is in the journal");
        if (exit == exit_code::done) exit = exit_code::incomplete;
    }
    return static_cast<int>(exit);
}
