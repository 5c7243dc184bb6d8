#include "tests/sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <unordered_map>

namespace muster::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view user = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d";
const instant epoch{std::chrono::hours(1000)};
constexpr seconds never = 1e18;
const wall_time wall_epoch{1'800'000'000'000ms};

moment at(seconds now) {
    const auto since =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(now));
    return {epoch + since, wall_epoch + std::chrono::floor<std::chrono::milliseconds>(since)};
}
seconds seconds_at(instant t) {
    return std::chrono::duration<double>(t - epoch).count();
}

/// A journal that is durable at once: the disk is not what is studied here.
class prompt_journal final : public journal_sink {
  public:
    std::uint64_t intents(std::span<const std::uint64_t>) override { return ++position_; }
    std::uint64_t withdrawn(std::span<const std::uint64_t>) override { return ++position_; }
    std::uint64_t outcome(const row_outcome&) override { return ++position_; }
    std::uint64_t end(const end_record&) override { return ++position_; }
    std::uint64_t limit(const learnt_limit&) override { return ++position_; }
    [[nodiscard]] std::uint64_t position() const { return position_; }

  private:
    std::uint64_t position_ = 0;
};

struct process {
    process(const coordinator::options& o, std::uint64_t first_row)
        : coord(o, counts(), journal, observer), next_row(first_row) {}
    static outcome_counts counts() {
        outcome_counts c;
        c[outcome::pending] = ~std::uint64_t{0} >> 1;
        return c;
    }
    prompt_journal journal;
    run_observer observer;
    coordinator coord;
    std::uint64_t next_row;
    std::uint64_t rows = 0;  ///< that were begun
    seconds wake = never;    ///< the next time it looks again by itself
    seconds stalled_until = 0;
    tally done;
};

struct event {
    enum class kind { arrival, reply, wake, stall, incident, other };
    seconds when;
    std::uint64_t order;
    kind what;
    std::size_t index;
    bool operator<(const event& e) const { return when != e.when ? when > e.when : order > e.order; }
};

struct flight {
    order sent;
    std::size_t from;
    seconds back;  ///< how long the reply travels
    seconds service;
    bool admitted = false;
    http_reply reply;
};

class world {
  public:
    world(const scenario& s, limiter& limit, const network& net, std::vector<incident> incidents,
          std::uint64_t seed, bool trace)
        : scenario_(s),
          limit_(limit),
          net_(net),
          incidents_(std::move(incidents)),
          random_(seed),
          trace_(trace) {
        for (unsigned i = 0; i < s.processes; ++i) {
            coordinator::options o;
            o.concurrency = s.concurrency;
            o.seed = random_();
            o.max_share = s.max_share;
            processes_.push_back(std::make_unique<process>(o, i * 1'000'000'000ULL));
        }
        result_.by_second.resize(static_cast<std::size_t>(std::ceil(s.duration)) + 1);
    }

    run_result run() {
        for (std::size_t i = 0; i < incidents_.size(); ++i) push(incidents_[i].at, event::kind::incident, i);
        if (scenario_.other_traffic > 0) push(in_a_while(scenario_.other_traffic), event::kind::other, 0);
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            push(uniform() * 0.05, event::kind::wake, i);
            if (net_.stalls > 0) push(in_a_while(net_.stalls), event::kind::stall, i);
        }
        happen_until(scenario_.duration);
        for (const auto& p : processes_) result_.processes.push_back(p->done);
        finish();
        return result_;
    }

  private:
    void happen_until(seconds end) {
        while (!events_.empty() && events_.top().when < end) {
            const event e = events_.top();
            events_.pop();
            now_ = e.when;
            happen(e);
        }
    }

    /// No more rows come: each that was begun is to end, however long it takes.
    void finish() {
        constexpr seconds patience = 86'400;
        finishing_ = true;
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            processes_[i]->coord.end_of_job();
            pump(i);
        }
        happen_until(scenario_.duration + patience);
        for (const auto& p : processes_) {
            result_.rows += p->rows;
            result_.lost += p->rows - p->coord.counts()[outcome::applied];
        }
    }

