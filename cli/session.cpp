#include "cli/session.hpp"

#include "cli/descriptors.hpp"
#include "cli/progress.hpp"
#include "cli/summary.hpp"
#include "cli/version.hpp"
#include "engine/text.hpp"

#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>
#include <random>
#include <sys/resource.h>
#include <unistd.h>

namespace muster {
namespace {

bool ignored(int signal) {
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

// SIGINT, SIGTERM and SIGHUP let the run end in good order; a second one drops what is in flight. A SIGHUP
// that the caller had ignored (nohup) stays ignored. A SIGINT does not: shells ignore it for every job that a
// script starts in the background, and such a job is to be stopped by it too.
class signal_watch {
  public:
    signal_watch(boost::asio::io_context& context, pipeline& run, console& out, std::string resume)
        : signals_(context, SIGINT, SIGTERM), run_(run), console_(out), resume_(std::move(resume)) {
        if (!ignored(SIGHUP)) signals_.add(SIGHUP);
        wait();
    }
    void stop() {
        stopped_ = true;
        signals_.cancel();
    }
    [[nodiscard]] int signal() const noexcept { return signal_; }

  private:
    void wait() {
        signals_.async_wait([this](boost::system::error_code problem, int signal) {
            if (problem || stopped_) return;  // it may have been under way when stop() was called
            const auto now = std::chrono::steady_clock::now();
            const bool first = signal_ == 0;
            // timeout(1) and some supervisors signal the process and its group at once: that is one signal.
            if (!first && now - signalled_ < std::chrono::milliseconds(100)) return wait();
            signalled_ = now;
            if (first) signal_ = signal;
            console_.log(
                console::level::info, "interrupted",
                first
                    ? fmt::format("interrupted: waiting for {} in flight; once more stops at once. To go on "
                                  "later: {}",
                                  counted(run_.state().in_flight(), "request"), resume_)
                    : std::string("stopping at once; the journal stays whole"));
            run_.interrupt();
            wait();
        });
    }

    boost::asio::signal_set signals_;
    pipeline& run_;
    console& console_;
    std::string resume_;
    bool stopped_ = false;
    int signal_ = 0;
    instant signalled_{};
};

pipeline_options options_of(const run_settings& s, const std::optional<learnt_limit>& remembered,
                            bool reached_before, console& out) {
    pipeline_options o;
    const auto room = room_for_connections(s.concurrency);
    const unsigned connections = room ? *room : 1;
    if (connections < s.concurrency)
        out.log(console::level::warning, "descriptors",
                fmt::format("{} at most: more open files are not allowed (ulimit -n)",
                            counted(connections, "connection")));
    o.decisions = {.concurrency = connections,
                   .max_attempts = s.max_attempts,
                   .max_rate = s.max_rate,
                   .max_share = s.max_share,
                   .remembered = remembered,
                   .stop_after = {},
                   .seed = std::random_device{}()};
    if (const auto limit = parse_failure_limit(s.stop_after_failures)) o.decisions.stop_after = *limit;
    o.skip_invalid = s.skip_invalid;
    o.outage_timeout = s.outage_timeout;
    o.reached_before = reached_before;
    return o;
}

}  // namespace

result<service_access> open_service(const run_settings& settings, const std::string& proxy, console& out) {
    if (settings.credentials.empty())
        return error(errc::bad_credentials, "no key file: say --credentials FILE, or set MUSTER_CREDENTIALS");
    // From here on the key is in memory: a crash is to leave no copy of it on disk.
    const struct ::rlimit no_core {};
    ::setrlimit(RLIMIT_CORE, &no_core);
    auto key = read_credentials(settings.credentials);
    if (!key) return key.error();
    if (!key->warning.empty()) out.log(console::level::warning, "key-file", key->warning);
    const auto server = service_endpoint(*key, settings.base_url);
    if (!server) return server.error();
    const auto via = find_proxy(proxy, *server);
    if (!via) return via.error();
    auto https = https_context::create({.server = *server,
                                        .proxy = *via,
                                        .ca_file = settings.ca_file,
                                        .connect_timeout = settings.connect_timeout,
                                        .request_timeout = settings.request_timeout});
    if (!https) return https.error();
    return service_access{.key = std::move(*key), .https = std::move(*https)};
}

exit_code work_on(boost::asio::io_context& context, const job_file& job, row_mapper mapper,
                  journal_file& journal, const std::string& journal_path, const journal_replay& before,
                  service_access service, console& out) {
    const journal_header& header = before.header();
    const run_settings& settings = header.settings;
    journal.session({.at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
                     .process = static_cast<std::uint64_t>(::getpid()),
                     .version = version});
    token_source tokens(std::move(service.key));
    progress_display display(context, out, header.job_name, header.rows,
                             settings.progress && console::is_terminal());
    pipeline run({.context = context,
                  .https = service.https,
                  .tokens = tokens,
                  .job = job,
                  .mapper = std::move(mapper),
                  .journal = journal,
                  .before = before,
                  .observer = display},
                 options_of(settings, before.limit(), service.reached_before, out));
    signal_watch signals(context, run, out, "muster resume " + shell_word(journal_path));
    if (settings.progress) display.start(run);
    const auto ended = run.run([&] {
        signals.stop();
        display.stop();
    });
    display.stop();
    const coordinator& state = run.state();
    run_summary summary{.job = printable(header.job_name, 200),
                        .journal = journal_path,
                        .rows = header.rows,
                        .counts = state.counts(),
                        .statistics = state.statistics(),
                        .seconds = std::chrono::duration<double>(run.elapsed()).count(),
                        .limit = state.limit(),
                        .limit_used = state.rate().used(std::chrono::steady_clock::now()),
                        .stopped = state.stop_reason(),
                        .stop_message = state.stop_message()};
    if (!ended) {
        summary.stopped = end_reason::storage;
        summary.stop_message =
            fmt::format("{}; what was in flight is in doubt, and resume asks the service about it",
                        ended.error().message);
    }
    if (summary.stopped && summary.stopped != end_reason::interrupted)
        out.log(console::level::failure, "stopped", summary.stop_message);
    print_result("{}", settings.output == "json" ? summary_json(summary) + "\n" : summary_text(summary));
    return exit_code_of(state.counts(), summary.stopped, signals.signal());
}

exit_code report_failure(const error& e, bool json, console& out) {
    const exit_code code = exit_code_of(e);
    out.log(console::level::failure, "failed", e.message);
    if (json) print_result("{}\n", error_json(e.message, static_cast<int>(code)));
    return code;
}

}  // namespace muster
