// The service and the journal's disk as a simulation in virtual time, for the coordinator's tests: replies
// take time, requests fail in every way, power fails at any moment, and what was really applied is counted.
#pragma once

#include "engine/coordinator.hpp"
#include "engine/journal/decoder.hpp"
#include "engine/journal/encoder.hpp"
#include "tests/support/rows.hpp"

#include <functional>
#include <map>
#include <memory>
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

/// Tokens and who has them; counts how often each row changed something.
class simulated_service {
  public:
    struct token {
        std::string user;
        bool enabled = false;
        int assigned_times = 0;
        int enabled_times = 0;
    };
    std::map<std::string, token> tokens;
    unsigned requests = 0;

    http_reply handle(const row& r, bool lookup) {
        const std::string serial(r.subject());
        const std::string user(r.get(field::user_id));
        const auto found = tokens.find(serial);
        if (found == tokens.end()) return {404, R"({"code":"NOT_FOUND","message":"no such token"})", {}};
        token& t = found->second;
        if (lookup) return {200, lookup_body(serial, t), {}};
        switch (r.operation()) {
            case operation_id::assign:
                if (!t.user.empty()) return {409, R"({"code":"ASSIGNED","message":"already assigned"})", {}};
                t.user = user;
                ++t.assigned_times;
                return {200, token_reply(serial, user, "tokenState", "Activated"), {}};
            case operation_id::enable:
            case operation_id::disable: {
                if (t.user != user)
                    return {409, R"({"code":"NOT_ASSIGNED","message":"not assigned to that user"})", {}};
                const bool want = r.operation() == operation_id::enable;
                if (t.enabled != want) ++t.enabled_times;
                t.enabled = want;
                return {200, token_reply(serial, user, "tokenStatus", want ? "Enabled" : "Disabled"), {}};
            }
            case operation_id::enable_ds100: break;
        }
        return {400, "{}", {}};
    }

  private:
    static std::string lookup_body(const std::string& serial, const token& t) {
        return R"({"tokenSerialNumber":")" + serial + R"(","userId":)" +
               (t.user.empty() ? "null" : "\"" + t.user + "\"") + R"(,"tokenState":")" +
               (t.user.empty() ? "Unassigned" : "Activated") + R"(","tokenStatus":")" +
               (t.enabled ? "Enabled" : "Disabled") + "\"}";
    }
};

/// The journal as a simulated process needs it.
class run_journal : public journal_sink {
  public:
    /// What a new process reads; cuts a torn tail.
    virtual journal_replay reopen() = 0;
    /// Starts to make durable what was appended; false when there is nothing to do or a sync is under way.
    virtual bool begin_sync() = 0;
    /// begin_sync() would start one.
    [[nodiscard]] virtual bool gathers() const = 0;
    /// Ends it; gives the position up to which all is durable.
    virtual std::uint64_t end_sync() = 0;
    virtual void sync_now() = 0;
};
/// Thrown by a journal that cannot be written: the process ends.
struct journal_failed {};

/// A journal in memory: what is durable, and what was written behind it and may be lost or torn.
class simulated_journal final : public run_journal {
  public:
    explicit simulated_journal(std::uint64_t rows) {
        header_.version = "test";
        header_.created_at = wall_time(1'800'000'000'000ms);
        header_.job_path = "/job.csv";
        header_.job_sha256 = std::string(64, '0');
        header_.job_size = rows * 100 + 100;
        header_.rows = rows;
        encoder_ = std::make_unique<journal_encoder>(header_);
        durable_ = encoder_->take();
    }

    /// Power fails: of what was not synced, `keep` bytes reached the disk.
    void crash(std::size_t keep) {
        std::string lost = writing_ + encoder_->take();
        durable_ += lost.substr(0, keep % (lost.size() + 1));
        writing_.clear();
        writing_now_ = false;
        reopen();
    }
    /// Reads the journal back and cuts a torn tail.
    journal_replay reopen() override {
        journal_replay replay;
        journal_decoder d;
        d.feed(durable_);
        d.finish();
        journal_record record;
        journal_decoder::step s{};
        while ((s = d.next(record)) == journal_decoder::step::record)
            if (!replay.add(record)) throw std::logic_error("a record that does not fit");
        const auto good = d.offset();
        if (s == journal_decoder::step::bad && d.resync() != journal_decoder::step::end)
            throw std::logic_error("a crash looks like damage");
        durable_.resize(static_cast<std::size_t>(good));
        encoder_ = std::make_unique<journal_encoder>(header_.created_at, good, d.phrases());
        return replay;
    }