    void happen(const event& e) {
        switch (e.what) {
            case event::kind::incident: incidents_[e.index].what(now_); return;
            case event::kind::other:
                if (limit_.admit(now_)) limit_.leave(now_);
                if (!finishing_) push(in_a_while(scenario_.other_traffic), event::kind::other, 0);
                return;
            case event::kind::arrival: arrive(e.index); return;
            case event::kind::reply: {
                if (deferred(e, flights_.at(e.index).from)) return;
                flight f = std::move(flights_.at(e.index));
                flights_.erase(e.index);
                process& p = *processes_[f.from];
                p.coord.replied(f.sent, f.reply, at(now_));
                pump(f.from);
                return;
            }
            case event::kind::wake:
                if (deferred(e, e.index)) return;
                if (processes_[e.index]->wake <= now_) processes_[e.index]->wake = never;
                pump(e.index);
                return;
            case event::kind::stall:
                processes_[e.index]->stalled_until =
                    std::max(processes_[e.index]->stalled_until, in_a_while(1 / net_.stall));
                if (!finishing_) push(in_a_while(net_.stalls), event::kind::stall, e.index);
                return;
        }
    }

    /// What happens to a process whose host stalls, it sees when the host goes on.
    bool deferred(const event& e, std::size_t index) {
        const seconds until = processes_[index]->stalled_until;
        if (until <= now_) return false;
        push(until, e.what, e.index);
        return true;
    }

    void pump(std::size_t index) {
        process& p = *processes_[index];
        const moment now = at(now_);
        p.coord.durable(p.journal.position(), now);
        while (!finishing_ && p.coord.wants_rows()) {
            const std::string serial = fmt::format("{:012}", p.next_row);
            row_view v{.index = p.next_row, .line = p.next_row + 2, .operation = operation_id::enable};
            v.fields[static_cast<std::size_t>(field::user_id)] = user;
            v.fields[static_cast<std::size_t>(field::token_serial)] = serial;
            p.coord.admit(v, row_state::untouched, now.wall);
            ++p.next_row;
            ++p.rows;
        }
        p.coord.prepare(now.mono);
        p.coord.durable(p.journal.position(), now);
        while (p.coord.can_send(now.mono)) send(index);
        const auto wake = p.coord.wake_at(now.mono);
        const seconds when = wake ? std::max(seconds_at(*wake), now_ + 1e-6) : never;
        if (when < p.wake) push(p.wake = when, event::kind::wake, index);
    }

    void send(std::size_t index) {
        process& p = *processes_[index];
        const auto id = ++next_flight_;
        flight f{p.coord.take(at(now_).mono), index, 0, 0, false, {}};
        const double total = net_.latency * std::exp(net_.jitter * normal_(random_));
        // A tenth of the time is the way there, a tenth the way back.
        f.back = total * 0.1;
        f.service = total * 0.8;
        flights_.emplace(id, std::move(f));
        push(now_ + total * 0.1, event::kind::arrival, id);
    }

    void arrive(std::uint64_t id) {
        flight& f = flights_.at(id);
        if (!f.admitted) {
            f.admitted = limit_.admit(now_);
            count(*processes_[f.from], f);
            if (!f.admitted) {
                refuse(f.reply);
                push(now_ + f.back, event::kind::reply, id);
                return;
            }
            f.reply.status = 0;
            push(now_ + f.service, event::kind::arrival, id);
            return;
        }
        limit_.leave(now_);
        answer(f);
        push(now_ + f.back, event::kind::reply, id);
    }

    void answer(flight& f) {
        f.reply.status = 200;
        const auto& body = f.sent.request.body;
        const auto serial = body.substr(body.find(':') + 2, 12);
        f.reply.body = fmt::format(
            R"({{"userId":"{}","tokenSerialNumber":"{}","tokenStatus":"Enabled","tokenStatusChangedBy":"a@b",)"
            R"("tokenStatusChangedAt":"2021-06-13T04:38:51.961Z"}})",
            user, serial);
    }

