// What can become of a row, and the record of it.
#pragma once

#include "engine/exchange.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// Wall-clock time as the journal keeps it.
using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;
/// Monotonic time, by which everything is decided.
using instant = std::chrono::steady_clock::time_point;

/// Both clocks, read together.
struct moment {
    instant mono;
    wall_time wall;
};

enum class outcome : std::uint8_t {
    applied,    ///< the service confirmed it in this run
    already,    ///< it was so without this run's doing, or by an attempt whose reply was lost; verified
    rejected,   ///< the service refused for good
    blocked,    ///< not sent: an earlier row for the same token or device did not succeed
    exhausted,  ///< failures outlasted the attempts, and nothing was applied
    in_doubt,   ///< sent; whether it was applied could not be learned
    invalid,    ///< not sent: the row breaks a rule
    pending     ///< not sent yet
};
inline constexpr std::size_t outcome_count = 8;

std::string_view name_of(outcome o) noexcept;  ///< as users write it: "inDoubt"
std::optional<outcome> find_outcome(std::string_view name) noexcept;
inline bool succeeded(outcome o) noexcept {
    return o == outcome::applied || o == outcome::already;
}

/// How many rows have each outcome.
struct outcome_counts {
    std::array<std::uint64_t, outcome_count> of{};
    std::uint64_t& operator[](outcome o) noexcept { return of[static_cast<std::size_t>(o)]; }
    std::uint64_t operator[](outcome o) const noexcept { return of[static_cast<std::size_t>(o)]; }
    friend bool operator==(const outcome_counts&, const outcome_counts&) = default;
};

/// What the journal keeps of a row that is done with.
struct row_outcome {
    std::uint64_t row = 0;  ///< its index
    outcome result = outcome::pending;
    unsigned status = 0;    ///< the last HTTP status, 0 for none
    unsigned attempts = 0;  ///< how often the operation was sent
    wall_time at{};
    service_details details;
    std::string message;  ///< why, in the service's words or ours
    friend bool operator==(const row_outcome&, const row_outcome&) = default;
};

/// ISO 8601 in UTC with milliseconds: "2021-06-11T19:10:30.045Z".
std::string to_iso(wall_time t);
/// The same at the end of `out`.
void append_iso(std::string& out, wall_time t);
/// Reads exactly what to_iso() writes; nothing for any other form.
std::optional<wall_time> from_iso(std::string_view text) noexcept;

}  // namespace muster
