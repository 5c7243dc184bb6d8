// The records of a journal, decoded: plain data, one struct a type. FORMAT.md has the bytes.
#pragma once

#include "engine/learnt_limit.hpp"
#include "engine/outcome.hpp"
#include "engine/run_settings.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace muster {

inline constexpr std::string_view journal_magic{"MUSTERJ\x01", 8};
inline constexpr std::size_t record_prefix_bytes = 8;  // check, length, type
inline constexpr std::size_t max_record_payload = 1024 * 1024;

enum class record_type : std::uint8_t {
    header = 1,
    session,
    phrase,
    intents,
    outcome,
    withdrawn,
    end,
    limit,
    lost
};

/// What the journal belongs to.
struct journal_header {
    std::string version;  ///< of the Muster that made it
    wall_time created_at{};
    std::string job_path;    ///< absolute
    std::string job_name;    ///< as the user wrote it
    std::string job_format;  ///< "csv" or "jsonl"
    std::uint64_t job_size = 0;
    std::string job_sha256;
    std::uint64_t rows = 0;
    std::vector<std::string> columns;  ///< of the job file, for reports
    column_options mapping;
    run_settings settings;
};

/// A process began to work.
struct session_record {
    wall_time at{};
    std::uint64_t process = 0;
    std::string version;
};

/// Rows that may be sent from now on.
struct intents_record {
    std::vector<std::uint64_t> rows;
};

/// Rows for which nothing was applied.
struct withdrawn_record {
    std::vector<std::uint64_t> rows;
};

/// Rows about which records were lost with a damaged part of the journal: they may have been sent or not, and
/// applied or not. `hold`: a later row of the same token, which may have taken effect, would be undone if
/// such a row were sent again.
struct lost_record {
    std::vector<std::uint64_t> rows;
    bool hold = false;
};

/// Why a process stopped working in good order.
enum class end_reason : std::uint8_t {
    finished,
    interrupted,
    not_authorised,
    too_many_failures,
    untrusted_server,
    unreachable,
    misdirected,
    job_changed,
    storage  ///< never in a journal: it could not be written
};

/// A process ended in good order.
struct end_record {
    end_reason reason = end_reason::finished;
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    std::uint64_t throttled = 0;
    std::uint64_t milliseconds = 0;
};

using journal_record = std::variant<journal_header, session_record, intents_record, row_outcome,
                                    withdrawn_record, end_record, learnt_limit, lost_record>;

}  // namespace muster
