#include "engine/journal/salvage.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>

namespace muster {
namespace {

bool is_lost(row_state s) {
    return s == row_state::lost || s == row_state::held;
}

// Surely without effect, and never since it was lost has it been otherwise. (Not in_doubt: a row that was
// lost may have become so by a look-up that failed, and the rows behind it may have been sent long before.)
bool surely_unsuccessful(row_state s) {
    switch (s) {
        case row_state::rejected:
        case row_state::exhausted:
        case row_state::invalid:
        case row_state::blocked:
        case row_state::untouched:
        case row_state::intended: return true;
        default: return false;
    }
}

bool keeps_outcome(row_state s) {
    switch (s) {
        case row_state::applied:
        case row_state::already:
        case row_state::rejected:
        case row_state::exhausted:
        case row_state::blocked:
        case row_state::invalid: return true;
        default: return false;
    }
}

// The two bring the same member to different states, so that one may undo the other.
bool oppose(operation_id a, operation_id b) {
    const operation& x = operation_of(a);
    const operation& y = operation_of(b);
    return x.subject == y.subject && x.state_member == y.state_member &&
           !std::ranges::equal(x.wanted_states, y.wanted_states);
}

struct behind {
    bool started = false;   // one of the rows behind was sent
    unsigned doubtful = 0;  // a bit for each operation of those that may have been
};

bool undone_by_one_of(operation_id op, unsigned doubtful) {
    for (const operation& other : operations())
        if ((doubtful >> static_cast<unsigned>(other.id) & 1U) != 0 && oppose(op, other.id)) return true;
    return false;
}

}  // namespace

std::vector<fate> judge_rows(const journal_replay& replay, std::span<const line_member> rows) {
    const auto& states = replay.rows();
    std::vector<fate> fates(rows.size(), fate::ask);
    boost::unordered_flat_set<subject_key, subject_hash> stuck;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (keeps_outcome(states[i]))
            fates[i] = fate::keep;
        else if (states[i] == row_state::untouched || !rows[i].valid)
            fates[i] = fate::unsent;
        else if (is_lost(states[i]) && !replay.started(i) && stuck.contains(rows[i].subject))
            fates[i] = fate::unsent;
        if (rows[i].valid && surely_unsuccessful(states[i])) stuck.insert(rows[i].subject);
    }
    boost::unordered_flat_map<subject_key, behind, subject_hash> lines;
    for (std::size_t i = rows.size(); i-- > 0;) {
        if (!rows[i].valid) continue;
        behind& later = lines[rows[i].subject];
        if (fates[i] == fate::ask) {
            if (later.started && is_lost(states[i]))
                fates[i] = fate::succeeded;
            else if (states[i] == row_state::held || undone_by_one_of(rows[i].operation, later.doubtful))
                fates[i] = fate::hold;
            later.doubtful |= 1U << static_cast<unsigned>(rows[i].operation);
        }
        later.started = later.started || replay.started(i);
    }
    return fates;
}

}  // namespace muster
