// A coordinator in virtual time, with a simulated service and journal: replies take time, and requests fail
// in every way.
#pragma once

#include "engine/coordinator.hpp"
#include "tests/support/simulated_journal.hpp"
#include "tests/support/simulated_service.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace muster::test {

using namespace std::chrono_literals;

/// Shares of requests, in percent, that fail in each way.
struct fault_shares {
    int server_error = 0;        ///< 500, nothing applied
    int server_error_after = 0;  ///< 500, and applied all the same
    int lost_request = 0;        ///< the connection breaks, nothing applied
    int lost_reply = 0;          ///< applied, and the connection breaks
    int stalled = 0;             ///< no reply in time, and applied some time later
    int garbage = 0;             ///< 200 with nonsense, nothing applied
    int throttle = 0;            ///< 429
};

inline coordinator::options test_options(unsigned concurrency = 8, unsigned attempts = 6,
                                         std::uint64_t seed = 1) {
    return {
        .concurrency = concurrency, .max_attempts = attempts, .max_rate = {}, .stop_after = {}, .seed = seed};
}

/// One process's life: drives a coordinator until it is done, or until `events` things happened.
class simulated_process {
  public:
    /// So many events that only a run that goes round in circles meets them.
    static constexpr std::size_t no_end = 10'000'000;

    simulated_process(const std::vector<owned_row>& rows, simulated_service& service, run_journal& journal,
                      const fault_shares& faults, coordinator::options options, std::uint64_t seed)
        : rows_(rows),
          service_(service),
          journal_(journal),
          faults_(faults),
          random_(seed),
          replay_(taken_up(journal)),
          options_(options),
          coordinator_(options, replay_.counts(), journal, observer_) {
        for (const auto& r : rows) {
            by_request_.emplace(key_of(build_request(r.what)), &r.what);
            by_request_.emplace(key_of(build_lookup(r.what)), &r.what);
        }
    }

    /// True when the run came to its end; false when it was cut off after `events` events, or the journal
    /// failed (requests under way may still be applied).
    bool run(std::size_t events = no_end) {
        try {
            if (run_on(events)) return true;
        } catch (const journal_failed&) {
        }
        for (auto& [id, f] : in_flight_)
            if ((f.applied_later || f.stalled) && random_() % 2 == 0)
                service_.handle(row_of(f.o), f.o.lookup);
        return false;
    }

    coordinator& state() { return coordinator_; }
    /// Of virtual time, since the process began.
    std::chrono::nanoseconds elapsed() const { return now_ - begin_; }
    /// How the rows stood when this process began.
    const journal_replay& before() const { return replay_; }
    /// Lets a test decide replies itself; nothing: as usual.
    std::function<std::optional<http_reply>(const order&, const row&)> interfere;
    /// Lets a test decide that no reply comes; asked where `interfere` left it open.
    std::function<std::optional<transport_failure>(const order&, const row&)> lose;
    /// Called after every thousandth event.
    std::function<void()> watch;
    /// Called when a person is told that nothing is sent for so long.
    std::function<void(std::chrono::milliseconds)> told_of_wait;
    std::uint64_t bearer_generation = 1;
    std::chrono::milliseconds sync_takes{2};

  private:
    bool run_on(std::size_t events) {
        for (; events > 0; --events) {
            feed();
            coordinator_.prepare(now_);
            while (coordinator_.can_send(now_)) send();
            if (coordinator_.sync_due(now_) <= now_ && journal_.begin_sync())
                events_.push({now_ + sync_takes, next_id_++, no_request});
            if (coordinator_.done()) {
                coordinator_.finish(1ms);
                journal_.sync_now();
                return true;
            }
            if (!advance()) throw std::logic_error("the run is stuck");
            if (watch && events % 1000 == 0) watch();
        }
        return false;
    }

    // As resume does it: what was blocked is open again.
    static journal_replay taken_up(run_journal& journal) {
        journal_replay replay = journal.reopen();
        if (replay.finished()) return replay;
        if (const auto blocked = replay.reopen_blocked(); !blocked.empty()) journal.withdrawn(blocked);
        return replay;
    }

    static constexpr std::uint64_t no_request = ~std::uint64_t{0};
    struct event {
        instant at;
        std::uint64_t id;
        std::uint64_t request;
        bool operator<(const event& other) const { return at != other.at ? at > other.at : id > other.id; }
    };
    struct flight {
        order o;
        std::optional<http_reply> reply;
        transport_failure failure;
        bool applied_later = false;  ///< when the reply is due, so that a power failure can come before it
        bool stalled = false;        ///< applied after it was given up
        bool given_up = false;
    };

