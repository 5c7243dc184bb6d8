// What a whole job amounts to before anything is sent: counts, rows that break a rule, rows that repeat or
// contradict each other, and how rows depend on each other. Sixteen bytes are kept for each row.
#pragma once

#include "engine/job.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace muster {

/// Something about two rows of one token or device that a person should look at.
struct row_conflict {
    enum class kind : std::uint8_t {
        duplicate,       ///< the same operation for the same user, twice in a row
        two_users,       ///< rows for different users
        enable_disable,  ///< enabled and disabled in one job: the later row wins
        before_assigned  ///< changed first, assigned later
    };
    kind what = kind::duplicate;
    std::uint64_t first_line = 0;
    std::uint64_t second_line = 0;
    [[nodiscard]] std::string text() const;
};

struct invalid_row {
    std::uint64_t line = 0;
    std::string problem;
};

struct plan {
    std::uint64_t rows = 0;  ///< all of them, invalid ones too
    std::array<std::uint64_t, operation_count> by_operation{};
    std::uint64_t invalid = 0;
    std::vector<invalid_row> first_invalid;  ///< the first of them, as many as were asked for
    std::uint64_t subjects = 0;              ///< different tokens and devices
    std::uint64_t waiting_rows = 0;          ///< rows that wait for an earlier one of the same subject
    std::uint64_t longest_line = 0;          ///< most rows of one subject
    std::uint64_t duplicates = 0;
    std::uint64_t contradictions = 0;
    std::vector<row_conflict> first_conflicts;
};

class plan_builder {
  public:
    /// `keep`: how many invalid rows and conflicts are listed one by one.
    explicit plan_builder(std::size_t keep);
    void add(const row_view& r);
    void add_invalid(std::uint64_t line, const row_problem& problem);
    /// The plan of what this builder was given.
    [[nodiscard]] plan finish();

    /// Calls `work` with every number below `count`, in any order and on any threads, and returns when all is
    /// done.
    using divided_work = std::function<void(std::size_t count, const std::function<void(std::size_t)>& work)>;
    /// The plan of what these builders were given, each of them a part of one job, in any order. All have the
    /// same `keep`, and are empty then.
    [[nodiscard]] static plan finish(std::span<plan_builder> parts, const divided_work& divided);

  private:
    struct entry {
        std::uint64_t subject;  // fingerprint
        std::uint64_t rest;     // line (40 bits), operation (4), fingerprint of the user (20)
    };
    using bucket = std::deque<entry>;  // which does not move what it holds as it grows
    static void sort(std::span<bucket* const> from, std::vector<entry>& sorted);
    void examine(const entry* begin, const entry* end);
    void examine_bucket(std::span<plan_builder> parts, std::size_t number, std::vector<entry>& sorted);
    void note(row_conflict::kind what, const entry& first, const entry& second);

    std::size_t keep_;
    plan plan_;
    std::vector<bucket> buckets_;  // by the first bits of the subject
};

}  // namespace muster
