#include "io/pipeline.hpp"

#include "engine/connection_reuse.hpp"
#include "engine/outage.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <exception>
#include <functional>
#include <vector>

namespace muster {

namespace net = boost::asio;

namespace {

constexpr std::size_t rows_per_slice = 10'000;  // read at a stretch before the network gets its turn
constexpr std::uint64_t few_rows = 16;          // to read them takes no time worth to be told of
// Sleeping and being woken costs both sides more than a look that finds nothing: where the next event has
// usually been handled sooner than this, the run does not sleep till it comes.
constexpr auto short_wait = std::chrono::microseconds(30);
// A connection that was idle so long may have been closed by the service, which costs a call to find out.
constexpr auto idle_before_look = std::chrono::milliseconds(1);

moment now() {
    return {std::chrono::steady_clock::now(),
            std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

// A connection and the coroutine that drives it. It sleeps until it is told to connect or to send.
struct worker {
    worker(net::any_io_executor executor, std::shared_ptr<https_context> https)
        : client(executor, std::move(https)), wake(executor, net::steady_timer::time_point::max()) {}

    https_client client;
    net::steady_timer wake;
    bool connecting = false;
    bool reused = false;   // the connection has brought a reply
    instant idle_since{};  // while in idle_connected
    std::optional<order> todo;
    http_request spent;  // the latest: its memory may be used again
};

}  // namespace

struct pipeline::impl {
    impl(pipeline_parts p, pipeline_options o)
        : parts(std::move(p)),
          options(o),
          coord(o.decisions, parts.before.counts(), parts.journal, parts.observer),
          pass(parts.job.start_pass(hashing::on)),
          timer(parts.context),
          gap(o.decisions.max_attempts, o.outage_timeout, o.reached_before),
          random(o.decisions.seed + 1),
          started(std::chrono::steady_clock::now()) {}

    pipeline_parts parts;
    pipeline_options options;
    coordinator coord;
    std::unique_ptr<job_file::pass> pass;
    net::steady_timer timer;
    outage gap;
    connection_reuse reuse;
    random_source random;
    instant started;

    record current;
    std::uint64_t next_row = 0;
    bool more_rows = true;
    std::vector<std::unique_ptr<worker>> workers;
    std::vector<worker*> idle_connected;  // the last used first: it is the least likely to be stale
    std::vector<worker*> idle_unconnected;
    std::size_t connecting = 0;
    instant timer_set_for{};
    bool pump_posted = false;
    moment pumped{};         // the pump's latest turn
    bool finishing = false;  // finish() was called: only the journal is waited for
    bool ended = false;
    std::optional<error> storage_failure;
    std::exception_ptr broken;
    std::function<void()> on_end;

    // Handles events until there are none to come.
    void loop() {
        net::io_context& context = parts.context;
        std::chrono::nanoseconds usual_wait = 2 * short_wait;  // till the next event is handled
        while (!context.stopped()) {
            if (context.poll() > 0) continue;
            const instant from = std::chrono::steady_clock::now();
            instant at = from;
            bool handled = false;
            while (!handled && usual_wait < short_wait && at - from < short_wait && !context.stopped()) {
                handled = context.poll_one() > 0;
                at = std::chrono::steady_clock::now();
            }
            if (!handled) {
                context.run_one();
                at = std::chrono::steady_clock::now();
            }
            usual_wait += (at - from - usual_wait) / 16;
        }
    }

    // ---- rows

    // Reads rows until the coordinator has enough. False when there is more to read at once.
    bool read_rows(wall_time at) {
        if (!more_rows || !coord.wants_rows()) return true;
        for (std::size_t n = 0; more_rows && coord.wants_rows(); ++n) {
            if (n == rows_per_slice) return false;
            auto got = pass->records().next(current);
            if (!got) {
                more_rows = false;
                coord.stop(end_reason::job_changed, got.error().message);
            } else if (*got) {
                take_row(at);
            } else {
                end_of_rows();
            }
        }
        return true;
    }

    void take_row(wall_time at) {
        const auto& states = parts.before.rows();
        if (next_row >= states.size()) {
            more_rows = false;
            coord.stop(end_reason::job_changed,
                       parts.job.name() + ": has more rows than when it was checked");
            return;
        }
        row_view r;
        const auto problem = parts.mapper.map(current, next_row, r);
        const row_state before = states[static_cast<std::size_t>(next_row++)];
        if (!problem)
            coord.admit(r, before, at);
        else if (options.skip_invalid)
            coord.admit_invalid(r, *problem, before, at);
        else
            coord.stop(end_reason::job_changed,
                       fmt::format("{}:{}: {} (it was not so when the job was checked)", parts.job.name(),
                                   current.line, problem->text()));
    }

    void end_of_rows() {
        more_rows = false;
        coord.end_of_job();
        const auto read = pass->identity();
        const auto& header = parts.before.header();
        if (read.sha256 != header.job_sha256 || read.size != header.job_size)
            coord.stop(end_reason::job_changed, parts.job.name() + ": was changed while the run went on");
    }

    // ---- the pump: after every event, everything that can go on goes on

    void pump() { pump(now()); }

    // `at`: now. An event that asked for the time already passes it on, as asking costs a part of every row.
    void pump(moment at) {
        if (ended) return;
        const std::uint64_t first = next_row;
        if (!read_rows(at.wall)) post_pump();
        if (next_row - first > few_rows) at = now();
        pumped = at;
        coord.prepare(at.mono);
        hand_out_orders(at.mono);
        open_connections(at.mono);
        flush(at.mono);
        if (coord.done() && !finishing) {
            finishing = true;
            coord.finish(elapsed());
            flush(at.mono);
        }
        if (finishing && parts.journal.settled()) return end();
        set_timer(at.mono);
    }

    void post_pump() {
        if (pump_posted) return;
        pump_posted = true;
        net::post(parts.context, [this] {
            pump_posted = false;
            pump();
        });
    }

    void hand_out_orders(instant at) {
        while (!idle_connected.empty() && coord.can_send(at)) {
            worker* const w = idle_connected.back();
            idle_connected.pop_back();
            const bool looks = at - w->idle_since > idle_before_look;
            if (looks ? !w->client.usable() : !w->client.open()) {
                idle_unconnected.push_back(w);
                continue;
            }
            w->todo = coord.take(at, std::move(w->spent));
            w->wake.cancel();
        }
    }

    // As many as there are requests that could leave; one at a time while the service cannot be reached.
    void open_connections(instant at) {
        if (!coord.can_send(at) || !idle_connected.empty()) return;
        const std::size_t wanted = std::min(coord.sendable(), coord.window() - coord.in_flight());
        while (connecting < wanted && !idle_unconnected.empty()) {
            if (gap.lasts() && (connecting > 0 || gap.retry_at() > at)) return;
            worker* const w = idle_unconnected.back();
            idle_unconnected.pop_back();
            w->connecting = true;
            ++connecting;
            w->wake.cancel();
        }
    }

    void flush(instant at) {
        if (!finishing && coord.sync_due(at) > at) return;
        parts.journal.flush([this](result<std::uint64_t> position) {
            const moment synced = now();
            if (position) {
                coord.durable(*position, synced);
            } else {
                storage_failure = position.error();
                return end();
            }
            pump(synced);
        });
    }

    // Only for what no event announces: a permit or a retry that lies ahead of the moment `at` of this pump.
    void set_timer(instant at) {
        instant wake = coord.wake_at(at).value_or(instant::max());
        if (gap.lasts() && connecting == 0 && coord.sendable() > 0 && !coord.stopping()) {
            const instant connect_at = std::max(gap.retry_at(), coord.rate().next_permit());
            if (connect_at > at) wake = std::min(wake, connect_at);
        }
        if (parts.journal.gathers()) wake = std::min(wake, coord.sync_due(at));
        if (wake == instant::max() || wake == timer_set_for) return;
        timer_set_for = wake;
        timer.expires_at(wake);
        timer.async_wait([this](boost::system::error_code problem) {
            if (problem) return;
            timer_set_for = {};
            pump();
        });
    }

    void end() {
        ended = true;
        timer.cancel();
        for (auto& w : workers) {
            w->client.close();
            w->wake.cancel();
        }
        if (on_end) on_end();
    }

    // ---- the workers

    net::awaitable<void> work(worker& w) {
        while (!ended) {
            if (!w.connecting && !w.todo) {
                boost::system::error_code ignored;
                co_await w.wake.async_wait(net::redirect_error(net::use_awaitable, ignored));
                if (ended) co_return;
            }
            if (w.connecting)
                co_await connect(w);
            else
                while (w.todo && !ended) co_await exchange(w);
        }
    }

    net::awaitable<void> connect(worker& w) {
        auto connected = co_await w.client.connect();
        w.connecting = false;
        w.reused = false;
        --connecting;
        if (ended) co_return;
        if (connected) {
            gap.reached();
            idle(w, std::chrono::steady_clock::now());
        } else {
            idle_unconnected.push_back(&w);
            connect_failed(connected.error());
        }
        pump();
    }

    void connect_failed(const error& why) {
        if (why.is(errc::untrusted_server)) return coord.stop(end_reason::untrusted_server, why.message);
        const bool give_up = gap.failed(std::chrono::steady_clock::now(), random);
        if (give_up) return coord.stop(end_reason::unreachable, why.message);
        parts.observer.unreachable(why.message, std::chrono::duration_cast<std::chrono::milliseconds>(
                                                    gap.retry_at() - std::chrono::steady_clock::now()));
    }

    net::awaitable<void> exchange(worker& w) {
        tokens_refused();
        const auto bearer = parts.tokens.current(pumped.wall);
        if (!bearer) {
            coord.returned(*w.todo);
            coord.stop(end_reason::not_authorised, bearer.error().message);
            w.todo.reset();
            idle(w, std::chrono::steady_clock::now());
            pump();
            co_return;
        }
        w.todo->generation = (*bearer)->generation();
        auto outcome = co_await w.client.exchange(w.todo->request, (*bearer)->text());
        if (ended) co_return;
        order o = std::move(*w.todo);
        w.todo.reset();
        const moment at = now();
        if (outcome) {
            gap.reached();
            reuse.answered(w.reused);
            w.reused = true;
            if (!coord.replied(o, outcome->get(), at) || !reuse.allowed()) w.client.close();
        } else {
            if (!outcome.error().timed_out) reuse.broke(w.reused);
            coord.failed(o, outcome.error(), at);
        }
        w.spent = std::move(o.request);
        idle(w, at.mono);
        pump(at);
    }

    void idle(worker& w, instant at) {
        w.idle_since = at;
        (w.client.open() ? idle_connected : idle_unconnected).push_back(&w);
    }

    void tokens_refused() {
        if (coord.refused_generation() > 0) parts.tokens.refused(coord.refused_generation());
    }

    std::chrono::milliseconds elapsed() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                     started);
    }
};

pipeline::pipeline(pipeline_parts parts, pipeline_options options)
    : impl_(std::make_unique<impl>(std::move(parts), options)) {}
pipeline::~pipeline() = default;

result<void> pipeline::run(std::function<void()> on_end) {
    impl& i = *impl_;
    i.on_end = std::move(on_end);
    for (unsigned n = 0; n < i.options.decisions.concurrency; ++n)
        i.workers.push_back(std::make_unique<worker>(i.parts.context.get_executor(), i.parts.https));
    for (auto& w : i.workers) {
        i.idle_unconnected.push_back(w.get());
        net::co_spawn(i.parts.context, i.work(*w), [&i](std::exception_ptr problem) {
            if (!problem) return;
            i.broken = problem;
            i.parts.context.stop();
        });
    }
    i.post_pump();
    i.loop();
    if (i.broken) std::rethrow_exception(i.broken);
    if (i.storage_failure) return *i.storage_failure;
    return {};
}

void pipeline::interrupt() {
    impl& i = *impl_;
    if (i.finishing || i.ended) return;
    if (i.coord.stopping()) {
        // A second time: drop what is in flight. Those rows stay in doubt, and the journal is still
        // completed.
        for (auto& w : i.workers) w->client.close();
    }
    i.coord.stop(end_reason::interrupted, "interrupted");
    i.post_pump();
}

const coordinator& pipeline::state() const noexcept {
    return impl_->coord;
}
std::chrono::milliseconds pipeline::elapsed() const noexcept {
    return impl_->elapsed();
}

}  // namespace muster
