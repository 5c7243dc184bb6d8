#include "engine/plan.hpp"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include "engine/text.hpp"

#include <xxhash.h>

#include <algorithm>

namespace muster {
namespace {

constexpr unsigned user_bits = 20;
constexpr unsigned operation_bits = 4;

std::uint64_t line_of(std::uint64_t rest) {
    return rest >> (user_bits + operation_bits);
}
operation_id operation_in(std::uint64_t rest) {
    return static_cast<operation_id>((rest >> user_bits) & 15U);
}
std::uint64_t user_in(std::uint64_t rest) {
    return rest & ((1U << user_bits) - 1);
}

std::uint64_t user_print(std::string_view user) {
    std::array<char, 64> lower{};
    const auto n = std::min(user.size(), lower.size());
    std::transform(user.begin(), user.begin() + static_cast<std::ptrdiff_t>(n), lower.begin(), ascii_lower);
    return XXH3_64bits(lower.data(), n) & ((1U << user_bits) - 1);
}

bool opposite(operation_id a, operation_id b) {
    return (a == operation_id::enable && b == operation_id::disable) ||
           (a == operation_id::disable && b == operation_id::enable);
}

}  // namespace

std::string row_conflict::text() const {
    switch (what) {
        case kind::duplicate:
            return fmt::format("lines {} and {} ask for the same thing", first_line, second_line);
        case kind::two_users:
            return fmt::format("lines {} and {} name different users for one token or device", first_line,
                               second_line);
        case kind::enable_disable:
            return fmt::format("lines {} and {} enable and disable one token: the later line wins",
                               first_line, second_line);
        case kind::before_assigned:
            return fmt::format("line {} changes a token that only line {} assigns", first_line, second_line);
    }
    return {};
}

void plan_builder::add(const row_view& r) {
    ++plan_.rows;
    ++plan_.by_operation[static_cast<std::size_t>(r.operation)];
    entries_.push_back({subject_of(r).high, (r.line << (user_bits + operation_bits)) |
                                                (static_cast<std::uint64_t>(r.operation) << user_bits) |
                                                user_print(r.get(field::user_id))});
}

void plan_builder::add_invalid(std::uint64_t line, const row_problem& problem) {
    ++plan_.rows;
    ++plan_.invalid;
    if (plan_.first_invalid.size() < keep_) plan_.first_invalid.push_back({line, problem.text()});
}

void plan_builder::note(row_conflict::kind what, const entry& first, const entry& second) {
    ++(what == row_conflict::kind::duplicate ? plan_.duplicates : plan_.contradictions);
    if (plan_.first_conflicts.size() < keep_)
        plan_.first_conflicts.push_back({what, line_of(first.rest), line_of(second.rest)});
}

// All rows of one subject, in file order.
void plan_builder::examine(const entry* begin, const entry* end) {
    const auto rows = static_cast<std::uint64_t>(end - begin);
    ++plan_.subjects;
    plan_.waiting_rows += rows - 1;
    plan_.longest_line = std::max(plan_.longest_line, rows);
    for (const entry* e = begin + 1; e < end; ++e) {
        const entry& before = *(e - 1);
        const auto first = operation_in(before.rest), second = operation_in(e->rest);
        if (user_in(before.rest) != user_in(e->rest))
            note(row_conflict::kind::two_users, before, *e);
        else if (first == second)
            note(row_conflict::kind::duplicate, before, *e);
        else if (opposite(first, second))
            note(row_conflict::kind::enable_disable, before, *e);
        else if (second == operation_id::assign)
            note(row_conflict::kind::before_assigned, before, *e);
    }
}

plan plan_builder::finish() {
    std::ranges::sort(entries_, [](const entry& a, const entry& b) {
        return a.subject != b.subject ? a.subject < b.subject : a.rest < b.rest;
    });
    const entry* const end = entries_.data() + entries_.size();
    for (const entry* first = entries_.data(); first != end;) {
        const entry* last = first + 1;
        while (last != end && last->subject == first->subject) ++last;
        examine(first, last);
        first = last;
    }
    std::ranges::sort(plan_.first_conflicts, {}, &row_conflict::second_line);
    entries_ = {};
    return std::move(plan_);
}

}  // namespace muster