    moment clock() const {
        return {now_, wall_time(1'800'000'001'000ms) +
                          std::chrono::floor<std::chrono::milliseconds>(now_.time_since_epoch())};
    }
    static std::string key_of(const http_request& r) { return r.target + '\n' + r.body; }
    // Of a look-up: any row of that token.
    const row& row_of(const order& o) const { return *by_request_.at(key_of(o.request)); }

    void feed() {
        while (coordinator_.wants_rows()) {
            if (next_row_ == rows_.size()) {
                coordinator_.end_of_job();
                return;
            }
            const auto before = replay_.rows()[next_row_];
            if (before == row_state::blocked) throw std::logic_error("a finished job has nothing to send");
            coordinator_.admit(rows_[next_row_].view(), before, clock().wall);
            ++next_row_;
        }
    }

    void send() {
        flight f;
        f.o = coordinator_.take(now_);
        f.o.generation = std::max(bearer_generation, coordinator_.refused_generation() + 1);
        ++service_.requests;
        const row& r = row_of(f.o);
        if (interfere) f.reply = interfere(f.o, r);
        const auto lost = !f.reply && lose ? lose(f.o, r) : std::nullopt;
        if (lost)
            f.failure = *lost;
        else if (!f.reply)
            decide(f, r);
        const auto id = next_id_++;
        events_.push({now_ + std::chrono::milliseconds(1 + random_() % 20), id, id});
        in_flight_.emplace(id, std::move(f));
    }

    void decide(flight& f, const row& r) {
        auto dice = static_cast<int>(random_() % 100);
        const auto falls_on = [&](int share) { return (dice -= share) < 0; };
        f.failure = {.maybe_received = true, .timed_out = false, .message = "connection reset"};
        if (falls_on(faults_.server_error)) {
            f.reply = http_reply{500, "", {}};
        } else if (falls_on(faults_.server_error_after)) {
            service_.handle(r, f.o.lookup);
            f.reply = http_reply{500, "", {}};
        } else if (falls_on(faults_.lost_request)) {
            f.applied_later = false;
        } else if (falls_on(faults_.lost_reply)) {
            service_.handle(r, f.o.lookup);
        } else if (falls_on(faults_.stalled)) {
            f.failure = {.maybe_received = true, .timed_out = true, .message = "no reply within 30 s"};
            f.stalled = true;
        } else if (falls_on(faults_.garbage)) {
            f.reply = http_reply{200, "<html>", {}};
        } else if (falls_on(faults_.throttle)) {
            f.reply = http_reply{429, "", {{"retry-after", "1"}}};
        } else {
            f.applied_later = true;
        }
    }

    bool advance() {
        auto wake = coordinator_.wake_at(now_);
        if (journal_.gathers()) wake = std::min(wake.value_or(instant::max()), coordinator_.sync_due(now_));
        if (events_.empty() && !wake) return false;
        if (events_.empty() || (wake && *wake > now_ && *wake < events_.top().at)) {
            if (*wake <= now_) return false;
            now_ = *wake;
            return true;
        }
        const event e = events_.top();
        events_.pop();
        now_ = std::max(now_, e.at);
        if (e.request == no_request) {
            coordinator_.durable(journal_.end_sync(), clock());
            return true;
        }
        flight f = std::move(in_flight_.at(e.request));
        in_flight_.erase(e.request);
        if (f.given_up) {
            service_.handle(row_of(f.o), f.o.lookup);
            return true;
        }
        if (f.applied_later) f.reply = service_.handle(row_of(f.o), f.o.lookup);
        if (f.reply)
            coordinator_.replied(f.o, *f.reply, clock());
        else
            coordinator_.failed(f.o, f.failure, clock());
        if (f.stalled) {
            f.given_up = true;
            events_.push({now_ + std::chrono::milliseconds(1 + random_() % 500), next_id_++, e.request});
            in_flight_.emplace(e.request, std::move(f));
        }
        return true;
    }

    const std::vector<owned_row>& rows_;
    std::map<std::string, const row*> by_request_;
    simulated_service& service_;
    run_journal& journal_;
    fault_shares faults_;
    std::mt19937_64 random_;
    journal_replay replay_;
    coordinator::options options_;
    struct observer final : run_observer {
        explicit observer(simulated_process& p) : process(p) {}
        void throttled(std::chrono::milliseconds wait, const learnt_limit&) override {
            if (process.told_of_wait) process.told_of_wait(wait);
        }
        simulated_process& process;
    };
    observer observer_{*this};
    coordinator coordinator_;
    std::size_t next_row_ = 0;
    std::uint64_t next_id_ = 0;
    static constexpr instant begin_{std::chrono::hours(1)};
    instant now_ = begin_;
    std::priority_queue<event> events_;
    std::map<std::uint64_t, flight> in_flight_;
};

}  // namespace muster::test