    void refuse(http_reply& reply) {
        reply.status = 429;
        const auto wall = at(now_).wall;
        const double wait = limit_.wait(now_);
        const auto reset = std::chrono::ceil<std::chrono::seconds>(
            wall + std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(wait * 1000))));
        const auto since_epoch = reset.time_since_epoch().count();
        switch (scenario_.told) {
            case hint::none: return;
            case hint::retry_after:
                reply.headers = {{"retry-after", fmt::format("{}", std::ceil(wait))}};
                return;
            case hint::retry_date:
                reply.headers = {{"retry-after", http_date(reset)},
                                 {"date", http_date(std::chrono::floor<std::chrono::seconds>(wall))}};
                return;
            case hint::reset_delta:
                reply.headers = {{"x-ratelimit-remaining", "0"},
                                 {"x-ratelimit-reset", fmt::format("{}", std::ceil(wait))}};
                return;
            case hint::reset_epoch:
                reply.headers = {{"x-ratelimit-remaining", "0"},
                                 {"x-ratelimit-reset", fmt::format("{}", since_epoch)}};
                return;
            case hint::reset_epoch_ms:
                reply.headers = {{"x-ratelimit-remaining", "0"},
                                 {"x-ratelimit-reset", fmt::format("{}", since_epoch * 1000)}};
                return;
        }
    }

    static std::string http_date(std::chrono::sys_seconds t) {
        static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        const auto day = std::chrono::floor<std::chrono::days>(t);
        const std::chrono::year_month_day ymd(day);
        const std::chrono::hh_mm_ss clock(t - day);
        return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                           days[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(ymd.day()),
                           months[static_cast<unsigned>(ymd.month()) - 1], static_cast<int>(ymd.year()),
                           clock.hours().count(), clock.minutes().count(), clock.seconds().count());
    }

    void count(process& p, const flight& f) {
        note_age(f);
        if (finishing_) return;
        for (tally* t : {&p.done, &result_.by_second[static_cast<std::size_t>(now_)]}) {
            ++t->requests;
            (f.admitted ? t->accepted : t->throttled) += 1;
        }
        if (trace_)
            fmt::print("{:.6f} {} {} in flight {} sent {:.6f} limit {:.2f} burst {:.1f} cycle {:.1f}\n", now_,
                       f.from, f.admitted ? 200 : 429, p.coord.in_flight(), seconds_at(f.sent.sent.at),
                       p.coord.rate().learnt() ? p.coord.rate().learnt()->rate : 0,
                       p.coord.rate().learnt() ? p.coord.rate().learnt()->burst : 0,
                       p.coord.rate().learnt() ? p.coord.rate().learnt()->cycle : 0);
    }

    /// How many requests that left later were let through before this one, which was refused meanwhile.
    void note_age(const flight& f) {
        const auto& body = f.sent.request.body;
        const std::string row = body.substr(body.find(':') + 2, 12);
        accepted_ += f.admitted ? 1 : 0;
        const auto first = refused_.find(row);
        if (!f.admitted) {
            if (first == refused_.end()) refused_.emplace(row, accepted_);
        } else if (first != refused_.end()) {
            result_.overtaken = std::max(result_.overtaken, accepted_ - 1 - first->second);
            refused_.erase(first);
        }
    }

    void push(seconds when, event::kind what, std::size_t index) {
        events_.push({when, ++next_event_, what, index});
    }
    double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
    /// When what happens so often a second does so next.
    seconds in_a_while(double often) { return now_ + std::exponential_distribution<double>(often)(random_); }

    const scenario& scenario_;
    limiter& limit_;
    network net_;
    std::vector<incident> incidents_;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    bool trace_;
    std::vector<std::unique_ptr<process>> processes_;
    std::unordered_map<std::uint64_t, flight> flights_;
    std::priority_queue<event> events_;
    std::uint64_t next_flight_ = 0, next_event_ = 0;
    seconds now_ = 0;
    bool finishing_ = false;
    std::uint64_t accepted_ = 0;
    std::unordered_map<std::string, std::uint64_t>
        refused_;  ///< rows, and how many had been let through then
    run_result result_;
};

}  // namespace

tally run_result::total(std::size_t from, std::size_t to) const {
    tally sum;
    for (std::size_t i = from; i < std::min(to, by_second.size()); ++i) {
        sum.requests += by_second[i].requests;
        sum.accepted += by_second[i].accepted;
        sum.throttled += by_second[i].throttled;
    }
    return sum;
}

run_result simulate(const scenario& s, limiter& limit, const network& net, std::vector<incident> incidents,
                    std::uint64_t seed, bool trace) {
    return world(s, limit, net, std::move(incidents), seed, trace).run();
}

}  // namespace muster::sim
