// Tells a person how a run goes: the progress line on a terminal, a log line every few seconds elsewhere, a
// notice for each throttle episode and outage, and the first rows that fail.
#pragma once

#include "cli/console.hpp"
#include "io/pipeline.hpp"

#include <boost/asio/steady_timer.hpp>

#include <string>

namespace muster {

class progress_display final : public run_observer {
  public:
    progress_display(boost::asio::io_context& context, console& out, std::string job, std::uint64_t rows,
                     bool line);

    /// Starts to show how `run` goes, until stop().
    void start(const pipeline& run);
    void stop();

    void settled(std::uint64_t line, const row_outcome& o) override;
    void throttled(std::chrono::milliseconds wait, const learnt_limit& l) override;
    void unreachable(const std::string& why, std::chrono::milliseconds wait) override;

  private:
    void wait();
    void show();
    [[nodiscard]] std::string text(bool short_form);

    boost::asio::steady_timer timer_;
    console& console_;
    std::string job_;
    std::uint64_t rows_;
    bool line_;  // a line that is redrawn; otherwise log lines
    const pipeline* run_ = nullptr;
    std::uint64_t failures_told_ = 0;
    std::string last_unreachable_;

    // The rate shown: rows done over the last seconds, smoothed.
    instant last_time_{};
    std::uint64_t last_done_ = 0;
    double rate_ = 0;
};

}  // namespace muster
