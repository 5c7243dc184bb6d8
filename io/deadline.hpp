// One deadline for one connection, kept by a timer that is armed lazily: moving the deadline on is a plain
// store, and the timer, when it fires too early, waits again for the rest. Arming a timer for each request
// would cost more than sending it; so one that is always a bit behind does the work of thousands.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace muster {

class deadline {
  public:
    using clock = std::chrono::steady_clock;

    /// Calls `on_expiry` each time a deadline passes; never after stop() or the destructor.
    deadline(const boost::asio::any_io_executor& executor, std::function<void()> on_expiry);
    ~deadline() { stop(); }
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;

    void set(clock::time_point due);

    /// No deadline for now; the timer may stay armed, and then keeps io_context::run() from returning.
    void clear() noexcept;

    /// No deadline, and nothing that keeps io_context::run() from returning.
    void stop();

    /// The deadline set last has passed.
    [[nodiscard]] bool expired() const noexcept { return state_->expired; }

  private:
    struct state {
        boost::asio::steady_timer timer;
        std::function<void()> on_expiry;
        clock::time_point due = clock::time_point::max();
        bool armed = false;
        bool expired = false;
    };

    static void watch(const std::shared_ptr<state>& watched);

    std::shared_ptr<state> state_;  ///< shared with the timer's handler, which may run after we are gone
};

}  // namespace muster
