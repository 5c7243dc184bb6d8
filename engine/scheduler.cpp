#include "engine/scheduler.hpp"

#include <utility>

namespace muster {

slot_id scheduler::admit(const row_view& r, const subject_key& subject, bool intended) {
    slot_id s = 0;
    if (free_.empty()) {
        s = static_cast<slot_id>(tasks_.size());
        tasks_.emplace_back();
        used_.push_back(true);
        intended_.push_back(intended);
    } else {
        s = free_.back();
        free_.pop_back();
        used_[s] = true;
        intended_[s] = intended;
    }
    task& t = tasks_[s];
    t = task{};
    t.what = row(r);
    t.subject = subject;
    const auto [line, first] = last_of_.try_emplace(subject, s);
    if (first) {
        start(s);
    } else {
        tasks_[line->second].behind = s;
        line->second = s;
    }
    return s;
}

void scheduler::start(slot_id s) {
    if (intended_[s])
        sendable_.push_back(s);
    else
        fresh_.push_back(s);
}

slot_id scheduler::take_fresh() {
    const slot_id s = fresh_.front();
    fresh_.pop_front();
    intended_[s] = true;
    return s;
}

slot_id scheduler::take_sendable() {
    const slot_id s = sendable_.front();
    sendable_.pop_front();
    return s;
}

void scheduler::advance(instant now) {
    while (!delayed_.empty() && delayed_.top().first <= now) {
        sendable_.push_back(delayed_.top().second);
        delayed_.pop();
    }
}

std::optional<instant> scheduler::next_delayed() const {
    if (delayed_.empty()) return std::nullopt;
    return delayed_.top().first;
}

std::vector<slot_id> scheduler::settle(slot_id s, bool succeeded) {
    std::vector<slot_id> blocked;
    const task& t = tasks_[s];
    slot_id next = t.behind;
    if (!succeeded) {
        fail(t.subject, t.what.line());
        for (; next != no_slot; next = tasks_[next].behind) blocked.push_back(next);
    }
    if (next != no_slot)
        start(next);
    else
        last_of_.erase(t.subject);
    release(s);
    return blocked;
}

void scheduler::release(slot_id s) {
    tasks_[s] = task{};
    used_[s] = false;
    free_.push_back(s);
}

std::optional<std::uint64_t> scheduler::failed_line(const subject_key& subject) const {
    const auto found = failed_.find(subject);
    if (found == failed_.end()) return std::nullopt;
    return found->second;
}

}  // namespace muster
