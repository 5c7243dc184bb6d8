// muster report: what became of each row, for people and programs, or as a job file to run again.
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/session.hpp"
#include "engine/text.hpp"
#include "io/report_writer.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <unistd.h>

namespace muster {
namespace {

struct report_options {
    std::string journal;
    std::string format = "text";
    std::string only;
    std::string output;
    bool as_job = false;
};

result<report_request> request_of(const report_options& options) {
    report_request request{.journal = options.journal, .as_job = options.as_job};
    request.kind = options.format == "csv"           ? report_kind::csv
                   : options.format == "jsonl"       ? report_kind::jsonl
                   : options.format == "spreadsheet" ? report_kind::spreadsheet
                                                     : report_kind::text;
    for (std::string_view left = options.only; !left.empty();) {
        const auto comma = left.find(',');
        const auto word = left.substr(0, comma);
        left.remove_prefix(comma == std::string_view::npos ? left.size() : comma + 1);
        const auto o = find_outcome(word);
        if (!o)
            return error(errc::usage,
                         fmt::format("--only {}: '{}' is no outcome; they are applied, already, rejected, "
                                     "blocked, exhausted, inDoubt, invalid and pending",
                                     printable(options.only, 100), printable(word, 40)));
        request.only[static_cast<std::size_t>(*o)] = true;
    }
    return request;
}

// Written beside the file and renamed over it, so that a report is whole or not there; never over the inputs.
result<report_result> write_to_file(const report_request& request, const std::string& path) {
    const auto header = read_journal_header(request.journal);
    if (!header) return header.error();
    std::error_code ignored;
    for (const auto& input : {request.journal, header->job_path})
        if (std::filesystem::equivalent(path, input, ignored))
            return error(errc::usage, fmt::format("-o {}: would write over {}", path, input));
    // A device or a pipe is written to; only a regular file can be replaced.
    if (const auto there = std::filesystem::status(path, ignored); exists(there) && !is_regular_file(there)) {
        const int device = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (device < 0)
            return error(errc::usage, fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
        auto written = write_report(request, device, path);
        ::close(device);
        return written;
    }
    const auto beside = fmt::format("{}.{}.tmp", path, ::getpid());
    const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error(errc::usage, fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
    auto done = write_report(request, fd, path);
    const bool closed = ::close(fd) == 0;
    if (done && (!closed || ::rename(beside.c_str(), path.c_str()) != 0))
        done = error(errc::storage, fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
    if (!done) ::unlink(beside.c_str());
    return done;
}

// A job file written from one that needed flags needs the same ones.
void tell_flags(const report_result& done, console& out) {
    std::string flags;
    if (!done.mapping.operation.empty()) flags += " --operation " + done.mapping.operation;
    for (const auto& [name, column] : done.mapping.map) flags += " --map " + shell_word(name + "=" + column);
    if (!flags.empty())
        out.log(console::level::info, "flags", "to run these rows, give the flags again:" + flags);
    if (done.left_out > 0)
        out.log(console::level::warning, "left-out",
                fmt::format("{} too malformed to be written as a job; the report says what is wrong with {}",
                            done.left_out == 1 ? "1 row is" : grouped(done.left_out) + " rows are",
                            done.left_out == 1 ? "it" : "them"));
}

result<exit_code> report(const report_options& options) {
    const auto request = request_of(options);
    if (!request) return request.error();
    const bool to_standard_output = options.output.empty() || options.output == "-";
    // Into a pipe that is closed early (head, less), it ends as other filters do: by the signal, without a
    // word.
    if (to_standard_output) std::signal(SIGPIPE, SIG_DFL);
    const auto done = to_standard_output ? write_report(*request, STDOUT_FILENO, "standard output")
                                         : write_to_file(*request, options.output);
    if (!done) return done.error();
    console out(false);
    if (options.as_job) tell_flags(*done, out);
    if (!to_standard_output)
        out.log(console::level::info, "written",
                fmt::format("{}: {}", options.output, counted(done->rows, "row")));
    return exit_code::done;
}

}  // namespace

void add_report(command_line& line) {
    auto options = std::make_shared<report_options>();
    command flags = line.add("report", "Say what became of each row");
    flags.footer(
        "Examples:\n"
        "  muster report onboarding.csv.journal --only rejected,blocked\n"
        "  muster report onboarding.csv.journal --format csv -o result.csv\n"
        "  muster report onboarding.csv.journal --only exhausted,inDoubt --as-job -o again.csv\n"
        "Outcomes: applied, already, rejected, blocked, exhausted, inDoubt, invalid, pending.\n"
        "CSV and JSONL give the job's own columns first, then line, outcome, httpStatus, attempts, time, "
        "state,\n"
        "changedAt, changedBy, credential and message. 'spreadsheet' is CSV with an apostrophe before what\n"
        "a spreadsheet would take for a formula.");
    flags.argument("JOURNAL", options->journal, "The journal of the run");
    flags.value("--format", options->format, "FORMAT", "text, csv, jsonl or spreadsheet (text)",
                {"text", "csv", "jsonl", "spreadsheet"});
    flags.value("--only", options->only, "OUTCOME,...", "Only rows with these outcomes");
    flags.toggle("--as-job", options->as_job, "Write the rows as a job file that can be run again");
    flags.value("-o,--output-file", options->output, "FILE", "Write here instead of standard output");
    flags.action([options] {
        const auto done = report(*options);
        console out(false);
        return done ? *done : report_failure(done.error(), false, out);
    });
}

}  // namespace muster
