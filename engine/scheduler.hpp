// Which row may start now. Rows of one token or device form a line: the first may start, the others wait
// until it is settled, and are blocked if it did not succeed. Everything else is free to run side by side. A
// row that may start waits in one of two queues: `fresh` until its intent is durable, `sendable` after that;
// a row that is to be tried again later waits in the delay queue and comes back to `sendable`.
#pragma once

#include "engine/job.hpp"
#include "engine/outcome.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

namespace muster {

using slot_id = std::uint32_t;
inline constexpr slot_id no_slot = ~slot_id{0};

/// A row on its way, with what has been tried so far.
struct task {
    row what;
    subject_key subject;
    outcome before = outcome::pending;     ///< what it counted as when this process took it up
    unsigned attempts = 0;                 ///< times the operation was sent and not throttled
    unsigned checks = 0;                   ///< look-ups that failed in a row
    unsigned refusals = 0;                 ///< that speak of a limit and are no 429, of look-ups too
    bool doubtful = false;                 ///< an attempt may have been applied
    bool must_check = false;               ///< the service is asked before anything else is sent
    bool held = false;                     ///< not to be sent unless it is certain that it never was
    bool conflicted = false;               ///< the service answered 409; the check tells why
    std::uint64_t refused_generation = 0;  ///< the bearer token that was refused for it, 0 for none
    unsigned last_status = 0;
    std::string last_message;
    slot_id behind = no_slot;  ///< the next row of the same subject
};

class scheduler {
  public:
    /// Takes a row whose subject has not failed. It may start at once unless an earlier one of its subject is
    /// here. `intended`: its intent is durable already.
    slot_id admit(const row_view& r, const subject_key& subject, bool intended);

    [[nodiscard]] task& at(slot_id s) { return tasks_[s]; }
    [[nodiscard]] const task& at(slot_id s) const { return tasks_[s]; }
    [[nodiscard]] std::size_t size() const noexcept { return tasks_.size() - free_.size(); }

    /// Rows that may start once their intent is durable.
    [[nodiscard]] std::size_t fresh() const noexcept { return fresh_.size(); }
    slot_id take_fresh();

    /// Rows that may be sent, oldest first.
    void make_sendable(slot_id s) { sendable_.push_back(s); }
    void put_back(slot_id s) { sendable_.push_front(s); }  ///< it was throttled: it goes first
    [[nodiscard]] std::size_t sendable() const noexcept { return sendable_.size(); }
    slot_id take_sendable();

    /// Tries a row again at `until`.
    void delay(slot_id s, instant until) { delayed_.push({until, s}); }
    /// Moves the rows whose delay is over to the sendable ones.
    void advance(instant now);
    [[nodiscard]] std::optional<instant> next_delayed() const;
    [[nodiscard]] std::size_t delayed() const noexcept { return delayed_.size(); }

    /// A row is settled and its outcome durable: the next of its subject may start, or, where it failed, all
    /// behind it come back to be blocked, in file order (they are out of the line then; release each).
    std::vector<slot_id> settle(slot_id s, bool succeeded);
    void release(slot_id s);

    /// A subject with a row that did not succeed: rows that come later are blocked by that line.
    void fail(const subject_key& subject, std::uint64_t line) { failed_.try_emplace(subject, line); }
    [[nodiscard]] std::optional<std::uint64_t> failed_line(const subject_key& subject) const;

    /// Calls `f(slot)` for every row that is here.
    template <typename F>
    void for_each(F f) const {
        for (slot_id s = 0; s < tasks_.size(); ++s)
            if (used_[s]) f(s);
    }

  private:
    struct later {
        bool operator()(const std::pair<instant, slot_id>& a,
                        const std::pair<instant, slot_id>& b) const noexcept {
            return a.first > b.first;
        }
    };
    void start(slot_id s);

    std::deque<task> tasks_;
    std::vector<bool> used_;
    std::vector<bool> intended_;
    std::vector<slot_id> free_;
    boost::unordered_flat_map<subject_key, slot_id, subject_hash> last_of_;  // the end of each subject's line
    boost::unordered_flat_map<subject_key, std::uint64_t, subject_hash> failed_;
    std::deque<slot_id> fresh_;
    std::deque<slot_id> sendable_;
    std::priority_queue<std::pair<instant, slot_id>, std::vector<std::pair<instant, slot_id>>, later>
        delayed_;
};

}  // namespace muster
