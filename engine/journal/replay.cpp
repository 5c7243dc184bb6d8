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
        for (const auto state : {row_state::untouched, row_state::blocked, row_state::in_doubt})
            if (!mark(intents->rows, state, row_state::intended)) return false;
        return true;
    }
    if (const auto* withdrawn = std::get_if<withdrawn_record>(&r))
        return mark(withdrawn->rows, row_state::intended, row_state::untouched) &&
               mark(withdrawn->rows, row_state::in_doubt, row_state::untouched) &&
               mark(withdrawn->rows, row_state::blocked, row_state::untouched);
    if (const auto* done = std::get_if<row_outcome>(&r)) {
        if (done->row >= rows_.size()) return false;
        rows_[static_cast<std::size_t>(done->row)] = state_of(done->result);
        return true;
    }
    if (const auto* limit = std::get_if<learnt_limit>(&r)) {
        limit_ = *limit;
        return true;
    }
    last_end_ = std::get<end_record>(r);
    return true;
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
    return std::ranges::none_of(rows_, [](row_state s) {
        return s == row_state::untouched || s == row_state::intended || s == row_state::in_doubt;
    });
}

}  // namespace muster
