// muster verify: reads every record of a journal and says whether it is whole, and where not.
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/session.hpp"

#include <fmt/format.h>

#include <memory>

namespace muster {
namespace {

result<exit_code> verify(const std::string& path) {
    const auto contents = read_journal(path);
    if (!contents) return contents.error();
    fmt::print("{}: {} in {} bytes, {} with an outcome\n", path,
               counted(contents->records + contents->records_behind_damage, "record"),
               grouped(contents->size),
               counted(contents->replay.header().rows - contents->replay.counts()[outcome::pending] -
                           contents->replay.counts()[outcome::in_doubt],
                       "row"));
    for (const journal_damage& d : contents->damages)
        fmt::print("  damaged at byte {}: {}; {} bytes are lost\n", d.offset, d.what, grouped(d.bytes));
    if (contents->torn_bytes > 0)
        fmt::print("  unfinished write at byte {} ({} bytes), as a crash leaves it; resume cuts it off\n",
                   contents->size - contents->torn_bytes, grouped(contents->torn_bytes));
    if (contents->damages.empty()) {
        fmt::print("The journal is sound.\n");
        return exit_code::done;
    }
    fmt::print("The journal is damaged: {} records are valid behind the first place. Resume refuses it.\n",
               grouped(contents->records_behind_damage));
    return exit_code::journal;
}

}  // namespace

void add_verify(command_line& line) {
    auto path = std::make_shared<std::string>();
    command flags = line.add("verify", "Check every record of a journal");
    flags.footer(
        "Example:\n"
        "  muster verify onboarding.csv.journal\n"
        "Exit code 0 when it is sound (a torn tail is), 3 when it is damaged.");
    flags.argument("JOURNAL", *path, "The journal to check");
    flags.action([path] {
        const auto done = verify(*path);
        console out(false);
        return done ? *done : report_failure(done.error(), false, out);
    });
}

}  // namespace muster
