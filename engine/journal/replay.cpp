#include "engine/journal/replay.hpp"

#include <algorithm>

namespace muster {

row_state state_of(outcome o) noexcept {
    switch (o) {
        case outcome::applied: return row_state::applied;
        case outcome::already: return row_state::already;
        case outcome::rejected: return row_state::rejected;
        case outcome::blocked: return row_state::blocked;
        case outcome::exhausted: return row_state::exhausted;
        case outcome::in_doubt: return row_state::in_doubt;
        case outcome::invalid: return row_state::invalid;
        case outcome::pending: break;
    }
    return row_state::untouched;
}

outcome outcome_of(row_state s) noexcept {
    switch (s) {
        case row_state::untouched: return outcome::pending;
        case row_state::intended:
        case row_state::lost:
        case row_state::held:
        case row_state::in_doubt: return outcome::in_doubt;
        case row_state::applied: return outcome::applied;
        case row_state::already: return outcome::already;
        case row_state::rejected: return outcome::rejected;
        case row_state::blocked: return outcome::blocked;
        case row_state::exhausted: return outcome::exhausted;
        case row_state::invalid: return outcome::invalid;
    }
    return outcome::pending;
}

bool journal_replay::mark(const std::vector<std::uint64_t>& rows, row_state from, row_state to) {
    for (const std::uint64_t row : rows) {
        if (row >= rows_.size()) return false;
        auto& state = rows_[static_cast<std::size_t>(row)];
        if (state == from) state = to;
    }
    return true;
}

bool journal_replay::add(const journal_record& r) {
    if (const auto* header = std::get_if<journal_header>(&r)) {
        // A row takes two bytes of a job file at the least: a header that claims more is not to be believed.
        if (header->rows > header->job_size) return false;
        header_ = *header;
        rows_.assign(static_cast<std::size_t>(header->rows), row_state::untouched);
        started_.assign(static_cast<std::size_t>(header->rows), false);
        return true;
    }
    if (!header_) return false;
    if (std::holds_alternative<session_record>(r)) {
        ++sessions_;
        last_end_.reset();
        return true;
    }
    if (const auto* intents = std::get_if<intents_record>(&r)) {
        // A row that was blocked, or in doubt even after asking, is taken up again by a later session.
        for (const auto state :
             {row_state::untouched, row_state::blocked, row_state::in_doubt, row_state::lost})
            if (!mark(intents->rows, state, row_state::intended)) return false;
        for (const auto row : intents->rows) started_[static_cast<std::size_t>(row)] = true;
        return true;
    }
    if (const auto* withdrawn = std::get_if<withdrawn_record>(&r)) {
        for (const auto state :
             {row_state::intended, row_state::in_doubt, row_state::blocked, row_state::lost, row_state::held})
            if (!mark(withdrawn->rows, state, row_state::untouched)) return false;
        return true;
    }
    if (const auto* lost = std::get_if<lost_record>(&r)) {
        for (const auto row : lost->rows) {
            if (row >= rows_.size()) return false;
            rows_[static_cast<std::size_t>(row)] = lost->hold ? row_state::held : row_state::lost;
        }
        return true;
    }
    if (const auto* done = std::get_if<row_outcome>(&r)) {
        if (done->row >= rows_.size()) return false;
        auto& state = rows_[static_cast<std::size_t>(done->row)];
        // That it could not be cleared up makes a row that is held no safer to send.
        if (state != row_state::held || done->result != outcome::in_doubt) state = state_of(done->result);
        if (done->attempts > 0) started_[static_cast<std::size_t>(done->row)] = true;
        return true;
    }
    if (const auto* limit = std::get_if<learnt_limit>(&r)) {
        limit_ = *limit;
        return true;
    }
    last_end_ = std::get<end_record>(r);
    return true;
}

void journal_replay::gap() noexcept {
    for (row_state& s : rows_) {
        switch (s) {
            case row_state::untouched:
            case row_state::intended:
            case row_state::blocked:
            case row_state::in_doubt: s = row_state::lost; break;
            case row_state::applied:
            case row_state::already:
            case row_state::rejected:
            case row_state::exhausted:
            case row_state::invalid:
            case row_state::lost:
            case row_state::held: break;
        }
    }
    last_end_.reset();
}

std::uint64_t journal_replay::lost() const noexcept {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        rows_, [](row_state s) { return s == row_state::lost || s == row_state::held; }));
}

std::vector<std::uint64_t> journal_replay::reopen_blocked() {
    std::vector<std::uint64_t> blocked;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (rows_[i] != row_state::blocked) continue;
        rows_[i] = row_state::untouched;
        blocked.push_back(i);
    }
    return blocked;
}

outcome_counts journal_replay::counts() const noexcept {
    outcome_counts counts;
    for (const row_state s : rows_) ++counts[outcome_of(s)];
    return counts;
}

bool journal_replay::finished() const noexcept {
    return std::ranges::none_of(
        rows_, [](row_state s) { return s == row_state::untouched || outcome_of(s) == outcome::in_doubt; });
}

}  // namespace muster
