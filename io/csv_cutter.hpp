// Cuts CSV text into blocks of whole records, for readers that work side by side. It looks at quotes and line
// feeds alone: a line feed behind an even number of quotes ends a record, as long as the text keeps to RFC
// 4180. Where it does not, the first record that breaks a rule still begins in a block that begins with a
// record, so that its reader finds it, or finds a quote that is not closed; what comes behind may be cut
// anywhere.
#pragma once

#include "io/byte_source.hpp"
#include "io/record_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

class csv_cutter {
  public:
    /// `block_bytes`: read at a time, and so about the size of a block. The source must outlive the cutter.
    csv_cutter(byte_source& source, std::size_t block_bytes);

    struct block {
        std::string bytes;             ///< the text, and behind it record_buffer::padding bytes
        std::uint64_t first_line = 0;  ///< the number of its first line in the file, from 1

        /// Ends with a line feed, unless it is the last; empty: that was all. Not of a block that was moved.
        [[nodiscard]] std::string_view text() const noexcept {
            return std::string_view(bytes).substr(0, bytes.size() - record_buffer::padding);
        }
    };
    /// The next one. Fails when the source does, and (bad_job) where no record ends for longer than one may
    /// be.
    [[nodiscard]] result<block> next();

    /// From now on each block begins with this text, which is none of its lines.
    void begin_each_with(std::string header);

  private:
    /// Reads up to one block's bytes behind the text, fewer at the end alone; false where there are none.
    result<bool> read(std::string& text);
    /// Looks at what came behind `from`.
    void look(const std::string& text, std::size_t from);

    byte_source& source_;
    std::size_t block_bytes_;
    std::string header_;
    std::string rest_;  // behind the last record's end
    bool within_quotes_ = false;
    std::size_t end_ = 0;  // of the last record in the text looked at; 0: none ends in it
    std::uint64_t line_ = 1;
};

}  // namespace muster
