// Reads a journal file to its end: the state of the rows, and each place where it is not as it was written.
#pragma once

#include "engine/journal/decoder.hpp"
#include "engine/journal/replay.hpp"
#include "io/storage.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// A stretch of a journal that holds no valid record though valid ones follow.
struct journal_damage {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::string what;
};

/// All that reading a journal tells.
struct journal_contents {
    journal_replay replay;    ///< of a damaged journal: with the rows that are lost
    journal_decoder decoder;  ///< at the end of the good part: reads outcomes again, knows the phrases
    std::uint64_t size = 0;
    std::uint64_t records = 0;
    std::uint64_t good_bytes = 0;  ///< up to here every record is valid
    std::uint64_t torn_bytes = 0;  ///< behind it, of an unfinished write
    std::vector<journal_damage> damages;
    std::uint64_t records_behind_damage = 0;
    bool in_use = false;  ///< another process is writing it
};

/// Called for every outcome record with its offset.
using outcome_visitor = std::function<void(const row_outcome&, std::uint64_t)>;
/// Called for every record with its offset.
using record_visitor = std::function<void(const journal_record&, std::uint64_t)>;

/// Reads a journal without locking or changing it. Fails: journal_missing, storage (cannot be read),
/// journal_damaged (no journal, another version, a broken header). Other damage is in the contents.
result<journal_contents> read_journal(const std::string& path, const outcome_visitor& visit = {},
                                      storage& disk = system_storage());

/// Reads only what the journal belongs to. Fails as read_journal() does.
result<journal_header> read_journal_header(const std::string& path, storage& disk = system_storage());

/// The sentence for a damaged journal, or nothing when it is sound.
std::string damage_text(const std::string& path, const journal_contents& contents);

// For those who work on a journal:

/// Opens a regular file. Fails: journal_missing, storage.
result<int> open_journal(storage& disk, const std::string& path, int flags);
/// Fails: journal_busy, storage.
result<void> lock_journal(storage& disk, int fd, const std::string& path);
/// Fails as read_journal() does.
result<journal_contents> read_open_journal(storage& disk, int fd, const std::string& path,
                                           const record_visitor& visit = {});
/// A failure of the call before, with the system's reason.
error storage_error(const std::string& path, std::string_view what);

}  // namespace muster
