// muster run: checks a job, makes its journal, and provisions.
#include "cli/commands.hpp"
#include "cli/descriptors.hpp"
#include "cli/job_options.hpp"
#include "cli/plan_text.hpp"
#include "cli/run_options.hpp"
#include "cli/session.hpp"
#include "cli/version.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <unistd.h>

namespace muster {
namespace {

constexpr std::size_t rows_to_list = 20;

struct options_of_run {
    job_options job;
    run_options run;
    std::string journal;

    [[nodiscard]] bool from_standard_input() const { return job.path == "-"; }
    [[nodiscard]] std::string journal_path() const {
        if (!journal.empty()) return journal;
        return from_standard_input() ? "stdin.journal" : job.path + ".journal";
    }
    [[nodiscard]] std::string spool_path() const { return journal_path() + ".job"; }
};

result<job_file> open_job(const options_of_run& options) {
    if (!options.from_standard_input()) return job_file::open(options.job.path, options.job.file_format());
    const auto format = spool_standard_input(STDIN_FILENO, options.spool_path());
    if (!format) return format.error();
    return job_file::open(options.spool_path(), options.job.file_format().value_or(*format));
}

// The copy of standard input is of use only to a journal: without one it goes.
class spool_guard {
  public:
    explicit spool_guard(const options_of_run& options)
        : path_(options.from_standard_input() ? options.spool_path() : std::string()) {}
    ~spool_guard() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    spool_guard(const spool_guard&) = delete;
    spool_guard& operator=(const spool_guard&) = delete;
    void keep() { path_.clear(); }

  private:
    std::string path_;
};

error journal_in_the_way(const std::string& path) {
    return {errc::journal_exists,
            fmt::format(
                "{} exists: a run of this job was begun. To go on with it: muster resume {}; to see how it "
                "stands: muster status {}; to begin anew, move it away or name another with --journal",
                path, shell_word(path), shell_word(path))};
}

// The whole job is good, or may lose its bad rows.
result<survey> check_job(const job_file& job, const row_mapper& mapper, const run_settings& settings,
                         console& out) {
    auto found = survey_job(job, mapper, rows_to_list);
    if (!found) return found.error();
    const plan& p = found->of;
    for (const auto& [column, field] : found->suspicious)
        out.log(
            console::level::warning, "column",
            fmt::format("{}: column '{}' is not used; is it {}?", job.name(), printable(column, 60), field));
    if (p.duplicates + p.contradictions > 0)
        out.log(
            console::level::warning, "conflicts",
            fmt::format("{}: {} repeat or contradict another ({}); muster plan lists them", job.name(),
                        counted(p.duplicates + p.contradictions, "row"), p.first_conflicts.front().text()));
    if (p.invalid == 0 || settings.skip_invalid) return found;
    for (const invalid_row& r : p.first_invalid)
        out.log(console::level::warning, "invalid-row",
                fmt::format("{}:{}: {}", job.name(), r.line, r.problem),
                {{"line", fmt::format("{}", r.line)}});
    return error(errc::bad_job,
                 fmt::format("{}: {} of {} invalid; nothing was sent. Correct {}, or leave {} out with "
                             "--skip-invalid (muster plan lists all)",
                             job.name(), grouped(p.invalid), counted(p.rows, "row"),
                             p.invalid == 1 ? "it" : "them", p.invalid == 1 ? "it" : "them"));
}

journal_header header_of(const options_of_run& options, const job_file& job, const survey& found,
                         const column_options& columns, const run_settings& settings) {
    return {.version = version,
            .created_at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
            .job_path = job.path(),
            .job_name = options.from_standard_input() ? "standard input" : job.name(),
            .job_format = std::string(name_of(job.format())),
            .job_size = found.identity.size,
            .job_sha256 = found.identity.sha256,
            .rows = found.of.rows,
            .columns = found.columns,
            .mapping = columns,
            .settings = settings};
}

result<exit_code> run_job(const options_of_run& options, const run_settings& settings, console& out) {
    if (const auto room = room_for_connections(settings.concurrency); !room) return room.error();
    const auto path = options.journal_path();
    if (std::filesystem::exists(std::filesystem::symlink_status(path))) return journal_in_the_way(path);
    const auto columns = options.job.columns();
    if (!columns) return columns.error();
    auto mapper = row_mapper::create(*columns);
    if (!mapper) return mapper.error();
    auto service = open_service(settings, options.run.proxy(), out);
    if (!service) return service.error();

    const auto job = open_job(options);
    if (!job) return job.error();
    spool_guard spool(options);
    const auto found = check_job(*job, *mapper, settings, out);
    if (!found) return found.error();
    journal_replay replay;
    boost::asio::io_context context(1);
    const journal_header header = header_of(options, *job, *found, *columns, settings);
    auto journal = journal_file::create(context.get_executor(), path, header);
    if (!journal)
        return journal.error().is(errc::journal_exists) ? journal_in_the_way(path) : journal.error();
    spool.keep();
    replay.add(header);
    return work_on(context, *job, std::move(*mapper), **journal, path, replay, std::move(*service), out);
}

}  // namespace

void add_run(command_line& line) {
    auto options = std::make_shared<options_of_run>();
    command flags = line.add("run", "Check a job, then provision it");
    flags.footer(
        "Examples:\n"
        "  muster run onboarding.csv --credentials acme.key\n"
        "  muster run tokens.csv --operation enable --map tokenSerialNumber='Serial No' --max-rate 20/s\n"
        "  make-job | muster run - --format jsonl --journal tonight.journal --output json\n"
        "A run that was stopped goes on with: muster resume JOB.journal\n"
        "Exit codes: 0 all rows applied; 1 finished, some rows are not; 2 usage, bad job or key file, "
        "nothing\n"
        "sent; 3 journal damaged or of another job; 4 stopped early, can be resumed; 130/143 interrupted.");
    options->job.declare(flags);
    flags.value("--journal", options->journal, "FILE", "The journal to write (JOB.journal)");
    options->run.declare(flags);
    flags.config("Read flags from this file (flag = value)");
    flags.action([options] {
        run_settings settings;
        const auto applied = options->run.apply(settings);
        console out(settings.log_format == "json");
        const auto done = applied ? run_job(*options, settings, out) : result<exit_code>(applied.error());
        return done ? *done : report_failure(done.error(), settings.output == "json", out);
    });
}

}  // namespace muster
