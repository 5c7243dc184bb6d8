// Bytes to journal records. Bytes are fed in pieces of any size; what is not a valid record at its place is
// told, and the decoder can look for the next valid record behind it, which is how a torn tail is told from
// damage.
#pragma once

#include "engine/journal/record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

class journal_decoder {
  public:
    enum class step {
        record,     ///< `out` holds the next record
        need_more,  ///< feed, or call finish() when there is nothing more
        end,        ///< all bytes are read, and all were valid
        bad         ///< the bytes at offset() are no valid record; see problem()
    };

    /// Gives the next bytes of the file.
    void feed(std::string_view bytes);
    /// Says that no more bytes come.
    void finish() noexcept { finished_ = true; }

    /// The next record. The header must come first; after `bad` only resync() goes on.
    step next(journal_record& out);

    /// Behind `bad`: looks for the next place at which a valid record starts and goes on from there. record
    /// means found (next() yields it), need_more and end as with next(). A phrase may be lost in between, and
    /// with it the numbers of all later ones: references to those give empty texts.
    step resync();

    /// Where the next record starts, or the bad bytes are.
    [[nodiscard]] std::uint64_t offset() const noexcept { return base_ + at_; }
    /// Where the record that next() gave last starts.
    [[nodiscard]] std::uint64_t record_offset() const noexcept { return record_offset_; }
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::vector<std::string>& phrases() const noexcept { return phrases_; }

    /// Reads again an outcome record that next() gave before; `file` is the whole journal. False when it is
    /// not there.
    [[nodiscard]] bool outcome_at(std::string_view file, std::uint64_t offset, row_outcome& out) const;

  private:
    // A record whose check is right; the payload points into the buffer.
    struct frame {
        record_type type{};
        std::string_view payload;
        std::size_t size = 0;
    };
    static step read_frame(std::string_view rest, std::uint64_t offset, bool finished, frame& out,
                           std::string& why);
    [[nodiscard]] step read_frame(std::size_t at, frame& out, std::string& why) const {
        return read_frame(std::string_view(buffer_).substr(at), base_ + at, finished_, out, why);
    }
    [[nodiscard]] bool read_payload(const frame& from, journal_record& out);
    step fail(std::string why);

    std::string buffer_;
    std::uint64_t base_ = 0;  // file offset of buffer_[0]
    std::size_t at_ = 0;
    std::uint64_t record_offset_ = 0;
    bool finished_ = false;
    bool started_ = false;  // the magic was read
    bool header_seen_ = false;
    bool numbers_lost_ = false;  // of phrases: there was damage before
    std::string problem_;
    wall_time created_at_{};
    std::vector<std::string> phrases_;
};

}  // namespace muster
