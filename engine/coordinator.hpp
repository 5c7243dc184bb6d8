// The one decision-maker of a run: it joins scheduler, rate controller, retry policy and breaker, and decides
// for every row what is sent next, what a reply makes of it, and what the journal is to hold before and
// after. It knows no socket, file or clock: the pipeline (or a simulator) tells it what happened and carries
// out its orders.
//
// A row's way: admitted -> fresh -> intent appended -> durable -> sendable -> in flight -> (again, or checked
// by a look-up, as often as its attempts allow) -> outcome appended -> durable -> the next row of its
// subject.
#pragma once

#include "engine/circuit_breaker.hpp"
#include "engine/concurrency_window.hpp"
#include "engine/exchange.hpp"
#include "engine/journal/record.hpp"
#include "engine/journal/replay.hpp"
#include "engine/limit_notices.hpp"
#include "engine/rate_controller.hpp"
#include "engine/retry_policy.hpp"
#include "engine/row_judge.hpp"
#include "engine/scheduler.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace muster {

/// Where the coordinator writes. Positions are journal offsets: a record is durable when everything up to the
/// position that its append returned is.
class journal_sink {
  public:
    virtual ~journal_sink() = default;
    virtual std::uint64_t intents(std::span<const std::uint64_t> rows) = 0;
    virtual std::uint64_t withdrawn(std::span<const std::uint64_t> rows) = 0;
    virtual std::uint64_t outcome(const row_outcome& o) = 0;
    virtual std::uint64_t end(const end_record& r) = 0;
    virtual std::uint64_t limit(const learnt_limit& l) = 0;
};

/// What a person may want to be told while it happens.
class run_observer {
  public:
    virtual ~run_observer() = default;
    virtual void settled(std::uint64_t /*line*/, const row_outcome& /*o*/) {}
    /// The service limits the run: nothing is sent for `wait`, then as the limit that was learnt allows. Told
    /// once an episode, and not for the single refusals by which the limit is kept known.
    virtual void throttled(std::chrono::milliseconds /*wait*/, const learnt_limit& /*l*/) {}
    virtual void retrying(std::uint64_t /*line*/, const std::string& /*why*/,
                          std::chrono::milliseconds /*wait*/) {}
    /// No connection can be made; the next attempt follows after `wait`.
    virtual void unreachable(const std::string& /*why*/, std::chrono::milliseconds /*wait*/) {}
};

/// One request to send.
struct order {
    slot_id slot = no_slot;
    bool lookup = false;
    departure sent;
    std::size_t company = 0;       ///< requests in flight when it left, itself among them
    std::uint64_t generation = 0;  ///< of the bearer token; the pipeline fills it in
    http_request request;
};

/// What this process did.
struct run_statistics {
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    std::uint64_t throttled = 0;
};

class coordinator {
  public:
    struct options {
        unsigned concurrency = 32;
        unsigned max_attempts = 6;
        std::optional<double> max_rate;
        double max_share = 100;                  ///< percent of the learnt limit
        std::optional<learnt_limit> remembered;  ///< by an earlier session
        failure_limit stop_after;
        std::uint64_t seed = 0;
    };

    /// `counts` is how the job's rows stand at the start (the replay's, or all pending).
    coordinator(const options& o, const outcome_counts& counts, journal_sink& journal,
                run_observer& observer);

    // Rows in, in file order.

    /// True while more rows are needed to keep the connections busy.
    [[nodiscard]] bool wants_rows() const noexcept;
    /// A valid row and where the journal says it stands.
    void admit(const row_view& r, row_state before, wall_time now);
    /// A row that breaks a rule; `r` holds what could be read of it.
    void admit_invalid(const row_view& r, const row_problem& problem, row_state before, wall_time now);
    /// The job has no more rows.
    void end_of_job() noexcept { all_rows_in_ = true; }

    // Orders out.

    /// Appends the intents of the next rows; to be called before looking for orders.
    void prepare(instant now);
    /// A request may leave now.
    [[nodiscard]] bool can_send(instant now) const;
    /// How many requests would leave now if nothing paced them.
    [[nodiscard]] std::size_t sendable() const noexcept { return scheduler_.sendable(); }
    /// When what was appended is to be made durable: at once where few rows are left that may be sent.
    [[nodiscard]] instant sync_due(instant now) const noexcept;
    /// The next request; only where can_send(). `reuse` is one that is done with: its memory may be used
    /// again.
    order take(instant now, http_request reuse = {});
    /// How many requests may be in flight now.
    [[nodiscard]] std::size_t window() const noexcept;
    /// When to look again though nothing else happens: a moment behind `now`, or nothing when only an event
    /// can change anything.
    [[nodiscard]] std::optional<instant> wake_at(instant now) const;

