// Splits CSV text into records and fields, strictly by RFC 4180: positions only, no meaning. It says where
// each field starts and ends whatever the text is, and notes the first thing in a record that is not as it
// should be. The end of the buffer may come at any byte; it reads on and continues where it was, so a long
// record costs no second look.
#pragma once

#include "io/csv_block.hpp"
#include "io/record_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace muster {

/// A field's text, as offsets from the start of its record; the quotes around it are left out.
struct csv_field {
    std::uint32_t begin;
    std::uint32_t end;
    bool doubled;  ///< it holds doubled quotes, which still stand doubled
};

/// What may be wrong within a record whose end is certain nonetheless.
enum class csv_fault : std::uint8_t { none, bare_quote, text_behind_quote, bare_cr, nul };

/// What a scan came to.
enum class csv_end : std::uint8_t { record, blank_line, end_of_data, unclosed_quote, too_long };

class csv_scanner {
  public:
    /// The buffer must outlive the scanner, which alone moves it on.
    explicit csv_scanner(record_buffer& buffer);

    /// Finds the end of the record that starts at the buffer's begin(). Fails when the source does.
    [[nodiscard]] result<csv_end> scan();

    /// Moves the buffer on behind what scan() found.
    void pass();

    /// Of the record that scan() found:
    [[nodiscard]] std::span<const csv_field> fields() const noexcept { return {fields_.data(), count_}; }
    [[nodiscard]] bool any_doubled() const noexcept { return any_doubled_; }
    [[nodiscard]] std::size_t length() const noexcept { return length_; }  ///< without its line break
    [[nodiscard]] bool ascii() const noexcept { return ascii_; }           ///< false: perhaps not
    [[nodiscard]] csv_fault fault() const noexcept { return fault_; }
    [[nodiscard]] std::size_t fault_field() const noexcept { return fault_field_; }
    [[nodiscard]] std::size_t line_breaks() const noexcept { return line_breaks_; }  ///< within quotes
    /// Of these, the ones before the quote that opened last.
    [[nodiscard]] std::size_t line_breaks_before_quote() const noexcept { return breaks_before_quote_; }

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    void begin_record() noexcept;
    void load_block(const char* at) noexcept;
    bool read_more();
    std::size_t next_mark();
    bool next_is(std::size_t offset, char c);
    void look_within_quotes(char mark, std::size_t offset);
    void look_at_quote(std::size_t offset);
    void pass_plain_fields();
    void append(std::size_t begin, std::size_t end, bool doubled);
    void end_field(std::size_t offset);
    csv_end end_record(std::size_t length, std::size_t break_length);
    result<csv_end> end_of_text();
    void note(csv_fault fault) noexcept;

    record_buffer& buffer_;
    const char* block_ = nullptr;  // where marks_ counts from; nullptr before the first record
    std::uint64_t marks_ = 0;      // the block's marks that were not looked at yet
    bool block_ascii_ = true;
    std::optional<error> failure_;  // the source's

    std::vector<csv_field> fields_;  // the first count_ of them
    std::size_t count_ = 0;
    std::size_t length_ = 0;
    std::size_t break_length_ = 0;
    std::size_t line_breaks_ = 0;
    std::size_t breaks_before_quote_ = 0;
    std::size_t fault_field_ = 0;
    csv_fault fault_ = csv_fault::none;
    bool ascii_ = true;
    bool any_doubled_ = false;

    std::size_t field_begin_ = 0;
    std::size_t closing_quote_ = none;  // the current field's
    bool quoted_ = false;               // the current field starts with a quote
    bool doubled_ = false;              // and holds doubled ones
};

}  // namespace muster
