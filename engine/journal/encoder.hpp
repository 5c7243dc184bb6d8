// Journal records to bytes, as FORMAT.md says. The encoder appends to a buffer that its owner writes to the
// end of the file and empties; it knows the file offset of every record, since the checks depend on it.
#pragma once

#include "engine/journal/record.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace muster {

/// The header's JSON and back.
std::string header_to_json(const journal_header& header);
result<journal_header> header_from_json(std::string_view json);

class journal_encoder {
  public:
    /// For a new journal: begins with the magic and the header.
    explicit journal_encoder(const journal_header& header);

    /// To go on with a journal that was read up to `offset`, with the phrases it holds.
    journal_encoder(wall_time created_at, std::uint64_t offset, const std::vector<std::string>& phrases);

    void session(const session_record& r);
    /// Any number of rows; split over several records where one would be too long.
    void intents(std::span<const std::uint64_t> rows) { rows_record(record_type::intents, rows); }
    void withdrawn(std::span<const std::uint64_t> rows) { rows_record(record_type::withdrawn, rows); }
    void lost(const lost_record& r) { rows_record(record_type::lost, r.rows, r.hold ? 1 : 0); }
    void outcome(const row_outcome& r);
    void end(const end_record& r);
    void limit(const learnt_limit& l);

    /// The file offset behind the last record.
    [[nodiscard]] std::uint64_t offset() const noexcept { return taken_ + buffer_.size(); }
    /// The bytes since the last call; `reuse` becomes the new buffer (emptied, its memory kept).
    [[nodiscard]] std::string take(std::string reuse = {});
    [[nodiscard]] bool empty() const noexcept { return buffer_.empty(); }

  private:
    void begin(record_type type);
    void finish();
    void rows_record(record_type type, std::span<const std::uint64_t> rows, int first_byte = -1);
    void put_varint(std::uint64_t value);
    void put_signed(std::int64_t value);
    void put_text(std::string_view text);
    /// Writes a phrase record if the text is a new one; returns its number, or 0 when the table is full.
    std::uint64_t phrase(std::string_view text);
    void put_reference(std::uint64_t number, std::string_view text);

    wall_time created_at_;
    std::uint64_t taken_ = 0;  // bytes handed out so far, or read before
    std::string buffer_;
    std::size_t record_start_ = 0;
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>()(text);
        }
    };
    std::unordered_map<std::string, std::uint64_t, text_hash, std::equal_to<>> phrases_;
};

}  // namespace muster