    std::uint64_t intents(std::span<const std::uint64_t> rows) override {
        return encoder_->intents(rows), encoder_->offset();
    }
    std::uint64_t withdrawn(std::span<const std::uint64_t> rows) override {
        return encoder_->withdrawn(rows), encoder_->offset();
    }
    std::uint64_t outcome(const row_outcome& o) override { return encoder_->outcome(o), encoder_->offset(); }
    std::uint64_t end(const end_record& r) override { return encoder_->end(r), encoder_->offset(); }
    std::uint64_t limit(const learnt_limit& l) override { return encoder_->limit(l), encoder_->offset(); }

    [[nodiscard]] bool gathers() const override { return !writing_now_ && !encoder_->empty(); }
    bool begin_sync() override {
        if (!gathers()) return false;
        sync_position_ = encoder_->offset();
        writing_ = encoder_->take();
        return writing_now_ = true;
    }
    std::uint64_t end_sync() override {
        durable_ += writing_;
        writing_.clear();
        writing_now_ = false;
        return sync_position_;
    }
    void sync_now() override {
        if (writing_now_) end_sync();
        if (begin_sync()) end_sync();
    }
    /// How a crash at this moment would leave the rows.
    [[nodiscard]] journal_replay replayed() const {
        journal_replay replay;
        journal_decoder d;
        d.feed(durable_);
        d.finish();
        for (journal_record record; d.next(record) == journal_decoder::step::record;)
            if (!replay.add(record)) throw std::logic_error("a record that does not fit");
        return replay;
    }
    [[nodiscard]] const std::string& bytes() const { return durable_; }

  private:
    journal_header header_;
    std::unique_ptr<journal_encoder> encoder_;
    std::string durable_, writing_;
    std::uint64_t sync_position_ = 0;
    bool writing_now_ = false;
};

/// One process's life: drives a coordinator until it is done, or until `events` things happened.
class simulated_process {
  public:
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
    bool run(std::size_t events) {
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
    std::uint64_t bearer_generation = 1;
    std::chrono::milliseconds sync_takes{2};

  private:
    bool run_on(std::size_t events) {
        for (; events > 0; --events) {
            feed();
            coordinator_.prepare(now_);
            while (coordinator_.can_send(now_)) send();
            if (coordinator_.sync_due(now_) <= now_ && journal_.begin_sync()) events_.push({now_ + sync_takes, next_id_++, no_request});
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
    run_observer observer_;
    coordinator coordinator_;
    std::size_t next_row_ = 0;
    std::uint64_t next_id_ = 0;
    static constexpr instant begin_{std::chrono::hours(1)};
    instant now_ = begin_;
    std::priority_queue<event> events_;
    std::map<std::uint64_t, flight> in_flight_;
};

// ---- the job that most tests run

/// Assign and enable for each of `tokens` tokens, either token by token or all assigns first.
inline std::vector<owned_row> onboarding(std::size_t tokens, bool interleaved) {
    std::vector<owned_row> rows;
    for (int pass = 0; pass < (interleaved ? 1 : 2); ++pass)
        for (std::size_t i = 0; i < tokens; ++i) {
            const auto serial = fmt::format("{:012}", i);
            const auto& user = i % 2 == 0 ? user_a : user_b;
            if (interleaved || pass == 0) rows.emplace_back(rows.size(), operation_id::assign, serial, user);
            if (interleaved || pass == 1) rows.emplace_back(rows.size(), operation_id::enable, serial, user);
        }
    return rows;
}

/// Knows the job's tokens; nobody has any.
inline simulated_service service_for(const std::vector<owned_row>& rows) {
    simulated_service s;
    for (const auto& r : rows) s.tokens[std::string(r.what.subject())];
    return s;
}

inline coordinator::options test_options(unsigned concurrency = 8, unsigned attempts = 6,
                                         std::uint64_t seed = 1) {
    return {
        .concurrency = concurrency, .max_attempts = attempts, .max_rate = {}, .stop_after = {}, .seed = seed};
}

}  // namespace muster::test
