// Carries out what the coordinator decides: feeds it rows, sends its orders over a pool of connections,
// writes its journal, and tells it what came back. The only place that spawns coroutines. One thread, no
// locks.
#pragma once

#include "engine/coordinator.hpp"
#include "engine/job.hpp"
#include "io/https_client.hpp"
#include "io/job_file.hpp"
#include "io/journal_file.hpp"
#include "io/token_source.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace muster {

/// Everything a run works with. All of it must outlive the pipeline.
struct pipeline_parts {
    boost::asio::io_context& context;
    std::shared_ptr<https_context> https;
    token_source& tokens;
    const job_file& job;
    row_mapper mapper;
    journal_file& journal;
    const journal_replay& before;  ///< how the rows stood when this process began; its header names the job
    run_observer& observer;
};

struct pipeline_options {
    coordinator::options decisions;
    bool skip_invalid = false;
    std::chrono::milliseconds outage_timeout{300'000};
    bool reached_before = false;  ///< the service answered in an earlier session: an outage is waited out
};

class pipeline {
  public:
    pipeline(pipeline_parts parts, pipeline_options options);
    ~pipeline();
    pipeline(const pipeline&) = delete;
    pipeline& operator=(const pipeline&) = delete;

    /// Runs until every row is settled or the run is stopped; returns with the journal complete on disk.
    /// Fails (storage) when the journal could not be written: what was sent and not recorded is in doubt
    /// then. Runs the context; `on_end` is called when nothing of the pipeline is left in it, to end what
    /// else is.
    result<void> run(std::function<void()> on_end);

    /// The first call lets what is in flight finish, a second drops it. Both end run() in good order.
    void interrupt();

    /// Counts, statistics and rate, for progress and the summary.
    [[nodiscard]] const coordinator& state() const noexcept;
    [[nodiscard]] std::chrono::milliseconds elapsed() const noexcept;

  private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace muster
