// What the CSV and the JSONL reader have in common: records one after the other, in constant memory.
#pragma once

#include "engine/job.hpp"
#include "io/byte_source.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// A record (a CSV row, a JSONL line) may be this long at the most.
inline constexpr std::size_t max_record_bytes = 1024 * 1024;

enum class job_format { csv, jsonl };

class record_reader {
  public:
    virtual ~record_reader() = default;

    /// The next record in `out` (its views live until the next call), or false at the end. A record that is
    /// malformed but whose end is certain comes back with `problem` set, and reading goes on behind it. Fails
    /// (bad_job; "FILE:LINE: …") where nothing after the place can be trusted: an unclosed quote, a record
    /// over max_record_bytes, a header row that is not text.
    [[nodiscard]] virtual result<bool> next(record& out) = 0;

    /// Column names in the order of first appearance: CSV, the header row (read by the first next());
    /// JSONL, all names seen so far, up to a bound of 1,000.
    [[nodiscard]] virtual const std::vector<std::string>& columns() const noexcept = 0;

    /// The line on which the header row starts (CSV, read by the first next()); 0 where there is none.
    [[nodiscard]] virtual std::uint64_t header_line() const noexcept { return 0; }
};

/// `name` is the file's name as messages give it. The source must outlive the reader.
std::unique_ptr<record_reader> make_csv_reader(byte_source& source, std::string name);
/// Reads a text in memory in place and may change it; the last record_buffer::padding bytes are not part of
/// it.
std::unique_ptr<record_reader> make_csv_reader_in_place(std::span<char> padded_text, std::string name);
std::unique_ptr<record_reader> make_jsonl_reader(byte_source& source, std::string name);

}  // namespace muster
