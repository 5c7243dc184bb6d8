// muster verify: reads every record of a journal and says whether it is whole, where it is not, and how many
// rows that touches; --repair mends it.
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/session.hpp"
#include "io/journal_repair.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>

namespace muster {
namespace {

void tell_damage(const journal_contents& contents) {
    const auto lost = contents.replay.lost();
    print_result("The journal is damaged in {}: {} valid behind the first.\n",
                 counted(contents.damages.size(), "place"),
                 contents.records_behind_damage == 1
                     ? "1 record is"
                     : grouped(contents.records_behind_damage) + " records are");
    print_result(
        "{} cannot be trusted any more: records about {} may be lost. The other {} with an outcome stand.\n",
        counted(lost, "row"), lost == 1 ? "it" : "them",
        counted(contents.replay.header().rows - lost - contents.replay.counts()[outcome::pending], "row"));
}

result<exit_code> check(const std::string& path, bool repair) {
    const auto contents = read_journal(path);
    if (!contents) return contents.error();
    const auto counts = contents->replay.counts();
    print_result(
        "{}: {} in {} bytes, {} with an outcome\n", path,
        counted(contents->records + contents->records_behind_damage, "record"), grouped(contents->size),
        counted(contents->replay.header().rows - counts[outcome::pending] - counts[outcome::in_doubt],
                "row"));
    for (const journal_damage& d : contents->damages)
        print_result("  damaged at byte {}: {}; {} bytes are lost\n", d.offset, d.what, grouped(d.bytes));
    if (contents->torn_bytes > 0)
        print_result("  unfinished write at byte {} ({} bytes){}\n", contents->size - contents->torn_bytes,
                     grouped(contents->torn_bytes),
                     contents->damages.empty() ? ", as a crash leaves it; resume cuts it off" : "");
    if (contents->damages.empty()) {
        print_result("The journal is sound.\n");
        return exit_code::done;
    }
    tell_damage(*contents);
    if (!repair)
        print_result(
            "Resume refuses it. muster verify --repair {} puts those rows in doubt, so that resume can go "
            "on.\n",
            shell_word(path));
    return exit_code::journal;
}

result<exit_code> repair(const std::string& path) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto done = repair_journal(path, now);
    if (!done) return done.error();
    if (done->was_sound) return exit_code::done;
    print_result("Repaired; the damaged journal is kept as {}.\n", done->original);
    const auto tell = [](std::uint64_t rows, std::string_view what) {
        if (rows > 0) print_result("  {:>11}  {}\n", grouped(rows), what);
    };
    tell(done->kept, "keep their recorded outcome");
    tell(done->inferred, "had succeeded: a later line of the same token was sent");
    tell(done->unsent, "were never sent");
    tell(done->asked, "are in doubt: resume asks the service first, and sends what was not applied");
    tell(done->held,
         "are in doubt, and a later line of the same token undoes them: resume asks, and does not send them "
         "again");
    print_result("Next:\n  muster resume {}\n", shell_word(path));
    return exit_code::done;
}

result<exit_code> verify(const std::string& path, bool mend) {
    const auto checked = check(path, mend);
    const bool damaged = checked ? *checked == exit_code::journal : checked.error().is(errc::journal_damaged);
    return mend && damaged ? repair(path) : checked;
}

}  // namespace

void add_verify(command_line& line) {
    struct verify_options {
        std::string journal;
        bool repair = false;
    };
    auto options = std::make_shared<verify_options>();
    command flags = line.add("verify", "Check every record of a journal, and repair it");
    flags.footer(
        "Examples:\n"
        "  muster verify onboarding.csv.journal\n"
        "  muster verify --repair onboarding.csv.journal && muster resume onboarding.csv.journal\n"
        "A repair keeps every outcome that is recorded beyond doubt and puts all other rows in doubt; the "
        "damaged\n"
        "journal stays beside it. It needs the job file, as resume does, and that no muster is at work on "
        "the "
        "journal.\n"
        "Exit code 0 when it is sound (a torn tail is) or was repaired, 2 when it is in use, 3 when it is "
        "damaged\n"
        "or cannot be repaired, 4 when the repaired one could not be written: then it is left as it was.");
    flags.argument("JOURNAL", options->journal, "The journal to check");
    flags.toggle("--repair", options->repair, "Mend a damaged journal so that resume can go on");
    flags.action([options] {
        const auto done = verify(options->journal, options->repair);
        console out(false);
        return done ? *done : report_failure(done.error(), false, out);
    });
}

}  // namespace muster
