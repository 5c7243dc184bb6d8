#include "engine/plan.hpp"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include "engine/text.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <numeric>
#include <utility>

namespace muster {
namespace {

constexpr unsigned user_bits = 20;
constexpr unsigned operation_bits = 4;
// Entries are sorted by subject: apart by its first bits when they are added, by the next ones when all are
// there, which leaves a few together to be compared. All of it at once would be several times slower.
constexpr unsigned bucket_bits = 8;
constexpr unsigned next_bits = 11;
constexpr std::size_t few = 128;
constexpr std::size_t most_kept = std::size_t{1} << 40;  // as good as all

std::uint64_t line_of(std::uint64_t rest) {
    return rest >> (user_bits + operation_bits);
}
operation_id operation_in(std::uint64_t rest) {
    return static_cast<operation_id>((rest >> user_bits) & 15U);
}
std::uint64_t user_in(std::uint64_t rest) {
    return rest & ((1U << user_bits) - 1);
}

// Of a UUID in any case: the bit that is set here differs in letters only.
std::uint64_t user_print(std::string_view user) {
    constexpr std::uint64_t lower_case = 0x2020'2020'2020'2020, odd_factor = 0x9E37'79B9'7F4A'7C15;
    std::uint64_t print = 0, word = 0;
    const auto add = [&] {
        print = (print ^ (word | lower_case)) * odd_factor;
        print ^= print >> 32;
    };
    for (; user.size() >= sizeof word; user.remove_prefix(sizeof word)) {
        std::memcpy(&word, user.data(), sizeof word);
        add();
    }
    word = 0;
    std::memcpy(&word, user.data(), user.size());
    add();
    return print & ((1U << user_bits) - 1);
}

void keep_first(std::vector<row_conflict>& of, std::size_t keep) {
    std::ranges::sort(of, {}, &row_conflict::second_line);
    if (of.size() > keep) of.resize(keep);
}

bool opposite(operation_id a, operation_id b) {
    return (a == operation_id::enable && b == operation_id::disable) ||
           (a == operation_id::disable && b == operation_id::enable);
}

}  // namespace

plan_builder::plan_builder(std::size_t keep)
    : keep_(std::min(keep, most_kept)), buckets_(std::size_t{1} << bucket_bits) {}

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
    const std::uint64_t subject = subject_of(r).high;
    buckets_[subject >> (64 - bucket_bits)].push_back(
        {subject, (r.line << (user_bits + operation_bits)) |
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
    auto& listed = plan_.first_conflicts;
    listed.push_back({what, line_of(first.rest), line_of(second.rest)});
    if (listed.size() >= 2 * keep_ + few) keep_first(listed, keep_);
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

// All entries of these buckets, by subject and line.
void plan_builder::sort(std::span<bucket* const> from, std::vector<entry>& sorted) {
    const auto before = [](const entry& a, const entry& b) {
        return a.subject != b.subject ? a.subject < b.subject : a.rest < b.rest;
    };
    sorted.clear();
    std::size_t size = 0;
    for (const bucket* b : from) size += b->size();
    if (size <= few) {
        for (const bucket* b : from) sorted.insert(sorted.end(), b->begin(), b->end());
        std::ranges::sort(sorted, before);
        return;
    }
    constexpr std::size_t parts = std::size_t{1} << next_bits;
    const auto part_of = [](const entry& e) {
        return (e.subject >> (64 - bucket_bits - next_bits)) & (parts - 1);
    };
    std::array<std::size_t, parts + 1> ends{};  // first the begin of each, which moves as it is filled
    for (const bucket* b : from)
        for (const entry& e : *b) ++ends[part_of(e) + 1];
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    sorted.resize(size);
    for (const bucket* b : from)
        for (const entry& e : *b) sorted[ends[part_of(e)]++] = e;
    auto begin = sorted.begin();
    for (std::size_t i = 0; i < parts; ++i) {
        const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(ends[i]);
        if (end - begin > 1) std::sort(begin, end, before);
        begin = end;
    }
}

void plan_builder::examine_bucket(std::span<plan_builder> parts, std::size_t number,
                                  std::vector<entry>& sorted) {
    std::vector<bucket*> from;
    for (plan_builder& part : parts) from.push_back(&part.buckets_[number]);
    sort(from, sorted);
    for (auto* of_part : from) *of_part = {};
    const entry* const end = sorted.data() + sorted.size();
    for (const entry* first = sorted.data(); first != end;) {
        const entry* last = first + 1;
        while (last != end && last->subject == first->subject) ++last;
        examine(first, last);
        first = last;
    }
}

plan plan_builder::finish() {
    return finish(std::span(this, 1), [](std::size_t count, const auto& work) {
        for (std::size_t i = 0; i < count; ++i) work(i);
    });
}

plan plan_builder::finish(std::span<plan_builder> parts, const divided_work& divided) {
    constexpr std::size_t buckets = std::size_t{1} << bucket_bits, together = 16;
    const std::size_t keep = parts.front().keep_;
    std::vector<plan> plans;
    for (plan_builder& part : parts) plans.push_back(std::exchange(part.plan_, {}));
    const std::size_t of_subjects = plans.size();
    plans.resize(of_subjects + buckets / together);
    divided(buckets / together, [&](std::size_t share) {
        plan_builder found(keep);
        std::vector<entry> sorted;
        for (std::size_t i = share * together; i < (share + 1) * together; ++i)
            found.examine_bucket(parts, i, sorted);
        plans[of_subjects + share] = std::move(found.plan_);
    });
    plan all;
    for (plan& p : plans) {
        all.rows += p.rows;
        for (std::size_t i = 0; i < operation_count; ++i) all.by_operation[i] += p.by_operation[i];
        all.invalid += p.invalid;
        all.subjects += p.subjects;
        all.waiting_rows += p.waiting_rows;
        all.longest_line = std::max(all.longest_line, p.longest_line);
        all.duplicates += p.duplicates;
        all.contradictions += p.contradictions;
        std::ranges::move(p.first_invalid, std::back_inserter(all.first_invalid));
        std::ranges::move(p.first_conflicts, std::back_inserter(all.first_conflicts));
    }
    std::ranges::sort(all.first_invalid, {}, &invalid_row::line);
    if (all.first_invalid.size() > keep) all.first_invalid.resize(keep);
    keep_first(all.first_conflicts, keep);
    return all;
}

}  // namespace muster