    // What happened.

    /// False when the reply answers another request than `o`: its connection is out of step, must be closed.
    bool replied(const order& o, const http_reply& reply, moment now);
    void failed(const order& o, const transport_failure& why, moment now);
    /// An order that was taken and not sent.
    void returned(const order& o);
    /// Everything up to this journal position is durable.
    void durable(std::uint64_t position, moment now);

    /// Ends the run early: nothing more is sent, what is in flight is waited for. The first reason counts.
    void stop(end_reason reason, std::string why);

    // How it stands.

    /// Nothing is left to do or to wait for; finish() is due.
    [[nodiscard]] bool done() const noexcept;
    /// Withdraws the intents of rows that were not sent, and appends the end record. Call once, when done().
    void finish(std::chrono::milliseconds elapsed);
    [[nodiscard]] bool stopping() const noexcept { return stopped_.has_value(); }
    [[nodiscard]] std::optional<end_reason> stop_reason() const noexcept { return stopped_; }
    [[nodiscard]] const std::string& stop_message() const noexcept { return stop_message_; }
    [[nodiscard]] const outcome_counts& counts() const noexcept { return counts_; }
    [[nodiscard]] const run_statistics& statistics() const noexcept { return statistics_; }
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] const rate_controller& rate() const noexcept { return rate_; }
    /// What is known of the service's limit; nothing while none was met.
    [[nodiscard]] std::optional<learnt_limit> limit() const noexcept;
    /// The newest bearer token that the service refused; 0 for none. Newer ones are to be used.
    [[nodiscard]] std::uint64_t refused_generation() const noexcept { return refused_generation_; }

  private:
    [[nodiscard]] bool shares_company() const noexcept;
    void keep_ahead(instant now);
    void throttled(const order& o, const http_reply& reply, moment now);
    void tell_of_limit(instant now);
    [[nodiscard]] bool more_to_send() const noexcept;
    void unauthorised(const order& o, unsigned status, const std::string& words, moment now);
    void misdirected(const order& o, const http_reply& reply);
    row_step keep_undone(const task& t, row_step step);
    void take_step(slot_id s, row_step step, moment now);
    void try_later(slot_id s, unsigned tries, moment now);
    void settle(slot_id s, row_step how, wall_time now);
    void block(slot_id s, wall_time now);
    void record_blocked(const row_view& r, bool doubtful, std::uint64_t by_line, outcome before,
                        wall_time now);
    void record(std::uint64_t line, const row_outcome& o, outcome before);

    options options_;
    scheduler scheduler_;
    rate_controller rate_;
    concurrency_window window_;
    circuit_breaker breaker_;
    limit_notices notices_;
    random_source random_;
    row_judge judge_;
    // Intents run ahead of the connections, so that none waits for the disk: so many rows are sendable or on
    // their way to it. A crash makes them doubtful, which costs a look-up each.
    std::size_t least_ahead_;
    std::size_t ahead_;
    instant durable_at_{};  // when the journal was last synced
    journal_sink& journal_;
    run_observer& observer_;

    outcome_counts counts_;
    run_statistics statistics_;
    bool all_rows_in_ = false;
    std::optional<end_reason> stopped_;
    std::string stop_message_;
    std::size_t in_flight_ = 0;
    instant shared_since_{};  // of a limit on requests at once only a share is used
    std::uint64_t refused_generation_ = 0;
    // Of a journal that was repaired: lines of rows whose doubt remains, and tokens of which the first row in
    // doubt was found not to be applied, so that those behind it cannot have been sent.
    boost::unordered_flat_set<std::uint64_t> doubted_lines_;
    boost::unordered_flat_set<subject_key, subject_hash> unsent_behind_;
    bool operations_authorised_ = false;  // the service took an operation with this key

    // Waiting to become durable, by position: intents of rows to send, outcomes of settled rows.
    std::deque<std::pair<std::uint64_t, slot_id>> intents_under_way_;
    struct settling {
        std::uint64_t position;
        slot_id slot;
        bool succeeded;
    };
    std::deque<settling> outcomes_under_way_;
    std::vector<std::uint64_t> batch_;
};

}  // namespace muster
