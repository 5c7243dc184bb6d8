#include "cli/progress.hpp"

#include "cli/summary.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t failures_to_tell = 10;
constexpr double smoothing_seconds = 6;

}  // namespace

progress_display::progress_display(boost::asio::io_context& context, console& out, std::string job,
                                   std::uint64_t rows, bool line)
    : timer_(context), console_(out), job_(printable(job, 60)), rows_(rows), line_(line) {}

void progress_display::start(const pipeline& run) {
    run_ = &run;
    last_time_ = std::chrono::steady_clock::now();
    last_done_ = rows_ - run.state().counts()[outcome::pending] - run.state().counts()[outcome::in_doubt];
    wait();
}

void progress_display::stop() {
    run_ = nullptr;
    timer_.cancel();
    console_.clear();
}

void progress_display::wait() {
    timer_.expires_after(line_ ? 200ms : 5'000ms);
    timer_.async_wait([this](boost::system::error_code problem) {
        if (problem || run_ == nullptr) return;
        show();
        wait();
    });
}

void progress_display::show() {
    if (line_)
        console_.progress(text(true));
    else
        console_.log(console::level::info, "progress", text(false));
}

std::string progress_display::text(bool short_form) {
    const coordinator& state = run_->state();
    const auto& counts = state.counts();
    const std::uint64_t left = counts[outcome::pending] + counts[outcome::in_doubt];
    const std::uint64_t done = rows_ - left;
    const instant now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double>(now - last_time_).count();
    if (passed > 0) {
        // A row that was counted as done may come to be in doubt.
        const double recent = done > last_done_ ? static_cast<double>(done - last_done_) / passed : 0;
        const double weight = rate_ == 0 ? 1 : 1 - std::exp(-passed / smoothing_seconds);
        rate_ += weight * (recent - rate_);
        last_time_ = now;
        last_done_ = done;
    }
    std::string eta = "-";
    const auto limit = state.limit();
    double to_come = rate_;
    if (limit && limit->rate > 0 && state.rate().binding(now)) to_come = limit->rate * state.rate().share();
    if (to_come > 0) eta = lasting(static_cast<double>(left) / to_come);
    const double percent = rows_ == 0 ? 100 : 100 * static_cast<double>(done) / static_cast<double>(rows_);
    std::uint64_t failed = 0;
    for (const outcome o : {outcome::rejected, outcome::blocked, outcome::exhausted, outcome::invalid})
        failed += counts[o];
    std::string of_limit;
    if (limit && limit->rate > 0)
        of_limit = fmt::format(" of {:.{}f}/s", limit->rate,
                               limit->rate < 0.1  ? 4
                               : limit->rate < 10 ? 1
                                                  : 0);
    return fmt::format("{}{}/{} ({:.0f}%), {:.1f}/s{}, {} in flight, {} throttled, {} failed, ETA {}",
                       short_form ? "" : job_ + ": ", grouped(done), grouped(rows_), percent, rate_, of_limit,
                       state.in_flight(), grouped(state.statistics().throttled), grouped(failed), eta);
}

void progress_display::settled(std::uint64_t line, const row_outcome& o) {
    if (succeeded(o.result) || o.result == outcome::blocked || failures_told_ > failures_to_tell) return;
    ++failures_told_;
    if (failures_told_ > failures_to_tell)
        return console_.log(console::level::warning, "more-failures",
                            "more rows fail; the report has them all");
    console_.log(console::level::warning, "row-failed",
                 fmt::format("line {}: {}: {}", line, name_of(o.result), printable(o.message, 300)),
                 {{"line", fmt::format("{}", line)},
                  {"outcome", std::string(name_of(o.result))},
                  {"status", fmt::format("{}", o.status)}});
}

void progress_display::throttled(std::chrono::milliseconds wait, const learnt_limit& l) {
    const std::string waiting =
        wait.count() == 0 ? ""
                          : fmt::format("waiting {}; ", lasting(std::chrono::duration<double>(wait).count()));
    console_.log(
        console::level::info, "throttled",
        fmt::format("the service limits the run: {}{}{}", waiting,
                    l.rate > 0 || l.company > 0 ? "it seems to allow " : "finding out how much it allows",
                    words_for(l)),
        {{"waitMs", fmt::format("{}", wait.count())},
         {"rate", fmt::format("{:.2f}", l.rate)},
         {"cycleSeconds", fmt::format("{:.1f}", l.cycle)},
         {"atOnce", fmt::format("{}", l.company)}});
}

void progress_display::unreachable(const std::string& why, std::chrono::milliseconds wait) {
    if (why == last_unreachable_) return;  // one notice an outage, not one an attempt
    last_unreachable_ = why;
    console_.log(console::level::warning, "unreachable", fmt::format("{}; trying again", why),
                 {{"waitMs", fmt::format("{}", std::max<std::int64_t>(0, wait.count()))}});
}

}  // namespace muster
